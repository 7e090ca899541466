//! The directory against a naive evaluator written from the text of semantics.md, on generated namespaces.

pub(crate) mod build;
pub(crate) mod generate;
mod naive;
mod properties;
mod rule;
mod sentences;

use std::time::Duration;

use crate::model::{
    AccountSettings, Connector, ConnectorKind, Entitlement, EntitlementKind, EntitlementTarget, Membership, Schema,
    Source, Spelling, SyncSettings, TargetApplication,
};

/// A connector as a test needs it.
pub(crate) static SCHEMA: Schema = Schema {
    mapping: &[
        ("userName", "identity.userName"),
        ("title", "identity.title"),
        ("manager", "identity.manager.userName"),
    ],
    references: &["manager"],
    control: &["password", "active"],
    spelling: Spelling::Scim,
    case_insensitive: &["userName"],
    mark: None,
    user_name: "userName",
    external_id: Some("externalId"),
    entitlements: &[EntitlementKind::Group],
    protection: None,
    paths: false,
    interval: Duration::from_mins(10),
};

pub(crate) fn schemas(_: ConnectorKind) -> &'static Schema {
    &SCHEMA
}

pub(crate) fn source(path: &str, text: &str) -> Source {
    Source { text: text.into(), path: path.into() }
}

/// An application with these entitlements and what each requires.
pub(crate) fn application(entitlements: &[(&str, Option<&str>)]) -> TargetApplication {
    let entitlement = |(name, requires): &(&str, Option<&str>)| Entitlement {
        name: (*name).into(),
        target: EntitlementTarget { kind: EntitlementKind::Group, name: (*name).into(), create: false },
        membership: Membership::Additive,
        privileged: false,
        requires: requires.map(|text| source("spec.entitlements.requires", text)),
    };
    let nothing = TargetApplication::of_nothing();
    let sync = SyncSettings {
        interval: Some(Duration::from_mins(10)),
        requests_per_second: 50,
        concurrency: 8,
        settle_removals: Duration::from_secs(10),
        settle_privileged: Duration::from_secs(10),
    };
    TargetApplication {
        connector: Connector { fingerprint: "fake".into(), ..nothing.connector },
        sync,
        account: AccountSettings { adopt: true, recreate_deleted: true, ..nothing.account },
        entitlements: entitlements.iter().map(entitlement).collect(),
        ..nothing
    }
}
