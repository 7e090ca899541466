//! What a realm is asked: the numbers of docs/keycloak.md. 500 users, 20 groups, 1,000 memberships.
#![allow(clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail the test")]

use tests::realm::{GROUPS, USERS, asked};
use tests::servers::Keycloak;

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_with_nothing_to_do_costs_its_pages_and_sees_drift() {
    let lines = asked(Keycloak::shared()).await;
    let counts: Vec<_> = lines.iter().map(|line| (line.requests, line.writes)).collect();
    // Each user and each group is made, each membership added, and nothing is done twice.
    assert_eq!(counts[0].1, USERS + GROUPS + 2 * USERS);
    // The profile, the users' number and pages; the groups' number and list; and the members of each group.
    let expected = 1 + 1 + USERS.div_ceil(500) + 1 + 1 + GROUPS;
    assert_eq!(counts[1], (expected, 0));
    assert!(expected < 50);
    // Without a sync.
    assert_eq!(counts[2], (2, 2));
    assert_eq!(counts[3].1, 1);
    // A membership taken away by hand is seen too, in the same number of requests.
    assert_eq!(counts[4], (expected + 1, 1));
}
