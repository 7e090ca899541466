//! Each way in which SCIM servers were seen to misbehave, and what the connector makes of it.

use std::collections::BTreeMap;

use provost_connectors::contract::{Contract, Words};
use provost_core::model::{
    ConnectorKind, CorrelationKey, DeleteMeans, Item, Kind, Observability, Observed, Step, TargetError, TargetId, Value,
};
use serde_json::json;
use tests::misbehaving::Switches;
use tests::misbehaving::client::{apply, attributes, create, find, list, measured, members, probe, start, update};
use tests::servers::connected;

async fn keeps_the_contract(name: &str, switches: Switches) {
    let (_server, target) = start(switches).await;
    let of = format!("our own: {}", name.replace('_', " "));
    let what = Contract { prefix: "Contract-".into(), crowd: 230, words: Words::scim() };
    tests::keeps::keeps(&of, &target, ConnectorKind::Scim, &what).await;
}

macro_rules! keeps_the_contract {
    ($($name:ident: {$($switch:ident: $value:expr),* $(,)?},)+) => {
        $(#[tokio::test]
        async fn $name() {
            keeps_the_contract(stringify!($name), Switches { $($switch: $value,)* ..Switches::default() }).await;
        })+
    };
}

keeps_the_contract! {
    a_strict_server_passes: {},
    texts_for_truth_values_and_other_spellings_pass: { sloppy: true },
    a_server_without_patch_passes_by_put: { no_patch: true },
    a_server_without_patch_of_accounts_passes: { no_patch_of: Some("Users") },
    a_server_without_patch_of_groups_passes: { no_patch_of: Some("Groups") },
    a_server_without_patch_or_config_or_versions_passes: { no_patch: true, no_config: true, no_versions: true },
    a_server_that_pages_by_cursor_passes: { cursor: true },
    a_page_limit_of_50_applied_silently_passes: { page_limit: Some(50) },
    a_server_that_sends_everything_at_once_passes: { no_paging: true },
    members_that_listings_leave_out_pass: { members_not_listed: true },
    members_that_are_hidden_pass: { members_hidden: true },
    members_that_are_hidden_everywhere_pass: {
        members_hidden: true, no_groups_on_accounts: true, no_members_filter: true
    },
    accounts_without_their_groups_pass: { no_groups_on_accounts: true },
    a_server_that_refuses_spaces_in_filters_passes: { no_spaces_in_filters: true },
    a_server_that_ignores_filters_passes: { filter_ignored: true },
    a_server_that_refuses_filters_passes: { filter_refused: true },
    a_server_that_keeps_the_escapes_of_filters_passes: { escapes_kept: true },
    a_server_that_answers_no_target_passes: { no_target: true },
    a_server_that_stores_members_twice_passes: { members_repeat: true },
    a_server_that_hides_the_inactive_passes: { inactive_hidden: true },
    a_server_that_folds_user_names_passes: { names_folded: true },
    a_server_that_takes_one_attribute_without_a_path_passes: { pathless_one_attribute: true },
    a_server_without_filters_in_paths_passes: { no_member_paths: true },
    a_server_that_ignores_filters_in_paths_passes: { member_paths_ignored: true },
    a_server_that_wants_a_password_passes: { needs_password: true },
    a_server_that_creates_everyone_active_passes: { created_active: true },
    a_server_whose_versions_stand_still_passes: { no_patch: true, version_stands_still: true },
    a_server_that_leaves_out_empty_lists_passes: { empty_left_out: true },
    a_server_without_patch_that_leaves_out_empty_lists_passes: { no_patch: true, empty_left_out: true },
    a_server_whose_delete_deactivates_passes: { delete_deactivates: true },
    a_server_that_refuses_deletes_passes: { delete_refused: true },
}

#[tokio::test]
async fn a_service_without_groups_has_an_empty_list_and_one_that_fails_has_none() {
    for without in [404, 405, 501] {
        let (server, target) = start(Switches { groups_refused: Some(without), ..Switches::default() }).await;
        probe(&target).await;
        let page = target.observe(Kind::Groups, None).await.0.unwrap();
        assert_eq!((page.items.len(), page.total), (0, Some(0)), "HTTP {without}");
        for failing in [401, 403, 429, 500, 503] {
            server.with(|service| service.switches.groups_refused = Some(failing));
            let page = target.observe(Kind::Groups, None).await.0;
            assert!(page.is_err(), "HTTP {failing} after {without}: {page:?}");
        }
    }
}

#[tokio::test]
async fn what_may_not_be_read_by_id_is_an_error_of_that_item_alone() {
    let protected = Switches { protected: Some("root"), members_not_listed: true, ..Switches::default() };
    let (server, target) = start(protected).await;
    let id = server.with(|service| {
        let ids = [service.add_user("ada", true), service.add_user("root", true)];
        service.add_group("team", &ids);
        service.add_group("root", &ids);
        ids[1].clone()
    });
    probe(&target).await;
    let read = target.read(&TargetId::new(id)).await.0;
    assert!(matches!(read, Err(TargetError::Rejected { .. })), "{read:?}");
    let expected = BTreeMap::from([("root".to_owned(), None), ("team".to_owned(), Some(2))]);
    assert_eq!(members(&target).await, expected);
}

#[tokio::test]
async fn an_account_that_was_created_and_could_not_be_disabled_is_never_told_as_refused() {
    for status in [400, 401, 403, 429] {
        let switches = Switches { created_active: true, patch_refused: Some(status), ..Switches::default() };
        let (server, target) = start(switches).await;
        let attributes = attributes(&[("userName", "ada")]);
        let outcome = apply(&target, Step::CreateAccount { attributes, enabled: false, password: false }).await;
        assert!(matches!(outcome, Err(TargetError::Lost(_))), "{status}: {outcome:?}");
        assert_eq!(server.with(|service| service.users.len()), 1);
    }
}

#[tokio::test]
async fn after_a_write_that_is_told_to_wait_the_others_are_not_asked() {
    let switches = Switches { patch_refused: Some(429), ..Switches::default() };
    let (server, target) = start(switches).await;
    let ids: Vec<_> = server.with(|service| ["ada", "bob"].map(|name| service.add_user(name, true))).into();
    let set = attributes(&[("title", "Analyst")]);
    let steps: Vec<_> =
        ids.into_iter().map(|id| Step::UpdateAccount { id: TargetId::new(id), set: set.clone() }).collect();
    let (outcomes, spent) = target.apply(&steps).await;
    let [Err(TargetError::RateLimited { .. }), Err(TargetError::NotAsked)] = outcomes.as_slice() else {
        panic!("{outcomes:?}")
    };
    assert_eq!(spent.requests, 1);
}

#[tokio::test]
async fn a_search_that_finds_everybody_ends() {
    let (server, target) = start(Switches { filter_ignored: true, ..Switches::default() }).await;
    server.with(|service| (0..10_001).for_each(|_| drop(service.add_user("ada", true))));
    let found = target.find(&CorrelationKey { attribute: "userName".into(), value: "ada".into() }).await.0;
    let Err(TargetError::Malformed(words)) = found else { panic!("{:?}", found.map(|found| found.len())) };
    assert_eq!(&*words, "a search finds more than 10000 items; the target seems to ignore filters");
}

#[tokio::test]
async fn hidden_members_are_measured_by_our_own_write() {
    for (no_members_filter, expected) in [(false, Observability::Probe), (true, Observability::None)] {
        let switches =
            Switches { members_hidden: true, no_groups_on_accounts: true, no_members_filter, ..Switches::default() };
        let (_server, target) = start(switches).await;
        let ada = create(&target, &[("userName", "ada")]).await;
        let bob = create(&target, &[("userName", "bob")]).await;
        let group = Step::CreateGroup { name: "team".into(), mark: "provost:team".into() };
        let group = apply(&target, group).await.unwrap().id.unwrap();
        apply(&target, Step::AddMembers { group: group.clone(), members: vec![ada.clone()] }).await.unwrap();
        assert_eq!(probe(&target).await.capabilities.members, expected);
        // Where a single membership can be asked for, a direct read of an account does.
        let target = &target;
        let holds = |id| async move { target.read(id).await.0.unwrap().unwrap().holds };
        let (of_ada, of_bob) = (holds(&ada).await, holds(&bob).await);
        let asked = expected == Observability::Probe;
        assert_eq!((of_ada, of_bob), (asked.then(|| vec![group.clone()]), asked.then(Vec::new)));
    }
}

#[tokio::test]
async fn what_is_named_with_quotes_is_found_where_escapes_are_not_undone() {
    for escapes_kept in [false, true] {
        let (server, target) = start(Switches { escapes_kept, ..Switches::default() }).await;
        let names = ["plain", "Ada \"the countess\"", "back\\slash"];
        server.with(|service| names.map(|name| service.add_user(name, true)));
        assert_eq!(measured(&probe(&target).await, "filter"), "works");
        for name in names {
            assert_eq!(find(&target, name).await.len(), 1, "{name}");
            let create = || Step::CreateGroup { name: name.into(), mark: format!("provost:{name}").as_str().into() };
            let id = apply(&target, create()).await.unwrap().id.unwrap();
            assert_eq!(apply(&target, create()).await.unwrap().id, Some(id), "{name} is created once");
        }
        assert_eq!(server.with(|service| service.groups.len()), names.len());
    }
}

#[tokio::test]
async fn a_value_with_spaces_is_found_where_filters_refuse_it() {
    let (server, target) = start(Switches { no_spaces_in_filters: true, ..Switches::default() }).await;
    server.with(|service| ["ada", "Ada Lovelace"].map(|name| service.add_user(name, true)));
    assert_eq!(measured(&probe(&target).await, "filter"), "works");
    assert_eq!(find(&target, "Ada Lovelace").await.len(), 1);
    assert_eq!(find(&target, "Ada Byron").await.len(), 0);
}

#[tokio::test]
async fn filters_that_are_ignored_or_refused_are_measured() {
    let ignored = Switches { filter_ignored: true, ..Switches::default() };
    let refused = Switches { filter_refused: true, ..Switches::default() };
    for (switches, expected) in
        [(Switches::default(), "works"), (ignored, "ignored or refused"), (refused, "ignored or refused")]
    {
        let (server, target) = start(switches).await;
        server.with(|service| ["ada", "bob", "eve"].map(|name| service.add_user(name, true)));
        assert_eq!(measured(&probe(&target).await, "filter"), expected);
        assert_eq!(find(&target, "bob").await.len(), 1);
        assert_eq!(find(&target, "nobody").await.len(), 0);
    }
}

#[tokio::test]
async fn a_patch_refused_for_a_large_group_is_an_error_of_that_group_alone() {
    let (server, target) = start(Switches { group_limit: Some(3), ..Switches::default() }).await;
    let (group, small, newcomer) = server.with(|service| {
        let ids: Vec<String> = (0..3).map(|number| service.add_user(&format!("user-{number}"), true)).collect();
        (service.add_group("large", &ids), service.add_group("small", &[]), service.add_user("new", true))
    });
    let add = |group: &str| Step::AddMembers { group: group.into(), members: vec![newcomer.as_str().into()] };
    let (outcomes, _) = target.apply(&[add(&group), add(&small)]).await;
    let [Err(TargetError::Rejected { reason, .. }), Ok(_)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(&**reason, "HTTP 400, tooMany");
}

#[tokio::test]
async fn accounts_that_know_no_patch_do_not_take_it_from_groups() {
    let (server, target) = start(Switches { no_patch_of: Some("Users"), ..Switches::default() }).await;
    let id = create(&target, &[("userName", "ada")]).await;
    update(&target, &id, &[("title", "Boss")]).await.unwrap();
    let team = TargetId::new(server.with(|service| service.add_group("team", &[])));
    server.take();
    apply(&target, Step::AddMembers { group: team.clone(), members: vec![id.clone()] }).await.unwrap();
    update(&target, &id, &[("title", "Analyst")]).await.unwrap();
    let by = |way: &str| server.with(|service| service.requests.iter().any(|request| request.starts_with(way)));
    assert_eq!(
        ["PATCH /scim/Groups", "PUT /scim/Users", "PUT /scim/Groups", "PATCH /scim/Users"].map(by),
        [true, true, false, false]
    );
    assert_eq!(measured(&probe(&target).await, "change"), "PUT of accounts, PATCH of groups");
}

#[tokio::test]
async fn a_group_that_is_not_found_by_patch_alone_gets_and_loses_members_by_put() {
    let (server, target) = start(Switches { patch_refused: Some(404), ..Switches::default() }).await;
    let (ada, team) = server.with(|service| (service.add_user("ada", true), service.add_group("team", &[])));
    let (group, members) = (TargetId::new(team), vec![TargetId::new(ada)]);
    apply(&target, Step::AddMembers { group: group.clone(), members: members.clone() }).await.unwrap();
    let held = || server.with(|service| service.stored(group.as_str()))["members"].as_array().map_or(0, Vec::len);
    assert_eq!(held(), 1);
    server.take();
    apply(&target, Step::RemoveMembers { group: group.clone(), members }).await.unwrap();
    assert_eq!(held(), 0);
    assert!(server.take().iter().all(|request| !request.starts_with("PATCH ")), "it is known by now");
}

#[tokio::test]
async fn a_group_that_comes_to_know_no_patch_loses_members_by_put() {
    let (server, target) = start(Switches::default()).await;
    let (ids, team) = server.with(|service| {
        let ids = ["ada", "bob", "eve"].map(|name| service.add_user(name, true));
        (ids.clone(), service.add_group("team", &ids))
    });
    let [ada, bob, _] = ids.map(TargetId::new);
    let remove = |who: &TargetId| Step::RemoveMembers { group: team.as_str().into(), members: vec![who.clone()] };
    apply(&target, remove(&ada)).await.unwrap();
    server.with(|service| service.switches.no_patch_of = Some("Groups"));
    apply(&target, remove(&bob)).await.unwrap();
    assert_eq!(server.with(|service| service.stored(&team))["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_delete_that_deactivates_or_is_refused_is_measured() {
    let deactivates = Switches { delete_deactivates: true, ..Switches::default() };
    let refused = Switches { delete_refused: true, ..Switches::default() };
    for (switches, expected) in [
        (Switches::default(), DeleteMeans::Hard),
        (deactivates, DeleteMeans::Deactivate),
        (refused, DeleteMeans::Denied),
    ] {
        let (_server, target) = start(switches).await;
        let id = create(&target, &[("userName", "ada")]).await;
        let outcome = apply(&target, Step::DeleteAccount { id }).await;
        assert_eq!(outcome.is_ok(), expected != DeleteMeans::Denied, "{outcome:?}");
        assert_eq!(probe(&target).await.capabilities.delete, expected);
    }
}

#[tokio::test]
async fn a_delete_that_a_read_does_not_confirm_is_not_believed_whatever_was_seen_before() {
    let (server, target) = start(Switches::default()).await;
    let [ada, bob] = [create(&target, &[("userName", "ada")]).await, create(&target, &[("userName", "bob")]).await];
    apply(&target, Step::DeleteAccount { id: ada }).await.unwrap();
    assert_eq!(probe(&target).await.capabilities.delete, DeleteMeans::Hard);
    server.with(|service| service.switches.delete_deactivates = true);
    let outcome = apply(&target, Step::DeleteAccount { id: bob }).await;
    assert!(
        matches!(&outcome, Err(TargetError::Lost(text)) if text.contains("a read shows the account")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn the_inactive_are_found_where_searches_hide_them() {
    let (server, target) = start(Switches { inactive_hidden: true, ..Switches::default() }).await;
    server.with(|service| [("ada", true), ("bob", false)].map(|(name, active)| service.add_user(name, active)));
    assert_eq!(measured(&probe(&target).await, "inactiveInSearch"), "hidden");
    assert!(!find(&target, "bob").await[0].enabled);
    let step = Step::CreateAccount { attributes: attributes(&[("userName", "Bob")]), enabled: true, password: false };
    assert_eq!(apply(&target, step).await, Err(TargetError::Conflict));
}

#[tokio::test]
async fn one_search_is_enough_where_the_inactive_are_shown() {
    let (server, target) = start(Switches::default()).await;
    server.with(|service| [("ada", true), ("bob", false)].map(|(name, active)| service.add_user(name, active)));
    assert_eq!(measured(&probe(&target).await, "inactiveInSearch"), "shown");
    server.take();
    assert_eq!(find(&target, "nobody").await.len(), 0);
    assert_eq!(server.take().len(), 1);
}

#[tokio::test]
async fn an_unknown_attribute_that_is_ignored_is_told_as_what_did_not_stick() {
    let (server, target) = start(Switches { unknown_ignored: ["nickName"].into(), ..Switches::default() }).await;
    let id = create(&target, &[("userName", "ada")]).await;
    let applied = update(&target, &id, &[("nickName", "Lady"), ("title", "Boss")]).await.unwrap();
    let observed = applied.observed.unwrap();
    assert_eq!((observed.text("nickName"), observed.text("title")), (None, Some("Boss")));
    assert_eq!(measured(&probe(&target).await, "notKept"), "nickName");
    server.take();
    let applied = update(&target, &id, &[("nickName", "Countess")]).await.unwrap();
    assert_eq!(applied.observed.unwrap().text("nickName"), None);
    assert_eq!(server.take().len(), 1, "it is known, and not read back again");
}

#[tokio::test]
async fn a_value_stored_in_another_form_is_told_and_condemns_no_attribute() {
    let (_server, target) = start(Switches { titles_in_capitals: true, ..Switches::default() }).await;
    let attributes = attributes(&[("userName", "ada"), ("title", "Boss")]);
    let step = Step::CreateAccount { attributes, enabled: true, password: false };
    let observed = apply(&target, step).await.unwrap().observed.unwrap();
    assert_eq!(observed.text("title"), Some("BOSS"));
    assert_eq!(measured(&probe(&target).await, "notKept"), "");
}

#[tokio::test]
async fn an_unknown_attribute_that_is_rejected_is_named() {
    let (_server, target) = start(Switches { unknown_rejected: ["nickName"].into(), ..Switches::default() }).await;
    let id = create(&target, &[("userName", "ada")]).await;
    let error = update(&target, &id, &[("nickName", "Lady"), ("title", "Boss")]).await.unwrap_err();
    let TargetError::Rejected { field, reason, detail } = error else { panic!("{error:?}") };
    assert_eq!(field, Some("nickName".into()));
    assert_eq!((&*reason, &*detail), ("HTTP 400, invalidPath", "there is no attribute nickName"));
}

#[tokio::test]
async fn what_was_learned_outlives_the_connection_but_not_the_target() {
    let (server, target) = start(Switches { unknown_ignored: ["nickName"].into(), ..Switches::default() }).await;
    let id = create(&target, &[("userName", "ada")]).await;
    update(&target, &id, &[("nickName", "Lady")]).await.unwrap();
    let (again, (_other, elsewhere)) = (connected(&server.url()).await, start(Switches::default()).await);
    for (connection, expected) in [(again, "nickName"), (elsewhere, "")] {
        connection.inherit(&target);
        assert_eq!(measured(&probe(&connection).await, "notKept"), expected);
    }
}

#[tokio::test]
async fn a_member_stored_twice_is_listed_once_and_not_added_again() {
    let (server, target) = start(Switches { members_repeat: true, ..Switches::default() }).await;
    let ada = create(&target, &[("userName", "ada")]).await;
    let group = Step::CreateGroup { name: "team".into(), mark: "provost:team".into() };
    let group = apply(&target, group).await.unwrap().id.unwrap();
    let add = || Step::AddMembers { group: group.clone(), members: vec![ada.clone()] };
    let stored = || server.with(|service| service.stored(group.as_str())["members"].as_array().unwrap().len());
    for _ in 0..4 {
        apply(&target, add()).await.unwrap();
    }
    assert_eq!(stored(), 2, "after the first repetition it is known");
    assert_eq!(members(&target).await, BTreeMap::from([("team".to_owned(), Some(1))]));
    apply(&target, Step::RemoveMembers { group: group.clone(), members: vec![ada.clone()] }).await.unwrap();
    assert_eq!(members(&target).await, BTreeMap::from([("team".to_owned(), Some(0))]));
}

#[tokio::test]
async fn a_rejected_patch_that_was_stored_is_no_error() {
    let (_server, target) = start(Switches { refused_is_stored: true, ..Switches::default() }).await;
    let id = create(&target, &[("userName", "ada")]).await;
    let applied = update(&target, &id, &[("title", "refused")]).await.unwrap();
    assert_eq!(applied.observed.unwrap().text("title"), Some("refused"));
    assert_eq!(measured(&probe(&target).await, "storesRejected"), "seen");
}

#[tokio::test]
async fn a_create_answered_as_asked_and_stored_otherwise_is_read_back_once() {
    let (server, target) =
        start(Switches { lost_on_create: ["externalId", "title"].into(), ..Switches::default() }).await;
    let asked = |name: &str| Step::CreateAccount {
        attributes: attributes(&[("userName", name), ("externalId", "E-1"), ("title", "Boss"), ("displayName", "Ada")]),
        enabled: true,
        password: false,
    };
    let observed = apply(&target, asked("ada")).await.unwrap().observed.unwrap();
    let of = |observed: &Observed, name: &str| observed.text(name).map(str::to_owned);
    assert_eq!(of(&observed, "externalId"), None);
    assert_eq!(of(&observed, "displayName"), Some("Ada".to_owned()));
    assert_eq!(measured(&probe(&target).await, "notKept"), "externalId, title");
    server.take();
    let observed = apply(&target, asked("bob")).await.unwrap().observed.unwrap();
    assert_eq!(of(&observed, "externalId"), None);
    assert_eq!(server.take(), ["POST /scim/Users"], "it is known, and not read back again");
}

#[tokio::test]
async fn a_put_keeps_what_the_connector_does_not_know() {
    let (server, target) = start(Switches { no_patch: true, ..Switches::default() }).await;
    let id = TargetId::new(server.with(|service| {
        let id = service.add_user("ada", true);
        service.users[0].insert("urn:acme:1.0:User".into(), json!({"badge": [1, {"x": null}]}));
        id
    }));
    update(&target, &id, &[("title", "Boss")]).await.unwrap();
    let stored = server.with(|service| service.stored(id.as_str()));
    assert_eq!(stored["urn:acme:1.0:User"], json!({"badge": [1, {"x": null}]}));
    assert_eq!(stored["title"], "Boss");
}

#[tokio::test]
async fn if_match_is_sent_only_where_a_version_was_seen_to_change() {
    for (version_stands_still, expected) in [(false, 1), (true, 0)] {
        let (server, target) = start(Switches { no_patch: true, version_stands_still, ..Switches::default() }).await;
        let id = create(&target, &[("userName", "ada")]).await;
        update(&target, &id, &[("title", "Boss")]).await.unwrap();
        update(&target, &id, &[("title", "Analyst")]).await.unwrap();
        assert_eq!(server.with(|service| service.if_match.len()), expected);
    }
}

#[tokio::test]
async fn lists_of_a_sloppy_server_read_as_those_of_a_strict_one() {
    let (server, target) = start(Switches { sloppy: true, ..Switches::default() }).await;
    server.with(|service| {
        service.add_user("ada", false);
        service.users[0].insert("emails".into(), json!([{"value": "a@x.test", "primary": "true"}]));
    });
    let Item::Account(ada) = list(&target, Kind::Accounts).await.remove(0).items.remove(0) else {
        panic!("no account")
    };
    assert!(!ada.enabled);
    let email: BTreeMap<_, _> = [("value".into(), "a@x.test".into()), ("primary".into(), Value::Bool(true))].into();
    assert_eq!(ada.attributes.get("emails"), Some(&Value::List(vec![Value::Map(email)])));
}
