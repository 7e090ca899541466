//! How Provost speaks to the API server. Nothing is decided here.
//!
//! | module | what it does |
//! |---|---|
//! | [`client`] | one client, every call under a timeout, no hidden retries |
//! | [`watch`] | manifests into engine events, a namespace at a time, never on partial knowledge |
//! | [`lease`] | who leads; every writer below asks before it writes |
//! | [`status`], [`finalizer`], [`events`] | what is written to the API server |
//! | [`access`] | who asks the operator something, and whether they may |
//! | [`secret`] | credentials, read when used, bound to hosts |
//! | [`health`], [`metrics`] | `/healthz`, `/readyz`, `/metrics` |
//!
//! How the shell joins them: `client::connect`, then `Lease::run` and `watch::run` each in a task; `(namespace, event)`
//! goes to the namespace's engine; statuses, finalizers and notes that the engine hands out go to the writers. A slot
//! of [`status::StatusWriter`] is taken before the board is asked for the next status, so that what waits is coalesced.

pub mod access;
pub mod client;
pub mod events;
pub mod finalizer;
pub mod health;
pub mod lease;
mod manifest;
pub mod metrics;
pub mod secret;
pub mod status;
pub mod watch;

/// The one field manager of everything that is written. Never renamed: the API server would keep the old one's fields.
pub const FIELD_MANAGER: &str = "provost";
