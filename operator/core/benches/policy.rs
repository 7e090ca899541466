//! A rule of four clauses over one identity: here, and in the interpreter of the `cel` crate, in one run. Allocations
//! are counted before the clock starts.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(unsafe_code, reason = "an allocator that counts is the only way to see allocations")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use cel::{Context, Program, Value};
use criterion::{Criterion, criterion_group, criterion_main};
use provost_core::model::{Effect, Field, Identity, IdentityType, Lifecycle, State, UserName};
use provost_core::policy::{Cost, Facts, GroupId, Manager, Memberships, Rule, Scope, Site, compile, matches};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RULE: &str = "identity.department == 'Engineering' && identity.type == 'Person' && 'sre' in identity.groups && \
                    identity.title in ['Analyst', 'Engineer']";

fn person() -> Identity {
    Identity {
        kind: IdentityType::Person,
        user_name: UserName::new("ada", "ada"),
        external_id: None,
        texts: Box::new([(Field::Title, "Engineer".into()), (Field::Department, "Engineering".into())]),
        emails: Box::new([]),
        phone_numbers: Box::new([]),
        addresses: Box::new([]),
        manager: None,
        custom: Box::new([]),
        lifecycle: Lifecycle::default(),
    }
}

fn rule() -> Option<Rule> {
    let mut group = |_: &str| GroupId(3);
    compile(RULE, Site::PolicyMatch(Effect::Allow), &mut Scope { group: &mut group }).ok()
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

#[allow(clippy::print_stdout, reason = "a bench reports by printing")]
fn allocations<T>(name: &str, mut run: impl FnMut() -> T) {
    black_box(run());
    let before = COUNT.load(Ordering::Relaxed);
    black_box(run());
    println!("{name}: {} allocations", COUNT.load(Ordering::Relaxed) - before);
}

fn evaluate(criterion: &mut Criterion) {
    let (Some(rule), Ok(program)) = (rule(), Program::compile(RULE)) else { return };
    let (ada, context) = (person(), context());
    let facts = Facts {
        identity: &ada,
        manager: Manager::Absent,
        state: State::Active,
        application: None,
        groups: Memberships { sure: &[GroupId(1), GroupId(3)], unknown: &[], name: &|_| None },
    };
    assert_eq!(matches(&rule, &facts, &mut Cost::default()), Ok(true));
    assert_eq!(program.execute(&context), Ok(Value::Bool(true)));
    let ours = || matches(black_box(&rule), black_box(&facts), &mut Cost::default());
    let theirs = || program.execute(black_box(&context));
    allocations("provost", ours);
    allocations("cel interpreter", theirs);
    let mut group = criterion.benchmark_group("evaluate a rule of four clauses");
    group.bench_function("provost", |b| b.iter(ours));
    group.bench_function("cel interpreter", |b| b.iter(theirs));
    group.finish();
    let mut group = criterion.benchmark_group("compile a rule of four clauses");
    group.bench_function("provost", |b| b.iter(self::rule));
    group.bench_function("cel parser alone", |b| b.iter(|| Program::compile(black_box(RULE))));
    group.finish();
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
