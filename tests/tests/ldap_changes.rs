//! What an LDAP directory tells of what others changed, on OpenLDAP's server: what it was, and neither more nor less.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use provost_connectors::AnyTarget;
use provost_core::model::{Attributes, Cursor, Item, Kind, Step, TargetError, TargetId, Value};
use serde_json::json;
use tests::changes::{changes, made, texts, told};
use tests::servers::slapd::{SUFFIX, Setup, Slapd};

async fn create(target: &AnyTarget, name: &str) -> TargetId {
    let attributes: Attributes = ["uid", "cn", "sn"].map(|attribute| (attribute.into(), Value::from(name))).into();
    made(target, Step::CreateAccount { attributes, enabled: true, password: true }).await
}

async fn group(target: &AnyTarget, name: &str, members: &[&TargetId]) -> TargetId {
    let group = made(target, Step::CreateGroup { name: name.into(), mark: "provost:test".into() }).await;
    let members = members.iter().map(|id| (*id).clone()).collect();
    target.apply(&[Step::AddMembers { group: group.clone(), members }]).await.0.pop().unwrap().unwrap();
    group
}

/// From where to ask, once everything was listed.
async fn cursor(target: &AnyTarget) -> Option<Cursor> {
    let profile = target.probe().await.0.unwrap();
    for kind in [Kind::Accounts, Kind::Groups] {
        target.observe(kind, None).await.0.unwrap();
    }
    let told = |from: &Cursor| if from.0.starts_with("modifyTimestamp\n") { "modifyTimestamp" } else { "contextCSN" };
    assert_eq!(profile.measured["changes"], profile.changes.as_ref().map_or("no", told).into());
    profile.changes
}

fn title(server: &Slapd, name: &str, title: &str) {
    server.edit(&format!("dn: uid={name},ou=people,{SUFFIX}\nchangetype: modify\nreplace: title\ntitle: {title}\n"));
}

#[tokio::test]
async fn what_others_changed_is_told_once_as_it_is_and_nothing_costs_one_request() {
    let server = Slapd::start();
    let target = server.connected(&json!({})).await;
    let (ada, bob) = (create(&target, "ada").await, create(&target, "bob").await);
    let team = group(&target, "team", &[&ada, &bob]).await;
    let from = cursor(&target).await.unwrap();
    let nothing = changes(&target, &from).await;
    assert_eq!((told(&nothing), nothing.whole, &nothing.next), (BTreeMap::new(), true, &from));
    assert_eq!(target.changes(&from).await.1.requests, 1, "on the connection that is there");

    title(&server, "ada", "Emperor");
    server.edit(&format!(
        "dn: cn=team,ou=groups,{SUFFIX}\nchangetype: modify\ndelete: member\nmember: uid=bob,ou=people,{SUFFIX}\n"
    ));
    let some = changes(&target, &from).await;
    let expected = [(ada.clone(), texts(&["Emperor"])), (team.clone(), texts(&[ada.as_str()]))];
    assert_eq!((told(&some), some.whole), (expected.into(), true));
    assert_eq!(told(&changes(&target, &some.next).await), BTreeMap::new(), "once");

    // Elsewhere in the database, and what we wrote ourselves.
    server.edit(&format!("dn: cn=next,{SUFFIX}\nchangetype: modify\nreplace: uidNumber\nuidNumber: 20000\n"));
    let elsewhere = changes(&target, &some.next).await;
    assert_eq!((told(&elsewhere), elsewhere.whole), (BTreeMap::new(), true));
    let set = [("title".into(), Value::from("Analyst"))].into();
    target.apply(&[Step::UpdateAccount { id: ada.clone(), set }]).await.0.pop().unwrap().unwrap();
    let own = changes(&target, &elsewhere.next).await;
    assert_eq!(told(&own), [(ada, texts(&["Analyst"]))].into());

    // An entry that is new, and one that another connection never saw; after a restart of the server as well.
    let cyn = format!(
        "dn: uid=cyn,ou=people,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: cyn\ncn: C\nsn: C\n"
    );
    server.edit(&cyn);
    let other = server.connected(&json!({})).await;
    other.probe().await.0.unwrap();
    assert_eq!(told(&changes(&other, &own.next).await).len(), 1);
    let mut server = server;
    server.stop();
    let error = target.changes(&own.next).await.0.unwrap_err();
    assert!(matches!(error, TargetError::Unreachable(_) | TargetError::Transient(_)), "{error:?}");
    server.start_again();
    title(&server, "bob", "Count");
    let after = changes(&target, &own.next).await;
    assert_eq!(told(&after)[&bob], texts(&["Count"]));
    assert_eq!(told(&after).len(), 2);
}

#[tokio::test]
async fn of_one_who_was_renamed_by_others_it_is_told_in_which_groups_the_new_name_is() {
    let server = Slapd::start();
    for more in [json!({}), json!({"groups": {"style": "GroupOfUniqueNames"}})] {
        let target = server.connected(&more).await;
        target.probe().await.0.unwrap();
        let style = more["groups"]["style"].as_str().unwrap_or("GroupOfNames").to_owned();
        let (ada, bob) = (create(&target, "ada").await, create(&target, "bob").await);
        let team = group(&target, &style, &[&ada, &bob]).await;
        let from = cursor(&target).await.unwrap();
        let people = format!("ou=people,{SUFFIX}");
        server.edit(&format!("dn: uid=bob,{people}\nchangetype: modrdn\nnewrdn: uid=robert\ndeleteoldrdn: 1\n"));
        title(&server, "ada", "Emperor");
        let some = changes(&target, &from).await;
        let holds: BTreeMap<_, _> = some
            .items
            .iter()
            .map(|item| match item {
                Item::Account(account) => (account.id.clone(), account.holds.clone()),
                Item::Entitlement(group) => panic!("the group is as it was: {group:?}"),
            })
            .collect();
        assert_eq!(holds, [(ada.clone(), None), (bob.clone(), Some(vec![]))].into(), "{style}");
        for id in [ada, bob] {
            target.apply(&[Step::DeleteAccount { id }]).await.0.pop().unwrap().unwrap();
        }
        target.apply(&[Step::DeleteGroup { id: team }]).await.0.pop().unwrap().unwrap();
    }
}

/// Everything of a kind, so that it is known.
async fn list(target: &AnyTarget, kind: Kind) -> usize {
    let (mut page, mut count) = (None, 0);
    loop {
        let found = target.observe(kind, page.as_ref()).await.0.unwrap();
        count += found.items.len();
        page = found.next;
        if page.is_none() {
            return count;
        }
    }
}

#[tokio::test]
async fn what_was_deleted_or_moved_away_is_told_as_gone_also_where_the_last_change_is_another() {
    let server = Slapd::start();
    let target = server.connected(&json!({})).await;
    target.probe().await.0.unwrap();
    let (ada, bob, cyn) = (create(&target, "ada").await, create(&target, "bob").await, create(&target, "cyn").await);
    group(&target, "team", &[&cyn]).await;
    let other = group(&target, "other", &[&cyn]).await;
    let from = cursor(&target).await.unwrap();
    let people = format!("ou=people,{SUFFIX}");
    server.edit(&format!("dn: uid=ada,{people}\nchangetype: delete\n"));
    server.edit(&format!(
        "dn: uid=bob,{people}\nchangetype: modrdn\nnewrdn: uid=bob\ndeleteoldrdn: 0\nnewsuperior: {SUFFIX}\n"
    ));
    server.edit(&format!("dn: cn=other,ou=groups,{SUFFIX}\nchangetype: delete\n"));
    title(&server, "cyn", "Count");
    let some = changes(&target, &from).await;
    let gone: BTreeSet<TargetId> = some.gone.iter().cloned().collect();
    assert_eq!((gone, some.gone.len(), some.whole), ([ada, bob, other].into(), 3, true));
    assert_eq!(told(&some), [(cyn, texts(&["Count"]))].into());
    let (none, spent) = target.changes(&some.next).await;
    assert_eq!((none.unwrap().gone, spent.requests), (vec![], 1), "once, and nothing is listed while nothing changes");
}

#[tokio::test]
async fn of_many_that_are_still_there_a_few_pages_of_ids_tell_and_a_limit_tells_nothing() {
    let people = (0..1100).map(|n| {
        format!("dn: uid=p{n},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: p{n}\ncn: p{n}\nsn: p{n}\n\n")
    });
    let server = Slapd::start_with(&Setup { entries: people.collect(), ..Setup::default() });
    let target = server.connected(&json!({})).await;
    let from = target.probe().await.0.unwrap().changes.unwrap();
    assert_eq!((list(&target, Kind::Accounts).await, list(&target, Kind::Groups).await), (1100, 0));
    for n in [0, 700, 1099] {
        server.edit(&format!("dn: uid=p{n},ou=people,{SUFFIX}\nchangetype: delete\n"));
    }
    let (some, spent) = target.changes(&from).await;
    // How far it has come; what was changed of accounts and of groups; three pages of accounts and one of groups.
    assert_eq!((some.unwrap().gone.len(), spent.requests), (3, 7));

    let server = Slapd::start_with(&Setup { database: "sizelimit 20\n", ..Setup::default() });
    let target = server.connected(&json!({})).await;
    target.probe().await.0.unwrap();
    for n in 0..30 {
        create(&target, &format!("p{n}")).await;
    }
    let from = target.probe().await.0.unwrap().changes.unwrap();
    server.edit(&format!("dn: uid=p0,ou=people,{SUFFIX}\nchangetype: delete\n"));
    let some = changes(&target, &from).await;
    assert_eq!((some.gone, some.whole), (vec![], true), "what is not listed is not gone");
}

#[tokio::test]
async fn more_than_can_be_told_at_once_is_said_to_be_more() {
    let server = Slapd::start();
    let target = server.connected(&json!({})).await;
    let from = cursor(&target).await.unwrap();
    let many = |range: std::ops::Range<u32>| {
        range.fold(String::new(), |mut ldif, number| {
            let dn = format!("uid=p{number},ou=people,{SUFFIX}");
            write!(ldif, "dn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: P\nsn: P\n\n")
                .unwrap();
            ldif
        })
    };
    server.edit(&many(0..500));
    let some = changes(&target, &from).await;
    assert_eq!((some.items.len(), some.whole), (500, true));
    server.edit(&many(500..1001));
    let more = changes(&target, &some.next).await;
    assert!(!more.whole);
    title(&server, "p7", "Count");
    let on = changes(&target, &more.next).await;
    assert_eq!((told(&on).len(), on.whole), (1, true));
}

#[tokio::test]
async fn the_top_of_the_database_and_every_stamp_must_be_shown_or_times_are_asked_for_or_nothing_is_told_of_changes() {
    let top = |rights: &str| {
        let own = "by dn.exact=\"cn=provost,ou=services,dc=acme,dc=test\" read by * none";
        format!("access to dn.base=\"{SUFFIX}\" attrs={rights} {own}\naccess to dn.base=\"{SUFFIX}\" by * none\n")
    };
    let hidden = |names: &str| format!("access to attrs={names} by * none\n");
    for (rules, tells) in [
        (hidden("contextCSN"), Some("modifyTimestamp")),
        (hidden("entryCSN"), Some("modifyTimestamp")),
        (hidden("contextCSN,modifyTimestamp"), Some("modifyTimestamp")),
        (hidden("contextCSN,modifyTimestamp,createTimestamp"), None),
        (top("entry,contextCSN"), Some("modifyTimestamp")),
        (top("entry,objectClass,contextCSN"), Some(SUFFIX)),
    ] {
        let setup = Setup { database: Box::leak(rules.clone().into_boxed_str()), ..Setup::default() };
        let server = Slapd::start_with(&setup);
        let target = server.connected(&json!({})).await;
        target.probe().await.0.unwrap();
        create(&target, "ada").await;
        let from = cursor(&target).await;
        assert_eq!(from.as_ref().and_then(|from| from.0.lines().next()), tells, "{rules}");
    }
}

#[tokio::test]
async fn a_server_that_has_times_alone_tells_what_was_written_since_the_latest_as_often_as_it_differs() {
    let server = Slapd::start_with(&Setup { stamps: false, ..Setup::default() });
    let target = server.connected(&json!({})).await;
    target.probe().await.0.unwrap();
    let (ada, bob) = (create(&target, "ada").await, create(&target, "bob").await);
    let team = group(&target, "team", &[&ada, &bob]).await;
    let mut from = cursor(&target).await.unwrap();
    assert!(from.0.starts_with("modifyTimestamp\n"), "{from:?}");
    from = changes(&target, &from).await.next;
    let (nothing, spent) = target.changes(&from).await;
    let nothing = nothing.unwrap();
    assert_eq!((told(&nothing), nothing.whole, spent.requests), (BTreeMap::new(), true, 2), "of accounts, of groups");

    // Many in one second: each is told.
    for number in 0..10 {
        let name = format!("Emperor {number}");
        title(&server, "ada", &name);
        let some = changes(&target, &from).await;
        assert_eq!((told(&some), some.whole), ([(ada.clone(), texts(&[&name]))].into(), true));
        from = some.next;
    }
    server.edit(&format!(
        "dn: cn=team,ou=groups,{SUFFIX}\nchangetype: modify\ndelete: member\nmember: uid=bob,ou=people,{SUFFIX}\n"
    ));
    server.edit(&format!("dn: uid=bob,ou=people,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=robert\ndeleteoldrdn: 1\n"));
    let some = changes(&target, &from).await;
    assert_eq!(told(&some), [(team, texts(&[ada.as_str()])), (bob.clone(), texts(&[]))].into());
    // A listing tells of those.
    server.edit(&format!("dn: uid=robert,ou=people,{SUFFIX}\nchangetype: delete\n"));
    let deleted = changes(&target, &some.next).await;
    assert_eq!((told(&deleted), deleted.gone, deleted.whole), (BTreeMap::new(), vec![], true));
    // What another connection never saw, from a time that nothing of shows late any more.
    let other = server.connected(&json!({})).await;
    let later = Cursor(deleted.next.0.replace("\nfalse", "\ntrue").into());
    assert_eq!(changes(&other, &later).await.next, later);
    assert_eq!(told(&changes(&other, &Cursor("modifyTimestamp\n20200101000000\ntrue".into())).await).len(), 2);

    let people = (0..501).fold(String::new(), |mut ldif, number| {
        let dn = format!("uid=p{number},ou=people,{SUFFIX}");
        write!(ldif, "dn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: P\nsn: P\n\n")
            .unwrap();
        ldif
    });
    server.edit(&people);
    let many = changes(&target, &deleted.next).await;
    assert_eq!((many.items.len(), many.whole), (0, false), "more than can be told");
    assert!(many.next.0 >= deleted.next.0, "{:?}", many.next);
}

/// Entries come in the order of their making: that of one page is not the latest time. From any earlier one there may be more than
/// can be told, at every question.
#[tokio::test]
async fn of_more_entries_than_can_be_told_at_once_the_latest_time_is_found_wherever_it_is() {
    let people = (0..1_200).fold(String::new(), |mut ldif, number| {
        let at = if number == 1_100 { "20200202000000Z" } else { "20200101000000Z" };
        write!(
            ldif,
            "dn: uid=p{number},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: P\nsn: P\n"
        )
        .unwrap();
        write!(ldif, "createTimestamp: 20200101000000Z\nmodifyTimestamp: {at}\n\n").unwrap();
        ldif
    });
    let server = Slapd::start_with(&Setup { stamps: false, entries: people, ..Setup::default() });
    let target = server.connected(&json!({})).await;
    let from = cursor(&target).await.unwrap();
    assert_eq!(&*from.0, "modifyTimestamp\n20200202000000\nfalse");
    let few = changes(&target, &from).await;
    assert_eq!((few.items.len(), few.whole), (1, true));
    let early = Cursor("modifyTimestamp\n20190101000000\ntrue".into());
    let many = changes(&target, &early).await;
    assert_eq!((many.items.len(), many.whole, many.next), (0, false, from));
}
