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
    let roles: Vec<&str> = objects
        .iter()
        .filter(|object| object["kind"] == "Role")
        .filter_map(|object| object["metadata"]["namespace"].as_str())
        .collect();
    assert_eq!(roles, ["acme", "beta", "provost-system"]);
    let cluster = find(&objects, "ClusterRole");
    for rule in cluster["rules"].as_array().unwrap() {
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
