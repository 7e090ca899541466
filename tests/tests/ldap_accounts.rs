//! What a directory keeps of an account, on OpenLDAP's server: a name that comes last, values that are no text or are
//! stored in another form; and members that may not be read.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use provost_connectors::AnyTarget;
use provost_core::model::{
    Applied, Attributes, CorrelationKey, Item, Kind, Observed, Step, TargetError, TargetId, Value,
};
use serde_json::json;
use tests::changes::made;
use tests::servers::slapd::{SUFFIX, Setup, Slapd};

async fn apply(target: &AnyTarget, step: Step) -> Result<Applied, TargetError> {
    target.apply(&[step]).await.0.pop().unwrap()
}

fn person(name: &str) -> Attributes {
    ["uid", "cn", "sn"].map(|attribute| (attribute.into(), Value::from(name))).into()
}

async fn read(target: &AnyTarget, id: &TargetId) -> Observed {
    target.read(id).await.0.unwrap().unwrap()
}

#[tokio::test]
async fn who_is_refused_something_is_not_renamed_either_and_the_rename_is_told_once_it_is_done() {
    let server = Slapd::start();
    for more in [json!({}), json!({"accounts": {"rdnAttribute": "cn"}})] {
        let target = server.connected(&more).await;
        target.probe().await.0.unwrap();
        let step = Step::CreateAccount { attributes: person("hopper"), enabled: true, password: true };
        let id = made(&target, step).await;
        let renamed = |mail: &str| {
            let mut set = person("murray");
            set.insert("mail".into(), mail.into());
            Step::RenameAccount { id: id.clone(), set }
        };
        let error = apply(&target, renamed("gräce@acme.test")).await.unwrap_err();
        assert!(
            matches!(&error, TargetError::Rejected { field: Some(field), .. } if field.as_str() == "mail"),
            "{error}"
        );
        assert_eq!(
            (read(&target, &id).await.text("uid"), read(&target, &id).await.text("cn")),
            (Some("hopper"), Some("hopper"))
        );
        assert!(apply(&target, renamed("grace@acme.test")).await.unwrap().moved);
        let now = read(&target, &id).await;
        assert_eq!((now.text("uid"), now.text("cn")), (Some("murray"), Some("murray")));
        assert!(!apply(&target, renamed("grace@acme.test")).await.unwrap().moved);
        apply(&target, Step::DeleteAccount { id }).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_text_is_shown_in_hexadecimal_and_kept_by_an_update() {
    let photo = "jpegPhoto:: /9j/4A==";
    let ada =
        format!("dn: uid=ada,ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: ada\ncn: ada\nsn: ada\n{photo}\n\n");
    let server = Slapd::start_with(&Setup { entries: ada, ..Setup::default() });
    let target = server.connected(&json!({"attributes": ["jpegPhoto"]})).await;
    target.probe().await.0.unwrap();
    let key = CorrelationKey { attribute: "uid".into(), value: "ada".into() };
    let ada = target.find(&key).await.0.unwrap().remove(0);
    assert_eq!(ada.text("jpegPhoto"), Some("ffd8ffe0"));
    let set = [("title".into(), Value::from("Analyst"))].into();
    apply(&target, Step::UpdateAccount { id: ada.id, set }).await.unwrap();
    let stored = server.search(&format!("ou=people,{SUFFIX}"), "(uid=ada)", &["jpegPhoto", "title"]);
    assert!(stored.contains(photo) && stored.contains("title: Analyst"), "{stored}");
}

#[tokio::test]
async fn what_the_server_made_of_a_value_is_told_with_the_write() {
    let server = Slapd::start();
    let more = json!({"attributes": ["seeAlso"]});
    let (told, stored) = ("CN=next, dc=acme, dc=test", "cn=next,dc=acme,dc=test");
    let target = server.connected(&more).await;
    target.probe().await.0.unwrap();
    let id = made(&target, Step::CreateAccount { attributes: person("ada"), enabled: true, password: true }).await;
    let set = || -> Attributes { [("seeAlso".into(), told.into()), ("title".into(), "Analyst".into())].into() };
    let (outcomes, spent) = target.apply(&[Step::UpdateAccount { id: id.clone(), set: set() }]).await;
    let seen = outcomes.into_iter().next().unwrap().unwrap().observed.unwrap();
    assert_eq!(
        (seen.text("seeAlso").map(str::to_lowercase).as_deref(), seen.text("title")),
        (Some(stored), Some("Analyst"))
    );
    assert_eq!((&seen.id, seen.enabled, spent.requests), (&id, true, 1), "it costs nothing");
    let mut renamed = set();
    renamed.insert("uid".into(), "augusta".into());
    let seen = apply(&target, Step::RenameAccount { id: id.clone(), set: renamed }).await.unwrap().observed.unwrap();
    assert_eq!((seen.text("uid"), seen.text("title")), (Some("augusta"), Some("Analyst")));

    // A server that is not known to show it is asked where the same is written again.
    let target = server.connected(&more).await;
    let update = || Step::UpdateAccount { id: id.clone(), set: set() };
    assert_eq!(apply(&target, update()).await.unwrap().observed, None);
    let seen = apply(&target, update()).await.unwrap().observed.unwrap();
    assert_eq!(seen.text("seeAlso").map(str::to_lowercase).as_deref(), Some(stored));
}

#[tokio::test]
async fn members_that_may_not_be_read_are_unknown_and_not_nobody() {
    let rule =
        "access to attrs=member,uniqueMember by dn.exact=\"cn=provost,ou=services,dc=acme,dc=test\" =wsc by * none\n";
    for (database, style, known) in [
        (rule, "GroupOfNames", false),
        (rule, "GroupOfUniqueNames", false),
        (Setup::default().database, "GroupOfNames", true),
    ] {
        let server = Slapd::start_with(&Setup { database, ..Setup::default() });
        let target = server.connected(&json!({"groups": {"style": style}})).await;
        target.probe().await.0.unwrap();
        let step = Step::CreateAccount { attributes: person("ada"), enabled: true, password: true };
        let members = vec![made(&target, step).await];
        let group = made(&target, Step::CreateGroup { name: "team".into(), mark: "provost:test".into() }).await;
        apply(&target, Step::AddMembers { group, members }).await.unwrap();
        let found = target.observe(Kind::Groups, None).await.0.unwrap().items;
        let [Item::Entitlement(team)] = found.as_slice() else { panic!("a group: {found:?}") };
        assert_eq!(team.members.as_ref().map(Vec::len), known.then_some(1), "{style}");
    }
}
