//! Where answers go and how they are written: as text with or without colour, as JSON, YAML or names.

use std::io::Write;

use provost_core::explain::text;
use serde_json::Value;

use super::Failure;

/// The two streams, and whether the first is coloured.
pub struct Screen<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Progress and warnings.
    pub err: &'a mut dyn Write,
    /// Escape sequences are wanted.
    pub color: bool,
}

/// Whether answers are coloured.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether to colour (<https://no-color.org>: NO_COLOR counts if it is not empty).
    pub fn wanted(self, terminal: bool) -> bool {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && !set("NO_COLOR") && !dumb(),
        }
    }
}

/// How an answer is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people
    Table,
    /// For people who want all of it: one row each, nothing cut
    Wide,
    /// One JSON object a namespace, each on a line
    Json,
    /// The same as YAML documents
    Yaml,
    /// Names alone, as in identity.provost.dev/ada
    Name,
}

/// What a colour means.
#[derive(Clone, Copy, Debug)]
pub enum Hue {
    /// Wrong, taken away, a person must act.
    Red,
    /// Given.
    Green,
    /// A warning, or changed.
    Yellow,
}

impl Screen<'_> {
    /// A text in a colour, where colours are wanted.
    pub fn paint(&self, hue: Hue, text: &str) -> String {
        let code = match hue {
            Hue::Red => 31,
            Hue::Green => 32,
            Hue::Yellow => 33,
        };
        if self.color && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// One line of the answer.
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// Lines whose first sign says what is given, taken or changed.
    pub fn signed(&mut self, text: &str) -> Result<(), Failure> {
        for line in text.lines() {
            let hue = match line.trim_start().get(..2) {
                Some("+ ") => Some(Hue::Green),
                Some("- ") => Some(Hue::Red),
                Some("~ ") => Some(Hue::Yellow),
                _ => None,
            };
            let line = hue.map_or_else(|| line.to_owned(), |hue| self.paint(hue, line));
            self.line(&line)?;
        }
        Ok(())
    }

    /// A machine's answer: what kind of answer it is, about which namespace, and the answer. `docs/json.md` has the shapes.
    pub fn value(
        &mut self,
        output: Output,
        kind: &str,
        namespace: Option<&str>,
        answer: &Value,
    ) -> Result<(), Failure> {
        let mut value = serde_json::json!({"apiVersion": "cli.provost.dev/v1alpha1", "kind": kind, "answer": answer});
        if let (Some(namespace), Some(fields)) = (namespace, value.as_object_mut()) {
            fields.insert("namespace".to_owned(), namespace.into());
        }
        if output == Output::Yaml {
            let text = serde_saphyr::to_string(&value).map_err(|error| Failure::Said(error.to_string()))?;
            write!(self.out, "---\n{text}")?;
        } else {
            writeln!(self.out, "{}", serde_json::to_string(&value)?)?;
        }
        Ok(())
    }

    /// Rows below a head, each column as wide as its widest cell; the last one is never padded. Unless it may be `wide`, cells
    /// are folded at spaces, the widest column first, until a row has room.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>], wide: bool) -> Result<(), Failure> {
        let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
        let all = || std::iter::once(&head).chain(rows);
        let widest = |at: usize, of: fn(&str) -> usize| {
            all().filter_map(|row| row.get(at)).map(|cell| of(cell)).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..head.len()).map(|at| widest(at, text::columns)).collect();
        let least: Vec<usize> = (0..head.len()).map(|at| widest(at, longest_word)).collect();
        let room = text::WIDTH.saturating_sub(2 * head.len().saturating_sub(1));
        while !wide && widths.iter().sum::<usize>() > room {
            let folds = widths.iter_mut().zip(&least).filter(|(width, least)| **width > **least);
            let Some((width, _)) = folds.max_by_key(|(width, _)| **width) else { break };
            *width -= 1;
        }
        for row in all() {
            let cells: Vec<Vec<String>> =
                row.iter().zip(&widths).map(|(cell, width)| text::lines(cell, *width, *width)).collect();
            for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
                let cells = cells.iter().map(|cell| cell.get(line).map_or("", String::as_str)).zip(&widths);
                let padded: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
                writeln!(self.out, "{}", padded.join("  ").trim_end())?;
            }
        }
        Ok(())
    }

    /// `identity.provost.dev/ada`, as kubectl names objects.
    pub fn name(&mut self, kind: &str, name: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{}.provost.dev/{name}", kind.to_lowercase())?)
    }
}

fn longest_word(cell: &str) -> usize {
    cell.split(' ').map(text::columns).max().unwrap_or(0)
}
