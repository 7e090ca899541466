//! The contract of connectors on a target, and how much of it was kept, told also by a green run.

use provost_connectors::contract::{Contract, PROMISES, contract};
use provost_connectors::{AnyTarget, schema};
use provost_core::model::ConnectorKind;

/// Runs the suite. `on`: which server this is, and how it is used.
///
/// # Panics
/// If a promise is broken.
pub async fn keeps(on: &str, target: &AnyTarget, kind: ConnectorKind, what: &Contract) {
    let broken = contract(target, schema(kind), what).await;
    crate::tell(format_args!("contract: {on}: {} of {PROMISES} promises kept", PROMISES - broken.len()));
    assert_eq!(broken.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new(), "{on}");
}
