//! What is wrong, where, and what to do: shown with the line underlined, as a compiler does.

use std::ops::Range;

use super::Failure;
use super::scalar;
use super::screen::{Hue, Screen};
use super::source::Read;
use super::yaml::{Document, Place, Style};

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// Characters to underline; 0: none.
    pub width: usize,
    /// Error rather than warning.
    pub error: bool,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: Option<String>,
    /// `Kind/name` of the object.
    pub object: String,
}

/// A place within the text of a rule.
#[derive(Clone, Debug)]
pub struct Inside<'t> {
    /// The rule.
    pub text: &'t str,
    /// Characters of it, from 0.
    pub characters: Range<usize>,
}

impl Finding {
    /// At a field of a document; inside the text of a rule, if said.
    pub fn at(document: &Document, path: &str, inside: Option<Inside<'_>>, texts: &Read) -> Self {
        let place = document.place(path).unwrap_or(Place { line: 1, column: 1, width: 0, style: Style::Plain });
        let file = texts.texts.get(&document.file);
        let (line, column, width) = inside
            .zip(file)
            .and_then(|(inside, file)| scalar::locate(file, place, inside.text, &inside.characters))
            .unwrap_or((place.line, place.column, place.width));
        let kind = document.text("/kind").unwrap_or("?");
        let name = document.text("/metadata/name").unwrap_or("?");
        Self {
            file: document.file.clone(),
            line,
            column,
            width,
            error: true,
            message: String::new(),
            remedy: None,
            object: format!("{kind}/{name}"),
        }
    }
}

/// Writes findings for people, sorted by place; `wide`: with the object that each concerns.
pub fn write(findings: &[Finding], read: &Read, wide: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    for finding in findings {
        let hue = if finding.error { Hue::Red } else { Hue::Yellow };
        let kind = screen.paint(hue, if finding.error { "error" } else { "warning" });
        let Finding { file, line, column, message, .. } = finding;
        let about = if wide { format!("  [{}]", finding.object) } else { String::new() };
        screen.line(&format!("{file}:{line}:{column}  {kind}  {message}{about}"))?;
        let shown = read.texts.get(file).and_then(|t| t.lines().nth(line.saturating_sub(1)));
        let remedy = finding.remedy.as_deref().unwrap_or_default();
        match shown {
            Some(text) if finding.width > 0 => {
                screen.line(&format!("{line:>4} | {text}"))?;
                let marks = screen.paint(hue, &"^".repeat(finding.width));
                screen.line(&format!("     | {}{marks} {remedy}", " ".repeat(column.saturating_sub(1))))?;
            }
            _ if !remedy.is_empty() => screen.line(&format!("     | {remedy}"))?,
            _ => {}
        }
    }
    Ok(())
}
