//! What a target tells of what others changed.

use std::collections::{BTreeMap, BTreeSet};

use provost_connectors::AnyTarget;
use provost_core::model::{Changes, Cursor, Item, Step, TargetId};

/// The id of what a step makes.
pub async fn made(target: &AnyTarget, step: Step) -> TargetId {
    target.apply(&[step]).await.0.pop().unwrap().unwrap().id.unwrap()
}

/// What a target tells of changes.
pub async fn changes(target: &AnyTarget, from: &Cursor) -> Changes {
    target.changes(from).await.0.unwrap()
}

/// Ids of what was touched, with the title of an account, or the members of a group.
pub fn told(changes: &Changes) -> BTreeMap<TargetId, BTreeSet<String>> {
    let of = |item: &Item| match item {
        Item::Account(account) => (account.id.clone(), account.text("title").into_iter().map(str::to_owned).collect()),
        Item::Entitlement(group) => {
            (group.id.clone(), group.members.iter().flatten().map(|id| id.as_str().to_owned()).collect())
        }
    };
    changes.items.iter().map(of).collect()
}

/// Texts, to compare with what is told.
pub fn texts(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}
