//! Who waits for an object of ours: kstatus, `kubectl wait` and Argo CD's health check judge every state alike, and right.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use provost_core::model::Reason;
use provost_core::report::kstatus::{KStatus, broken, kstatus, kubectl_wait};
use serde_json::{Value, json};
use tests::argocd::{HEALTH, health};
use tests::states::{edits, expected, states};

#[test]
fn every_reason_on_every_kind_is_judged_alike_by_all() {
    let mut told = BTreeSet::new();
    let states = states();
    let objects: Vec<Value> = states.iter().map(|state| state.object.clone()).collect();
    let (edited, deleted): (Vec<Value>, Vec<Value>) = objects.iter().map(edits).unzip();
    let of_edited = health(HEALTH, &edited).into_iter().zip(health(HEALTH, &deleted));
    for ((state, (status, message)), (of_edited, of_deleted)) in
        states.into_iter().zip(health(HEALTH, &objects)).zip(of_edited)
    {
        let what = format!("{} {}", state.kind, state.name);
        let ready = &state.object["status"]["conditions"][0];
        assert_eq!((&ready["type"], &ready["reason"]), (&json!("Ready"), &json!(state.reason.as_str())), "{what}");
        told.insert((state.kind, state.reason));
        let (verdict, argocd) = expected(state.reason);
        assert_eq!(broken(&state.object), Vec::<String>::new(), "{what}");
        assert_eq!(kstatus(&state.object), verdict, "{what}");
        assert_eq!(kubectl_wait(&state.object, "Ready"), verdict == KStatus::Current, "{what}");
        assert_eq!((status.as_str(), &json!(message)), (argocd, &ready["message"]), "{what}");
        // Nobody takes an old verdict for one on what was edited, nor a deletion for anything else.
        let (edited, deleted) = edits(&state.object);
        assert_eq!((kstatus(&edited), kubectl_wait(&edited, "Ready")), (KStatus::InProgress, false), "{what}");
        assert_eq!(of_edited.0, "Progressing", "{what}");
        assert_eq!(kstatus(&deleted), KStatus::Terminating, "{what}");
        assert_eq!(of_deleted.0, "Progressing", "{what}");
    }
    for reason in Reason::ALL.iter().filter(|reason| !reason.is_good()) {
        for kind in ["Identity", "Group", "AccessPolicy", "TargetApplication"] {
            assert!(told.contains(&(kind, *reason)), "{kind} never says {}", reason.as_str());
        }
    }
}

#[test]
fn a_condition_that_stands_alone_is_judged_by_argocd_as_by_kstatus() {
    let of = |conditions: Value| json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 3, "conditions": conditions}});
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "R", "message": "m"});
    for (what, object, verdict) in [
        ("Ready=False alone", of(json!([condition("Ready", "False")])), "Progressing"),
        ("Ready=Unknown alone", of(json!([condition("Ready", "Unknown")])), "Progressing"),
        ("Stalled=False", of(json!([condition("Ready", "True"), condition("Stalled", "False")])), "Healthy"),
        ("no conditions", of(json!([])), "Progressing"),
        ("no status", json!({"metadata": {"generation": 3}}), "Progressing"),
    ] {
        assert_eq!(health(HEALTH, &[object])[0].0, verdict, "{what}");
    }
}

/// What Argo CD's own test does with `health_test.yaml`.
#[test]
fn argocds_test_cases_hold_on_each_kind() {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/argocd/resource_customizations/provost.dev");
    let yaml = |path: &Path| -> Value { serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap() };
    for kind in ["Identity", "Group", "AccessPolicy", "TargetApplication"] {
        let folder = all.join(kind);
        let text = std::fs::read_to_string(folder.join("health.lua")).unwrap();
        let cases = yaml(&folder.join("health_test.yaml"));
        let cases = cases["tests"].as_array().unwrap();
        let verdicts: BTreeSet<&str> =
            cases.iter().map(|case| case["healthStatus"]["status"].as_str().unwrap()).collect();
        assert!(verdicts.is_superset(&["Degraded", "Healthy", "Progressing"].into()), "{kind}: {verdicts:?}");
        let objects: Vec<Value> =
            cases.iter().map(|case| yaml(&folder.join(case["inputPath"].as_str().unwrap()))).collect();
        for (case, (status, message)) in cases.iter().zip(health(&text, &objects)) {
            assert_eq!(
                json!({"status": status, "message": message}),
                case["healthStatus"],
                "{kind} {}",
                case["inputPath"]
            );
        }
    }
}
