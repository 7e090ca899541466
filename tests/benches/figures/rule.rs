//! One rule of four clauses over one identity: here, and in the interpreter of the `cel` crate, in one run.

use std::collections::HashMap;
use std::hint::black_box;

use cel::{Context, Program, Value};
use provost_core::model::{Change, Effect, PackedIdentity, State};
use provost_core::policy::{Cost, Facts, GroupId, Manager, Memberships, Scope, Site, compile, matches};

use crate::clock::nanoseconds;
use crate::counting;
use crate::table::Table;
use crate::world;

const RULE: &str = "identity.department == 'Engineering' && identity.type == 'Person' && 'sre' in identity.groups && \
                    identity.title in ['Analyst', 'Engineer']";

fn person() -> PackedIdentity {
    let Change::Identity(manifest) = world::identity(7, "Engineering", "Engineer") else { unreachable!() };
    manifest.spec.unwrap().pack()
}

/// The same person, as the interpreter reads her; made once.
fn context() -> Context<'static, 'static> {
    let identity: HashMap<String, Value> = [
        ("type".to_owned(), Value::from("Person")),
        ("department".to_owned(), Value::from("Engineering")),
        ("title".to_owned(), Value::from("Engineer")),
        ("groups".to_owned(), Value::List(vec![Value::from("platform"), Value::from("sre")].into())),
    ]
    .into();
    let mut context = Context::default();
    context.add_variable_from_value("identity", Value::from(identity));
    context
}

fn allocations<T>(mut run: impl FnMut() -> T) -> usize {
    black_box(run());
    let before = counting::made();
    black_box(run());
    counting::made() - before
}

pub fn measure(table: &mut Table) {
    let site = Site::PolicyMatch(Effect::Allow);
    let rule = compile(RULE, site, &mut Scope { group: &mut |_| GroupId(3) }).unwrap();
    let (program, context, ada) = (Program::compile(RULE).unwrap(), context(), person());
    let facts = Facts {
        identity: &ada,
        manager: Manager::Absent,
        state: State::Active,
        application: None,
        groups: Memberships { sure: &[GroupId(1), GroupId(3)], unknown: &[], name: &|_| None },
    };
    let ours = || matches(black_box(&rule), black_box(&facts), &mut Cost::default());
    let theirs = || program.execute(black_box(&context));
    assert_eq!(ours(), Ok(true));
    assert_eq!(theirs(), Ok(Value::Bool(true)));
    let (here, there) = (nanoseconds(ours), nanoseconds(theirs));
    table.below("rule of four clauses, evaluated", here, 250.0, "ns");
    table.exactly("  allocations", allocations(ours), 0, "");
    table.shown("  the same in cel's interpreter", there, "ns");
    table.at_least("  times as fast as cel's interpreter", there / here, 8.0, "");
}
