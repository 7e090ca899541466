//! Groups whose members are not shown, or not always: unknown never becomes empty.

use std::collections::BTreeMap;

use provost_core::model::{Kind, Step, TargetError, TargetId};
use serde_json::json;
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
