//! How lists come in parts from servers that misbehave, and what is lost between them.

use provost_core::model::{CorrelationKey, Kind, TargetError};
use tests::misbehaving::Switches;
use tests::misbehaving::client::{list, measured, probe, start};

#[tokio::test]
async fn how_lists_are_paged_is_told_as_it_was_seen() {
    for (switches, accounts, groups, probed, listed) in [
        (Switches::default(), 3, 3, "index, not measured", "index, not measured"),
        (Switches::default(), 230, 3, "index, not measured", "index"),
        (Switches { no_paging: true, ..Switches::default() }, 3, 0, "none: all at once", "none: all at once"),
        // More than was asked for, and not all: pages may be no smaller.
        (Switches { smallest_page: Some(100), ..Switches::default() }, 230, 0, "index, not measured", "index"),
        // Whatever there is of one kind says nothing of the other, and what a search finds of neither.
        (
            Switches { no_paging_of: Some("Groups"), ..Switches::default() },
            3,
            30,
            "none: all at once",
            "none: all at once",
        ),
        (
            Switches { no_paging_of: Some("Groups"), ..Switches::default() },
            230,
            30,
            "none: all at once",
            "index of accounts, none of groups",
        ),
        (Switches { filter_ignored: true, ..Switches::default() }, 3, 0, "index, not measured", "index, not measured"),
        (Switches { cursor: true, ..Switches::default() }, 3, 0, "cursor", "cursor"),
    ] {
        let (server, target) = start(switches).await;
        server.with(|service| {
            (0..accounts).for_each(|n| drop(service.add_user(&format!("ada{n}"), true)));
            (0..groups).for_each(|n| drop(service.add_group(&format!("team{n}"), &[])));
        });
        assert_eq!(measured(&probe(&target).await, "paging"), probed, "{accounts}");
        list(&target, Kind::Accounts).await;
        list(&target, Kind::Groups).await;
        assert_eq!(measured(&probe(&target).await, "paging"), listed, "{accounts}");
    }
}

#[tokio::test]
async fn a_page_limit_applied_silently_is_measured_and_every_group_seen() {
    let (server, target) = start(Switches { page_limit: Some(50), ..Switches::default() }).await;
    server.with(|service| (0..120).for_each(|number| drop(service.add_group(&format!("group-{number}"), &[]))));
    let pages = list(&target, Kind::Groups).await;
    assert_eq!(pages.iter().map(|page| page.items.len()).collect::<Vec<_>>(), [50, 50, 20]);
    assert!(pages.iter().all(|page| page.total == Some(120)));
    assert_eq!(measured(&probe(&target).await, "pageLimit"), "50");
}

#[tokio::test]
async fn rows_lost_while_others_delete_show_in_the_totals() {
    let switches = Switches { page_limit: Some(50), deleted_meanwhile: Some(10), ..Switches::default() };
    for kind in [Kind::Accounts, Kind::Groups] {
        let (server, target) = start(switches.clone()).await;
        server.with(|service| {
            (0..120).for_each(|number| drop(service.add_user(&format!("user-{number}"), true)));
            (0..120).for_each(|number| drop(service.add_group(&format!("group-{number}"), &[])));
        });
        // 20 are gone and 20 were never shown: the core takes such a listing for incomplete.
        let pages = list(&target, kind).await;
        let shown: Vec<_> = pages.iter().map(|page| (page.total, page.items.len())).collect();
        assert_eq!(shown, [(Some(120), 50), (Some(110), 50), (Some(100), 0)], "{kind:?}");
    }
}

#[tokio::test]
async fn a_row_lost_from_a_search_through_everything_is_an_error_and_not_nobody() {
    for deleted_meanwhile in [Some(10), None] {
        let switches =
            Switches { filter_refused: true, page_limit: Some(50), deleted_meanwhile, ..Switches::default() };
        let (server, target) = start(switches).await;
        server.with(|service| (0..100).for_each(|number| drop(service.add_user(&format!("user-{number}"), true))));
        // The tenth of the second page moves into the first, which was read.
        let found = target.find(&CorrelationKey { attribute: "userName".into(), value: "user-59".into() }).await.0;
        match deleted_meanwhile {
            Some(_) => assert!(matches!(found, Err(TargetError::Transient(_))), "{found:?}"),
            None => assert_eq!(found.unwrap().len(), 1),
        }
    }
}

#[tokio::test]
async fn a_page_that_repeats_is_an_error_and_not_the_end() {
    let (server, target) = start(Switches { start_ignored: true, page_limit: Some(50), ..Switches::default() }).await;
    server.with(|service| (0..120).for_each(|number| drop(service.add_user(&format!("user-{number}"), true))));
    let first = target.observe(Kind::Accounts, None).await.0.unwrap();
    let again = target.observe(Kind::Accounts, first.next.as_ref()).await.0;
    assert!(matches!(again, Err(TargetError::Malformed(_))), "{again:?}");
}
