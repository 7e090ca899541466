//! Manifests of a git revision, read by calling git: what is committed, whatever the working tree looks like.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Failure;
use super::source::{Read, is_manifest};

/// The two revisions that `A..B` (or `A...B`: from where B left A) names; an end that is left out is HEAD.
pub fn range(text: &str) -> Result<(String, String), Failure> {
    let (old, new, fork) = match (text.split_once("..."), text.split_once("..")) {
        (Some((old, new)), _) => (old, new, true),
        (None, Some((old, new))) => (old, new, false),
        (None, None) => {
            return Err(Failure::Said(format!(
                "one version is not enough: give OLD and NEW, or two git revisions as {text}..HEAD"
            )));
        }
    };
    let (old, new) = (commit(old)?, commit(new)?);
    if !fork {
        return Ok((old, new));
    }
    let base = git(&["merge-base", &old, &new])?;
    Ok((base.trim().to_owned(), new))
}

/// The id of a commit. A text that begins with `-` would be an option, and is never one here.
fn commit(revision: &str) -> Result<String, Failure> {
    let revision = if revision.is_empty() { "HEAD" } else { revision };
    if revision.starts_with('-') {
        return Err(Failure::Said(format!("{revision} is no revision")));
    }
    let id = git(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]);
    id.map(|id| id.trim().to_owned())
        .map_err(|_| Failure::Said(format!("git knows no revision {revision} here; `git fetch` may bring it")))
}

/// The manifests of a commit below these paths (none: below the present folder), folders within folders included.
pub fn read(commit: &str, paths: &[String]) -> Result<Read, Failure> {
    let mut arguments = vec!["ls-tree", "-r", "-z", commit, "--"];
    arguments.extend(paths.iter().map(String::as_str));
    let list = git(&arguments)?;
    let mut blobs = Vec::new();
    for entry in list.split('\0').filter(|entry| !entry.is_empty()) {
        // MODE TYPE ID, a tab, the path. Links and submodules are no manifests.
        let Some((about, path)) = entry.split_once('\t') else { continue };
        let mut about = about.split(' ');
        let (mode, kind, id) = (about.next(), about.next(), about.next());
        let named = paths.iter().any(|given| Path::new(given) == Path::new(path));
        if let (Some("100644" | "100755"), Some("blob"), Some(id)) = (mode, kind, id)
            && (named || is_manifest(Path::new(path)))
        {
            blobs.push((id.to_owned(), path.to_owned()));
        }
    }
    contents(commit, &blobs)
}

/// The texts of blobs, by one git that is asked for one after the other.
fn contents(commit: &str, blobs: &[(String, String)]) -> Result<Read, Failure> {
    let mut child =
        Command::new("git").args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(mut asked), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Failure::Said("git has no pipes".to_owned()));
    };
    let mut answers = BufReader::new(answers);
    let short = commit.get(..8).unwrap_or(commit);
    let mut read = Read::default();
    for (id, path) in blobs {
        writeln!(asked, "{id}")?;
        let mut head = String::new();
        answers.read_line(&mut head)?;
        let size = head.split_whitespace().nth(2).and_then(|size| size.parse::<u64>().ok());
        let size = size.ok_or_else(|| Failure::Said(format!("{path}: git cat-file answered {:?}", head.trim())))?;
        let mut text = Vec::new();
        answers.by_ref().take(size).read_to_end(&mut text)?;
        answers.read_exact(&mut [0])?;
        read.add(&format!("{short}:{path}"), text);
    }
    drop(asked);
    child.wait()?;
    Ok(read)
}

fn git(arguments: &[&str]) -> Result<String, Failure> {
    let output =
        Command::new("git").args(arguments).stdin(Stdio::null()).output().map_err(|error| {
            Failure::Said(format!("git cannot be called: {error}; install it, or name two folders"))
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Said(format!("git {}: {}", arguments.first().unwrap_or(&""), said.trim())));
    }
    String::from_utf8(output.stdout).map_err(|_| Failure::Said("git named a path that is no text in UTF-8".to_owned()))
}
