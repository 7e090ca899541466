use std::fmt;
use std::ops::Range;

use super::types::Type;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The rule is refused.
    Error,
    /// The rule works; a person should look.
    Warning,
}

/// One finding about a rule: the place, what was found, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The place in the source, in bytes.
    pub span: Range<usize>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What was found, and what was expected.
    pub message: String,
    /// What to write instead, or what to do.
    pub remedy: String,
}

impl Diagnostic {
    /// An error at a place, and what to write instead.
    pub(super) fn error(
        source: &str,
        span: Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (line, column) = position(source, span.start);
        Self { severity: Severity::Error, span, line, column, message: message.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.line, self.column, self.message, self.remedy)
    }
}

/// Line and column, both from 1, the column in characters, of a byte offset.
pub(super) fn position(source: &str, offset: usize) -> (u32, u32) {
    let (mut line, mut column) = (1_u32, 1_u32);
    for (at, c) in source.char_indices() {
        if at >= offset {
            break;
        }
        if c == '\n' {
            line = line.saturating_add(1);
            column = 1;
        } else {
            column = column.saturating_add(1);
        }
    }
    (line, column)
}

/// Where nothing nearer can be said.
pub(super) const SEE: &str = "use what docs/rules.md lists";

/// How a value becomes a condition.
pub(super) fn compared(text: &str, ty: &Type) -> String {
    let text = if text.len() > 48 || text.contains('\n') { ".." } else { text };
    match ty {
        Type::Dyn => format!("compare it: {text} == true"),
        Type::Text => format!("compare it: {text} == \"..\""),
        Type::Int | Type::Uint | Type::Double => format!("compare it: {text} > 0"),
        Type::Timestamp => format!("compare it: {text} < timestamp(\"2026-12-01T08:00:00Z\")"),
        Type::Duration => format!("compare it: {text} < duration(\"1h\")"),
        Type::List(_) => format!("ask for an element: \"..\" in {text}, or exists(x, ..)"),
        Type::Map(..) => format!("ask for a key: \"..\" in {text}"),
        Type::Optional(_) => format!("say what holds without a value: {text}.orValue(..)"),
        Type::Object(_) => "name the field that is meant".to_owned(),
        _ => "compare it with == or !=".to_owned(),
    }
}

/// "did you mean 'x'?" for the nearest of the known names, if one is near.
pub(super) fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let limit = (found.chars().count() / 3).max(1);
    let (distance, name) = known.into_iter().map(|name| (distance(found, name), name)).min()?;
    (distance <= limit).then(|| format!("did you mean '{name}'?"))
}

/// Edit distance (Levenshtein, with a swap of neighbours counted once) without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().take(64).flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, j + 1) + 1).min(at(&row, j) + 1).min(at(&last, j) + usize::from(ca != cb));
            if i > 0 && j > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca) {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_if_it_is_near() {
        for (found, expected) in [
            ("departmnt", Some("did you mean 'department'?")),
            ("Department", Some("did you mean 'department'?")),
            ("tilte", Some("did you mean 'title'?")),
            ("zzz", None),
        ] {
            assert_eq!(did_you_mean(found, ["department", "title", "location"]).as_deref(), expected, "{found}");
        }
    }

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        assert_eq!(position("é\nßx", 0), (1, 1));
        assert_eq!(position("é\nßx", 5), (2, 2));
        assert_eq!(position("ab", 99), (1, 3));
    }
}
