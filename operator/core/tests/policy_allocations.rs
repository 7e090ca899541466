//! Evaluating usual rules allocates nothing, and costs few operations. In a program of its own, for its allocator.
#![allow(unsafe_code, reason = "an allocator that counts is the only way to see allocations")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use provost_core::model::{Contact, Custom, Effect, Field, Identity, IdentityType, Lifecycle, State, UserName};
use provost_core::policy::{Cost, Facts, GroupId, Manager, Memberships, Scope, Site, compile, matches};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn person() -> Identity {
    Identity {
        kind: IdentityType::Person,
        user_name: UserName::new("ada", "ada"),
        external_id: None,
        texts: Box::new([(Field::Title, "Analyst".into()), (Field::Department, "Engineering".into())]),
        emails: Box::new([Contact { value: "ada@acme.test".into(), kind: None, primary: None }]),
        phone_numbers: Box::new([]),
        addresses: Box::new([]),
        manager: None,
        custom: Box::new([
            ("clearance".into(), Custom::One("secret".into())),
            ("shifts".into(), Custom::Many(Box::new(["early".into(), "late".into()]))),
        ]),
        lifecycle: Lifecycle::default(),
    }
}

#[test]
fn usual_rules_allocate_nothing_and_cost_little() {
    let ada = person().pack();
    let facts = Facts {
        identity: &ada,
        manager: Manager::Known(&ada),
        state: State::Active,
        application: None,
        groups: Memberships { sure: &[GroupId(0)], unknown: &[], name: &|_| None },
    };
    for source in [
        "identity.department == 'Engineering' && identity.type == 'Person' && 'sre' in identity.groups && \
         has(identity.title) && identity.title != 'Intern'",
        "identity.department in ['Sales', 'Engineering'] || identity.attributes.clearance == 'secret'",
        "'early' in identity.attributes.shifts && identity.title.startsWith('Ana')",
        "identity.emails.exists(e, e.value.endsWith('@acme.test'))",
        "identity.manager.department == 'Engineering' && identity.primaryEmail().endsWith('@acme.test')",
        "has(identity.title) && !(identity.title == 'Intern' || identity.title == 'Guest')",
        "identity.title.matches('^A[a-z]+$')",
    ] {
        let mut group = |_: &str| GroupId(0);
        let rule = compile(source, Site::PolicyMatch(Effect::Allow), &mut Scope { group: &mut group }).unwrap();
        // The first run may fill caches (those of a regular expression).
        assert_eq!(matches(&rule, &facts, &mut Cost::default()), Ok(true), "{source}");
        let before = COUNT.get();
        let mut cost = Cost::default();
        let outcome = matches(&rule, &facts, &mut cost);
        let allocated = COUNT.get() - before;
        assert_eq!((outcome, allocated), (Ok(true), 0), "{source}");
        assert!(cost.steps_taken() < 60, "{source}: {} operations", cost.steps_taken());
    }
}
