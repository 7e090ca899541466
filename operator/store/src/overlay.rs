use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

const BLOCK: usize = 4096;

/// A file that is read and never written. What redb writes when it opens one that was left by a kill, and a migration, stay in
/// memory; the lock that a writer takes is shared here: readers keep out an operator, and one that runs keeps them out.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: FileBackend,
    written: RwLock<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    /// What the file still stands for: its end, or where it was cut off.
    file_len: u64,
    /// By number.
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
}

impl Overlay {
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let file = FileBackend::new(File::open(path)?)?;
        let len = StorageBackend::len(&file)?;
        Ok(Self { file, written: RwLock::new(Written { len, file_len: len, blocks: BTreeMap::new() }) })
    }
}

impl Written {
    fn fill(&self, file: &FileBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let of_file = usize::try_from(self.file_len.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (there, beyond) = out.split_at_mut(of_file);
        file.read(offset, there)?;
        beyond.fill(0);
        Ok(())
    }

    /// The parts of a range, block by block: its number, where in it, and how much.
    fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
        let (mut at, mut left) = (offset, len);
        std::iter::from_fn(move || {
            let within = usize::try_from(at % BLOCK as u64).ok()?;
            let part = left.min(BLOCK - within);
            let found = (part > 0).then_some((at / BLOCK as u64, within, part));
            (at, left) = (at + part as u64, left - part);
            found
        })
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written.read().unwrap_or_else(PoisonError::into_inner).len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written.read().unwrap_or_else(PoisonError::into_inner);
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > written.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        written.fill(&self.file, offset, out)?;
        let mut rest = out;
        for (block, within, part) in Written::parts(offset, rest.len()) {
            let (here, after) = rest.split_at_mut(part);
            if let Some(block) = written.blocks.get(&block).and_then(|block| block.get(within..within + part)) {
                here.copy_from_slice(block);
            }
            rest = after;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written.write().unwrap_or_else(PoisonError::into_inner);
        if len < written.len {
            // Beyond its end it begins as zeros, also where it was cut off before.
            written.file_len = written.file_len.min(len);
            written.blocks.split_off(&len.div_ceil(BLOCK as u64));
            let within = usize::try_from(len % BLOCK as u64).unwrap_or_default();
            if let Some(tail) = written.blocks.get_mut(&(len / BLOCK as u64)).and_then(|block| block.get_mut(within..))
            {
                tail.fill(0);
            }
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written.write().unwrap_or_else(PoisonError::into_inner);
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > written.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = data;
        for (number, within, part) in Written::parts(offset, data.len()) {
            let (here, after) = rest.split_at(part);
            if !written.blocks.contains_key(&number) {
                let mut block = Box::new([0; BLOCK]);
                written.fill(&self.file, number * BLOCK as u64, block.as_mut_slice())?;
                written.blocks.insert(number, block);
            }
            let block = written.blocks.get_mut(&number).and_then(|block| block.get_mut(within..within + part));
            if let Some(block) = block {
                block.copy_from_slice(here);
            }
            rest = after;
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
