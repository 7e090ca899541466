use std::sync::Arc;

use provost_core::engine::StoreFailure;

/// Why the store cannot be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds the file.
    #[error(
        "{0}: in use by another process; a store serves one operator at a time: stop the other one, then start again"
    )]
    Locked(Arc<str>),
    /// Written in another format.
    #[error(
        "{path}: written in format {found}, this version reads format {known}; run the version that wrote it, or restore \
         a copy that this version wrote"
    )]
    OtherVersion {
        /// The file.
        path: Arc<str>,
        /// What it says.
        found: Arc<str>,
        /// What is known here.
        known: &'static str,
    },
    /// Not a store, cut short, or damaged. The file is left as it is.
    #[error(
        "{path}: not a store, or a damaged one ({detail}); it is left as it is: restore a copy, or move the file away and \
         start with an empty store, which adopts accounts anew and removes nothing until that is acknowledged"
    )]
    Corrupt {
        /// The file.
        path: Arc<str>,
        /// What was found.
        detail: Arc<str>,
    },
    /// After a fault another store was found in the place of this one.
    #[error("{path}: another store than before (id {found}, was {expected}); put the former file back and start again")]
    Replaced {
        /// The file.
        path: Arc<str>,
        /// Its id.
        found: Arc<str>,
        /// The id of the store that was opened.
        expected: Arc<str>,
    },
    /// The disk does not do it: full, read-only, gone. Tried again with the next call.
    #[error("{path}: {detail}; free space or repair the volume: it is tried again with the next write")]
    Unavailable {
        /// The file.
        path: Arc<str>,
        /// What the system says.
        detail: Arc<str>,
    },
    /// A change cannot be written as data, or data cannot be read as what it should be.
    #[error("{path}: {detail}; this is a defect of this program or a damaged store, please report it")]
    Encoding {
        /// Of what.
        path: Arc<str>,
        /// What is wrong.
        detail: Arc<str>,
    },
    /// Another process writes this store now, under a later Lease.
    #[error(
        "{path}: claimed by another process, under epoch {epoch} of the Lease; nothing more is written by this one: it has \
         to be started again"
    )]
    Fenced {
        /// The file.
        path: Arc<str>,
        /// The epoch of the Lease under which it is written now.
        epoch: i64,
    },
    /// There is no store there.
    #[error("{0}: there is no store; --data names the folder that the operator keeps it in")]
    Missing(Arc<str>),
    /// What is to be imported is not that.
    #[error("line {line}: {detail}; an import takes what `provost ledger export` wrote")]
    Import {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        detail: Arc<str>,
    },
    /// There is a ledger already, and nobody said that it may be replaced.
    #[error("{path}: holds the ledgers of {applications} applications already; --replace puts others in their place")]
    NotEmpty {
        /// The file.
        path: Arc<str>,
        /// How many.
        applications: usize,
    },
    /// The store is being closed.
    #[error("the store is closed; nothing more is written by this process")]
    Closed,
}

impl From<StoreError> for StoreFailure {
    fn from(error: StoreError) -> Self {
        Self(error.to_string().into())
    }
}
