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
    /// The store is being closed.
    #[error("the store is closed; nothing more is written by this process")]
    Closed,
}

impl From<StoreError> for StoreFailure {
    fn from(error: StoreError) -> Self {
        Self(error.to_string().into())
    }
}
