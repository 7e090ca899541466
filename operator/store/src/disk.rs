use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// A disk in memory, for tests and simulations: it outlives the store on it, keeps what was written apart from what was
/// synced, and can be told to refuse.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// What was written since.
    written: Vec<Range<usize>>,
    refuses: bool,
}

impl Disk {
    /// What is left when the power goes: what was synced.
    #[must_use]
    pub fn without_power(&self) -> Self {
        let synced = self.platter().synced.clone();
        Self(Arc::new(Mutex::new(Platter { now: synced.clone(), synced, ..Platter::default() })))
    }

    /// Whether it is full from now on.
    pub fn refuse(&self, refuses: bool) {
        self.platter().refuses = refuses;
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, act: impl FnOnce(&mut Platter) -> Option<()>) -> io::Result<()> {
        let mut platter = self.platter();
        if platter.refuses {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on device"));
        }
        act(&mut platter).ok_or_else(beyond)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.platter();
        let bytes = usize::try_from(offset).ok().and_then(|from| platter.now.get(from..from.checked_add(out.len())?));
        out.copy_from_slice(bytes.ok_or_else(beyond)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.write(|platter| {
            let len = usize::try_from(len).ok()?;
            // Beyond its end it begins as zeros, also where it was cut off before.
            let end = platter.now.len().min(len);
            platter.now.resize(len, 0);
            platter.written.push(end..len);
            Some(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.write(|platter| {
            let Platter { now, synced, written, .. } = platter;
            synced.resize(now.len(), 0);
            for range in written.drain(..) {
                // What was cut off since is not there to be synced.
                let range = range.start.min(now.len())..range.end.min(now.len());
                synced.get_mut(range.clone())?.copy_from_slice(now.get(range)?);
            }
            Some(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write(|platter| {
            let from = usize::try_from(offset).ok()?;
            let range = from..from.checked_add(data.len())?;
            platter.now.get_mut(range.clone())?.copy_from_slice(data);
            platter.written.push(range);
            Some(())
        })
    }
}

fn beyond() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
