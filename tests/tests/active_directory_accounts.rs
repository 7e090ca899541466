//! What a domain keeps of an account and of a group, on Samba: what lies below one, values that name entries, members that may not be read.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use provost_connectors::AnyTarget;
use provost_core::model::{Applied, Attributes, Item, Kind, Observed, Step, TargetError, TargetId, Value};
use serde_json::json;
use tests::changes::made;
use tests::servers::samba::{DOMAIN, PASSWORD, Samba};

async fn apply(target: &AnyTarget, step: Step) -> Result<Applied, TargetError> {
    target.apply(&[step]).await.0.pop().unwrap()
}

async fn create(target: &AnyTarget, name: &str) -> TargetId {
    let attributes: Attributes = [("sAMAccountName".into(), Value::from(name))].into();
    made(target, Step::CreateAccount { attributes, enabled: true, password: true }).await
}

async fn read(target: &AnyTarget, id: &TargetId) -> Observed {
    target.read(id).await.0.unwrap().unwrap()
}

#[tokio::test]
async fn who_has_objects_below_is_deleted_with_them_but_not_with_somebody_else() {
    let Some(server) = Samba::start() else { return };
    let target = server.connected(&json!({})).await;
    let ada = create(&target, "ada").await;
    let dn = format!("CN=ada,OU=People,{DOMAIN}");
    // As Exchange keeps telephones there, and with its change of the schema.
    let schema = format!("CN=Container,CN=Schema,CN=Configuration,{DOMAIN}");
    let change = format!("dn: {schema}\nchangetype: modify\nadd: possSuperiors\npossSuperiors: user\n");
    server.run("ldbmodify", &["--option=dsdb:schema update allowed=true"], &change);
    for child in [format!("CN=Devices,{dn}"), format!("CN=Phone,CN=Devices,{dn}")] {
        server.add(&format!("dn: {child}\nobjectClass: container\n\n"));
    }
    let delete = || apply(&target, Step::DeleteAccount { id: ada.clone() });
    let error = delete().await.unwrap_err();
    assert!(matches!(&error, TargetError::Rejected { reason, .. } if reason.contains("Delete Subtree")), "{error:?}");
    assert!(target.read(&ada).await.0.unwrap().is_some(), "it is there");

    server.allow(&dn, "(A;;RPWPSDDTLCRC;;;SID)");
    let inner = format!("CN=Inner,CN=Devices,{dn}");
    server.add(&format!("dn: {inner}\nobjectClass: group\nsAMAccountName: inner\n\n"));
    let error = delete().await.unwrap_err();
    assert!(
        matches!(&error, TargetError::Rejected { reason, .. } if reason.contains("groups are below it")),
        "{error:?}"
    );
    server.run("ldbdel", &[inner.as_str()], "");
    delete().await.unwrap();
    assert_eq!(target.read(&ada).await.0, Ok(None));
    assert!(!server.search("(cn=Phone)", &["cn"]).contains("Phone"));
    delete().await.unwrap();
}

#[tokio::test]
async fn a_value_that_names_an_entry_is_read_as_its_name_and_seen_where_it_is_written_again() {
    let Some(server) = Samba::start() else { return };
    let mut connector = server.connector(&server.secure_url(), &json!({}));
    connector.settings["activeDirectory"]["attributes"] = json!(["assistant", "seeAlso"]);
    let target = server.connected_as(&connector, PASSWORD).await;
    let (ada, _) = (create(&target, "ada").await, create(&target, "bob").await);
    let (told, stored) = ("cn=bob, ou=people,dc=acme,dc=test", format!("CN=bob,OU=People,{DOMAIN}"));
    let update =
        |id: &TargetId| Step::UpdateAccount { id: id.clone(), set: [("assistant".into(), Value::from(told))].into() };
    let (outcomes, spent) = target.apply(&[update(&ada)]).await;
    assert_eq!((outcomes[0].as_ref().unwrap().observed.as_ref(), spent.requests), (None, 2), "it costs nothing");
    assert_eq!(read(&target, &ada).await.text("assistant"), Some(&*stored));
    let seen = apply(&target, update(&ada)).await.unwrap().observed.unwrap();
    assert_eq!((seen.id.clone(), seen.text("assistant")), (ada.clone(), Some(&*stored)));
    let several = Value::List(vec![stored.as_str().into(), format!("OU=People,{DOMAIN}").as_str().into()]);
    let set = [("seeAlso".into(), several.clone())].into();
    apply(&target, Step::UpdateAccount { id: ada.clone(), set }).await.unwrap();
    assert_eq!(read(&target, &ada).await.attributes.get("seeAlso"), Some(&several));
}

#[tokio::test]
async fn members_that_may_be_written_and_not_read_are_unknown_once_that_shows() {
    let Some(server) = Samba::start() else { return };
    let target = server.connected(&json!({})).await;
    let (ada, bob) = (create(&target, "ada").await, create(&target, "bob").await);
    let team = made(&target, Step::CreateGroup { name: "team".into(), mark: "provost:test".into() }).await;
    let member = "bf9679c0-0de6-11d0-a285-00aa003049e2";
    let rights = format!("(OD;;RP;{member};;SID)(A;;RPWPSDLCRC;;;SID)");
    server.allow(&format!("CN=team,OU=Groups,{DOMAIN}"), &rights);
    let shown = || async {
        let page = target.observe(Kind::Groups, None).await.0.unwrap();
        let of = |item: Item| match item {
            Item::Entitlement(group) => (group.id == team).then_some(group.members),
            Item::Account(_) => None,
        };
        page.items.into_iter().find_map(of).unwrap()
    };
    let add = |members: &[&TargetId]| {
        let members = members.iter().map(|id| (*id).clone()).collect();
        apply(&target, Step::AddMembers { group: team.clone(), members })
    };
    add(&[&ada]).await.unwrap();
    assert_eq!(shown().await, Some(Vec::new()), "an empty group looks the same");
    add(&[&ada, &bob]).await.unwrap();
    assert_eq!(shown().await, None);
    let stored = server.search("(cn=team)", &["member"]);
    assert!(stored.contains("CN=ada") && stored.contains("CN=bob"), "{stored}");
}
