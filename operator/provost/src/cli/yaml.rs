//! YAML and JSON text with positions: every document as a value, and where each field stands in the file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use granit_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::Value;
use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

/// One document of a file.
#[derive(Debug)]
pub struct Document {
    /// The file, as the user named it.
    pub file: String,
    /// What it says.
    pub value: Value,
    places: BTreeMap<String, Place>,
    /// Where the names of fields stand.
    names: BTreeMap<String, Place>,
}

/// Where a field's value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Characters up to the end of the value, if it ends on the same line.
    pub width: usize,
    /// How a text is written: decides where its characters stand.
    pub style: Style,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is, or a mapping or list.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes.
    Double,
    /// Behind `|`.
    Literal,
    /// Behind `>`.
    Folded,
}

/// What a text holds.
#[derive(Debug, Default)]
pub struct Found {
    /// The documents that could be read; empty ones are left out.
    pub documents: Vec<Document>,
    /// Those that could not.
    pub unreadable: Vec<Unreadable>,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The file, as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: Option<&'static str>,
}

/// Reads every document of a text. Behind one that is broken it goes on with the next.
pub fn documents(file: &str, text: &str) -> Found {
    let mut found = Found::default();
    let mut text = text.to_owned();
    while let Some(broken) = pass(file, &text, &mut found) {
        let next = text.lines().enumerate().skip(broken).find(|(_, line)| is_marker(line));
        let Some((line, _)) = next else { break };
        // Lines keep their numbers.
        let rest: Vec<&str> = text.lines().skip(line).collect();
        text = format!("{}{}\n", "\n".repeat(line), rest.join("\n"));
    }
    found
}

/// Whether a document begins there: behind `---` comes a blank or nothing (YAML 1.2, 9.1.4).
pub fn is_marker(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// Reads documents up to one that is broken; answers the number of the line in which that one begins.
fn pass(file: &str, text: &str, found: &mut Found) -> Option<usize> {
    let mut walk = Walk::default();
    let (mut start, mut first) = (0, 0);
    for next in Parser::new_from_str(text) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(e) => {
                let at = e.marker();
                found.unreadable.push(unreadable(file, at.line(), at.col() + 1, &e.info()));
                return Some(first.max(1));
            }
        };
        match event {
            Event::DocumentStart(explicit, _) => {
                walk = Walk::default();
                let marker = if explicit { span.end } else { span.start };
                start = marker.byte_offset().unwrap_or(start);
                first = span.start.line();
            }
            Event::DocumentEnd => {
                let end = span.start.byte_offset().unwrap_or(text.len());
                let slice = text.get(start..end).unwrap_or_default();
                let Walk { places, names, .. } = std::mem::take(&mut walk);
                match value(file, slice, &places) {
                    Ok(Value::Null) => {}
                    Ok(value) => found.documents.push(Document { file: file.to_owned(), value, places, names }),
                    Err(error) => found.unreadable.push(error),
                }
                start = end;
            }
            event => walk.event(&event, span),
        }
    }
    None
}

fn value(file: &str, slice: &str, places: &BTreeMap<String, Place>) -> Result<Value, Unreadable> {
    let Some(first) = places.values().map(|p| p.line).min() else { return Ok(Value::Null) };
    serde_saphyr::from_str(slice).map_err(|e| {
        let (line, column) = e.location().map_or((0, 0), |at| (as_usize(at.line()), as_usize(at.column())));
        // Lines are counted from where the text of the document begins, which its marker or a blank line may do.
        let blank = slice.lines().take_while(|line| line.trim().is_empty() || line.starts_with('#')).count();
        let line = (first + line.saturating_sub(1)).saturating_sub(blank);
        let column = column.max(1);
        if let Error::Budget { breach, .. } = e.without_snippet() {
            let (message, remedy) = too_much(breach);
            return Unreadable {
                file: file.to_owned(),
                line,
                column,
                message: message.to_owned(),
                remedy: Some(remedy),
            };
        }
        unreadable(file, line, column, &e.without_snippet().to_string())
    })
}

/// What the reader of YAML takes of one document at most, in our words.
fn too_much(breach: &BudgetBreach) -> (&'static str, &'static str) {
    match breach {
        BudgetBreach::Depth { .. } => ("it is nested too deep", "nest it less: 64 levels are read"),
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::MergeKeys { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. } => {
            ("it has too many anchors and aliases", "write out what they stand for")
        }
        _ => (
            "it is too large for one document",
            "split the file: a document, or a List, may have 250,000 fields and values",
        ),
    }
}

/// What the parsers say, without what is for programmers, and with a remedy for what happens most.
fn unreadable(file: &str, line: usize, column: usize, said: &str) -> Unreadable {
    let message = said.split(", set ").next().and_then(|said| said.split(" at line ").next()).unwrap_or(said);
    let remedy = [
        ("tab", "indent with spaces: YAML takes no tabs there"),
        ("duplicate", "write each field once"),
        ("bracket", "close the bracket that was opened before"),
        ("flow", "close the bracket that was opened before"),
        ("quoted", "close the quote that was opened before"),
        ("mapping values", "put a text with ': ' in it in quotes, and indent fields of one mapping alike"),
        ("simple key", "write ': ' behind the name of a field, and put a text of several lines behind '|'"),
        ("did not find expected", "indent fields of one mapping alike, and put texts with signs of YAML in quotes"),
    ];
    let remedy = remedy.iter().find(|(word, _)| message.contains(word)).map(|(_, remedy)| *remedy);
    Unreadable { file: file.to_owned(), line, column, message: message.to_owned(), remedy }
}

fn as_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

impl Document {
    /// Where a field stands, or else its nearest parent that is there. List items may be named by index or by key:
    /// `spec.emails[1].value`, `spec.account.attributes[name=title].expression`.
    pub fn place(&self, path: &str) -> Option<Place> {
        // As it is first: a name may have dots and brackets of its own.
        if let Some(place) = self.places.get(path) {
            return Some(*place);
        }
        let mut at = self.indexed(path);
        // An item that is named by one of its fields is shown there.
        let key = path.strip_suffix(']').and_then(|path| path.rsplit_once('[')?.1.split_once('='));
        if let Some(place) = key.and_then(|(key, _)| self.places.get(&join(&at, key))) {
            return Some(*place);
        }
        loop {
            if let Some(place) = self.places.get(&at) {
                return Some(*place);
            }
            // What is missing at the top belongs to the kind.
            let Some(cut) = at.rfind(['.', '[']) else { return self.places.get("kind").copied() };
            at.truncate(cut);
        }
    }

    /// Where the name of a field stands.
    pub fn name(&self, path: &str) -> Option<Place> {
        self.names.get(path).or_else(|| self.names.get(&self.indexed(path))).copied()
    }

    /// The name of a field that begins there: of an item of a list that has no name of its own, its first field's.
    pub fn begins(&self, place: Place) -> Option<Place> {
        self.names.values().find(|name| (name.line, name.column) == (place.line, place.column)).copied()
    }

    /// Every field, with the line in which its value begins.
    pub fn lines(&self) -> impl Iterator<Item = (&str, usize)> {
        self.places.iter().map(|(path, place)| (path.as_str(), place.line))
    }

    /// The path with every `[key=value]` turned into an index.
    pub fn indexed(&self, path: &str) -> String {
        let mut out = String::new();
        let mut here = Some(&self.value);
        let mut rest = path;
        while !rest.is_empty() {
            if let Some((item, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
                let index = index(here, item);
                let _ = write!(out, "[{index}]");
                here = here.and_then(|v| v.get(index));
                rest = after;
            } else {
                rest = rest.strip_prefix('.').unwrap_or(rest);
                // From the second character on, so that a `[` that is never closed is taken as well.
                let end = rest.char_indices().skip(1).find(|(_, c)| matches!(c, '.' | '['));
                let (field, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
                out = join(&out, field);
                here = here.and_then(|v| v.get(field));
                rest = after;
            }
        }
        out
    }

    /// The documents of a `List`, as `kubectl get -o yaml` writes it, each with its own places; anything else as it is.
    pub fn expand(self) -> Vec<Self> {
        let listed = self.text("/kind").is_some_and(|kind| kind.ends_with("List"));
        let Some(items) = self.value.get("items").and_then(Value::as_array).filter(|_| listed) else {
            return vec![self];
        };
        let item = |(index, value): (usize, &Value)| {
            let own = format!("items[{index}]");
            let below = |(path, place): (&String, &Place)| {
                let rest = path.strip_prefix(&own)?;
                Some((rest.strip_prefix('.').unwrap_or(rest).to_owned(), *place))
            };
            let places = self.places.iter().filter_map(below).collect();
            let names = self.names.iter().filter_map(below).collect();
            Self { file: self.file.clone(), value: value.clone(), places, names }
        };
        items.iter().enumerate().map(item).collect()
    }

    /// That the document as a whole is none.
    pub fn broken(&self, message: &str, remedy: &'static str) -> Unreadable {
        let place = self.places.get("").map_or((1, 1), |place| (place.line, place.column));
        let (file, message) = (self.file.clone(), message.to_owned());
        Unreadable { file, line: place.0, column: place.1, message, remedy: Some(remedy) }
    }

    /// Where the document begins, as `file:line`.
    pub fn declared(&self) -> String {
        format!("{}:{}", self.file, self.places.get("").map_or(1, |place| place.line))
    }

    /// A text at the top of the document or in its metadata.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str)
    }
}

fn index(list: Option<&Value>, item: &str) -> usize {
    if let Ok(index) = item.parse() {
        return index;
    }
    let (key, wanted) = item.split_once('=').unwrap_or(("name", item));
    list.and_then(Value::as_array)
        .and_then(|list| list.iter().position(|v| v.get(key).and_then(Value::as_str) == Some(wanted)))
        .unwrap_or(usize::MAX)
}

/// Follows the events of one document and notes where each value stands.
#[derive(Default)]
struct Walk {
    places: BTreeMap<String, Place>,
    names: BTreeMap<String, Place>,
    open: Vec<Open>,
}

enum Open {
    Map { path: String, key: Option<String> },
    List { path: String, next: usize },
}

impl Walk {
    fn event(&mut self, event: &Event<'_>, span: Span) {
        match event {
            Event::MappingStart(..) => {
                let path = self.enter();
                self.note(&path, span, Style::Plain);
                self.open.push(Open::Map { path, key: None });
            }
            Event::SequenceStart(..) => {
                let path = self.enter();
                self.note(&path, span, Style::Plain);
                self.open.push(Open::List { path, next: 0 });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let closed = self.open.pop();
                // In brackets on one line: all of it.
                if let Some(Open::Map { path, .. } | Open::List { path, .. }) = closed
                    && let Some(place) = self.places.get_mut(&path)
                    && place.width > 0
                    && place.line == span.end.line()
                {
                    place.width = (span.end.col() + 1).saturating_sub(place.column);
                }
            }
            Event::Scalar(text, style, ..) => self.scalar(text, *style, span),
            Event::Alias(_) => {
                let path = self.enter();
                self.note(&path, span, Style::Plain);
            }
            _ => {}
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) {
        if let Some(Open::Map { key: key @ None, path }) = self.open.last_mut() {
            *key = Some(text.to_owned());
            // Until the value comes, the key's own place stands for the field (an empty value has none).
            let path = join(path, text);
            self.note(&path, span, Style::Plain);
            if let Some(place) = self.places.get(&path) {
                self.names.insert(path, *place);
            }
            return;
        }
        let path = self.enter();
        let style = match style {
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
            ScalarStyle::Plain => Style::Plain,
        };
        self.note(&path, span, style);
    }

    /// The path of the value that begins here; moves the parent on.
    fn enter(&mut self) -> String {
        match self.open.last_mut() {
            None => String::new(),
            Some(Open::Map { path, key }) => join(path, &key.take().unwrap_or_default()),
            Some(Open::List { path, next }) => {
                *next += 1;
                format!("{path}[{}]", *next - 1)
            }
        }
    }

    fn note(&mut self, path: &str, span: Span, style: Style) {
        let width =
            if span.start.line() == span.end.line() { span.end.col().saturating_sub(span.start.col()) } else { 0 };
        let place = Place { line: span.start.line(), column: span.start.col() + 1, width, style };
        self.places.insert(path.to_owned(), place);
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# people\nkind: Identity\nmetadata: {name: ada}\nspec:\n  emails:\n    - value: a@b.c\n      primary: true\n  match: 'x == 1'\n---\nkind: Group\nspec:\n  members:\n    - {kind: Identity, name: bob}\n";

    #[test]
    fn every_document_is_read_with_the_place_of_each_field() {
        let docs = documents("f.yaml", TEXT).documents;
        assert_eq!(docs.len(), 2);
        let place = |doc: usize, path: &str| docs[doc].place(path).map(|p| (p.line, p.column));
        assert_eq!(place(0, "spec.emails[0].value"), Some((6, 14)));
        assert_eq!(place(0, "spec.emails[value=a@b.c].primary"), Some((7, 16)));
        assert_eq!(place(0, "spec.match"), Some((8, 10)));
        assert_eq!(place(1, "spec.members[name=bob].name"), Some((13, 30)));
        assert_eq!(docs[1].text("/spec/members/0/name"), Some("bob"));
    }

    #[test]
    fn a_field_that_is_missing_is_placed_at_its_nearest_parent() {
        let docs = documents("f.yaml", TEXT).documents;
        assert_eq!(docs[0].place("spec.lifecycle.endTime").map(|p| p.line), Some(5));
    }

    #[test]
    fn a_bracket_that_is_never_closed_is_part_of_a_name() {
        let docs = documents("f.yaml", "kind: Identity\nspec:\n  \"ti[tle\": x\n  emails[: [{value: a}]\n").documents;
        for (path, line) in
            [("spec.ti[tle", 3), ("spec.emails[", 4), ("spec.emails[[0].value", 4), ("spec.no[where", 3)]
        {
            assert_eq!(docs[0].place(path).map(|p| p.line), Some(line), "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_name_has_an_end_and_its_own_place(names in proptest::collection::vec("[a-c.=\\[\\]0-1]{0,6}", 1..4)) {
            let innermost = names.iter().rev().fold(Value::from("x"), |inner, name| serde_json::json!({ name: inner }));
            let docs = documents("f.json", &serde_json::json!({"spec": innermost}).to_string()).documents;
            let path = names.iter().fold("spec".to_owned(), |path, name| join(&path, name));
            let place = docs[0].place(&path).unwrap();
            proptest::prop_assert_eq!((place.line, place.style), (1, Style::Double));
            docs[0].place(&format!("{path}[")).unwrap();
        }
    }

    #[test]
    fn broken_yaml_says_where() {
        let found = documents("f.yaml", "kind: Identity\nspec: [\n");
        assert!(found.unreadable[0].line >= 2, "{found:?}");
    }

    #[test]
    fn behind_a_document_that_is_broken_the_others_are_read_in_their_own_lines() {
        let text = "kind: A\n---\nkind: {B\nspec: x\n---\n# c\nkind: C\na: 1\na: 2\n--- # d\nkind: D\n---\nkind: 'E\n---\nkind: F\n";
        let found = documents("f.yaml", text);
        let read: Vec<_> = found.documents.iter().map(|d| (d.text("/kind").unwrap(), d.declared())).collect();
        assert_eq!(read, [("A", "f.yaml:1".into()), ("D", "f.yaml:11".into()), ("F", "f.yaml:15".to_owned())]);
        let wrong: Vec<_> = found.unreadable.iter().map(|e| (e.line, e.remedy.is_some())).collect();
        assert_eq!(wrong, [(3, true), (9, true), (13, true)], "{:?}", found.unreadable);
    }

    #[test]
    fn a_document_begins_at_a_marker_and_not_at_a_field_that_begins_like_one() {
        let text = "kind: {A\n---foo: x\nkind: B\n---\nkind: C\n";
        let found = documents("f.yaml", text);
        let read: Vec<_> = found.documents.iter().map(|d| d.text("/kind").unwrap_or_default()).collect();
        assert_eq!(read, ["C"], "{:?}", found.unreadable);
        for (line, is) in [("---", true), ("--- x", true), ("---\t# x", true), ("---x", false), ("----", false)] {
            assert_eq!(is_marker(line), is, "{line}");
        }
    }

    #[test]
    fn a_document_that_is_too_much_for_the_reader_is_told_in_our_words() {
        let flat = format!("kind: List\nitems: [{}]\n", "1, ".repeat(250_000));
        let deep = format!("a: {}{}\n", "[".repeat(70), "]".repeat(70));
        let alias = format!("a: &a 1\nb: [{}]\n", "*a, ".repeat(200));
        for (text, message, remedy) in [
            (flat, "it is too large for one document", "split the file"),
            (deep, "it is nested too deep", "nest it less"),
            (alias, "it has too many anchors and aliases", "write out"),
        ] {
            let found = documents("f.yaml", &text);
            let said: Vec<_> = found.unreadable.iter().map(|e| (&*e.message, e.remedy.unwrap_or_default())).collect();
            let [(said, advice)] = said[..] else { panic!("{said:?}") };
            assert!(said == message && advice.starts_with(remedy), "{said}; {advice}");
        }
    }

    #[test]
    fn a_list_is_its_items_with_their_own_places() {
        let text = "kind: List\nitems:\n- kind: Group\n  metadata: {name: a}\n- kind: Group\n  metadata: {name: b}\n";
        let docs: Vec<Document> = documents("f.yaml", text).documents.into_iter().flat_map(Document::expand).collect();
        let said: Vec<_> = docs.iter().map(|d| (d.text("/metadata/name").unwrap(), d.declared())).collect();
        assert_eq!(said, [("a", "f.yaml:3".to_owned()), ("b", "f.yaml:5".to_owned())]);
        assert_eq!(docs[1].place("metadata.name").map(|p| p.line), Some(6));
    }

    #[test]
    fn json_is_read_too() {
        let docs = documents("f.json", "{\"kind\": \"Group\",\n \"spec\": {\"match\": \"x\"}}").documents;
        assert_eq!(docs[0].place("spec.match").map(|p| (p.line, p.column)), Some((2, 20)));
    }
}
