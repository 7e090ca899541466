use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::path::Path;
use crate::model::{FieldError, Name, Source};

/// So many errors of one manifest are worth reading; the rest are counted.
const MOST_ERRORS: usize = 64;
/// So much of a value is repeated in an error.
const MOST_OF_A_VALUE: usize = 64;
/// A rule's source, in bytes.
const MOST_OF_A_RULE: usize = 4096;

/// Whether an object may be named so (RFC 1123 subdomain).
pub fn is_object_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| {
        part.bytes().all(|byte| plain(byte) || byte == b'-')
            && part.bytes().next().is_some_and(plain)
            && part.bytes().last().is_some_and(plain)
    };
    name.len() <= 253 && name.split('.').all(part)
}

/// Collects what is wrong with one manifest. Each check gives a value in any case, so that one error does not hide the next;
/// what was given is thrown away where there is any error.
#[derive(Debug, Default)]
pub(super) struct Checks {
    errors: Vec<FieldError>,
    untold: usize,
}

impl Checks {
    /// The errors, of which there may be none.
    pub(super) fn into_errors(mut self) -> Vec<FieldError> {
        if self.untold > 0 {
            self.errors.push(FieldError {
                path: "spec".into(),
                value: None,
                message: format!("has {} more errors", self.untold).into(),
                remedy: "correct the others first".into(),
            });
        }
        self.errors
    }

    /// Something is wrong with a value that may be repeated.
    pub(super) fn wrong(
        &mut self,
        at: Path<'_>,
        value: &str,
        message: impl Into<Arc<str>>,
        remedy: impl Into<Arc<str>>,
    ) {
        let value = value.chars().take(MOST_OF_A_VALUE).collect::<String>();
        self.push(at, Some(value.into()), message.into(), remedy.into());
    }

    /// Something is wrong with a value that is no text, or that may hold a secret.
    pub(super) fn wrong_untold(&mut self, at: Path<'_>, message: impl Into<Arc<str>>, remedy: impl Into<Arc<str>>) {
        self.push(at, None, message.into(), remedy.into());
    }

    fn push(&mut self, at: Path<'_>, value: Option<Arc<str>>, message: Arc<str>, remedy: Arc<str>) {
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(FieldError { path: at.to_string().into(), value, message, remedy });
        } else {
            self.untold += 1;
        }
    }

    /// A text with a most, and perhaps a least, of characters.
    pub(super) fn text(&mut self, at: Path<'_>, text: &str, least: usize, most: usize) -> Arc<str> {
        self.length(at, Some(text), text, least, most);
        text.into()
    }

    /// The same where it is optional.
    pub(super) fn optional(
        &mut self,
        at: Path<'_>,
        text: Option<&String>,
        least: usize,
        most: usize,
    ) -> Option<Arc<str>> {
        text.map(|text| self.text(at, text, least, most))
    }

    /// The length of a text; `shown` is what the error repeats of it.
    pub(super) fn length(&mut self, at: Path<'_>, shown: Option<&str>, text: &str, least: usize, most: usize) {
        // A text of no more bytes than characters are allowed need not be counted.
        let length = if text.len() <= most { text.len() } else { text.chars().count() };
        let (message, remedy) = if length > most {
            (format!("has {length} characters"), format!("must have at most {most}"))
        } else if length == 0 && least > 0 {
            ("is empty".to_owned(), "must be left out or say something".to_owned())
        } else {
            return;
        };
        match shown {
            Some(shown) => self.wrong(at, shown, message, remedy),
            None => self.wrong_untold(at, message, remedy),
        }
    }

    /// The name of another object.
    pub(super) fn name(&mut self, at: Path<'_>, name: &str) -> Name {
        Name::new(self.text(at, name, 1, 253))
    }

    /// The object's own name, which the API server checks itself.
    pub(super) fn own_name<'n>(&mut self, name: Option<&'n String>) -> &'n str {
        let at = Path::Root("metadata.name");
        let Some(name) = name else {
            self.wrong_untold(at, "is missing", "must be there");
            return "";
        };
        if !is_object_name(name) {
            self.wrong(
                at,
                name,
                "is no name of an object",
                "must be at most 253 lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",
            );
        }
        name
    }

    /// A list with a most, and perhaps a least, of items. Of one that is too long only so many are looked at.
    pub(super) fn list<'l, T>(&mut self, at: Path<'_>, list: &'l [T], least: usize, most: usize) -> &'l [T] {
        if list.len() < least {
            self.wrong_untold(at, "is empty", format!("must have at least {least}"));
        }
        if list.len() > most {
            self.wrong_untold(at, format!("has {} entries", list.len()), format!("must have at most {most}"));
        }
        list.get(..most).unwrap_or(list)
    }

    /// No two items have the same key. Says where the second stands.
    pub(super) fn unique<K: Hash + Eq>(
        &mut self,
        at: Path<'_>,
        what: &str,
        keys: impl IntoIterator<Item = (K, String)>,
    ) {
        let mut seen = HashSet::new();
        for (index, (key, shown)) in keys.into_iter().enumerate() {
            if !seen.insert(key) {
                self.wrong(
                    at.item(index),
                    &shown,
                    format!("has the same {what} as an entry before"),
                    "must be removed or changed",
                );
            }
        }
    }

    /// A word that this version does not know; `instead` is thrown away with everything else.
    pub(super) fn unrecognised<T>(&mut self, at: Path<'_>, word: &str, words: &[&str], instead: T) -> T {
        self.wrong(at, word, "is not one of its values", format!("must be one of {}", words.join(", ")));
        instead
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, at: Path<'_>, number: i32, least: u32, most: u32) -> u32 {
        match u32::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => number,
            _ => {
                self.wrong(at, &number.to_string(), "is out of bounds", format!("must be between {least} and {most}"));
                least
            }
        }
    }

    /// A span of time.
    pub(super) fn span(&mut self, at: Path<'_>, span: &provost_crds::Duration) -> Duration {
        let found = if span.as_str().len() > 32 { Err(provost_crds::InvalidDuration) } else { span.parse() };
        found.unwrap_or_else(|invalid| {
            self.wrong(at, span.as_str(), "is no span of time", invalid.to_string());
            Duration::ZERO
        })
    }

    /// A span of time that is more than none.
    pub(super) fn some_span(&mut self, at: Path<'_>, span: &provost_crds::Duration) -> Duration {
        let before = self.errors.len();
        let found = self.span(at, span);
        if found.is_zero() && self.errors.len() == before {
            self.wrong(at, span.as_str(), "is nothing", "must be more than zero");
        }
        found
    }

    /// A point in time, by the same rules as the schema's.
    pub(super) fn time(&mut self, at: Path<'_>, time: Option<&provost_crds::Time>) -> Option<Timestamp> {
        let written = time?.as_str();
        let remedy = "must be in RFC 3339 with capital T and Z, as in 2026-12-01T08:00:00Z";
        let Some(time) = written_as_a_time(written).then(|| written.parse::<Timestamp>().ok()).flatten() else {
            if far_away(written) {
                self.wrong(at, written, "is too far away", "must be left out where there is no limit");
            } else {
                self.wrong(at, written, "is no point in time", remedy);
            }
            return None;
        };
        let seconds = time.as_second();
        if !(YEAR_1900..YEAR_9000).contains(&seconds) {
            self.wrong(
                at,
                written,
                "is too far away",
                "must be between the years 1900 and 9000, or left out where there is no limit",
            );
            return None;
        }
        Some(time)
    }

    /// Of two times the later one comes after the earlier one.
    pub(super) fn in_order(
        &mut self,
        at: Path<'_>,
        earlier: (&str, Option<Timestamp>),
        later: (&str, Option<Timestamp>),
    ) -> bool {
        let (Some(first), Some(second)) = (earlier.1, later.1) else { return true };
        if second > first {
            return true;
        }
        self.wrong(
            at.field(later.0),
            &second.to_string(),
            format!("is not after {}", earlier.0),
            format!("must be after {first}"),
        );
        false
    }

    /// The source of a rule. `at` is where an error is shown; `path` is how the rule is known from then on.
    pub(super) fn source(&mut self, at: Path<'_>, path: Path<'_>, source: &str) -> Source {
        if source.is_empty() {
            self.wrong(at, source, "is empty", "must be left out or be a rule in CEL");
        }
        if source.len() > MOST_OF_A_RULE {
            self.wrong(
                at,
                source,
                format!("has {} bytes", source.len()),
                format!("must have at most {MOST_OF_A_RULE}"),
            );
        }
        Source { text: source.into(), path: path.to_string().into() }
    }

    /// Exactly one member of a union is there.
    pub(super) fn exactly_one(&mut self, at: Path<'_>, what: &str, members: &[(&str, bool)]) {
        let there: Vec<&str> = members.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
        if there.len() != 1 {
            let found =
                if there.is_empty() { "names none".to_owned() } else { format!("names {}", there.join(" and ")) };
            let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
            self.wrong_untold(at, found, format!("must name exactly one {what} ({})", names.join(", ")));
        }
    }
}

/// 1900-01-01T00:00:00Z and 9000-01-01T00:00:00Z in seconds of the Unix epoch.
const YEAR_1900: i64 = -2_208_988_800;
const YEAR_9000: i64 = 221_845_392_000;

/// `^[0-9-]{10}T[0-9:]{8}(\.[0-9]{1,9})?(Z|[+-][0-9:]{5})$`, and no leap second, which the API server does not know.
fn written_as_a_time(text: &str) -> bool {
    let digits = |part: Option<&str>, other: char, length: usize| {
        part.is_some_and(|part| part.len() == length && part.chars().all(|c| c.is_ascii_digit() || c == other))
    };
    let zone =
        |zone: &str| zone == "Z" || (zone.starts_with(['+', '-']) && zone.len() == 6 && digits(zone.get(1..), ':', 5));
    let Some(rest) = text.get(19..) else { return false };
    let shape = digits(text.get(..10), '-', 10)
        && text.get(10..11) == Some("T")
        && digits(text.get(11..19), ':', 8)
        && text.get(17..19) != Some("60");
    shape
        && match rest.strip_prefix('.') {
            None => zone(rest),
            Some(fraction) => {
                let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
                (1..=9).contains(&length) && fraction.get(length..).is_some_and(zone)
            }
        }
}

/// `9999-12-31T23:59:59Z` and its like, which HR exports write for "never".
fn far_away(text: &str) -> bool {
    text.starts_with('9') && text.get(4..5) == Some("-") && written_as_a_time(text)
}
