//! Lines that are never shown: somebody may have written a password into them, and what `lint` says ends in the log of a CI.

use provost_core::model::FieldError;

use super::shape::is_within;
use super::yaml::Document;

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

/// Whether a secret may stand in a text of which no more is known.
pub fn may_hold(text: &str) -> bool {
    let lower = text.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word)) || text.contains("://")
}
