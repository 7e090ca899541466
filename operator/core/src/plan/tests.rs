use std::collections::BTreeSet;
use std::time::Duration;

use super::entitlements::{Fate, fate, rests_on};
use super::{Admission, Fold, Window, admit, digest, held_hash};
use crate::directory::{Wanted, Withheld};
use crate::model::{Budget, HeldStep, Lane, Name, Value};

fn names(list: &[&str]) -> Vec<Name> {
    list.iter().map(|name| Name::new(*name)).collect()
}

fn window(count: u32, percent: u32, used: u32, base: u32) -> Window {
    Window { budget: Budget { count, percent, window: Duration::from_hours(1) }, used, base }
}

#[test]
fn what_is_unknown_keeps_what_rests_on_it_and_gives_nothing_new() {
    let cases = [
        ("an Allow that matches gives", &["a"][..], &[][..], Withheld::No, &[][..], Fate::Give),
        ("no Allow takes", &[], &[], Withheld::No, &["a"], Fate::Take),
        ("an Unknown Allow keeps what rests on it", &[], &["a"], Withheld::No, &["a"], Fate::Keep),
        ("an Unknown Allow does not keep what rests on another", &[], &["a"], Withheld::No, &["b"], Fate::Take),
        ("an Unknown Allow gives nothing new", &[], &["a"], Withheld::No, &[], Fate::Take),
        ("a Deny takes whatever allows", &["a"], &["b"], Withheld::Yes(names(&["d"])), &["a"], Fate::Take),
        ("an Unknown Deny keeps what is held", &["a"], &[], Withheld::Unknown, &["a"], Fate::Keep),
    ];
    for (what, allow, unknown, withheld, rests, expected) in cases {
        let wanted = Wanted { allow: names(allow), unknown: names(unknown), withheld };
        let rests: BTreeSet<Name> = names(rests).into_iter().collect();
        assert_eq!(fate(&wanted, Some(&rests)), expected, "{what}");
    }
    let wanted = Wanted { allow: names(&["a"]), unknown: Vec::new(), withheld: Withheld::Unknown };
    assert_eq!(fate(&wanted, None), Fate::Take, "an Unknown Deny gives nothing new");
}

#[test]
fn what_is_recorded_and_unknown_now_stays_recorded() {
    let wanted = Wanted { allow: names(&["a"]), unknown: names(&["b", "c"]), withheld: Withheld::No };
    let before: BTreeSet<Name> = names(&["b", "gone"]).into_iter().collect();
    assert_eq!(rests_on(&wanted, Some(&before)), names(&["a", "b"]).into_iter().collect());
}

#[test]
fn a_wave_passes_whole_or_is_held_whole() {
    let cases = [
        ("the count suffices", 20, window(20, 5, 0, 100), Lane::Derived, true),
        ("one more does not", 21, window(20, 5, 0, 100), Lane::Derived, false),
        ("what was used counts", 10, window(20, 5, 11, 100), Lane::Derived, false),
        ("the percentage is the larger one", 50, window(20, 5, 0, 1000), Lane::Derived, true),
        ("never more than half of a small base", 6, window(20, 5, 0, 10), Lane::Derived, false),
        ("but five always", 5, window(20, 5, 0, 1), Lane::Derived, true),
        ("and ten of those that leave by the manifest", 10, window(50, 10, 0, 1), Lane::Explicit, true),
        ("a large explicit batch is held too", 51, window(50, 10, 0, 120), Lane::Explicit, false),
        ("grants know no half", 5, window(5, 5, 0, 1), Lane::PrivilegedGrant, true),
        ("a grant over the budget is held", 6, window(5, 5, 0, 1), Lane::PrivilegedGrant, false),
    ];
    for (what, cost, window, lane, passes) in cases {
        assert_eq!(admit(cost, lane, &[window]) == Admission::Pass, passes, "{what}");
    }
    let both = [window(100, 0, 0, 1000), window(3, 0, 0, 1000)];
    let held = Admission::Hold { allowed: 3, used: 0, window: Duration::from_hours(1) };
    assert_eq!(admit(4, Lane::Derived, &both), held, "all windows must allow, and the tightest is told");
}

#[test]
fn a_hash_tells_every_part_of_a_held_plan_apart() {
    let step = |identity: &str, entitlement: Option<&str>| HeldStep {
        identity: Name::new(identity),
        step: "RemoveMembers".into(),
        entitlement: entitlement.map(Name::new),
        account: None,
    };
    let app = Name::new("wiki");
    let set: BTreeSet<HeldStep> = [step("ada", Some("editor"))].into();
    let all = [
        held_hash("acme", &app, Lane::Derived, 0, &set),
        held_hash("acme", &app, Lane::Derived, 1, &set),
        held_hash("acme", &app, Lane::Explicit, 0, &set),
        held_hash("acme", &Name::new("chat"), Lane::Derived, 0, &set),
        held_hash("other", &app, Lane::Derived, 0, &set),
        held_hash("acme", &app, Lane::Derived, 0, &[step("ada", None)].into()),
        held_hash("acme", &app, Lane::Derived, 0, &[step("bob", Some("editor"))].into()),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert!(all.iter().all(|hash| hash.len() == 64));
    assert_eq!(all[0], held_hash("acme", &app, Lane::Derived, 0, &set), "and the same one is the same");
}

#[test]
fn what_a_target_would_hold_as_the_same_has_one_digest() {
    let text = |t: &str| Value::from(t);
    let list = |values: &[&str]| Value::List(values.iter().map(|v| text(v)).collect());
    assert_eq!(digest(&text("Ada"), Fold::Case), digest(&text("aDA"), Fold::Case));
    assert_ne!(digest(&text("Ada"), Fold::Exact), digest(&text("aDA"), Fold::Exact));
    assert_eq!(digest(&list(&["a", "b"]), Fold::Exact), digest(&list(&["b", "a"]), Fold::Exact));
    assert_eq!(digest(&list(&["a"]), Fold::Exact), digest(&text("a"), Fold::Exact));
    assert_ne!(digest(&list(&["a", "b"]), Fold::Exact), digest(&text("a"), Fold::Exact));
    for nothing in [Value::Null, text(""), list(&[]), Value::Map(std::collections::BTreeMap::new())] {
        assert_eq!(digest(&nothing, Fold::Exact), None, "{nothing:?}");
    }
}
