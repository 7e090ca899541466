//! No rule takes more memory than it may, at any site, when it is checked, evaluated and traced. In a program of its own,
//! for its allocator.
#![allow(unsafe_code, reason = "an allocator that counts is the only way to see allocations")]

use provost_core::model::{Custom, Effect, Field, Identity, IdentityType, Lifecycle, State, UserName};
use provost_core::policy::{
    Cost, Facts, GroupId, Manager, Memberships, Rule, Scope, Site, compile, evaluate, matches, trace,
};

#[path = "hostile/counting.rs"]
mod counting;
#[path = "hostile/shapes.rs"]
mod shapes;

use counting::{CHECKED, EVALUATED, Taken, taken};

const SITES: [Site; 6] = [
    Site::GroupMatch,
    Site::PolicyMatch(Effect::Allow),
    Site::PolicyMatch(Effect::Deny),
    Site::Requires,
    Site::Attribute,
    Site::Correlation,
];

fn person() -> Identity {
    Identity {
        kind: IdentityType::Person,
        user_name: UserName::new("ada", "ada"),
        external_id: None,
        texts: Box::new([(Field::Title, "a".repeat(256).into()), (Field::Department, "Engineering".into())]),
        emails: Box::new([]),
        phone_numbers: Box::new([]),
        addresses: Box::new([]),
        manager: None,
        custom: Box::new([("x".into(), Custom::One("secret".into()))]),
        lifecycle: Lifecycle::default(),
    }
}

#[track_caller]
fn within(what: &str, name: &str, source: &str, site: Site, taken: Taken, bound: Taken) {
    let kept = taken.total <= bound.total && taken.most <= bound.most;
    let begin: String = source.chars().take(120).collect();
    assert!(kept, "{what} {name} at {site:?} took {taken:?}, and may take {bound:?}: {begin}");
}

fn answer(rule: &Rule, site: Site, facts: &Facts<'_>) {
    match site {
        Site::Attribute | Site::Correlation => drop(evaluate(rule, facts, &mut Cost::default())),
        _ => drop(matches(rule, facts, &mut Cost::default())),
    }
}

#[test]
fn hostile_rules_are_checked_evaluated_and_traced_within_their_memory_at_every_site() {
    let ada = person().pack();
    let facts = Facts {
        identity: &ada,
        manager: Manager::Known(&ada),
        state: State::Active,
        application: Some("wiki"),
        groups: Memberships { sure: &[GroupId(0)], unknown: &[], name: &|_| None },
    };
    let (mut refused, mut accepted) = (0, 0);
    let mut largest = [Taken::default(); 3];
    let mut note = |at: usize, taken: Taken| {
        let so_far = &mut largest[at];
        *so_far = Taken { total: so_far.total.max(taken.total), most: so_far.most.max(taken.most) };
    };
    for (name, source) in shapes::all() {
        for site in SITES {
            let mut group = |_: &str| GroupId(0);
            let (checked, cost) = taken(|| compile(&source, site, &mut Scope { group: &mut group }));
            within("checking", name, &source, site, cost, CHECKED);
            note(0, cost);
            let rule = match checked {
                Ok(rule) => rule,
                Err(findings) => {
                    assert!(!findings.is_empty(), "{name}: refused without a word");
                    refused += 1;
                    continue;
                }
            };
            accepted += 1;
            let ((), cost) = taken(|| answer(&rule, site, &facts));
            within("evaluating", name, &source, site, cost, EVALUATED);
            note(1, cost);
            let (_, cost) = taken(|| trace(&rule, &facts));
            within("tracing", name, &source, site, cost, EVALUATED);
            note(2, cost);
        }
    }
    println!("{refused} refused, {accepted} accepted; largest checked, evaluated, traced: {largest:?}");
    assert!(refused > 100 && accepted > 100, "{refused} refused, {accepted} accepted");
}
