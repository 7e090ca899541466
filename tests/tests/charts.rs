//! The charts without a cluster: what they hold and what they refuse. `UPDATE=1` rewrites the resources' templates.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::path::Path;

use serde_json::Value;
use tests::cluster::{Output, helm, repository};

fn template(arguments: &[&str]) -> Output {
    let chart = repository().join("charts/provost");
    let chart = chart.to_string_lossy();
    let mut all = vec!["template", "provost", &*chart, "-n", "provost-system"];
    all.extend(arguments);
    helm(&all)
}

fn rendered(arguments: &[&str]) -> Vec<Value> {
    let text = template(arguments).ok();
    text.split("\n---\n")
        .filter_map(|document| serde_saphyr::from_str::<Value>(document).ok())
        .filter(Value::is_object)
        .collect()
}

fn find<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap()
}

#[test]
fn the_chart_of_the_resources_holds_what_is_generated_and_keeps_them_on_uninstall() {
    let folder = repository().join("charts/provost-crds/templates");
    for plural in ["identities", "groups", "accesspolicies", "targetapplications"] {
        let source = std::fs::read_to_string(repository().join(format!("crds/yaml/{plural}.yaml"))).unwrap();
        let (head, body) = source.split_once("metadata:\n").unwrap();
        let (_, head) = head.split_once('\n').unwrap();
        assert!(!body.contains("{{"), "{plural}: helm would read this as a template");
        let wanted = format!(
            "# Copied from crds/yaml/{plural}.yaml; `make generate` does it.\n{head}metadata:\n  annotations:\n    \
             helm.sh/resource-policy: keep\n{body}"
        );
        let path = folder.join(format!("{plural}.yaml"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &wanted).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == wanted, "{} differs from crds/yaml; `make generate` rewrites it", path.display());
    }
}

#[test]
fn the_operator_runs_as_nobody_on_a_read_only_root_one_at_a_time() {
    let objects = rendered(&[]);
    let spec = &find(&objects, "Deployment")["spec"];
    assert_eq!(spec["replicas"], 1);
    assert_eq!(spec["strategy"]["type"], "Recreate");
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL");
    assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "provost");
    assert_eq!(find(&objects, "PersistentVolumeClaim")["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
}

#[test]
fn named_namespaces_mean_rights_there_and_nowhere_else() {
    let objects = rendered(&["--set", "namespaces={acme,beta}"]);
    let roles: std::collections::BTreeSet<&str> = objects
        .iter()
        .filter(|object| object["kind"] == "Role")
        .filter_map(|object| object["metadata"]["namespace"].as_str())
        .collect();
    assert_eq!(roles, ["acme", "beta", "provost-system"].into());
    let operators = |object: &&Value| object["metadata"]["name"] == "provost-system-provost";
    let cluster = objects.iter().filter(|object| object["kind"] == "ClusterRole").find(operators).unwrap();
    // To ask who somebody is and what they may do has no name, and shows nothing of the cluster.
    let reviews = |rule: &&Value| rule["resources"][0].as_str().unwrap().ends_with("reviews");
    for rule in cluster["rules"].as_array().unwrap().iter().filter(|rule| !reviews(rule)) {
        assert!(rule["resourceNames"].is_array(), "cluster-wide and unnamed: {rule}");
        assert_eq!(rule["verbs"], serde_json::json!(["get"]));
    }
    let container = &find(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let env = container["env"].as_array().unwrap();
    assert!(env.iter().any(|e| e["name"] == "PROVOST_NAMESPACES" && e["value"] == "acme,beta"), "{env:?}");
}

#[test]
fn secrets_are_never_listed_and_nothing_is_deleted() {
    for arguments in [&[][..], &["--set", "namespaces={acme}"]] {
        let objects = rendered(arguments);
        let rules = objects.iter().filter_map(|object| object["rules"].as_array()).flatten();
        for rule in rules {
            let verbs: Vec<&str> = rule["verbs"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert!(!verbs.contains(&"delete") && !verbs.contains(&"*"), "{rule}");
            if rule["resources"].as_array().unwrap().contains(&"secrets".into()) {
                assert_eq!(verbs, ["get"]);
            }
        }
    }
}

#[test]
fn nobody_is_given_what_auditors_and_stewards_may_but_the_accounts_that_are_asked_as() {
    for arguments in [&[][..], &["--set", "namespaces={acme}"]] {
        let objects = rendered(arguments);
        let bound = objects.iter().filter(|object| object["kind"].as_str().unwrap().ends_with("RoleBinding"));
        for binding in bound {
            let role = binding["roleRef"]["name"].as_str().unwrap();
            let account = binding["subjects"][0]["name"].as_str().unwrap();
            for kind in ["auditor", "steward"] {
                assert_eq!(role.ends_with(kind), account.ends_with(kind), "{binding}");
            }
            assert!(arguments.is_empty() || !role.ends_with("or") || binding["kind"] == "RoleBinding", "{binding}");
        }
        let accounts: Vec<&Value> = objects.iter().filter(|object| object["kind"] == "ServiceAccount").collect();
        assert_eq!(accounts.len(), 3);
    }
}

#[test]
fn admission_policies_hold_for_the_namespaces_that_are_watched_and_can_be_left_out() {
    let objects = rendered(&["--set", "namespaces={acme}"]);
    let bindings: Vec<&Value> =
        objects.iter().filter(|object| object["kind"] == "ValidatingAdmissionPolicyBinding").collect();
    assert_eq!(bindings.len(), 4);
    for binding in bindings {
        let selector = &binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0];
        assert_eq!(selector["values"], serde_json::json!(["acme"]), "{binding}");
    }
    assert!(rendered(&["--set", "admission.enabled=false"]).iter().all(|o| !o.to_string().contains("Admission")));
}

#[test]
fn values_that_mean_nothing_are_refused() {
    let table = [
        ("namespace={acme}", "namespace"),
        ("namespaces={Acme}", "does not match pattern"),
        ("namespaces=acme", "got string, want array"),
        ("log.format=xml", "log/format"),
        ("lease.seconds=1", "minimum"),
        ("image.digest=latest", "does not match pattern"),
        ("storage.size=much", "does not match pattern"),
    ];
    for (value, expected) in table {
        let text = template(&["--set", value]).refused();
        assert!(text.contains(expected), "{value}: {text}");
    }
    let text = template(&["--set", "serviceAccount.create=false"]).refused();
    assert!(text.contains("serviceAccount.name must name one"), "{text}");
}

#[test]
fn both_charts_pass_helm_lint() {
    for chart in ["charts/provost", "charts/provost-crds"] {
        helm(&["lint", "--strict", "--quiet", &repository().join(chart).to_string_lossy()]).ok();
    }
}

#[test]
fn the_image_has_no_shell_and_runs_as_nobody() {
    let text = std::fs::read_to_string(Path::new(&repository()).join("Dockerfile")).unwrap();
    let last = text.rsplit("\nFROM ").next().unwrap();
    assert!(last.starts_with("gcr.io/distroless/static"), "{last}");
    assert!(last.contains("USER 65532:65532"));
}
