//! How accounts of a directory are disabled, where that goes wrong, on OpenLDAP's server.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use provost_connectors::AnyTarget;
use provost_core::model::{Applied, Attributes, Step, TargetError, TargetId, Value};
use serde_json::json;
use tests::servers::slapd::{SUFFIX, Slapd};

async fn apply(target: &AnyTarget, step: Step) -> Result<Applied, TargetError> {
    target.apply(&[step]).await.0.pop().unwrap()
}

fn new(name: &str, enabled: bool) -> Step {
    let attributes = ["uid", "cn", "sn"].map(|attribute| (attribute.into(), Value::from(name))).into();
    Step::CreateAccount { attributes, enabled, password: true }
}

async fn enabled(target: &AnyTarget, id: &TargetId) -> bool {
    target.read(id).await.0.unwrap().unwrap().enabled
}

#[tokio::test]
async fn an_update_never_writes_the_attribute_that_disables() {
    let server = Slapd::start();
    let disable = json!({"attribute": {"name": "employeeType", "value": "disabled"}});
    let target = server.connected(&json!({"accounts": {"disable": disable}})).await;
    target.probe().await.0.unwrap();
    let id = apply(&target, new("ada", true)).await.unwrap().id.unwrap();
    apply(&target, Step::DisableAccount { id: id.clone() }).await.unwrap();
    for name in ["employeeType", "EMPLOYEETYPE"] {
        let set: Attributes = [(name.into(), Value::from("Employee")), ("title".into(), Value::from(name))].into();
        apply(&target, Step::UpdateAccount { id: id.clone(), set }).await.unwrap();
        assert!(!enabled(&target, &id).await, "{name}");
        let stored = server.search(&format!("ou=people,{SUFFIX}"), "(uid=ada)", &["title", "employeeType"]);
        assert!(stored.contains("employeeType: disabled") && stored.contains(&format!("title: {name}")), "{stored}");
    }
}

#[tokio::test]
async fn a_place_for_accounts_that_is_not_there_is_named() {
    let server = Slapd::start();
    // Beside the accounts, and below them.
    for left in [format!("ou=left,{SUFFIX}"), format!("ou=left,ou=people,{SUFFIX}")] {
        let make =
            || server.edit(&format!("dn: {left}\nchangetype: add\nobjectClass: organizationalUnit\nou: left\n\n"));
        if left.contains("people") {
            make();
        }
        let target = server.connected(&json!({"accounts": {"disable": {"moveTo": {"dn": left}}}})).await;
        target.probe().await.0.unwrap();
        let id = apply(&target, new("ada", true)).await.unwrap().id.unwrap();
        server.run("ldapdelete", &[left.as_str()], "");
        for step in [Step::DisableAccount { id: id.clone() }, new("bob", false)] {
            let name = step.name();
            let error = apply(&target, step).await.unwrap_err();
            assert!(error.to_string().contains(&format!("there is no {left}")), "{name}: {error:?}");
        }
        make();
        apply(&target, Step::DisableAccount { id: id.clone() }).await.unwrap();
        assert!(!enabled(&target, &id).await, "it is there again");
        apply(&target, Step::DeleteAccount { id }).await.unwrap();
    }
}
