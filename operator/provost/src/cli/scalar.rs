//! Where the characters of a text stand in the file: YAML folds lines, indents them and escapes characters.

use std::ops::Range;

use super::yaml::{Place, Style};

/// Line and column from 1, and how many characters to underline, of some characters of a scalar's text. `None` where the
/// file does not show the text as it is (an alias, say).
pub fn locate(file: &str, place: Place, text: &str, characters: &Range<usize>) -> Option<(usize, usize, usize)> {
    let lines: Vec<Vec<char>> = file.lines().map(|line| line.chars().collect()).collect();
    let mut reader = Reader::begin(&lines, place)?;
    let text: Vec<char> = text.chars().collect();
    let (mut first, mut last) = (None, None);
    // Blank lines before a block's first line are passed over by then.
    let leading = text.iter().take_while(|c| **c == '\n').count();
    let mut at = if reader.is_block() { leading } else { 0 };
    while let Some(c) = text.get(at) {
        let taken = reader.read(*c, text.get(at..)?)?;
        let here = at..at + taken.characters;
        if here.contains(&characters.start) {
            first = Some(taken.clone());
        }
        if here.contains(&characters.end.saturating_sub(1).max(characters.start)) {
            last = Some(taken);
            break;
        }
        at = here.end;
    }
    // What is missing at the end stands behind the text.
    let first = first.or_else(|| reader.here())?;
    let width = match last {
        Some(last) if last.line == first.line => last.columns.end.saturating_sub(first.columns.start),
        _ => lines.get(first.line)?.len().saturating_sub(first.columns.start),
    };
    Some((first.line + 1, first.columns.start + 1, width.max(1)))
}

/// What was read: so many characters of the text, which stand here.
#[derive(Clone)]
struct Taken {
    line: usize,
    columns: Range<usize>,
    characters: usize,
}

/// Reads the characters of one scalar from the lines of a file.
struct Reader<'f> {
    lines: &'f [Vec<char>],
    style: Style,
    /// From 0.
    line: usize,
    column: usize,
    /// The columns that a block takes away from each line.
    indent: usize,
}

impl<'f> Reader<'f> {
    fn begin(lines: &'f [Vec<char>], place: Place) -> Option<Self> {
        let (mut line, mut column) = (place.line.checked_sub(1)?, place.column.checked_sub(1)?);
        let mut indent = 0;
        match place.style {
            Style::Single | Style::Double => column += 1,
            Style::Literal | Style::Folded => {
                if matches!(lines.get(line)?.get(column), Some('|' | '>')) {
                    line += 1;
                }
                while is_blank(lines.get(line)?) {
                    line += 1;
                }
                indent = indentation(lines.get(line)?);
                column = indent;
            }
            Style::Plain => {}
        }
        Some(Self { lines, style: place.style, line, column, indent })
    }

    fn is_block(&self) -> bool {
        matches!(self.style, Style::Literal | Style::Folded)
    }

    fn here(&self) -> Option<Taken> {
        self.lines.get(self.line)?;
        Some(Taken { line: self.line, columns: self.column..self.column + 1, characters: 0 })
    }

    /// Reads one character, or what a line break stands for. `rest` is the text from there on.
    fn read(&mut self, c: char, rest: &[char]) -> Option<Taken> {
        let line = self.lines.get(self.line)?;
        if self.style == Style::Double && line.get(self.column..)? == ['\\'] {
            // An escaped line break says nothing.
            self.next_line()?;
            return self.read(c, rest);
        }
        let ends = if self.is_block() { line.len() } else { trimmed(line) };
        if self.column >= ends {
            return self.read_break(rest);
        }
        let columns = self.column..self.column + self.length(line, c)?;
        self.column = columns.end;
        Some(Taken { line: self.line, columns, characters: 1 })
    }

    /// How many characters of the file write this one.
    fn length(&self, line: &[char], c: char) -> Option<usize> {
        let found = *line.get(self.column)?;
        let next = line.get(self.column + 1).copied();
        match self.style {
            Style::Single if found == '\'' && next == Some('\'') => Some(2),
            Style::Double if found == '\\' => Some(match next? {
                'x' => 4,
                // JSON writes a wide character as two.
                'u' if c.len_utf16() == 2 => 12,
                'u' => 6,
                'U' => 10,
                _ => 2,
            }),
            _ => (found == c).then_some(1),
        }
    }

    /// A line break and the blank lines behind it: one space, or line breaks.
    fn read_break(&mut self, rest: &[char]) -> Option<Taken> {
        let from = self.line;
        let columns = self.column..self.column + 1;
        let breaks = rest.iter().take_while(|c| **c == '\n').count();
        self.next_line()?;
        let between = self.line - from;
        let characters = match rest.first()? {
            ' ' => 1,
            '\n' if self.is_block() => breaks,
            '\n' => breaks.min(between.saturating_sub(1).max(1)),
            _ => return None,
        };
        Some(Taken { line: from, columns, characters })
    }

    /// To where the text goes on in the next line that is not blank; behind the last one, to its end.
    fn next_line(&mut self) -> Option<()> {
        let next = (self.line + 1..self.lines.len()).find(|at| self.lines.get(*at).is_some_and(|line| !is_blank(line)));
        let Some(next) = next else {
            self.line += 1;
            self.column = 0;
            return Some(());
        };
        self.line = next;
        self.column = if self.is_block() { self.indent } else { indentation(self.lines.get(next)?) };
        Some(())
    }
}

fn is_blank(line: &[char]) -> bool {
    line.iter().all(|c| c.is_whitespace())
}

fn indentation(line: &[char]) -> usize {
    line.iter().take_while(|c| c.is_whitespace()).count()
}

fn trimmed(line: &[char]) -> usize {
    line.iter().rposition(|c| !c.is_whitespace()).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::super::yaml::documents;
    use super::*;

    /// The file's own characters where a part of the text of `spec.match` is said to stand.
    fn shown(file: &str, part: &str) -> (usize, String) {
        let document = documents("f.yaml", file).documents.remove(0);
        let text = document.text("/spec/match").unwrap().to_owned();
        let start = text.find(part).unwrap_or_else(|| panic!("{part:?} is not in {text:?}"));
        let start = text[..start].chars().count();
        let range = start..start + part.chars().count();
        let place = document.place("spec.match").unwrap();
        let Some((line, column, width)) = locate(file, place, &text, &range) else {
            return (0, format!("nothing of {text:?} at {place:?}"));
        };
        let line_text = file.lines().nth(line - 1).unwrap();
        (line, line_text.chars().skip(column - 1).take(width).collect())
    }

    #[test]
    fn every_style_of_text_is_underlined_where_it_stands() {
        let head = "kind: AccessPolicy\nspec:\n";
        let mut wrong = Vec::new();
        for (name, rule, part, line, expected) in [
            ("plain", "  match: identity.dept == x\n", "dept", 3, "dept"),
            ("plain, next line", "  match:\n    identity.dept == x\n", "dept", 4, "dept"),
            ("plain, folded", "  match: a == b &&\n      identity.dept == x\n", "dept", 4, "dept"),
            ("plain, behind a blank line", "  match: a &&\n\n    identity.dept == x\n", "dept", 5, "dept"),
            ("single", "  match: 'identity.dept == ''x'''\n", "dept", 3, "dept"),
            ("single, behind a doubled quote", "  match: '''x'' == identity.dept'\n", "dept", 3, "dept"),
            ("single, the quotes themselves", "  match: 'a == ''x'''\n", "'x'", 3, "''x''"),
            ("single, folded", "  match: 'a == ''é'' &&\n    ''y'' == identity.dept'\n", "dept", 4, "dept"),
            ("double", "  match: \"identity.dept == 1\"\n", "dept", 3, "dept"),
            ("double, behind escapes", "  match: \"a == \\\"x\\\" && identity.dept == 1\"\n", "dept", 3, "dept"),
            ("double, an escape itself", "  match: \"a == \\\"x\\\" && b\"\n", "\"x\"", 3, "\\\"x\\\""),
            ("double, escaped characters", "  match: \"'\\u00e9\\x41' == dept\"\n", "dept", 3, "dept"),
            ("double, folded", "  match: \"a == \\\"x\\\" &&\n    identity.dept == 1\"\n", "dept", 4, "dept"),
            ("double, a break escaped", "  match: \"a && \\\n    identity.dept == 1\"\n", "dept", 4, "dept"),
            ("double, a break written", "  match: \"a &&\\nidentity.dept == 1\"\n", "dept", 3, "dept"),
            ("literal", "  match: |\n    identity.dept == 1\n", "dept", 4, "dept"),
            ("literal, later", "  match: |-\n    a &&\n      b ||\n\n    identity.dept == 1\n", "dept", 7, "dept"),
            ("literal, behind blank lines", "  match: |\n\n    identity.dept == 1\n", "dept", 5, "dept"),
            ("literal, with a remark", "  match: | # why\n    identity.dept == 1\n", "dept", 4, "dept"),
            ("folded", "  match: >-\n    a == 1 &&\n    identity.dept == 1\n", "dept", 5, "dept"),
            ("folded, over blank lines", "  match: >\n    a &&\n\n    b &&\n    identity.dept\n", "dept", 7, "dept"),
            ("folded, more indented", "  match: >-\n    a &&\n      b &&\n    identity.dept\n", "dept", 6, "dept"),
        ] {
            for tail in ["", "  mode: Audit\n", "---\nkind: Group\n"] {
                let file = format!("{head}{rule}{tail}");
                let found = shown(&file, part);
                if found != (line, expected.to_owned()) {
                    wrong.push(format!("{name}: {found:?} in\n{file}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn what_goes_over_lines_is_underlined_to_the_end_of_the_first() {
        let file = "spec:\n  match: >-\n    identity.dept ==\n    1\n";
        assert_eq!(shown(file, "dept == 1"), (3, "dept ==".to_owned()));
    }

    #[test]
    fn json_and_wide_characters_are_counted_as_they_are_written() {
        let file = "{\"spec\": {\"match\": \"'\\ud83d\\ude00' == \\\"\\\" && dept\"}}";
        assert_eq!(shown(file, "dept"), (1, "dept".to_owned()));
        assert_eq!(shown("spec:\n  match: \"'\u{1F600}é' == dept\"\n", "dept"), (2, "dept".to_owned()));
    }

    #[test]
    fn an_alias_shows_nothing_of_its_text() {
        let file = "a: &r identity.dept\nspec:\n  match: *r\n";
        let document = documents("f.yaml", file).documents.remove(0);
        let text = document.text("/spec/match").unwrap();
        assert_eq!(locate(file, document.place("spec.match").unwrap(), text, &(9..13)), None);
    }
}
