//! Groups whose members are not shown, or not always: unknown never becomes empty.

use std::collections::BTreeMap;
use std::time::Duration;

use provost_core::model::{Kind, Observability, Step, TargetError, TargetId};
use serde_json::json;
use tests::drive::Drive;
use tests::misbehaving::Switches;
use tests::misbehaving::client::{apply, list, members, probe, start};

#[tokio::test]
async fn groups_listed_without_members_are_never_empty_groups() {
    // Everywhere hidden: unknown. Hidden in lists: read one by one. Not hidden: as listed, and empty is empty.
    let cases = [
        (Switches { members_hidden: true, ..Switches::default() }, [None, None]),
        (Switches { members_not_listed: true, ..Switches::default() }, [Some(0), Some(2)]),
        (Switches::default(), [Some(0), Some(2)]),
    ];
    for (switches, [empty, full]) in cases {
        let shown = format!("{switches:?}");
        let (server, target) = start(switches).await;
        server.with(|service| {
            let ids = [service.add_user("ada", true), service.add_user("bob", true)];
            service.add_group("full", &ids);
            service.add_group("empty", &[]);
        });
        probe(&target).await;
        let expected = BTreeMap::from([("empty".to_owned(), empty), ("full".to_owned(), full)]);
        assert_eq!(members(&target).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn where_members_are_listed_a_list_that_is_left_out_is_of_nobody() {
    let switches = Switches { empty_left_out: true, no_members_filter: true, ..Switches::default() };
    let (server, target) = start(switches).await;
    server.with(|service| {
        let ids = [service.add_user("ada", true), service.add_user("bob", true)];
        service.add_group("full", &ids[..1]);
        service.add_group("empty", &[]);
    });
    probe(&target).await;
    let expected = BTreeMap::from([("empty".to_owned(), Some(0)), ("full".to_owned(), Some(1))]);
    assert_eq!(members(&target).await, expected);
}

#[tokio::test]
async fn a_list_that_is_too_long_for_listings_is_read_and_an_empty_group_is_read_once() {
    let switches = Switches { empty_left_out: true, members_left_out_of_lists: Some(3), ..Switches::default() };
    for (switches, again) in [(switches.clone(), 1), (Switches { no_versions: true, ..switches }, 31)] {
        let (server, target) = start(switches).await;
        server.with(|service| {
            let ids: Vec<String> = (0..3).map(|number| service.add_user(&format!("user-{number}"), true)).collect();
            service.add_group("small", &ids[..1]);
            service.add_group("large", &ids);
            (0..30).for_each(|number| drop(service.add_group(&format!("empty-{number}"), &[])));
        });
        server.take();
        // Read after read in one call would take too long: the page is handed over in two.
        let pages = list(&target, Kind::Groups).await;
        assert_eq!(pages.iter().map(|page| page.items.len()).collect::<Vec<_>>(), [26, 6]);
        assert_eq!(server.take().len(), 1 + 31, "a list, and each group that came without members");
        let seen = members(&target).await;
        assert_eq!((seen["small"], seen["large"], seen["empty-7"]), (Some(1), Some(3), Some(0)));
        assert_eq!(server.take().len(), 1 + again, "what was empty and has not changed is not read again");
    }
}

#[tokio::test]
async fn a_group_that_had_members_and_shows_none_is_empty_once_they_are_gone_and_unknown_before() {
    let both = Switches { empty_left_out: true, members_left_out: Some(3), ..Switches::default() };
    for (no_members_filter, emptied) in [(false, Some(0)), (true, None)] {
        let (server, target) = start(Switches { no_members_filter, ..both.clone() }).await;
        let (ids, team, other) = server.with(|service| {
            let ids: Vec<String> = (0..3).map(|number| service.add_user(&format!("user-{number}"), true)).collect();
            let (team, other) = (service.add_group("team", &ids[..2]), service.add_group("other", &ids[..2]));
            (ids.into_iter().map(TargetId::new).collect::<Vec<_>>(), TargetId::new(team), TargetId::new(other))
        });
        probe(&target).await;
        let now = async || {
            let seen = members(&target).await;
            (seen["team"], seen["other"])
        };
        assert_eq!(now().await, (Some(2), Some(2)));
        // One too many for the list to be shown.
        let third = vec![ids[2].clone()];
        apply(&target, Step::AddMembers { group: team.clone(), members: third.clone() }).await.unwrap();
        assert_eq!(now().await, (None, Some(2)));
        // Emptied by us, and by somebody else.
        apply(&target, Step::RemoveMembers { group: team.clone(), members: ids.clone() }).await.unwrap();
        assert_eq!(now().await, (Some(0), Some(2)));
        server.with(|service| {
            let group = service.groups.iter_mut().find(|group| group["id"] == other.as_str()).unwrap();
            group.insert("members".into(), json!([]));
        });
        assert_eq!(now().await, (Some(0), emptied));
        // What was found empty and is then given so many that none are shown.
        apply(&target, Step::AddMembers { group: team, members: ids }).await.unwrap();
        assert_eq!(now().await, (None, emptied));
    }
}

#[tokio::test]
async fn a_list_that_is_left_out_of_the_first_listing_is_not_empty_where_something_says_so() {
    let long = Switches { members_left_out: Some(3), no_members_filter: true, ..Switches::default() };
    // Accounts say which groups they are in; or other groups show that they are empty.
    for switches in
        [Switches { empty_left_out: true, ..long.clone() }, Switches { no_groups_on_accounts: true, ..long }]
    {
        let shown = format!("{switches:?}");
        let (server, target) = start(switches).await;
        server.with(|service| {
            let ids: Vec<String> = (0..3).map(|number| service.add_user(&format!("user-{number}"), true)).collect();
            service.add_group("empty", &[]);
            service.add_group("small", &ids[..1]);
            service.add_group("large", &ids);
        });
        probe(&target).await;
        list(&target, Kind::Accounts).await;
        let expected = BTreeMap::from([("empty".into(), Some(0)), ("small".into(), Some(1)), ("large".into(), None)]);
        assert_eq!(members(&target).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn a_put_never_empties_a_group_whose_long_list_is_left_out() {
    let (server, target) = start(Switches { no_patch: true, members_left_out: Some(3), ..Switches::default() }).await;
    let (ids, large, small) = server.with(|service| {
        let ids: Vec<String> = (0..4).map(|number| service.add_user(&format!("user-{number}"), true)).collect();
        let groups = (service.add_group("large", &ids[..3]), service.add_group("small", &ids[..1]));
        (ids, TargetId::new(groups.0), TargetId::new(groups.1))
    });
    let ids: Vec<TargetId> = ids.into_iter().map(TargetId::new).collect();
    probe(&target).await;
    assert_eq!(members(&target).await.get("small"), Some(&Some(1)));
    let ours = Step::CreateGroup { name: "ours".into(), mark: "provost:ours".into() };
    let ours = apply(&target, ours).await.unwrap().id.unwrap();
    let stored = |group: &TargetId| server.with(|service| service.stored(group.as_str())["members"].clone());
    let count = |group: &TargetId| stored(group).as_array().map_or(0, Vec::len);
    // What is shown, and what was made here and is empty, may be replaced.
    for (group, chosen) in [(&small, &ids[1..2]), (&ours, &ids[..3])] {
        apply(&target, Step::AddMembers { group: group.clone(), members: chosen.to_vec() }).await.unwrap();
    }
    assert_eq!((count(&small), count(&ours)), (2, 3));
    for group in [&large, &ours] {
        for step in [
            Step::UpdateGroup { id: group.clone(), name: "renamed".into() },
            Step::AddMembers { group: group.clone(), members: vec![ids[3].clone()] },
            Step::RemoveMembers { group: group.clone(), members: vec![ids[0].clone()] },
        ] {
            let outcome = apply(&target, step).await;
            assert!(matches!(outcome, Err(TargetError::Unsupported(_))), "{outcome:?}");
        }
        assert_eq!(count(group), 3);
    }
}

#[tokio::test]
async fn a_put_never_empties_a_group_whose_members_are_hidden() {
    let switches = Switches { no_patch: true, members_hidden: true, ..Switches::default() };
    let (server, target) = start(switches).await;
    let (group, ada) = server.with(|service| {
        let ids = [service.add_user("ada", true), service.add_user("bob", true)];
        (service.add_group("team", &ids), ids[0].clone())
    });
    let (group, ada) = (TargetId::new(group), TargetId::new(ada));
    for step in [
        Step::UpdateGroup { id: group.clone(), name: "renamed".into() },
        Step::AddMembers { group: group.clone(), members: vec![ada.clone()] },
        Step::RemoveMembers { group: group.clone(), members: vec![ada.clone()] },
    ] {
        let outcome = apply(&target, step).await;
        assert!(matches!(outcome, Err(TargetError::Unsupported(_))), "{outcome:?}");
    }
    server.with(|service| assert_eq!(service.stored(group.as_str())["members"].as_array().unwrap().len(), 2));
}

#[tokio::test]
async fn where_members_are_hidden_a_read_of_an_account_tells_which_groups_it_is_in() {
    let hidden = Switches { members_hidden: true, no_groups_on_accounts: true, ..Switches::default() };
    let cases = [
        (hidden.clone(), Observability::Probe),
        // It is not known whether they are hidden, and nothing more can be asked.
        (Switches { no_members_filter: true, ..hidden.clone() }, Observability::Full),
        (Switches { filter_ignored: true, ..hidden }, Observability::None),
    ];
    for (switches, expected) in cases {
        let answers = expected == Observability::Probe;
        let shown = format!("{switches:?}");
        let (server, target) = start(switches).await;
        let (ada, bob, team) = server.with(|service| {
            let ids = [service.add_user("ada", true), service.add_user("bob", true)];
            (TargetId::new(ids[0].clone()), TargetId::new(ids[1].clone()), service.add_group("team", &ids[..1]))
        });
        let members_are = async || probe(&target).await.capabilities.members;
        let holds = async |id: &TargetId| target.read(id).await.0.unwrap().unwrap().holds;
        // A process that has just started knows nobody's membership.
        assert_eq!(members_are().await, Observability::Probe, "{shown}");
        // Somebody who is in no group measures nothing, and says nothing.
        let groups = answers.then(|| vec![TargetId::new(team.clone())]);
        assert_eq!(holds(&bob).await, None, "{shown}");
        assert_eq!(holds(&ada).await, groups, "{shown}");
        assert_eq!(members_are().await, expected, "{shown}");
        if answers {
            assert_eq!(holds(&bob).await, Some(Vec::new()));
            server.take();
            assert_eq!(holds(&ada).await, groups);
            assert_eq!(server.take().len(), 2, "the account, and the groups it is in");
            server.with(|service| drop(service.groups[0].insert("members".into(), json!([]))));
            assert_eq!(holds(&ada).await, Some(Vec::new()));
            // What fails says nothing.
            server.with(|service| service.switches.filter_refused = true);
            assert!(target.read(&ada).await.0.is_err());
        }
    }
}

#[tokio::test]
async fn a_membership_that_others_took_where_members_are_hidden_is_given_again_at_two_requests_for_each_account() {
    let switches = Switches { members_hidden: true, no_groups_on_accounts: true, ..Switches::default() };
    let (server, target) = start(switches).await;
    let team = server.with(|service| service.add_group("team", &[]));
    let names = ["ada", "bob", "cy"];
    let of = |kind: &str, name: &str, spec: serde_json::Value| {
        let metadata = json!({"name": name, "uid": name, "generation": 1});
        json!({"apiVersion": "provost.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
    };
    let mut all: Vec<_> = names.iter().map(|name| of("Identity", name, json!({"department": "Science"}))).collect();
    let grants = json!([{"application": "wiki", "entitlements": ["editor"]}]);
    all.push(of("AccessPolicy", "science", json!({"match": "identity.department == 'Science'", "grants": grants})));
    let entitlements = json!([{"name": "editor", "target": {"group": {"name": "team"}}}]);
    let sync = json!({"interval": "24h"});
    let fake = json!({"connector": {"scim": {
        "url": server.url(), "allowInsecure": true, "auth": {"bearer": {"secretRef": {"name": "wiki", "key": "token"}}},
    }}, "sync": sync, "entitlements": entitlements});
    all.push(of("TargetApplication", "wiki", fake));
    let mut drive = Drive::new(target);
    drive.listed(all);
    drive.idle().await;
    let members = || server.with(|service| service.stored(&team)["members"].as_array().map_or(0, Vec::len));
    assert_eq!(members(), 3);
    // Once what was given must be visible, each is asked about once.
    let questions = || {
        let asked = server.take();
        let of = |what: &str| asked.iter().filter(|line| line.contains(what)).count();
        (asked.len(), of("/Groups?filter=members.value"), of("PATCH"))
    };
    questions();
    for _ in 0..4 {
        drive.skip(Duration::from_secs(6));
        drive.idle().await;
    }
    let (all, one, patches) = questions();
    assert!((1..=3).contains(&one) && all == 2 * one && patches == 0, "{all} requests, {one} questions");
    // Then once an hour somebody is.
    server.with(|service| {
        let group = service.groups.iter_mut().find(|group| group["id"] == team.as_str()).unwrap();
        group["members"].as_array_mut().unwrap().pop();
    });
    let (mut asked, mut gave) = (Vec::new(), 0);
    for _ in 0..6 {
        drive.skip(Duration::from_hours(1));
        drive.idle().await;
        let (all, one, patches) = questions();
        assert!(one <= 1 && all <= 2 * one + 2 * patches, "{all} requests, {one} questions, {patches} gifts");
        asked.push(one);
        gave += patches;
    }
    assert!(asked.iter().sum::<usize>() >= 5, "{asked:?}");
    assert_eq!((members(), gave), (3, 1));
}

/// What stays in a group is not said to be out of it.
#[tokio::test]
async fn members_that_a_put_leaves_as_they_are_are_an_error() {
    let switches = Switches { no_member_paths: true, put_keeps_members: true, ..Switches::default() };
    let (server, target) = start(switches).await;
    let (ada, team) = server.with(|service| {
        let ada = service.add_user("ada", true);
        (ada.clone(), service.add_group("team", &[ada]))
    });
    for _ in 0..2 {
        let step = Step::RemoveMembers { group: team.as_str().into(), members: vec![ada.as_str().into()] };
        let outcome = apply(&target, step).await;
        assert!(matches!(outcome, Err(TargetError::Unsupported(_))), "{outcome:?}");
    }
}
