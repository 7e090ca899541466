//! Any text as a rule, at every site, on one person: within the memory it may take it is refused with places that exist, or
//! it has a value, and what is derived from it (terms, trace) agrees with it.
#![no_main]

#[path = "../../../operator/core/tests/hostile/counting.rs"]
mod counting;

use std::sync::LazyLock;

use counting::{CHECKED, EVALUATED, Taken, taken};
use libfuzzer_sys::fuzz_target;
use provost_core::input;
use provost_core::model::{Effect, Name, PackedIdentity, State};
use provost_core::policy::{
    Cost, Diagnostic, Facts, GroupId, Manager, Memberships, Outcome, Rule, Scope, Site, Truth, compile, evaluate,
    matches, trace,
};

const GROUPS: [&str; 4] = ["sre", "platform", "contractors", "missing"];

const SITES: [Site; 6] = [
    Site::GroupMatch,
    Site::PolicyMatch(Effect::Allow),
    Site::PolicyMatch(Effect::Deny),
    Site::Requires,
    Site::Attribute,
    Site::Correlation,
];

/// A person who has something in every field.
static ADA: LazyLock<PackedIdentity> = LazyLock::new(|| {
    let manifest = serde_json::from_str(include_str!("../seeds/manifests/identity.json")).expect("the seed is JSON");
    let object = provost_crds::from_manifest(manifest).expect("the seed is an Identity");
    input::identity(&object).expect("the seed is valid").pack()
});

fn group(name: &str) -> GroupId {
    let at = GROUPS.iter().position(|known| *known == name).unwrap_or(GROUPS.len());
    GroupId(u32::try_from(at).expect("few"))
}

fn places_exist(source: &str, findings: &[Diagnostic]) {
    for finding in findings {
        assert!(source.get(finding.span.clone()).is_some(), "{finding} is at {:?}, which is no place", finding.span);
        assert!(!finding.message.is_empty());
    }
}

fn bounded(what: &str, taken: Taken, bound: Taken) {
    assert!(taken.total <= bound.total && taken.most <= bound.most, "{what} took {taken:?}, and may take {bound:?}");
}

fn conditions(rule: &Rule, facts: &Facts<'_>) {
    let (result, cost) = taken(|| matches(rule, facts, &mut Cost::default()));
    bounded("evaluating", cost, EVALUATED);
    if result == Ok(true) {
        for term in rule.terms() {
            assert!(term.holds(facts), "the rule is true, and its term {term:?} does not hold");
        }
    }
    let (traced, cost) = taken(|| trace(rule, facts));
    bounded("tracing", cost, EVALUATED);
    let used_up = traced
        .parts
        .iter()
        .any(|part| matches!(&part.outcome, Outcome::Unknown(why) if why.message.contains("budget")));
    let truth = match &result {
        Ok(true) => Truth::True,
        Ok(false) => Truth::False,
        Err(_) => Truth::Unknown,
    };
    assert!(traced.truth == truth || used_up, "decided {result:?}, traced {traced:?}");
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    let name = |id: GroupId| GROUPS.get(id.0 as usize).map(|name| Name::from(*name));
    let facts = Facts {
        identity: &ADA,
        manager: Manager::Known(&ADA),
        state: State::Active,
        application: Some("wiki"),
        groups: Memberships { sure: &[GroupId(0), GroupId(1)], unknown: &[GroupId(3)], name: &name },
    };
    for site in SITES {
        let (checked, cost) = taken(|| compile(source, site, &mut Scope { group: &mut group }));
        bounded("checking", cost, CHECKED);
        match checked {
            Err(findings) => {
                assert!(!findings.is_empty(), "refused without a word");
                places_exist(source, &findings);
            }
            Ok(rule) => {
                assert_eq!(rule.source(), source);
                places_exist(source, rule.warnings());
                if matches!(site, Site::Attribute | Site::Correlation) {
                    let (result, cost) = taken(|| evaluate(&rule, &facts, &mut Cost::default()));
                    bounded("evaluating", cost, EVALUATED);
                    if let Err(unknown) = result {
                        assert!(source.get(unknown.span.clone()).is_some(), "{unknown:?}");
                    }
                } else {
                    conditions(&rule, &facts);
                }
            }
        }
    }
});
