//! What a domain asks of a connector beside the contract, on Samba: trouble told apart, large groups, names of every kind, what is
//! protected, and where accounts go.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use provost_connectors::{AnyTarget, schema};
use provost_core::model::{
    Applied, Attributes, ConnectorKind, CorrelationKey, Item, Kind, Observed, ObservedEntitlement, Step, TargetError,
    TargetId, Value,
};
use serde_json::json;
use tests::servers::samba::{DOMAIN, PASSWORD, Samba};
use tests::servers::{Authority, Cutting};

async fn apply(target: &AnyTarget, step: Step) -> Result<Applied, TargetError> {
    target.apply(&[step]).await.0.pop().unwrap()
}

fn attributes(values: &[(&str, &str)]) -> Attributes {
    values.iter().map(|(name, value)| ((*name).into(), Value::from(*value))).collect()
}

async fn create(target: &AnyTarget, values: &[(&str, &str)]) -> TargetId {
    let step = Step::CreateAccount { attributes: attributes(values), enabled: true, password: true };
    apply(target, step).await.unwrap().id.unwrap()
}

async fn group(target: &AnyTarget, name: &str) -> TargetId {
    let step = Step::CreateGroup { name: name.into(), mark: "provost:test".into() };
    apply(target, step).await.unwrap().id.unwrap()
}

async fn read(target: &AnyTarget, id: &TargetId) -> Observed {
    target.read(id).await.0.unwrap().unwrap()
}

async fn listing(target: &AnyTarget, kind: Kind) -> (Vec<Item>, u32) {
    let (mut items, mut next, mut requests) = (Vec::new(), None, 0);
    loop {
        let (page, spent) = target.observe(kind, next.as_ref()).await;
        let page = page.unwrap();
        requests += spent.requests;
        items.extend(page.items);
        next = page.next;
        if next.is_none() {
            return (items, requests);
        }
    }
}

async fn groups(target: &AnyTarget) -> Vec<ObservedEntitlement> {
    let of = |item| if let Item::Entitlement(group) = item { Some(group) } else { None };
    listing(target, Kind::Groups).await.0.into_iter().filter_map(of).collect()
}

async fn members(target: &AnyTarget, id: &TargetId) -> BTreeSet<TargetId> {
    let group = groups(target).await.into_iter().find(|group| group.id == *id).unwrap();
    group.members.unwrap().into_iter().collect()
}

async fn find(target: &AnyTarget, login: &str) -> TargetId {
    let key = CorrelationKey { attribute: "sAMAccountName".into(), value: login.into() };
    target.find(&key).await.0.unwrap().pop().unwrap().id
}

fn update(id: &TargetId, attribute: &str, value: &str) -> Step {
    Step::UpdateAccount { id: id.clone(), set: attributes(&[(attribute, value)]) }
}

/// What somebody else sees of an account.
fn shown(server: &Samba, login: &str, attribute: &str) -> Vec<String> {
    let ldif = server.search(&format!("(sAMAccountName={login})"), &[attribute]);
    let prefix = format!("{attribute}: ");
    ldif.replace("\n ", "").lines().filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned)).collect()
}

/// A connection that is shown the places of accounts.
async fn placing(server: &Samba, left: bool) -> AnyTarget {
    let place = if left { json!(format!("OU=Left,{DOMAIN}")) } else { json!(null) };
    let mut connector = server.connector(&server.secure_url(), &json!({"accounts": {"disabledDN": place}}));
    connector.settings["activeDirectory"]["attributes"] = json!(["cn", "parentDN", "proxyAddresses", "noSuchThing"]);
    server.connected_as(&connector, PASSWORD).await
}

#[tokio::test]
async fn each_way_not_to_get_in_is_told_from_the_others() {
    let Some(mut server) = Samba::start() else { return };
    let (url, none) = (server.secure_url(), json!({}));
    let probe = |target: AnyTarget| async move { target.probe().await.0.unwrap_err() };
    let error = probe(server.connected_at(&url, &none, "wrong").await).await;
    assert!(matches!(&error, TargetError::Unauthorized(text) if text.contains("invalidCredentials")), "{error}");
    for (field, more) in [
        ("accounts.baseDN", json!({"accounts": {"baseDN": "OU=Nobody,DC=acme,DC=test"}})),
        ("accounts.disabledDN", json!({"accounts": {"disabledDN": "OU=Nobody,DC=acme,DC=test"}})),
        ("groups.baseDN", json!({"groups": {"baseDN": "OU=Nobody,DC=acme,DC=test"}})),
    ] {
        let error = probe(server.connected(&more).await).await;
        assert!(matches!(&error, TargetError::Unsupported(text) if text.starts_with(field)), "{error}");
    }
    let authority = Authority::new().pem();
    for url in [server.url(), server.secure_url()] {
        let target = server.connected_by(&server.connector(&url, &none), PASSWORD, &authority).await;
        let error = probe(target).await;
        assert!(matches!(&error, TargetError::Tls(text) if text.contains("invalid peer certificate")), "{error}");
    }
    let profile = server.connected(&none).await.probe().await.0.unwrap();
    assert_eq!(profile.measured.get("domain").map(|text| &**text), Some(DOMAIN));
    server.stop();
    server.start_expired();
    for url in [server.url(), server.secure_url()] {
        let error = probe(server.connected_at(&url, &none, PASSWORD).await).await;
        assert!(matches!(&error, TargetError::Tls(text) if text.to_lowercase().contains("expired")), "{error}");
    }
    // Without TLS nothing is said, the password least of all.
    server.stop();
    server.start_without_tls();
    let error = probe(server.connected_at(&server.url(), &none, PASSWORD).await).await;
    assert!(matches!(&error, TargetError::Tls(_) | TargetError::Transient(_)), "refused or broken off: {error}");
}

#[tokio::test]
async fn the_bind_account_is_known_and_protected() {
    let Some(server) = Samba::start() else { return };
    for user in ["provost@acme.test", "ACME\\provost", "CN=provost,OU=Services,DC=acme,DC=test"] {
        let more = json!({
            "bind": {"user": user, "passwordSecretRef": {"name": "ad", "key": "password"}}, "accounts": {"baseDN": DOMAIN},
        });
        let target = server.connected(&more).await;
        let principal = target.probe().await.0.unwrap().principal;
        assert_eq!(principal, Some(find(&target, "provost").await), "{user}");
    }
    assert_eq!(server.connected(&json!({})).await.probe().await.0.unwrap().principal, None, "it is elsewhere");
}

#[tokio::test]
async fn a_group_of_two_thousand_is_seen_to_its_last_member() {
    let Some(server) = Samba::start() else { return };
    crowd(&server, 2000);
    let target = server.connected(&json!({})).await;
    let accounts: Vec<TargetId> = listing(&target, Kind::Accounts)
        .await
        .0
        .into_iter()
        .filter_map(|item| match item {
            Item::Account(account) => Some(account.id),
            Item::Entitlement(_) => None,
        })
        .collect();
    assert_eq!(accounts.len(), 2000);
    let large = group(&target, "Everybody").await;
    for some in accounts.chunks(200) {
        apply(&target, Step::AddMembers { group: large.clone(), members: some.to_vec() }).await.unwrap();
    }
    assert_eq!(members(&target, &large).await, accounts.iter().cloned().collect());
    let (_, requests) = listing(&target, Kind::Groups).await;
    assert_eq!(requests, 2, "a page, and the rest of one group");
    let some: Vec<TargetId> = accounts.iter().step_by(10).cloned().collect();
    for _ in 0..2 {
        apply(&target, Step::RemoveMembers { group: large.clone(), members: some.clone() }).await.unwrap();
        assert_eq!(members(&target, &large).await.len(), 1800);
    }
    let both: Vec<TargetId> = accounts.iter().take(200).cloned().collect();
    apply(&target, Step::AddMembers { group: large.clone(), members: both }).await.unwrap();
    assert_eq!(members(&target, &large).await.len(), 1820, "those who were there already are no error");
}

/// So many people, added by somebody else.
fn crowd(server: &Samba, size: usize) {
    let mut ldif = String::new();
    for number in 0..size {
        let dn = format!("CN=member-{number:04},OU=People,{DOMAIN}");
        write!(ldif, "dn: {dn}\nobjectClass: user\nsAMAccountName: member-{number:04}\n\n").unwrap();
    }
    server.add(&ldif);
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_of_a_page_is_asked_again_from_the_beginning() {
    let Some(mut server) = Samba::start() else { return };
    crowd(&server, 1200);
    let relay = Cutting::at((server.address(), 636).into()).await;
    let target = server.connected_at(&format!("ldaps://{}", relay.address()), &json!({}), PASSWORD).await;
    target.probe().await.0.unwrap();
    let first = target.observe(Kind::Accounts, None).await.0.unwrap();
    let shown = first.items.len();
    assert!(first.next.is_some() && shown < 1200, "{shown}");
    // Half of a page comes, and is no page.
    for page in [None, first.next.as_ref()] {
        relay.stop_after(60_000);
        let error = target.observe(Kind::Accounts, page).await.0.unwrap_err();
        assert!(matches!(error, TargetError::Transient(_) | TargetError::Malformed(_)), "{error:?}");
        relay.go_on();
    }
    assert_eq!(listing(&target, Kind::Accounts).await.0.len(), 1200);
    // Between two pages: its place in the list is gone with it.
    let first = target.observe(Kind::Accounts, None).await.0.unwrap();
    server.stop();
    let error = target.observe(Kind::Accounts, first.next.as_ref()).await.0.unwrap_err();
    assert!(matches!(error, TargetError::Transient(_) | TargetError::Unreachable(_)), "{error:?}");
    server.start_again();
    target.observe(Kind::Accounts, first.next.as_ref()).await.0.unwrap_err();
    assert_eq!(listing(&target, Kind::Accounts).await.0.len(), 1200);
}

#[tokio::test]
async fn names_are_of_every_kind() {
    let Some(server) = Samba::start() else { return };
    let target = placing(&server, false).await;
    let names = [
        "Lovelace, Ada",
        "\"Ada\" Lovelace",
        "Zoë Ångström-Müller",
        "日本 🦀",
        "a+b=c; d",
        "#hash",
        "back\\slash",
        "*)(cn=*",
    ];
    for (number, name) in names.into_iter().enumerate() {
        let login = format!("person-{number}");
        let first = create(&target, &[("sAMAccountName", &login), ("cn", name), ("displayName", name)]).await;
        let team = group(&target, name).await;
        apply(&target, Step::AddMembers { group: team.clone(), members: vec![first.clone()] }).await.unwrap();
        let account = read(&target, &first).await;
        assert_eq!((account.text("cn"), account.text("displayName")), (Some(name), Some(name)));
        assert_eq!(account.holds, Some(vec![team.clone()]), "{name}");
        apply(&target, update(&first, "cn", &format!("{name} ✓"))).await.unwrap();
        assert_eq!(read(&target, &first).await.text("cn"), Some(&*format!("{name} ✓")));
        assert_eq!(members(&target, &team).await, [first].into());
        let listed = groups(&target).await.into_iter().find(|group| group.id == team).unwrap();
        assert_eq!(&*listed.name, name);
    }
}

#[tokio::test]
async fn what_one_account_cannot_have_stops_no_other() {
    let Some(server) = Samba::start() else { return };
    let target = placing(&server, false).await;
    let account = |login: &str, more: (&str, &str)| Step::CreateAccount {
        attributes: attributes(&[("sAMAccountName", login), more]),
        enabled: true,
        password: true,
    };
    let steps = [
        account("first", ("title", "Analyst")),
        account("second", ("noSuchThing", "x")),
        account("has,comma", ("title", "x")),
        account("far-too-long-a-login-name", ("title", "x")),
        account("elsewhere", ("parentDN", "OU=Left,DC=acme,DC=test")),
        account("nowhere", ("parentDN", "OU=Gone,OU=People,DC=acme,DC=test")),
        account("when", ("accountExpires", "soon")),
        account("managed", ("manager", "6b86b273-0000-4000-8000-ffffffffffff")),
        account("last", ("title", "Analyst")),
    ];
    let outcomes = target.apply(&steps).await.0;
    let fields: Vec<Option<String>> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Err(TargetError::Rejected { field, .. }) => {
                Some(field.as_ref().map_or("nothing".to_owned(), ToString::to_string))
            }
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        })
        .collect();
    let expected = [
        "",
        "noSuchThing",
        "sAMAccountName",
        "sAMAccountName",
        "parentDN",
        "parentDN",
        "accountExpires",
        "nothing",
        "",
    ];
    let expected: Vec<Option<String>> =
        expected.iter().map(|field| (!field.is_empty()).then(|| (*field).to_owned())).collect();
    assert_eq!(fields, expected, "{outcomes:?}");
    // The name of an entry that is taken by somebody of another login name is no account to be found.
    let error = apply(&target, account("other", ("cn", "first"))).await.unwrap_err();
    assert!(matches!(&error, TargetError::Rejected { field: Some(field), .. } if field.as_str() == "cn"), "{error}");
    let first = find(&target, "first").await;
    let error = apply(&target, update(&first, "manager", "6b86b273-0000-4000-8000-ffffffffffff")).await.unwrap_err();
    assert!(matches!(&error, TargetError::Rejected { .. }), "the account itself is there: {error}");
}

#[tokio::test]
async fn what_the_domain_protects_is_never_written_to() {
    let Some(server) = Samba::start() else { return };
    let target = server.connected(&json!({"accounts": {"baseDN": DOMAIN}, "groups": {"baseDN": DOMAIN}})).await;
    let ada =
        create(&target, &[("sAMAccountName", "ada"), ("title", "Analyst"), ("parentDN", "OU=People,DC=acme,DC=test")])
            .await;
    server.edit("dn: CN=ada,OU=People,DC=acme,DC=test\nchangetype: modify\nreplace: adminCount\nadminCount: 1\n\n");
    let before = server.search("(objectClass=*)", &["title", "userAccountControl", "member"]);
    for (login, why) in
        [("ada", "adminCount"), ("Administrator", "adminCount"), ("krbtgt", "adminCount"), ("Guest", "wellKnown")]
    {
        let id = find(&target, login).await;
        let protection = schema(ConnectorKind::ActiveDirectory).protection.unwrap();
        assert_eq!(read(&target, &id).await.text(protection), Some(why), "{login}");
        let steps = [
            update(&id, "title", "Boss"),
            Step::DisableAccount { id: id.clone() },
            Step::EnableAccount { id: id.clone() },
            Step::DeleteAccount { id: id.clone() },
        ];
        for outcome in target.apply(&steps).await.0 {
            let error = outcome.unwrap_err();
            assert!(matches!(&error, TargetError::Rejected { reason, .. } if reason.contains("protects")), "{error}");
        }
    }
    for name in ["Domain Admins", "Domain Users", "Administrators", "Schema Admins"] {
        let id = groups(&target).await.into_iter().find(|group| &*group.name == name).unwrap().id;
        let steps = [
            Step::AddMembers { group: id.clone(), members: vec![ada.clone()] },
            Step::UpdateGroup { id: id.clone(), name: "Ours".into() },
            Step::DeleteGroup { id: id.clone() },
        ];
        for outcome in target.apply(&steps).await.0 {
            let error = outcome.unwrap_err();
            assert!(
                matches!(&error, TargetError::Rejected { reason, .. } if reason.contains("protects")),
                "{name}: {error}"
            );
        }
    }
    assert_eq!(server.search("(objectClass=*)", &["title", "userAccountControl", "member"]), before);
    server.edit("dn: CN=ada,OU=People,DC=acme,DC=test\nchangetype: modify\ndelete: adminCount\n\n");
    apply(&target, update(&ada, "title", "Boss")).await.unwrap();
}

#[tokio::test]
async fn disabled_accounts_are_moved_and_come_back_to_where_they_belong() {
    let Some(server) = Samba::start() else { return };
    for place in ["Sales", "Research"] {
        server.add(&format!("dn: OU={place},OU=People,{DOMAIN}\nobjectClass: organizationalUnit\n\n"));
    }
    let target = placing(&server, true).await;
    let (sales, research) = (format!("OU=Sales,OU=People,{DOMAIN}"), format!("ou=research,OU=People,{DOMAIN}"));
    let ada = create(&target, &[("sAMAccountName", "ada"), ("cn", "Ada, Dr."), ("parentDN", &sales)]).await;
    let place = || shown(&server, "ada", "dn").pop().unwrap();
    assert_eq!(place(), format!("CN=Ada\\, Dr.,{sales}"));
    apply(&target, update(&ada, "parentDN", &research)).await.unwrap();
    assert_eq!(place(), format!("CN=Ada\\, Dr.,OU=Research,OU=People,{DOMAIN}"));
    assert_eq!(read(&target, &ada).await.text("parentDN"), Some(&*research), "spelled as it was told");

    // Somebody of the same name is there already.
    server.add(&format!("dn: CN=Ada\\, Dr.,OU=Left,{DOMAIN}\nobjectClass: user\nsAMAccountName: other-ada\n\n"));
    for _ in 0..2 {
        apply(&target, Step::DisableAccount { id: ada.clone() }).await.unwrap();
        let part = &ada.as_str()[..8];
        assert_eq!(place(), format!("CN=Ada\\, Dr. {part},OU=Left,{DOMAIN}"));
        assert_eq!(shown(&server, "ada", "userAccountControl"), ["514"]);
    }
    let account = read(&target, &ada).await;
    assert!(!account.enabled);
    assert_eq!(account.text("parentDN"), Some(&*research), "where it belongs has not changed");
    // It stays aside until it is enabled, and then goes to where it belongs by then.
    apply(&target, update(&ada, "parentDN", &sales)).await.unwrap();
    assert!(place().ends_with(&format!("OU=Left,{DOMAIN}")));
    assert_eq!(read(&target, &ada).await.text("parentDN"), Some(&*sales));
    for _ in 0..2 {
        apply(&target, Step::EnableAccount { id: ada.clone() }).await.unwrap();
        assert!(place().ends_with(&sales), "{}", place());
        assert_eq!(shown(&server, "ada", "userAccountControl"), ["512"]);
    }
    let gone = placing(&server, true).await;
    apply(&gone, Step::DisableAccount { id: ada.clone() }).await.unwrap();
    let restarted = placing(&server, true).await;
    assert_eq!(read(&restarted, &ada).await.text("parentDN"), None, "nobody remembers where it belongs");
    apply(&restarted, Step::EnableAccount { id: ada.clone() }).await.unwrap();
    assert!(place().ends_with(&format!(",OU=People,{DOMAIN}")));
}

#[tokio::test]
async fn a_place_for_disabled_accounts_that_is_not_there_is_named() {
    let Some(server) = Samba::start() else { return };
    let target = placing(&server, true).await;
    let ada = create(&target, &[("sAMAccountName", "ada")]).await;
    let left = format!("OU=Left,{DOMAIN}");
    server.run("ldbdel", &[left.as_str()], "");
    let error = apply(&target, Step::DisableAccount { id: ada.clone() }).await.unwrap_err();
    let named = |reason: &str| reason == format!("there is no {left}; create it, or correct accounts.disabledDN");
    assert!(matches!(&error, TargetError::Rejected { reason, .. } if named(reason)), "{error:?}");
    assert!(!read(&target, &ada).await.enabled, "it is disabled all the same");
}

#[tokio::test]
async fn locks_other_switches_and_the_age_of_passwords_stay() {
    let Some(server) = Samba::start() else { return };
    let target = placing(&server, false).await;
    create(&target, &[("sAMAccountName", "ada")]).await;
    assert_eq!(shown(&server, "ada", "pwdLastSet"), ["0"], "the first password must be changed");
    let quiet = attributes(&[("sAMAccountName", "bob")]);
    let step = Step::CreateAccount { attributes: quiet, enabled: true, password: false };
    let bob = apply(&target, step).await.unwrap().id.unwrap();
    assert_ne!(shown(&server, "bob", "pwdLastSet"), ["0"], "nobody is asked to change what nobody knows");
    server.edit(&format!(
        "dn: CN=bob,OU=People,{DOMAIN}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 66048\n-\n\
         replace: lockoutTime\nlockoutTime: 134000000000000000\n\n"
    ));
    let kept = |name: &str| shown(&server, "bob", name);
    let before = (kept("pwdLastSet"), kept("lockoutTime"));
    apply(&target, Step::DisableAccount { id: bob.clone() }).await.unwrap();
    assert_eq!(kept("userAccountControl"), ["66050"]);
    apply(&target, Step::EnableAccount { id: bob.clone() }).await.unwrap();
    apply(&target, update(&bob, "title", "Analyst")).await.unwrap();
    assert_eq!(kept("userAccountControl"), ["66048"]);
    assert_eq!((kept("pwdLastSet"), kept("lockoutTime")), before);
}

#[tokio::test]
async fn nested_groups_and_the_primary_group_are_left_alone() {
    let Some(server) = Samba::start() else { return };
    let target = placing(&server, false).await;
    let (ada, bob) =
        (create(&target, &[("sAMAccountName", "ada")]).await, create(&target, &[("sAMAccountName", "bob")]).await);
    let (outer, inner) = (group(&target, "outer").await, group(&target, "inner").await);
    for (team, who) in [(&inner, &ada), (&outer, &bob), (&outer, &ada)] {
        apply(&target, Step::AddMembers { group: team.clone(), members: vec![who.clone()] }).await.unwrap();
    }
    server.edit(&format!(
        "dn: CN=outer,OU=Groups,{DOMAIN}\nchangetype: modify\nadd: member\nmember: CN=inner,OU=Groups,{DOMAIN}\n\n"
    ));
    // The primary group is in no list of members.
    let token = server.search("(cn=inner)", &["objectSid"]);
    let rid = token.lines().find_map(|line| line.strip_prefix("objectSid: ")?.rsplit('-').next()).unwrap().to_owned();
    server.edit(&format!(
        "dn: CN=ada,OU=People,{DOMAIN}\nchangetype: modify\nreplace: primaryGroupID\nprimaryGroupID: {rid}\n\n"
    ));
    assert_eq!(members(&target, &inner).await, BTreeSet::new());
    assert_eq!(read(&target, &ada).await.holds, Some(vec![outer.clone()]));
    apply(&target, Step::RemoveMembers { group: outer.clone(), members: vec![ada.clone(), bob] }).await.unwrap();
    assert_eq!(members(&target, &outer).await, [inner].into(), "the group stays a member");
    assert_eq!(read(&target, &ada).await.holds, Some(Vec::new()));
}

#[tokio::test]
async fn addresses_are_a_set_and_an_end_is_a_time() {
    let Some(server) = Samba::start() else { return };
    let target = placing(&server, false).await;
    let ada = create(&target, &[("sAMAccountName", "ada"), ("accountExpires", "2027-11-30T17:00:00+01:00")]).await;
    assert_eq!(shown(&server, "ada", "accountExpires"), ["134720640000000000"]);
    let addresses = Value::List(vec!["SMTP:ada@acme.test".into(), "smtp:a.lovelace@acme.test".into()]);
    let set = [("proxyAddresses".into(), addresses.clone()), ("accountExpires".into(), Value::Null)].into();
    apply(&target, Step::UpdateAccount { id: ada.clone(), set }).await.unwrap();
    let account = read(&target, &ada).await;
    assert_eq!(account.attributes.get("proxyAddresses"), Some(&addresses));
    assert_eq!(
        (account.text("accountExpires"), shown(&server, "ada", "accountExpires")),
        (None, vec!["9223372036854775807".to_owned()])
    );
}
