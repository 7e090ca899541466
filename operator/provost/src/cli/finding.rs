//! What is wrong, where, and what to do: shown with the line underlined, as a compiler does.

use std::ops::Range;

use provost_core::explain::text;

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
        // Of a value of several lines the name is underlined.
        let wanted = inside.is_none() && place.width == 0;
        let name = if wanted { document.name(path).or_else(|| document.begins(place)) } else { None };
        let file = texts.texts.get(&document.file);
        let (line, column, width) = inside
            .zip(file)
            .and_then(|(inside, file)| scalar::locate(file, place, inside.text, &inside.characters))
            .or(name.map(|name| (name.line, name.column, name.width)))
            .unwrap_or((place.line, place.column, place.width));
        Self {
            file: document.file.clone(),
            line,
            column,
            width,
            error: true,
            message: String::new(),
            remedy: None,
            object: object(document),
        }
    }
}

/// `Kind/name` of what a document says.
pub fn object(document: &Document) -> String {
    let kind = document.text("/kind").unwrap_or("?");
    format!("{kind}/{}", document.text("/metadata/name").unwrap_or("?"))
}

/// Writes findings for people, sorted by place; `wide`: with the object that each concerns, and nothing folded or cut.
pub fn write(findings: &[Finding], read: &Read, wide: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    for finding in findings {
        let hue = if finding.error { Hue::Red } else { Hue::Yellow };
        let kind = if finding.error { "error" } else { "warning" };
        let Finding { file, line, column, message, .. } = finding;
        let about = if wide { format!("  [{}]", finding.object) } else { String::new() };
        let start = format!("{file}:{line}:{column}  ");
        let said = format!("{kind}  {message}{about}");
        let said = if wide { format!("{start}{said}") } else { text::folded(&start, &said, MARGIN) };
        let painted = screen.paint(hue, kind);
        let rest = said.get(start.len() + kind.len()..).unwrap_or_default();
        screen.line(&format!("{start}{painted}{rest}"))?;
        let shown = read.texts.get(file).and_then(|t| t.lines().nth(line.saturating_sub(1)));
        let remedy = finding.remedy.as_deref().unwrap_or_default();
        match shown {
            Some(text) if finding.width > 0 => underlined(finding, text, remedy, hue, wide, screen)?,
            _ if !remedy.is_empty() => screen.line(&advice(remedy, wide))?,
            _ => {}
        }
    }
    Ok(())
}

/// Columns before the text of a line.
const MARGIN: usize = 7;

/// A line with the marks below it, and behind or below these what to do.
fn underlined(
    finding: &Finding,
    text: &str,
    remedy: &str,
    hue: Hue,
    wide: bool,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let at = finding.column.saturating_sub(1);
    let (text, at, width) = if wide { (text.to_owned(), at, finding.width) } else { part(text, at, finding.width) };
    screen.line(&format!("{:>4} | {text}", finding.line))?;
    let marks = screen.paint(hue, &"^".repeat(width));
    let marks = format!("     | {}{marks}", " ".repeat(at));
    let fits = MARGIN + at + width + 1 + remedy.chars().count() <= text::WIDTH;
    if fits || wide || remedy.is_empty() {
        return screen.line(format!("{marks} {remedy}").trim_end());
    }
    screen.line(&marks)?;
    screen.line(&advice(remedy, wide))
}

fn advice(remedy: &str, wide: bool) -> String {
    if wide { format!("     | {remedy}") } else { text::wrapped("     | ", remedy).replace("\n       ", "\n     | ") }
}

/// The part of a line that has room, with what is to be underlined in it: the part, the place in it, and how much.
fn part(text: &str, at: usize, width: usize) -> (String, usize, usize) {
    let room = text::WIDTH - MARGIN;
    let all: Vec<char> = text.chars().collect();
    if all.len() <= room {
        return (text.to_owned(), at, width);
    }
    let dots = "...";
    let from = if at + width <= room - dots.len() { 0 } else { at.saturating_sub(room / 4) };
    let head = if from == 0 { "" } else { dots };
    let tail = if all.len() - from + head.len() > room { dots } else { "" };
    let count = room - head.len() - tail.len();
    let shown: String = all.iter().skip(from).take(count).collect();
    let at = at - from;
    (format!("{head}{shown}{tail}"), head.len() + at, width.min(count.saturating_sub(at)).max(1))
}
