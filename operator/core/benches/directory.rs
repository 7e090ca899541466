//! The directory alone: 100,000 identities, 100 policies, 300 groups (a third by rule, a third nested). Everything
//! evaluated anew; one identity, one group, one policy edited; bytes an identity takes, indexes included.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(unsafe_code, reason = "an allocator that counts is the only way to see what memory is held")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use provost_core::directory::Directory;
use provost_core::model::{
    AccessPolicy, Change, ConnectorKind, Custom, Effect, Field, GrantSpec, GrantWhat, Group, Identity, IdentityType,
    Lifecycle, Manifest, Member, Meta, PolicyMode, Schema, Source, Subject, UserName,
};

struct Held;

static BYTES: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Held {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Held = Held;

const IDENTITIES: usize = 100_000;
const GROUPS: usize = 300;
const POLICIES: usize = 100;

static SCHEMA: Schema = Schema {
    mapping: &[("userName", "identity.userName")],
    references: &[],
    control: &[],
    case_insensitive: &[],
    mark: None,
    user_name: "userName",
    external_id: None,
    entitlements: &[],
    interval: Duration::from_mins(10),
};

fn schemas(_: ConnectorKind) -> &'static Schema {
    &SCHEMA
}

fn meta(name: &str) -> Meta {
    Meta {
        name: name.into(),
        uid: name.into(),
        generation: 1,
        created: Timestamp::UNIX_EPOCH,
        deleting: false,
        finalizer: false,
        reconcile_now: None,
        status: None,
    }
}

/// Twelve attributes, six of them unique texts.
fn person(at: usize, title: &str) -> Change {
    let name = format!("person-{at}");
    let unique = |field: Field, what: &str| (field, format!("{what} of {name}").into());
    let mut texts = [
        unique(Field::DisplayName, "display"),
        unique(Field::GivenName, "given"),
        unique(Field::FamilyName, "family"),
        (Field::Title, title.into()),
        (Field::Department, format!("department-{}", at % 100).into()),
        (Field::Organization, "Acme".into()),
        (Field::CostCenter, format!("{}", at % 500).into()),
        unique(Field::EmployeeNumber, "number"),
        (Field::EmployeeType, "Employee".into()),
        (Field::Location, format!("place-{}", at % 40).into()),
    ];
    texts.sort();
    Change::Identity(Manifest {
        meta: meta(&name),
        spec: Ok(Identity {
            kind: IdentityType::Person,
            user_name: UserName::new(name.as_str(), &name),
            external_id: Some(format!("E-{at}").into()),
            texts: texts.into(),
            emails: Box::default(),
            phone_numbers: Box::default(),
            addresses: Box::default(),
            manager: None,
            custom: [("clearance".into(), Custom::One("secret".into()))].into(),
            lifecycle: Lifecycle::default(),
        }),
    })
}

fn source(text: String) -> Source {
    Source { text: text.into(), path: "spec.match".into() }
}

/// A third by rule, a third that list people, a third that include one of each.
fn group(at: usize, more: usize) -> Change {
    let listed = |at: usize| Subject::Identity(format!("person-{at}").as_str().into());
    let nested = |at: usize| Subject::Group(format!("group-{at}").as_str().into());
    let members: Vec<Subject> = match at % 3 {
        0 => Vec::new(),
        1 => (0..1000 + more).map(|n| listed((at * 337 + n * 89) % IDENTITIES)).collect(),
        _ => vec![nested(at - 1), nested(at - 2)],
    };
    let rule = at.is_multiple_of(3).then(|| source(format!("identity.department == \"department-{}\"", at % 100)));
    let member = |subject| Member { subject, not_after: None };
    let spec = Group { rule, members: members.into_iter().map(member).collect(), ..Group::default() };
    Change::Group(Manifest { meta: meta(&format!("group-{at}")), spec: Ok(spec) })
}

fn policy(at: usize, kind: &str) -> Change {
    let subjects = vec![Subject::Group(format!("group-{}", at * 3 % GROUPS + at % 3).as_str().into())];
    let rule = source(format!("identity.type == \"{kind}\" && identity.location != \"\" && has(identity.location)"));
    let what = GrantWhat::Named(vec!["editor".into()]);
    let spec = AccessPolicy {
        effect: Effect::Allow,
        mode: PolicyMode::Enforce,
        subjects: (!at.is_multiple_of(25)).then_some(subjects),
        rule: Some(rule),
        grants: vec![GrantSpec { application: format!("app-{}", at % 20).as_str().into(), what }],
        not_before: None,
        not_after: None,
        lead_time: None,
    };
    Change::AccessPolicy(Manifest { meta: meta(&format!("policy-{at}")), spec: Ok(spec) })
}

fn everything() -> Vec<Change> {
    let people = (0..IDENTITIES).map(|at| person(at, "Engineer"));
    let groups = (0..GROUPS).map(|at| group(at, 0));
    people.chain(groups).chain((0..POLICIES).map(|at| policy(at, "Person"))).collect()
}

#[allow(clippy::print_stderr, reason = "a figure that criterion does not know how to report")]
fn bench(criterion: &mut Criterion) {
    let now = Timestamp::UNIX_EPOCH;
    let load = |changes: Vec<Change>| {
        let mut directory = Directory::new(schemas);
        black_box(directory.replace(changes, now));
        directory
    };
    let before = BYTES.load(Ordering::Relaxed);
    let mut directory = load(everything());
    eprintln!("bytes an identity: {}", (BYTES.load(Ordering::Relaxed) - before) / IDENTITIES);
    let mut turn = 0_usize;
    let mut other = |one: &'static str, other: &'static str| {
        turn += 1;
        if turn.is_multiple_of(2) { one } else { other }
    };
    criterion.bench_function("one identity edited", |b| {
        b.iter_batched(
            || vec![person(77, other("Engineer", "Analyst"))],
            |batch| black_box(directory.apply(batch, now)),
            BatchSize::SmallInput,
        );
    });
    let mut more = 0;
    criterion.bench_function("one member more in a group of 1,000", |b| {
        b.iter_batched(
            || {
                more = (more + 1) % 2;
                vec![group(1, more)]
            },
            |batch| black_box(directory.apply(batch, now)),
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("a policy of everyone changes whom it matches", |b| {
        b.iter_batched(
            || vec![policy(25, other("Person", "Service"))],
            |batch| black_box(directory.apply(batch, now)),
            BatchSize::PerIteration,
        );
    });
    drop(directory);
    criterion.bench_function("everything evaluated anew", |b| {
        b.iter_batched(everything, load, BatchSize::PerIteration);
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = bench
}
criterion_main!(benches);
