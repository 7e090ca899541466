use provost_core::model::EntitlementKind;

use super::*;
use crate::fake::{Fake, SCHEMA, Switches};

async fn broken(switches: Switches) -> Vec<String> {
    let fake = Fake::alone();
    fake.with(|directory| {
        directory.switches = switches;
        directory.ensure(EntitlementKind::Group, "there before");
    });
    let what = Contract { prefix: "contract-".into(), crowd: 250, words: Words::scim() };
    contract(&AnyTarget::Fake(fake), &SCHEMA, &what).await.iter().map(Broken::to_string).collect()
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    assert_eq!(broken(Switches::default()).await, Vec::<String>::new());
    let hidden = Switches { hide_members: true, page: 7, ..Switches::default() };
    assert_eq!(broken(hidden).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_suite_sees_a_directory_that_lags_refuses_or_is_down() {
    let lagging = Switches { lag: std::time::Duration::from_hours(1), ..Switches::default() };
    assert!(broken(lagging).await.len() > 5);
    let refusing = Switches { refuse: ["contract-renames".to_owned()].into(), ..Switches::default() };
    let seen = broken(refusing).await;
    assert!(matches!(seen.as_slice(), [one] if one.starts_with("a rename keeps the id")), "{seen:?}");
    assert_eq!(broken(Switches { down: true, ..Switches::default() }).await.len(), 1);
}
