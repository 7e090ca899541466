//! Manifests as kubectl reads them: files, folders and standard input; several documents; other kinds are skipped and counted.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::shape;
use super::yaml::{self, Document, Unreadable};

/// Where manifests come from.
#[derive(clap::Args, Clone, Debug)]
pub struct Files {
    /// A file, a folder or - for standard input; may be repeated
    #[arg(short = 'f', long = "filename", required = true, value_name = "FILE|DIR|-")]
    pub filename: Vec<PathBuf>,
    /// Read folders below folders too
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// The documents of `provost.dev`, whatever their version, in the order they were read.
    pub documents: Vec<Document>,
    /// Documents that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Documents of other kinds.
    pub skipped: usize,
    /// The text of each file, to show lines of.
    pub texts: BTreeMap<String, String>,
}

/// Reads everything that `files` names.
pub fn read(files: &Files) -> Result<Read, std::io::Error> {
    let mut read = Read::default();
    for name in &files.filename {
        if name == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            read.add("stdin", text);
        } else if name.is_dir() {
            read.folder(name, files.recursive)?;
        } else {
            read.file(name)?;
        }
    }
    Ok(read)
}

/// Whether a file in a folder is read, by its name.
pub fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
}

impl Read {
    fn folder(&mut self, folder: &Path, recursive: bool) -> Result<(), std::io::Error> {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
        entries.sort();
        for entry in entries {
            if entry.is_dir() {
                if recursive {
                    self.folder(&entry, recursive)?;
                }
            } else if is_manifest(&entry) {
                self.file(&entry)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), std::io::Error> {
        let named = |e: std::io::Error| std::io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let text = std::fs::read_to_string(path).map_err(named)?;
        self.add(&path.display().to_string(), text);
        Ok(())
    }

    /// Takes the documents of one text.
    pub fn add(&mut self, file: &str, text: String) {
        let found = yaml::documents(file, &text);
        self.unreadable.extend(found.unreadable);
        for document in found.documents.into_iter().flat_map(Document::expand) {
            let listed = document.value.as_array().is_some_and(|items| items.iter().any(shape::is_ours));
            if listed {
                self.unreadable.push(document.broken(
                    "manifests in a list are none",
                    "separate manifests by lines of ---, or put them in the items of a kind List",
                ));
            } else if shape::is_ours(&document.value) {
                self.documents.push(document);
            } else {
                self.skipped += 1;
            }
        }
        self.texts.insert(file.to_owned(), text);
    }
}
