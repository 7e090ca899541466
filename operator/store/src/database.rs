//! The redb file itself: opening it, and telling a store from everything else.

use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableHandle};
use secrecy::SecretBox;

use crate::digest::Key;
use crate::overlay::Overlay;
use crate::tables::{ATTEMPTS, EPOCHS, FORMAT, Fault, GROUPS, INTENTS, JOURNAL, META, NEXT, RECORDS, STANDING, number};
use crate::{Fresh, StoreError, migrate};

/// redb's own default is 1 GiB, which is more than the operator should use in all.
const CACHE: usize = 64 * 1024 * 1024;

/// Opens the database anew, at start and after a fault.
pub(crate) type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// What a store says about itself.
#[derive(Debug)]
pub(crate) struct Identification {
    pub id: Arc<str>,
    pub key: Key,
    pub epoch: i64,
}

/// Opens the file; a file that is not there, or empty, becomes a database. Its checksums are verified: a damaged file is
/// refused in place of being half read.
pub(crate) fn file(path: &Path) -> Opener {
    let path = path.to_owned();
    Box::new(move || builder().set_check_integrity_on_open(true).create(&path))
}

/// Opens the file if it is there.
pub(crate) fn existing(path: &Path) -> Opener {
    let path = path.to_owned();
    Box::new(move || builder().set_check_integrity_on_open(true).open(&path))
}

/// Opens the file to be read alone.
pub(crate) fn unwritten(path: &Path) -> Opener {
    let path = path.to_owned();
    Box::new(move || builder().set_check_integrity_on_open(true).create_with_backend(Overlay::open(&path)?))
}

/// Opens a database on something else than a file.
pub(crate) fn backend<B: StorageBackend>(backend: impl Fn() -> B + Send + Sync + 'static) -> Opener {
    Box::new(move || builder().create_with_backend(backend()))
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

/// Says what a failure to open means.
pub(crate) fn explain(path: &Arc<str>, error: DatabaseError) -> StoreError {
    let path = Arc::clone(path);
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => StoreError::Locked(path),
        DatabaseError::UpgradeRequired(version) => {
            StoreError::OtherVersion { path, found: format!("of redb file version {version}").into(), known: FORMAT }
        }
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() != std::io::ErrorKind::InvalidData && error.kind() != std::io::ErrorKind::UnexpectedEof =>
        {
            StoreError::Unavailable { path, detail: error.to_string().into() }
        }
        other => StoreError::Corrupt { path, detail: other.to_string().into() },
    }
}

/// Reads what a database says about itself; one without any table is new and is given an identity.
pub(crate) fn identify(
    database: &Database,
    path: &Arc<str>,
    fresh: Option<impl FnOnce() -> Fresh>,
) -> Result<Identification, StoreError> {
    let fault = |fault| explain_fault(path, fault);
    let corrupt = |detail: &str| StoreError::Corrupt { path: Arc::clone(path), detail: detail.into() };
    let transaction = database.begin_read().map_err(|e| fault(e.into()))?;
    let tables: Vec<_> = transaction.list_tables().map_err(|e| fault(e.into()))?.map(|t| t.name().to_owned()).collect();
    if tables.is_empty() {
        let fresh = fresh.ok_or_else(|| corrupt("it is empty"))?;
        return found(database, fresh()).map_err(fault);
    }
    if !tables.iter().any(|name| name == "meta") {
        return Err(corrupt("another program's database"));
    }
    let meta = transaction.open_table(META).map_err(|e| fault(e.into()))?;
    let get = |name: &str| {
        let value = meta.get(name).map_err(|e| fault(e.into()))?;
        Ok::<_, StoreError>(value.map(|value| value.value().to_vec()))
    };
    let format = get("format")?.ok_or_else(|| corrupt("it names no format"))?;
    if format != FORMAT.as_bytes() {
        drop(meta);
        drop(transaction);
        if migrate::to_present(database, &format).map_err(fault)? {
            return identify(database, path, None::<fn() -> Fresh>);
        }
        let found = String::from_utf8_lossy(&format).into();
        return Err(StoreError::OtherVersion { path: Arc::clone(path), found, known: FORMAT });
    }
    let id = get("id")?.and_then(|id| String::from_utf8(id).ok()).ok_or_else(|| corrupt("it has no id"))?;
    let key: [u8; 32] = get("key")?.and_then(|k| k.try_into().ok()).ok_or_else(|| corrupt("it has no key"))?;
    let epoch = number(&meta, "epoch").map_err(fault)?.unwrap_or(0);
    Ok(Identification { id: id.into(), key: Key::new(SecretBox::new(Box::new(key))), epoch })
}

/// Gives a new database its identity, and all its tables.
fn found(database: &Database, fresh: Fresh) -> Result<Identification, Fault> {
    let Fresh { id, key } = fresh;
    let key = Key::new(key);
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert("format", FORMAT.as_bytes())?;
        meta.insert("id", id.as_bytes())?;
        meta.insert("key", key.bytes().as_slice())?;
        transaction.open_table(RECORDS)?;
        transaction.open_table(INTENTS)?;
        transaction.open_table(GROUPS)?;
        transaction.open_table(STANDING)?;
        transaction.open_table(NEXT)?;
        transaction.open_table(EPOCHS)?;
        transaction.open_table(JOURNAL)?;
        transaction.open_table(ATTEMPTS)?;
    }
    transaction.commit()?;
    Ok(Identification { id, key, epoch: 0 })
}

/// Says what a failed transaction means.
pub(crate) fn explain_fault(path: &Arc<str>, fault: Fault) -> StoreError {
    let path = Arc::clone(path);
    match fault {
        Fault::Disk(detail) => StoreError::Unavailable { path, detail },
        Fault::Encoding(detail) => StoreError::Encoding { path, detail },
        Fault::Fenced(epoch) => StoreError::Fenced { path, epoch },
    }
}
