//! Rules broken by hand, one file each in `tests/mutants`: a test must notice each of them.

use std::path::{Path, PathBuf};

/// One rule, broken.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// Its file's name.
    #[serde(skip)]
    pub name: String,
    /// What is wrong then, in a sentence.
    pub what: String,
    /// The file that is broken, from the repository's root.
    pub file: PathBuf,
    /// What stands there, exactly once.
    pub find: String,
    /// What stands there instead.
    pub replace: String,
    /// The file of the test that must fail, from the repository's root.
    pub tests: PathBuf,
    /// That test's name.
    pub killer: String,
}

impl Mutant {
    /// The broken text of its file; `Err`: what keeps it from being applied.
    pub fn broken(&self, text: &str) -> Result<String, String> {
        match text.matches(&self.find).count() {
            _ if self.find == self.replace => Err("it changes nothing".to_owned()),
            1 => Ok(text.replace(&self.find, &self.replace)),
            count => Err(format!("its `find` is {count} times in {}", self.file.display())),
        }
    }

    /// The folder of the package whose own tests hold the killer.
    pub fn package(&self) -> &Path {
        self.tests.ancestors().find(|folder| folder.ends_with("src")).and_then(Path::parent).expect("a unit test")
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder above `tests`")
}

/// All of them: those whose killers are in one package together, by name.
pub fn all() -> Vec<Mutant> {
    let files = std::fs::read_dir(root().join("tests/mutants")).expect("tests/mutants");
    let mut all: Vec<Mutant> = files.map(|file| read(&file.expect("tests/mutants").path())).collect();
    all.sort_by(|a, b| (a.package(), &a.name).cmp(&(b.package(), &b.name)));
    all
}

fn read(path: &Path) -> Mutant {
    let text = std::fs::read_to_string(path).expect("a mutant's file");
    let mut mutant: Mutant =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    mutant.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    mutant
}
