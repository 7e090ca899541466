//! A directory in the operator's memory: for demonstrations and tests. Here it is shared by name and, if asked, kept in
//! a file; what it does is in `directory`, a plain structure without threads or clocks.

mod directory;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use provost_core::model::{Applied, Spent, Step, TargetError};

pub use directory::{FakeDirectory, SCHEMA, Switches};

/// A connection to a directory in memory.
#[derive(Clone, Debug)]
pub struct Fake(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    directory: Mutex<FakeDirectory>,
    file: Mutex<Option<PathBuf>>,
    started: Instant,
}

impl Fake {
    /// A directory of its own, reached by nobody else.
    pub fn alone() -> Self {
        Self(Arc::new(Shared { directory: Mutex::default(), file: Mutex::default(), started: Instant::now() }))
    }

    /// The directory of this name in this process: it outlives the connection.
    pub fn named(name: &str) -> Self {
        static ALL: OnceLock<Mutex<BTreeMap<String, Fake>>> = OnceLock::new();
        let all = ALL.get_or_init(Mutex::default);
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(name.to_owned()).or_insert_with(Self::alone).clone()
    }

    /// Continues from a file, if it is there, and keeps to it after every write from now on.
    ///
    /// Errors: a file that cannot be read or is none of ours.
    pub fn keep_in(&self, file: &Path) -> io::Result<()> {
        match std::fs::read(file) {
            Ok(bytes) => *self.directory() = serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        *self.0.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(file.to_owned());
        Ok(())
    }

    /// To look at the directory or to edit it behind the operator's back.
    pub fn with<T>(&self, act: impl FnOnce(&mut FakeDirectory) -> T) -> T {
        act(&mut self.directory())
    }

    /// One question, which costs one request.
    pub(crate) fn ask<T>(&self, spent: &mut Spent, question: impl FnOnce(&FakeDirectory) -> T) -> T {
        spent.requests += 1;
        question(&self.directory())
    }

    /// Carries out steps; one outcome and one request each.
    pub(crate) fn apply(&self, steps: &[Step], spent: &mut Spent) -> Vec<Result<Applied, TargetError>> {
        let mut directory = self.directory();
        let outcomes = steps
            .iter()
            .map(|step| {
                spent.requests += 1;
                directory.apply(step)
            })
            .collect();
        let kept = self.keep(&directory);
        drop(directory);
        // It was done and may be forgotten: who asked must look again.
        kept.map_or_else(
            |error| steps.iter().map(|_| Err(TargetError::Lost(error.to_string().into()))).collect(),
            |()| outcomes,
        )
    }

    fn keep(&self, directory: &FakeDirectory) -> io::Result<()> {
        let file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file.as_ref() else { return Ok(()) };
        let new = file.with_extension("new");
        std::fs::write(&new, serde_json::to_vec_pretty(directory)?)?;
        std::fs::rename(new, file)
    }

    fn directory(&self) -> MutexGuard<'_, FakeDirectory> {
        let mut directory = self.0.directory.lock().unwrap_or_else(PoisonError::into_inner);
        directory.advance(self.0.started.elapsed());
        directory
    }
}

#[cfg(test)]
mod tests {
    use provost_core::model::Attributes;

    use super::*;

    fn create(name: &str) -> Step {
        let attributes: Attributes = [("userName".into(), name.into())].into();
        Step::CreateAccount { attributes, enabled: true, password: false }
    }

    #[test]
    fn a_directory_outlives_its_connections() {
        let name = "a_directory_outlives_its_connections";
        let applied = Fake::named(name).apply(&[create("ada")], &mut Spent::default());
        let id = applied[0].as_ref().unwrap().id.clone().unwrap();
        assert!(Fake::named(name).with(|directory| directory.read(&id)).unwrap().is_some());
        assert!(Fake::named("another").with(|directory| directory.read(&id)).unwrap().is_none());
    }

    #[test]
    fn a_directory_kept_in_a_file_continues_from_it() {
        let file = std::env::temp_dir().join(format!("provost-fake-{}.json", std::process::id()));
        let _ = std::fs::remove_file(&file);
        let first = Fake::alone();
        first.keep_in(&file).unwrap();
        let applied = first.apply(&[create("ada")], &mut Spent::default());
        let id = applied[0].as_ref().unwrap().id.clone().unwrap();
        let second = Fake::alone();
        second.keep_in(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let read = second.with(|directory| directory.read(&id)).unwrap().unwrap();
        assert_eq!(read.text("userName"), Some("ada"));
    }
}
