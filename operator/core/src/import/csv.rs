//! Tables in CSV (RFC 4180): cells in quotes may hold commas, line breaks and quotes written twice.

/// What is wrong with a table, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct Misplaced {
    /// From 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
    /// What is wrong, and what one may do about it.
    pub message: String,
}

/// A cell and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub line: usize,
    pub column: usize,
    pub text: String,
}

impl Cell {
    pub fn wrong(&self, message: impl Into<String>) -> Misplaced {
        Misplaced { line: self.line, column: self.column, message: message.into() }
    }
}

/// The records of a table; lines with nothing on them are none.
pub(super) fn records(text: &str) -> Result<Vec<Vec<Cell>>, Misplaced> {
    let mut reader =
        Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable(), line: 1, column: 1 };
    let mut records = Vec::new();
    while reader.rest.peek().is_some() {
        let record = reader.record()?;
        if record.len() > 1 || record.iter().any(|cell| !cell.text.is_empty()) {
            records.push(record);
        }
    }
    Ok(records)
}

struct Reader<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    line: usize,
    column: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn next_if(&mut self, wanted: char) -> bool {
        self.rest.peek() == Some(&wanted) && self.next().is_some()
    }

    /// Up to the end of its line.
    fn record(&mut self) -> Result<Vec<Cell>, Misplaced> {
        let mut cells = Vec::new();
        loop {
            cells.push(self.cell()?);
            if self.next_if(',') {
                continue;
            }
            self.next_if('\r');
            self.next_if('\n');
            return Ok(cells);
        }
    }

    fn cell(&mut self) -> Result<Cell, Misplaced> {
        let mut cell = Cell { line: self.line, column: self.column, text: String::new() };
        if !self.next_if('"') {
            while let Some(c) = self.rest.peek().copied().filter(|c| !matches!(c, ',' | '\n' | '\r')) {
                if c == '"' {
                    return Err(cell.wrong("a quote stands within a cell that does not begin with one; put the whole cell in quotes, and write each quote in it twice"));
                }
                cell.text.extend(self.next());
            }
            return Ok(cell);
        }
        loop {
            match self.next() {
                Some('"') if self.next_if('"') => cell.text.push('"'),
                Some('"') => break,
                Some(c) => cell.text.push(c),
                None => return Err(cell.wrong("the quote that begins here is never closed")),
            }
        }
        match self.rest.peek() {
            None | Some(',' | '\n' | '\r') => Ok(cell),
            Some(_) => {
                Err(cell
                    .wrong("something stands after the closing quote of this cell; a quote within it is written twice"))
            }
        }
    }
}
