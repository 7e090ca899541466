//! Any text as a rule, at every site, on one person: it is refused with places that exist, or it has a value within the
//! budget, and what is derived from it (terms, trace) agrees with it.
#![no_main]

use std::sync::LazyLock;

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

fn conditions(rule: &Rule, facts: &Facts<'_>) {
    let mut cost = Cost::default();
    let result = matches(rule, facts, &mut cost);
    assert!(cost.steps_taken() <= Cost::STEPS);
    if result == Ok(true) {
        for term in rule.terms() {
            assert!(term.holds(facts), "the rule is true, and its term {term:?} does not hold");
        }
    }
    let traced = trace(rule, facts);
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
        match compile(source, site, &mut Scope { group: &mut group }) {
            Err(findings) => {
                assert!(!findings.is_empty(), "refused without a word");
                places_exist(source, &findings);
            }
            Ok(rule) => {
                assert_eq!(rule.source(), source);
                places_exist(source, rule.warnings());
                if matches!(site, Site::Attribute | Site::Correlation) {
                    let mut cost = Cost::default();
                    if let Err(unknown) = evaluate(&rule, &facts, &mut cost) {
                        assert!(source.get(unknown.span.clone()).is_some(), "{unknown:?}");
                    }
                    assert!(cost.steps_taken() <= Cost::STEPS);
                } else {
                    conditions(&rule, &facts);
                }
            }
        }
    }
});
