//! Manifests as kubectl reads them: files, folders and standard input; several documents; other kinds are skipped and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use super::finding;
use super::shape;
use super::yaml::{self, Document, Unreadable};

/// What to do with a file that is no UTF-8: one of two bytes a letter, of one, and one that nearly is.
const FROM_UTF_16: &str = "write it in UTF-8: iconv -f utf-16 -t utf-8";
const FROM_ONE_BYTE: &str = "write it in UTF-8: iconv -f windows-1252 -t utf-8";
const BUT_FOR_THIS: &str = "the rest of the file is UTF-8: write this character anew";

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
    /// Where a file is no UTF-8; its documents are read all the same.
    pub misread: Vec<Unreadable>,
    /// In which object of ours that is, by file.
    pub misread_in: BTreeMap<String, String>,
    /// How many documents of other kinds.
    pub skipped: usize,
    /// Their kinds.
    pub other_kinds: BTreeSet<String>,
    /// The text of each file, to show lines of.
    pub texts: BTreeMap<String, String>,
}

/// Reads everything that `files` names.
pub fn read(files: &Files) -> Result<Read, std::io::Error> {
    let mut read = Read::default();
    for name in &files.filename {
        if name == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes)?;
            read.add("stdin", bytes);
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

/// Where a file is no UTF-8, and what to do about it.
pub fn misread(file: &str, error: &FromUtf8Error) -> Unreadable {
    let (before, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
    let before = String::from_utf8_lossy(before);
    let line = before.split('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let message = format!("byte 0x{:02X} is no UTF-8", rest.first().copied().unwrap_or_default());
    let remedy = match error.as_bytes() {
        bytes if bytes.contains(&0) => FROM_UTF_16,
        bytes if bytes.utf8_chunks().all(|chunk| chunk.valid().is_ascii()) => FROM_ONE_BYTE,
        _ => BUT_FOR_THIS,
    };
    Unreadable { file: file.to_owned(), line, column, message, remedy: Some(remedy) }
}

/// The text, with each byte that is no UTF-8 as the letter that it is in Latin-1, which it mostly is. Latin-1 has control
/// characters too, which YAML refuses and a terminal obeys.
fn nearly(bytes: &[u8]) -> String {
    let letter = |byte: &u8| if *byte >= 0xA0 { char::from(*byte) } else { char::REPLACEMENT_CHARACTER };
    bytes.utf8_chunks().flat_map(|chunk| chunk.valid().chars().chain(chunk.invalid().iter().map(letter))).collect()
}

/// Whether a document, or one that begins in it, has that line.
fn holds(document: &Document, line: usize, text: &str) -> bool {
    let begins = document.place("").map_or(1, |place| place.line);
    begins <= line && !text.lines().take(line).skip(begins).any(yaml::is_marker)
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
        self.add(&path.display().to_string(), std::fs::read(path).map_err(named)?);
        Ok(())
    }

    /// Takes the documents of one file.
    pub fn add(&mut self, file: &str, bytes: Vec<u8>) {
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            self.misread.push(misread(file, &error));
            let bytes = error.as_bytes();
            // Of UTF-16 nothing can be read so.
            if bytes.contains(&0) { String::new() } else { nearly(bytes) }
        });
        let broken = self.misread.last().filter(|broken| broken.file == file).map(|broken| broken.line);
        let found = yaml::documents(file, &text);
        self.unreadable.extend(found.unreadable);
        for document in found.documents.into_iter().flat_map(Document::expand) {
            if broken.is_some_and(|line| holds(&document, line, &text)) {
                // Of those that begin before it the last one has it.
                self.misread_in.remove(file);
                if shape::is_ours(&document.value) {
                    self.misread_in.insert(file.to_owned(), finding::object(&document));
                }
            }
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
                self.other_kinds.insert(document.text("/kind").unwrap_or("none").to_owned());
            }
        }
        self.texts.insert(file.to_owned(), text);
    }
}
