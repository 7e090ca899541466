//! A disk that keeps what was written apart from what was synced, and that can be told to refuse.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    now: Vec<u8>,
    synced: Vec<u8>,
    refuses: bool,
}

impl Disk {
    /// What is left when the power goes: what was synced.
    pub fn without_power(&self) -> Self {
        let synced = self.0.lock().unwrap().synced.clone();
        Self(Arc::new(Mutex::new(Platter { now: synced.clone(), synced, refuses: false })))
    }

    pub fn refuse(&self, refuses: bool) {
        self.0.lock().unwrap().refuses = refuses;
    }

    fn write(&self, act: impl FnOnce(&mut Platter)) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        if platter.refuses {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on device"));
        }
        act(&mut platter);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        let bytes = platter.now.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.write(|platter| platter.now.resize(usize::try_from(len).unwrap(), 0))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.write(|platter| platter.synced = platter.now.clone())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        self.write(|platter| platter.now[from..from + data.len()].copy_from_slice(data))
    }
}
