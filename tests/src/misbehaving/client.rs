//! What tests ask through a connection, in a line each.

use std::collections::BTreeMap;

use provost_connectors::AnyTarget;
use provost_core::model::{
    Applied, Attributes, CorrelationKey, Item, Kind, Observed, Page, Profile, Step, TargetError, TargetId,
};

use super::{Misbehaving, Switches};
use crate::servers::connected;

/// A server with these switches, and a connection to it.
pub async fn start(switches: Switches) -> (Misbehaving, AnyTarget) {
    let server = Misbehaving::start(switches).await;
    let target = connected(&server.url()).await;
    (server, target)
}

/// The profile, which must be told.
pub async fn probe(target: &AnyTarget) -> Profile {
    target.probe().await.0.unwrap()
}

/// One line of a profile; empty if it is not there.
pub fn measured<'a>(profile: &'a Profile, key: &str) -> &'a str {
    profile.measured.get(key).map_or("", |value| value)
}

/// Carries out one step.
pub async fn apply(target: &AnyTarget, step: Step) -> Result<Applied, TargetError> {
    target.apply(&[step]).await.0.remove(0)
}

/// Carries steps out at once, which must all be done; the ids of what was created.
pub async fn done(target: &AnyTarget, steps: &[Step]) -> Vec<TargetId> {
    let (outcomes, _) = target.apply(steps).await;
    assert_eq!(outcomes.len(), steps.len());
    outcomes.into_iter().filter_map(|outcome| outcome.unwrap().id).collect()
}

/// Attributes that are texts.
pub fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// Creates an enabled account; returns its id.
pub async fn create(target: &AnyTarget, pairs: &[(&str, &str)]) -> TargetId {
    let step = Step::CreateAccount { attributes: attributes(pairs), enabled: true, password: true };
    apply(target, step).await.unwrap().id.unwrap()
}

/// Sets attributes that are texts.
pub async fn update(target: &AnyTarget, id: &TargetId, pairs: &[(&str, &str)]) -> Result<Applied, TargetError> {
    apply(target, Step::UpdateAccount { id: id.clone(), set: attributes(pairs) }).await
}

/// Accounts of a user name.
pub async fn find(target: &AnyTarget, name: &str) -> Vec<Observed> {
    target.find(&CorrelationKey { attribute: "userName".into(), value: name.into() }).await.0.unwrap()
}

/// A whole listing, page by page.
pub async fn list(target: &AnyTarget, kind: Kind) -> Vec<Page> {
    let (mut pages, mut token) = (Vec::new(), None);
    loop {
        let page = target.observe(kind, token.as_ref()).await.0.unwrap();
        token.clone_from(&page.next);
        pages.push(page);
        if token.is_none() {
            return pages;
        }
    }
}

/// Members by group name.
pub async fn members(target: &AnyTarget) -> BTreeMap<String, Option<usize>> {
    let pages = list(target, Kind::Groups).await;
    pages
        .into_iter()
        .flat_map(|page| page.items)
        .map(|item| match item {
            Item::Entitlement(group) => (group.name.to_string(), group.members.map(|members| members.len())),
            Item::Account(account) => panic!("an account among groups: {account:?}"),
        })
        .collect()
}
