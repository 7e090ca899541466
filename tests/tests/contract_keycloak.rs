//! The contract of connectors on Keycloak, and what is particular about it: what a realm drops, hides and erases.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeSet;

use provost_connectors::AnyTarget;
use provost_connectors::contract::{Contract, Words};
use provost_core::model::{
    Applied, Attributes, ConnectorKind, CorrelationKey, EntitlementKind, Item, Kind, Observed, ObservedEntitlement,
    PageToken, Step, TargetError, TargetId, Value,
};
use reqwest::Method;
use serde_json::json;
use tests::keeps::keeps;
use tests::servers::{Counting, Cutting, Keycloak, Realm, TOKEN, connected_to};

/// What the realms of these tests declare.
const DECLARED: &[&str] = &["employeeId", "title", "department", "nickName", "shifts"];

#[tokio::test(flavor = "multi_thread")]
async fn keycloak_keeps_the_contract() {
    let realm = Keycloak::shared().realm("contract", Some(DECLARED)).await;
    realm.client("provost", &["manage-users"]).await;
    let target = realm.connected("provost").await;
    let what = Contract { prefix: "contract-".into(), crowd: 520, words: Words::keycloak() };
    keeps("keycloak", &target, ConnectorKind::Keycloak, &what).await;
}

async fn apply(target: &AnyTarget, step: Step) -> Result<Applied, TargetError> {
    target.apply(&[step]).await.0.pop().unwrap()
}

async fn create(target: &AnyTarget, name: &str, more: &[(&str, Value)]) -> TargetId {
    let mut attributes: Attributes = more.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    attributes.insert("username".into(), name.into());
    let step = Step::CreateAccount { attributes, enabled: true, password: true };
    apply(target, step).await.unwrap().id.unwrap()
}

async fn update(target: &AnyTarget, id: &TargetId, set: &[(&str, Value)]) -> Result<Applied, TargetError> {
    let set = set.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    apply(target, Step::UpdateAccount { id: id.clone(), set }).await
}

async fn read(target: &AnyTarget, id: &TargetId) -> Observed {
    target.read(id).await.0.unwrap().unwrap()
}

async fn listing(target: &AnyTarget, kind: Kind) -> Vec<Item> {
    let (mut items, mut token): (Vec<Item>, Option<PageToken>) = (Vec::new(), None);
    loop {
        let page = target.observe(kind, token.as_ref()).await.0.unwrap();
        items.extend(page.items);
        token = page.next;
        if token.is_none() {
            return items;
        }
    }
}

async fn entitlements(target: &AnyTarget, kind: Kind) -> Vec<ObservedEntitlement> {
    let items = listing(target, kind).await;
    let of = |item| if let Item::Entitlement(found) = item { Some(found) } else { None };
    items.into_iter().filter_map(of).collect()
}

/// Settings of a connection that knows a catalogue, as an application has them.
async fn with_catalogue(realm: &Realm<'_>, client: &str, catalogue: serde_json::Value) -> AnyTarget {
    let mut connector = realm.connector(client, &Keycloak::shared().url());
    connector.settings["catalogue"] = catalogue;
    connected_to(&connector, TOKEN).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_erases_nothing_that_it_does_not_name() {
    let realm = Keycloak::shared().realm("updates", Some(DECLARED)).await;
    realm.client("provost", &["manage-users"]).await;
    let target = realm.connected("provost").await;
    let names = [("firstName", "Ada".into()), ("lastName", "Lovelace".into()), ("email", "Ada@Acme.test".into())];
    let id = create(&target, "Ada", &[&names[..], &[("title", "Analyst".into())]].concat()).await;
    let corp = json!({"alias": "corp", "providerId": "github", "config": {"clientId": "x", "clientSecret": "y"}});
    realm.ask(Method::POST, "/identity-provider/instances", Some(&corp)).await;
    let linked = json!({"userId": "u-1", "userName": "ada"});
    realm.ask(Method::POST, &format!("/users/{id}/federated-identity/corp"), Some(&linked)).await;

    let set = [("department", "Research".into()), ("shifts", Value::List(vec!["late".into()]))];
    let observed = update(&target, &id, &set).await.unwrap().observed.unwrap();
    assert_eq!(observed.attributes.get("shifts"), Some(&Value::List(vec!["late".into()])));
    update(&target, &id, &[("title", Value::Null), ("lastName", "King".into())]).await.unwrap();
    apply(&target, Step::DisableAccount { id: id.clone() }).await.unwrap();

    let user = realm.user("ada").await;
    assert_eq!(
        (&user["firstName"], &user["lastName"], &user["email"], &user["enabled"]),
        (&json!("Ada"), &json!("King"), &json!("ada@acme.test"), &json!(false))
    );
    assert_eq!(user["attributes"], json!({"department": ["Research"], "shifts": ["late"]}));
    assert_eq!(user["requiredActions"], json!(["UPDATE_PASSWORD"]));
    let links = realm.get(&format!("/users/{id}/federated-identity")).await;
    assert_eq!(links[0]["userId"], "u-1", "{links}");
}

/// A realm as Keycloak makes it declares four attributes, and drops others without a word.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_realm_drops_is_named_and_not_written_for_ever() {
    let realm = Keycloak::shared().realm("strict", None).await;
    realm.client("provost", &["manage-users"]).await;
    let proxy = Counting::at(Keycloak::shared().address(), "").await;
    let target = connected_to(&realm.connector("provost", &proxy.url()), TOKEN).await;
    target.probe().await.0.unwrap();
    let id = create(&target, "ada", &[("firstName", "Ada".into()), ("department", "Engineering".into())]).await;
    assert_eq!(realm.user("ada").await["firstName"], "Ada", "the account is there all the same");
    proxy.take();
    for _ in 0..3 {
        let error = update(&target, &id, &[("department", "Engineering".into())]).await.unwrap_err();
        let TargetError::Rejected { field, reason, .. } = error else { panic!("{error}") };
        assert_eq!(field.unwrap().as_str(), "department");
        assert!(reason.contains("user profile") && reason.contains("department"), "{reason}");
    }
    assert_eq!(proxy.count(|method, _| method == Method::PUT), 0, "{:?}", proxy.take());
    let measured = target.probe().await.0.unwrap().measured;
    assert!(measured["notDeclared"].contains("employeeId"), "{measured:?}");
    assert_eq!(&*measured["unmanagedAttributes"], "DISABLED");

    // Once it is declared, it is written: the profile is read again with each listing.
    let mut profile = realm.get("/users/profile").await;
    profile["unmanagedAttributePolicy"] = "ADMIN_EDIT".into();
    realm.ask(Method::PUT, "/users/profile", Some(&profile)).await;
    listing(&target, Kind::Accounts).await;
    update(&target, &id, &[("department", "Engineering".into())]).await.unwrap();
    assert_eq!(realm.user("ada").await["attributes"]["department"], json!(["Engineering"]));

    // And when it is not any more, the answer is not believed.
    profile.as_object_mut().unwrap().remove("unmanagedAttributePolicy");
    realm.ask(Method::PUT, "/users/profile", Some(&profile)).await;
    let error = update(&target, &id, &[("nickName", "Addie".into())]).await.unwrap_err();
    assert!(error.to_string().contains("nickName"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_known_by_their_path() {
    let realm = Keycloak::shared().realm("paths", Some(DECLARED)).await;
    realm.client("provost", &["manage-users"]).await;
    realm.make_group("", "engineering").await;
    realm.make_group("engineering", "platform").await;
    realm.make_group("", "R/D").await;
    let target = realm.connected("provost").await;
    let ada = create(&target, "ada", &[]).await;
    let make = |name: &str| Step::CreateGroup { name: name.into(), mark: "provost:acme/sso".into() };
    let below = apply(&target, make("engineering/platform/sre")).await.unwrap().id.unwrap();
    assert_eq!(apply(&target, make("engineering/platform/sre")).await.unwrap().id, Some(below.clone()));
    assert_eq!(apply(&target, make("engineering")).await, Err(TargetError::Conflict), "it is not ours");
    let error = apply(&target, make("sales/emea")).await.unwrap_err().to_string();
    assert!(error.contains("its parent group sales is not there"), "{error}");
    apply(&target, Step::AddMembers { group: below.clone(), members: vec![ada.clone()] }).await.unwrap();

    let listed = entitlements(&target, Kind::Groups).await;
    let names: BTreeSet<&str> = listed.iter().map(|group| &*group.name).collect();
    assert_eq!(names, BTreeSet::from(["R~/D", "engineering", "engineering/platform", "engineering/platform/sre"]));
    for group in &listed {
        let expected = if group.id == below { vec![ada.clone()] } else { Vec::new() };
        assert_eq!(group.members.as_ref(), Some(&expected), "{}: members of groups below are not its own", group.name);
    }
    assert_eq!(read(&target, &ada).await.holds, Some(vec![below.clone()]));

    // What is below a group would go with it.
    let platform = listed.iter().find(|group| &*group.name == "engineering/platform").unwrap().id.clone();
    let error = apply(&target, Step::DeleteGroup { id: platform.clone() }).await.unwrap_err().to_string();
    assert!(error.contains("groups below"), "{error}");
    let moved = apply(&target, Step::UpdateGroup { id: below.clone(), name: "sre".into() }).await;
    assert!(matches!(moved, Err(TargetError::Unsupported(_))), "{moved:?}");
    apply(&target, Step::UpdateGroup { id: below, name: "engineering/platform/reliability".into() }).await.unwrap();
    assert_eq!(realm.members("engineering/platform/reliability").await, ["ada"]);

    // Of a catalogue, only its members are looked at; a group that is renamed stays one of it.
    let target = with_catalogue(&realm, "provost", json!({"groups": ["engineering/platform"], "roles": []})).await;
    let shown = async || {
        let listed = entitlements(&target, Kind::Groups).await;
        listed.into_iter().filter(|group| group.members.is_some()).map(|group| group.id).collect::<Vec<_>>()
    };
    assert_eq!(shown().await, std::slice::from_ref(&platform));
    realm.ask(Method::PUT, &format!("/groups/{platform}"), Some(&json!({"name": "base"}))).await;
    assert_eq!(shown().await, [platform]);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_of_the_realm_and_of_clients_are_given_and_taken() {
    let realm = Keycloak::shared().realm("roles", Some(DECLARED)).await;
    realm.client("provost", &["manage-users", "view-realm", "view-clients"]).await;
    realm.client("users-alone", &["manage-users"]).await;
    realm.ask(Method::POST, "/roles", Some(&json!({"name": "auditor"}))).await;
    let app = json!({"clientId": "https://wiki.acme.test/saml"});
    let client = realm.ask(Method::POST, "/clients", Some(&app)).await.id;
    realm.ask(Method::POST, &format!("/clients/{client}/roles"), Some(&json!({"name": "wiki admin"}))).await;
    let names = ["auditor", "https://wiki.acme.test/saml/wiki admin", "missing", "no-client/x"];
    let catalogue = json!({"groups": [], "roles": names});
    let target = with_catalogue(&realm, "provost", catalogue.clone()).await;
    let ada = create(&target, "ada", &[]).await;

    let listed = entitlements(&target, Kind::Roles).await;
    let found: BTreeSet<&str> = listed.iter().map(|role| &*role.name).collect();
    assert_eq!(found, BTreeSet::from([names[0], names[1]]));
    let step = |give: bool, role: &ObservedEntitlement| {
        let (kind, entitlement, account) = (EntitlementKind::Role, role.id.clone(), ada.clone());
        if give { Step::Assign { kind, entitlement, account } } else { Step::Revoke { kind, entitlement, account } }
    };
    for give in [true, false] {
        for role in &listed {
            for _ in 0..2 {
                apply(&target, step(give, role)).await.unwrap();
            }
        }
        let expected = if give { vec![ada.clone()] } else { Vec::new() };
        for role in entitlements(&target, Kind::Roles).await {
            assert_eq!(role.members.as_ref(), Some(&expected), "{}", role.name);
        }
        let held: BTreeSet<TargetId> = read(&target, &ada).await.holds.unwrap().into_iter().collect();
        assert!(listed.iter().all(|role| held.contains(&role.id) == give), "{held:?}");
    }

    // Of one that was not listed before, by its id; and after it was renamed.
    let fresh = with_catalogue(&realm, "provost", catalogue.clone()).await;
    apply(&fresh, step(true, &listed[0])).await.unwrap();
    let renamed = json!({"name": "controller"});
    realm.ask(Method::PUT, &format!("/roles-by-id/{}", listed[0].id), Some(&renamed)).await;
    apply(&fresh, step(false, &listed[0])).await.unwrap();
    assert_eq!(realm.get("/roles/controller/users").await, json!([]));

    // An admin role that the client does not have itself.
    let admins = json!({"groups": [], "roles": ["realm-management/view-events"]});
    let guarded = with_catalogue(&realm, "provost", admins).await;
    let role = entitlements(&guarded, Kind::Roles).await.remove(0);
    let error = apply(&guarded, step(true, &role)).await.unwrap_err().to_string();
    assert!(error.contains("an admin role is given and taken by who has it alone"), "{error}");

    // Without the right to see roles nothing is said of them: not that there are none, not that nobody has them.
    let blind = with_catalogue(&realm, "users-alone", catalogue).await;
    let error = blind.observe(Kind::Roles, None).await.0.unwrap_err();
    assert!(matches!(error, TargetError::Rejected { .. }) && error.to_string().contains("view-realm"), "{error}");
    assert!(blind.read(&ada).await.0.is_err());
    assert_eq!(blind.observe(Kind::Groups, None).await.0.unwrap().items, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_not_look_sees_an_error_and_not_an_empty_realm() {
    let realm = Keycloak::shared().realm("blind", Some(DECLARED)).await;
    realm.client("query", &["query-users", "query-groups"]).await;
    realm.client("nothing", &[]).await;
    realm.client("viewer", &["view-users"]).await;
    for client in ["query", "nothing"] {
        let target = realm.connected(client).await;
        let told = |error: TargetError| {
            assert!(matches!(error, TargetError::Unauthorized(_)), "{client}: {error}");
            assert!(error.to_string().contains("realm-management"), "{client}: {error}");
        };
        told(target.probe().await.0.unwrap_err());
        told(target.observe(Kind::Accounts, None).await.0.unwrap_err());
        told(target.observe(Kind::Groups, None).await.0.unwrap_err());
        let key = CorrelationKey { attribute: "username".into(), value: "ada".into() };
        told(target.find(&key).await.0.unwrap_err());
    }
    // Who may look and not write is told when it writes.
    let target = realm.connected("viewer").await;
    let profile = target.probe().await.0.unwrap();
    assert_eq!(&*profile.measured["write"], "the client lacks manage-users");
    assert_eq!(listing(&target, Kind::Accounts).await, []);
    let attributes: Attributes = [("username".into(), "ada".into())].into();
    let error = apply(&target, Step::CreateAccount { attributes, enabled: true, password: true }).await.unwrap_err();
    assert!(error.to_string().contains("manage-users"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_told_in_its_own_words() {
    let realm = Keycloak::shared().realm("bad", None).await;
    realm.client("provost", &["manage-users"]).await;
    let here = Keycloak::shared().url();
    let probe = async |connector, secret| connected_to(&connector, secret).await.probe().await.0.unwrap_err();

    let wrong = probe(realm.connector("provost", &here), "not the secret").await;
    assert!(matches!(&wrong, TargetError::Unauthorized(_)) && wrong.to_string().contains("credential"), "{wrong}");
    let mut unknown = realm.connector("provost", &here);
    unknown.settings["keycloak"]["realm"] = "nowhere".into();
    let error = probe(unknown.clone(), TOKEN).await;
    assert!(matches!(&error, TargetError::Unauthorized(_)) && error.to_string().contains("realm"), "{error}");
    // A client of another realm logs in well, and the realm is not there: that is no missing user.
    unknown.settings["keycloak"]["auth"]["realm"] = "bad".into();
    let target = connected_to(&unknown, TOKEN).await;
    let lost = target.read(&"6b86b273-0000-4000-8000-ffffffffffff".into()).await.0.unwrap_err();
    assert!(matches!(&lost, TargetError::Malformed(_)) && lost.to_string().contains("realm"), "{lost}");

    let target = realm.connected("provost").await;
    let ada = create(&target, "ada", &[("email", "ada@acme.test".into())]).await;
    create(&target, "bob", &[]).await;
    let new = |name: &str, email: &str| {
        let attributes = [("username".into(), name.into()), ("email".into(), email.into())].into();
        Step::CreateAccount { attributes, enabled: true, password: true }
    };
    assert_eq!(apply(&target, new("ADA", "other@acme.test")).await, Err(TargetError::Conflict));
    for (step, field, words) in [
        (new("cyn", "ADA@acme.test"), "email", "another user has this e-mail address"),
        (new("cyn", "nonsense"), "email", "error-invalid-email"),
        (new("c y n", "cyn@acme.test"), "username", "error-username-invalid-character"),
    ] {
        let error = apply(&target, step).await.unwrap_err();
        let TargetError::Rejected { field: named, reason, .. } = error else { panic!("{error}") };
        assert_eq!(named.unwrap().as_str(), field, "{reason}");
        assert!(reason.contains(words), "{reason}");
        assert!(!reason.contains("cyn") && !reason.contains("nonsense"), "no words of the target: {reason}");
    }
    realm.ask(Method::PUT, "", Some(&json!({"editUsernameAllowed": false}))).await;
    let set: Attributes = [("username".into(), "ada.lovelace".into())].into();
    let error = apply(&target, Step::RenameAccount { id: ada, set }).await.unwrap_err().to_string();
    assert!(error.contains("Edit username"), "{error}");
}

/// A profile that became stricter than its users are, as it is after an import as well.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_satisfy_the_user_profile_any_more_is_locked_out_all_the_same() {
    let realm = Keycloak::shared().realm("stricter", Some(DECLARED)).await;
    realm.client("provost", &["manage-users"]).await;
    let target = realm.connected("provost").await;
    let attributes =
        |department: &str| json!({"department": [department], "title": ["Analyst"], "employeeId": ["E-1"]});
    let (odd, names) = ("O\"Brien <x>", json!({"firstName": "Ada", "lastName": "Ångström"}));
    let mut ids = Vec::new();
    for (name, field, value) in [
        ("adam", "lastName", json!(odd)),
        ("boris", "attributes", attributes(odd)),
        ("cynthia", "attributes", json!({"title": [odd], "employeeId": ["E-2"]})),
        ("dan", "email", json!("dan@acme.test")),
        ("edith", "attributes", json!({"department": ["Sales"]})),
    ] {
        let mut user =
            json!({"username": name, "email": format!("{name}@acme.test"), "attributes": attributes("Sales")});
        user.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
        user[field] = value;
        ids.push(TargetId::new(realm.logged_in(user).await));
    }
    let mut profile = realm.get("/users/profile").await;
    for attribute in profile["attributes"].as_array_mut().unwrap() {
        match attribute["name"].as_str().unwrap() {
            "lastName" => attribute["validations"] = json!({"person-name-prohibited-characters": {}}),
            "department" => {
                attribute["validations"] = json!({"person-name-prohibited-characters": {}});
                attribute["required"] = json!({"roles": ["admin", "user"]});
            }
            "username" => attribute["validations"] = json!({"length": {"min": 4}}),
            "employeeId" => attribute["required"] = json!({"roles": ["admin", "user"]}),
            _ => {}
        }
    }
    realm.ask(Method::PUT, "/users/profile", Some(&profile)).await;

    let error = update(&target, &ids[0], &[("title", "Chief".into())]).await.unwrap_err().to_string();
    assert!(error.contains("user profile: lastName; correct it"), "{error}");
    for (at, locked_out) in [true, true, true, false, false].into_iter().enumerate() {
        let disabled = apply(&target, Step::DisableAccount { id: ids[at].clone() }).await;
        assert_eq!(disabled.is_ok(), locked_out, "{at}: {disabled:?}");
        assert_eq!(realm.sessions(ids[at].as_str()).await, 0, "{at}: the sessions end all the same");
        let Err(error) = disabled else { continue };
        // A user name and a mark are who somebody is.
        let TargetError::Rejected { field, reason, .. } = error else { panic!("{error}") };
        assert_eq!(field.unwrap().as_str(), ["username", "externalId"][at - 3]);
        let words = format!("user profile: {}; correct it", ["username", "employeeId"][at - 3]);
        assert!(reason.contains(&words), "{reason}");
    }
    let seen = async |name: &str| {
        let user = realm.user(name).await;
        (user["enabled"].clone(), user["email"].clone(), user["lastName"].clone(), user["attributes"].clone())
    };
    let mail = |name: &str| json!(format!("{name}@acme.test"));
    // What was in the way is gone, and nothing else.
    assert_eq!(seen("adam").await, (json!(false), mail("adam"), json!(null), attributes("Sales")));
    assert_eq!(seen("boris").await, (json!(false), mail("boris"), names["lastName"].clone(), attributes("-")));
    let added = json!({"title": [odd], "employeeId": ["E-2"], "department": ["-"]});
    assert_eq!(seen("cynthia").await, (json!(false), mail("cynthia"), names["lastName"].clone(), added));
    assert_eq!(seen("dan").await, (json!(true), mail("dan"), names["lastName"].clone(), attributes("Sales")));
}

/// Such a realm answers 204 to another user name and keeps the address.
#[tokio::test(flavor = "multi_thread")]
async fn where_addresses_are_user_names_a_mapping_to_others_is_told_and_not_written_for_ever() {
    let realm = Keycloak::shared().realm("addresses", Some(DECLARED)).await;
    realm.client("provost", &["manage-users"]).await;
    let setting = async |on: bool| {
        realm.ask(Method::PUT, "", Some(&json!({"registrationEmailAsUsername": on}))).await;
    };
    setting(true).await;
    let proxy = Counting::at(Keycloak::shared().address(), "").await;
    let connected = async || connected_to(&realm.connector("provost", &proxy.url()), TOKEN).await;
    let target = connected().await;
    let bob = create(&target, "bob", &[("email", "bob@acme.test".into())]).await;
    let remedy = "map username to identity.primaryEmail()";
    // First by the answer, from then on by what the realm says of itself; and at once where it was asked before.
    let probed = connected().await;
    let measured = probed.probe().await.0.unwrap().measured;
    assert!(measured["userNames"].contains(remedy), "{measured:?}");
    for (target, writes) in [(&target, 1), (&target, 0), (&probed, 0)] {
        proxy.take();
        let error = update(target, &bob, &[("username", "bob".into())]).await.unwrap_err();
        let TargetError::Rejected { field, reason, .. } = error else { panic!("{error}") };
        assert_eq!(field.unwrap().as_str(), "username");
        assert!(reason.contains(remedy), "{reason}");
        assert_eq!(proxy.count(|method, _| method == Method::PUT), writes, "{:?}", proxy.take());
    }
    // Nor is it found by another name; that somebody has the address is then told with the cause.
    let attributes = [("username".into(), "bob".into()), ("email".into(), "bob@acme.test".into())].into();
    let again = Step::CreateAccount { attributes, enabled: true, password: true };
    let error = apply(&target, again).await.unwrap_err().to_string();
    assert!(error.contains("another user has this e-mail address") && error.contains(remedy), "{error}");

    update(&target, &bob, &[("username", "Bob.B@Acme.test".into()), ("email", "Bob.B@acme.test".into())])
        .await
        .unwrap();
    assert_eq!(realm.user("bob.b@acme.test").await["id"], bob.as_str());
    setting(false).await;
    update(&target, &bob, &[("username", "bob".into())]).await.unwrap();
    assert_eq!(realm.user("bob").await["id"], bob.as_str());
    assert!(!probed.probe().await.0.unwrap().measured.contains_key("userNames"));
}

/// The operator's own user is nobody's account.
#[tokio::test(flavor = "multi_thread")]
async fn service_accounts_are_nobodys() {
    let realm = Keycloak::shared().realm("own", Some(DECLARED)).await;
    realm.client("Provost", &["manage-users"]).await;
    let target = realm.connected("Provost").await;
    let own = realm.user("service-account-provost").await;
    let principal = target.probe().await.0.unwrap().principal;
    assert_eq!(principal.unwrap().as_str(), own["id"].as_str().unwrap());
    let key = CorrelationKey { attribute: "username".into(), value: "service-account-provost".into() };
    assert_eq!(target.find(&key).await.0.unwrap(), []);
    assert_eq!(listing(&target, Kind::Accounts).await, []);
}

/// Invariant: reading never writes; and what is said to be spent is what was sent.
#[tokio::test(flavor = "multi_thread")]
async fn reading_sends_nothing_but_get() {
    let realm = Keycloak::shared().realm("reading", Some(DECLARED)).await;
    realm.client("provost", &["manage-users", "view-realm"]).await;
    realm.ask(Method::POST, "/roles", Some(&json!({"name": "auditor"}))).await;
    realm.make_group("", "engineering").await;
    let id = create(&realm.connected("provost").await, "ada", &[]).await;
    let proxy = Counting::at(Keycloak::shared().address(), "").await;
    let mut connector = realm.connector("provost", &proxy.url());
    connector.settings["catalogue"] = json!({"groups": ["engineering"], "roles": ["auditor"]});
    let target = connected_to(&connector, TOKEN).await;
    let (profile, spent) = target.probe().await;
    profile.unwrap();
    let mut requests = spent.requests;
    for kind in [Kind::Accounts, Kind::Groups, Kind::Roles, Kind::Licenses] {
        let (page, spent) = target.observe(kind, None).await;
        page.unwrap();
        requests += spent.requests;
    }
    for value in ["ada", "nobody"] {
        let (found, spent) = target.find(&CorrelationKey { attribute: "username".into(), value: value.into() }).await;
        found.unwrap();
        requests += spent.requests;
    }
    let (read, spent) = target.read(&id).await;
    read.unwrap().unwrap();
    requests += spent.requests;
    let seen = proxy.take();
    let (token, rest): (Vec<_>, Vec<_>) = seen.iter().partition(|(_, path)| path.ends_with("/token"));
    assert_eq!(token.len(), 1, "{seen:?}");
    assert!(rest.iter().all(|(method, _)| method == Method::GET), "{seen:?}");
    assert_eq!(seen.len(), requests as usize, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_in_the_middle_of_a_page_is_asked_again_from_the_beginning() {
    let realm = Keycloak::shared().realm("stops", Some(DECLARED)).await;
    realm.client("provost", &["manage-users"]).await;
    let users: Vec<_> = (0..700).map(|n| json!({"username": format!("p{n:03}"), "enabled": true})).collect();
    realm.ask(Method::POST, "/partialImport", Some(&json!({"ifResourceExists": "SKIP", "users": users}))).await;
    let relay = Cutting::at(Keycloak::shared().address()).await;
    let connector = realm.connector("provost", &format!("http://{}", relay.address()));
    let target = connected_to(&connector, TOKEN).await;
    target.probe().await.0.unwrap();
    let first = target.observe(Kind::Accounts, None).await.0.unwrap();
    assert!(first.next.is_some(), "{} in a page", first.items.len());
    // Half of a page comes, and is no page; nor is a login that does not come to its end.
    for (page, bytes) in [(None, 50_000), (first.next.as_ref(), 20_000), (None, 0)] {
        relay.stop_after(bytes);
        let error = target.observe(Kind::Accounts, page).await.0.unwrap_err();
        assert!(matches!(error, TargetError::Transient(_) | TargetError::Unreachable(_)), "{error:?}");
        relay.go_on();
    }
    let id = |item| if let Item::Account(account) = item { Some(account.id) } else { None };
    let all: BTreeSet<TargetId> = listing(&target, Kind::Accounts).await.into_iter().filter_map(id).collect();
    assert_eq!(all.len(), 700);
}
