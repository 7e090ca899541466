//! What a domain tells of what others changed, on Samba: what it was, and neither more nor less.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeMap;

use provost_connectors::AnyTarget;
use provost_core::model::{Attributes, Cursor, Step, TargetId, Value};
use serde_json::json;
use tests::changes::{changes, made, texts, told};
use tests::servers::samba::{DOMAIN, Samba};

async fn create(target: &AnyTarget, name: &str) -> TargetId {
    let attributes: Attributes = [("sAMAccountName".into(), Value::from(name))].into();
    made(target, Step::CreateAccount { attributes, enabled: true, password: true }).await
}

#[tokio::test]
async fn what_others_changed_and_deleted_is_told_once_and_nothing_costs_one_request() {
    let Some(server) = Samba::start() else { return };
    let target = server.connected(&json!({})).await;
    target.probe().await.0.unwrap();
    let (ada, bob) = (create(&target, "ada").await, create(&target, "bob").await);
    let team = made(&target, Step::CreateGroup { name: "team".into(), mark: "provost:test".into() }).await;
    let members = vec![ada.clone(), bob.clone()];
    target.apply(&[Step::AddMembers { group: team.clone(), members }]).await.0.pop().unwrap().unwrap();
    let profile = target.probe().await.0.unwrap();
    assert_eq!(profile.measured["changes"], "uSNChanged".into());
    let from = profile.changes.unwrap();
    let nothing = changes(&target, &from).await;
    assert_eq!((told(&nothing), nothing.whole, &nothing.next), (BTreeMap::new(), true, &from));
    assert_eq!(target.changes(&from).await.1.requests, 1, "on the connection that is there");

    let people = format!("OU=People,{DOMAIN}");
    server.edit(&format!("dn: CN=ada,{people}\nchangetype: modify\nreplace: title\ntitle: Emperor\n"));
    server.edit(&format!(
        "dn: CN=team,OU=Groups,{DOMAIN}\nchangetype: modify\ndelete: member\nmember: CN=bob,{people}\n"
    ));
    let some = changes(&target, &from).await;
    let expected = [(ada.clone(), texts(&["Emperor"])), (team.clone(), texts(&[ada.as_str()]))];
    assert_eq!((told(&some), some.whole), (expected.into(), true));
    assert_eq!(told(&changes(&target, &some.next).await), BTreeMap::new(), "once");

    // What we wrote ourselves, and what was deleted.
    let set = [("title".into(), Value::from("Analyst"))].into();
    target.apply(&[Step::UpdateAccount { id: ada.clone(), set }]).await.0.pop().unwrap().unwrap();
    let own = changes(&target, &some.next).await;
    assert_eq!((told(&own), own.gone), ([(ada, texts(&["Analyst"]))].into(), vec![]));
    // To whom deleted entries are not shown, nothing is deleted: a listing tells.
    let delete = |name: &str| server.run("ldbdel", &[&format!("CN={name},{people}")], "");
    delete("bob");
    let deleted = changes(&target, &own.next).await;
    assert_eq!((deleted.gone, deleted.whole), (vec![], true));
    let cyn = create(&target, "cyn").await;
    show_deleted(&server);
    let before = changes(&target, &deleted.next).await;
    delete("cyn");
    let deleted = changes(&target, &before.next).await;
    assert_eq!((told(&deleted), deleted.gone, deleted.whole), (BTreeMap::new(), vec![cyn], true));
}

/// What docs/active-directory.md says that the bind account needs to be shown what was deleted.
fn show_deleted(server: &Samba) {
    let found = server.search("(sAMAccountName=provost)", &["objectSid"]);
    let sid = found.lines().find_map(|line| line.strip_prefix("objectSid: ")).unwrap();
    let rights = format!("D:PAI(A;;RPWPCCDCLCRCWOWDSDSW;;;SY)(A;;RPLC;;;BA)(A;;RPLC;;;{sid})");
    let place = format!("dn: CN=Deleted Objects,{DOMAIN}\nchangetype: modify\nreplace: nTSecurityDescriptor\n");
    server.run("ldbmodify", &["--show-deleted"], &format!("{place}nTSecurityDescriptor: {rights}\n"));
}

#[tokio::test]
async fn the_numbers_of_another_controller_or_of_a_restored_one_mean_nothing_and_are_begun_anew() {
    let Some(server) = Samba::start() else { return };
    let target = server.connected(&json!({})).await;
    let from = target.probe().await.0.unwrap().changes.unwrap();
    let lines: Vec<&str> = from.0.lines().collect();
    let number: u64 = lines[2].parse().unwrap();
    let others = [
        format!("CN=NTDS Settings,CN=DC2,{DOMAIN}\n{}\n{}", lines[1], number - 10),
        format!("{}\n{}\n{}", lines[0], "00".repeat(16), number - 10),
        format!("{}\n{}\n{}", lines[0], lines[1], number + 10),
        "nonsense".to_owned(),
    ];
    for other in others {
        let changes = changes(&target, &Cursor(other.as_str().into())).await;
        assert_eq!((changes.items, changes.gone, changes.whole), (vec![], vec![], false), "{other}");
        assert_eq!(changes.next, from, "{other}");
    }
}
