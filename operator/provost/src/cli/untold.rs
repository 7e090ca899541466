//! Lines that are never shown: somebody may have written a password into them, and what `lint` says ends in the log of a CI.

use provost_core::model::FieldError;

use super::shape::is_within;
use super::yaml::{Document, is_marker};

/// What is in the name of a field that may hold a secret; a URL does with user info, a query or a path.
const WORDS: [&str; 4] = ["url", "password", "secret", "token"];
/// Where a field that is wrong may be a secret whatever its name is.
const CONNECTOR: &str = "spec.connector";

/// The lines of a document where a field may hold a secret; `errors` is what is wrong with it.
pub fn lines<'d>(document: &'d Document, errors: &'d [FieldError]) -> impl Iterator<Item = usize> + 'd {
    let wrong = |path: &str| {
        let holds = |error: &&FieldError| error.path.starts_with(CONNECTOR);
        errors.iter().filter(holds).any(|error| is_within(path, &error.path))
    };
    document.lines().filter(move |(path, _)| may_hold(path) || wrong(path)).map(|(_, line)| line)
}

/// Whether a line of a text that cannot be read is shown: what it is a line of cannot be told but by what stands around it, and a Secret
/// has secrets under any name.
pub fn is_shown(text: &str, line: usize) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let (before, after) = lines.split_at(line.min(lines.len()));
    let around = || {
        let before = before.iter().rev().take_while(|line| !is_marker(line));
        before.chain(after.iter().take_while(|line| !is_marker(line)))
    };
    let has = |what: &str| around().any(|line| line.contains(what));
    before.last().is_some_and(|line| !may_hold(line)) && has("provost.dev/") && !has("Secret")
}

/// Whether a secret may stand in a text of which no more is known.
pub fn may_hold(text: &str) -> bool {
    let lower = text.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word)) || text.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cannot_be_read_is_shown_where_it_is_surely_one_of_ours() {
        let text = "apiVersion: provost.dev/v1alpha1\nkind: Identity\nspec: [\n---\nkind: Secret\nstringData:\n  bind: [hunter2\n\
                    ---\nkind: ConfigMap\ndata: [\n--- # the last\napiVersion: provost.dev/v1alpha1\nspec:\n  password: [x\n";
        let shown: Vec<usize> = (0..20).filter(|line| is_shown(text, *line)).collect();
        assert_eq!(shown, [1, 2, 3, 11, 12, 13], "of the Identity, and of the last but for a password");
        assert!(!is_shown("{items: [{apiVersion: provost.dev/v1}, {kind: Secret,\n data: {x: y", 2), "a List of both");
    }
}
