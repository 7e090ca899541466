//! The tokens of a rule, and the limits that hold before any parser sees it: the parser and everything behind it
//! recurse, so the depth of the tree is bounded here, from the tokens alone.

use std::ops::Range;

use super::diagnostic::Diagnostic;

/// Longest source of a rule, in bytes.
pub(super) const MAX_BYTES: usize = 4096;
/// Most brackets that may be open at one place.
const MAX_NESTING: usize = 24;
/// Greatest depth of the syntax tree, estimated from above: operators, selectors and brackets that enclose one another.
const MAX_DEPTH: u32 = 96;

/// What a token is, as far as the limits and the spans need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword other than `in`.
    Name,
    /// A number, a text or bytes.
    Literal,
    /// `(`, `[`, `{`.
    Open,
    /// `)`, `]`, `}`.
    Close,
    /// `&&` or `||`.
    Logic,
    /// `?`.
    Question,
    /// `:`.
    Colon,
    /// `,`.
    Comma,
    /// `.`.
    Dot,
    /// Every other operator, `in` among them.
    Operator,
}

/// A token and where it stands, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub span: Range<usize>,
}

/// Splits a rule into tokens and holds it against the limits.
pub(super) fn scan(source: &str) -> Result<Vec<Token>, Diagnostic> {
    if source.len() > MAX_BYTES {
        let text = format!("the expression is {} bytes long; at most {MAX_BYTES} are allowed", source.len());
        let remedy = "shorten it, or move a part of it into the rule of a Group";
        return Err(Diagnostic::error(source, 0..0, text, remedy));
    }
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    if tokens.is_empty() {
        let remedy = "write one, or leave the field out";
        return Err(Diagnostic::error(source, 0..source.len(), "the expression is empty", remedy));
    }
    Depth::check(source, &tokens)?;
    Ok(tokens)
}

/// One open bracket (or the whole source) while the depth is counted.
#[derive(Default)]
struct Level {
    /// Where it was opened.
    open: usize,
    /// Links of the present chain: operators, selectors, unary signs.
    chain: u32,
    /// Deepest bracket within the present chain.
    inner: u32,
    /// Deepest chain so far.
    deepest: u32,
    /// Right-nested conditionals.
    questions: u32,
    /// `&&` and `||`, which become balanced trees.
    logic: u32,
}

impl Level {
    /// Ends a chain at `&&`, `||`, `?`, `:` or `,`.
    fn end_chain(&mut self) {
        self.deepest = self.deepest.max(self.chain + self.inner);
        self.chain = 0;
        self.inner = 0;
    }

    /// The depth of the whole level.
    fn depth(&mut self) -> u32 {
        self.end_chain();
        self.deepest + self.questions + (u32::BITS - self.logic.leading_zeros())
    }
}

struct Depth<'a> {
    source: &'a str,
    levels: Vec<Level>,
}

impl<'a> Depth<'a> {
    fn check(source: &'a str, tokens: &[Token]) -> Result<(), Diagnostic> {
        let mut depth = Self { source, levels: vec![Level::default()] };
        for token in tokens {
            depth.take(token)?;
        }
        match depth.levels.as_slice() {
            [_] | [] => Ok(()),
            [.., level] => {
                let open = level.open;
                let found = source.get(open..=open).unwrap_or_default();
                let remedy = format!("write '{}' where it ends", closes(found));
                Err(Diagnostic::error(source, open..open + 1, format!("'{found}' is never closed"), remedy))
            }
        }
    }

    fn take(&mut self, token: &Token) -> Result<(), Diagnostic> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        match token.kind {
            Kind::Open => self.levels.push(Level { open: token.span.start, ..Level::default() }),
            Kind::Close => return self.close(token),
            Kind::Logic => {
                level.end_chain();
                level.logic += 1;
            }
            Kind::Question => {
                level.end_chain();
                level.questions += 1;
            }
            Kind::Colon | Kind::Comma => level.end_chain(),
            Kind::Dot | Kind::Operator => level.chain += 1,
            Kind::Name | Kind::Literal => {}
        }
        self.within_limits(token)
    }

    fn close(&mut self, token: &Token) -> Result<(), Diagnostic> {
        let found = self.source.get(token.span.clone()).unwrap_or_default();
        let Some(mut closed) = self.levels.pop().filter(|_| !self.levels.is_empty()) else {
            let text = format!("'{found}' was never opened");
            let remedy = "take it out, or write the bracket that opens it";
            return Err(Diagnostic::error(self.source, token.span.clone(), text, remedy));
        };
        let open = self.source.get(closed.open..=closed.open).unwrap_or_default();
        if !matches!((open, found), ("(", ")") | ("[", "]") | ("{", "}")) {
            let text = format!("found '{found}' where '{open}' should be closed");
            let remedy = format!("write '{}' there", closes(open));
            return Err(Diagnostic::error(self.source, token.span.clone(), text, remedy));
        }
        let depth = closed.depth() + 1;
        if let Some(level) = self.levels.last_mut() {
            level.inner = level.inner.max(depth);
            // `f(..)` and `a[..]` are links of the chain around them too.
            level.chain += 1;
        }
        self.within_limits(token)
    }

    fn within_limits(&mut self, token: &Token) -> Result<(), Diagnostic> {
        let remedy = "shorten it, or move a part of it into the rule of a Group";
        let refuse = |text: String| Err(Diagnostic::error(self.source, token.span.clone(), text, remedy));
        if self.levels.len() > MAX_NESTING + 1 {
            return refuse(format!("brackets are nested deeper than {MAX_NESTING}"));
        }
        let depth: u32 = self.levels.iter().map(|l| l.deepest.max(l.chain + l.inner) + l.questions + 1).sum();
        if depth > MAX_DEPTH {
            return refuse(format!("the expression is nested or chained deeper than {MAX_DEPTH} operators"));
        }
        Ok(())
    }
}

/// The bracket that closes another.
fn closes(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn refuse(&self, span: Range<usize>, text: impl Into<String>, remedy: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.source, span, text, remedy)
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(c) = rest.chars().next().filter(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')) {
                self.at += c.len_utf8();
            } else {
                return;
            }
        }
    }

    fn next(&mut self) -> Result<Option<Token>, Diagnostic> {
        self.skip_blank();
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let start = self.at;
        let length_while = |f: fn(char) -> bool| rest.find(|c| !f(c)).unwrap_or(rest.len());
        let (kind, length) = if let Some(length) = self.string()? {
            (Kind::Literal, length)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = length_while(|c| c.is_ascii_alphanumeric() || c == '_');
            (if rest.get(..length) == Some("in") { Kind::Operator } else { Kind::Name }, length)
        } else if first.is_ascii_digit() || (first == '.' && rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit())) {
            (Kind::Literal, number(rest))
        } else {
            self.sign(first)?
        };
        self.at += length;
        Ok(Some(Token { kind, span: start..self.at }))
    }

    fn sign(&self, first: char) -> Result<(Kind, usize), Diagnostic> {
        let two = self.rest().get(..2).unwrap_or_default();
        Ok(match (first, two) {
            (_, "&&" | "||") => (Kind::Logic, 2),
            (_, "==" | "!=" | "<=" | ">=") => (Kind::Operator, 2),
            ('(' | '[' | '{', _) => (Kind::Open, 1),
            (')' | ']' | '}', _) => (Kind::Close, 1),
            ('?', _) => (Kind::Question, 1),
            (':', _) => (Kind::Colon, 1),
            (',', _) => (Kind::Comma, 1),
            ('.', _) => (Kind::Dot, 1),
            ('<' | '>' | '+' | '-' | '*' | '/' | '%' | '!', _) => (Kind::Operator, 1),
            _ => {
                let span = self.at..self.at + first.len_utf8();
                let remedy = match first {
                    '=' => "equality is written ==",
                    '&' => "and is written &&",
                    '|' => "or is written ||",
                    '`' => "write a[\"name\"] for a key that is no plain name",
                    '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => "use straight quotes",
                    _ => "take it out, or put the text that it belongs to in quotes",
                };
                return Err(self.refuse(span, format!("unexpected character '{}'", first.escape_debug()), remedy));
            }
        })
    }

    /// The length of the text or bytes literal that begins here, if one does.
    fn string(&self) -> Result<Option<usize>, Diagnostic> {
        let rest = self.rest();
        let prefix = rest.find(|c: char| !matches!(c, 'r' | 'R' | 'b' | 'B')).unwrap_or(rest.len());
        let (Some(letters), Some(body)) = (rest.get(..prefix), rest.get(prefix..)) else { return Ok(None) };
        if prefix > 2 || !body.starts_with(['"', '\'']) {
            return Ok(None);
        }
        let lower = letters.to_ascii_lowercase();
        // As the grammar has it: bytes may be raw ("br"), a raw text has the one letter.
        if !matches!(lower.as_str(), "" | "r" | "b" | "br") {
            let span = self.at..self.at + prefix;
            return Err(self.refuse(
                span,
                format!("'{letters}' is no prefix of a text or of bytes"),
                "write r\"..\" or b\"..\"",
            ));
        }
        let (raw, bytes) = (lower.contains('r'), lower.contains('b'));
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| body.starts_with(q)).unwrap_or("\"");
        let content = prefix + quote.len();
        let mut at = content;
        loop {
            let Some(left) = rest.get(at..).filter(|left| !left.is_empty()) else {
                let span = self.at..self.at + content;
                return Err(self.refuse(
                    span,
                    format!("{quote} is never closed"),
                    format!("write {quote} where it ends"),
                ));
            };
            if left.starts_with(quote) {
                return Ok(Some(at + quote.len()));
            }
            let c = left.chars().next().unwrap_or_default();
            if c == '\\' && !raw {
                at += self.escape(left, self.at + at, bytes)?;
            } else if matches!(c, '\n' | '\r') && quote.len() == 1 {
                let span = self.at..self.at + content;
                let remedy = "write \\n, or use \"\"\" around a text of several lines";
                return Err(self.refuse(span, format!("{quote} is not closed on its line"), remedy));
            } else {
                at += c.len_utf8();
            }
        }
    }

    /// The length of the escape sequence that begins here.
    fn escape(&self, text: &str, at: usize, bytes: bool) -> Result<usize, Diagnostic> {
        let digits = |from: usize, count: usize, radix: u32| {
            text.get(from..from + count).is_some_and(|d| d.chars().all(|c| c.is_digit(radix))).then_some(from + count)
        };
        let length = match text.chars().nth(1) {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`') => Some(2),
            Some('x' | 'X') => digits(2, 2, 16),
            Some('u') if !bytes => digits(2, 4, 16),
            Some('U') if !bytes => digits(2, 8, 16),
            Some('0'..='3') => digits(1, 3, 8),
            _ => None,
        };
        length.ok_or_else(|| {
            let found: String = text.chars().take(2).collect();
            let text = format!("'{}' is no escape sequence", found.escape_debug());
            let remedy = "write \\\\ for a backslash, or r\"..\" for a text without escapes";
            self.refuse(at..at + found.len(), text, remedy)
        })
    }
}

/// The length of the number that begins here.
fn number(text: &str) -> usize {
    let digits = |from: usize, hex: bool| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.find(|c: char| !(c.is_ascii_digit() || hex && c.is_ascii_hexdigit())).unwrap_or(rest.len())
    };
    let mut at = if text.starts_with("0x") { digits(2, true) } else { digits(0, false) };
    if text.get(at..).is_some_and(|t| t.starts_with('.')) && digits(at + 1, false) > at + 1 {
        at = digits(at + 1, false);
    }
    if text.get(at..).is_some_and(|t| t.starts_with(['e', 'E'])) {
        let sign = usize::from(text.get(at + 1..).is_some_and(|t| t.starts_with(['+', '-'])));
        let end = digits(at + 1 + sign, false);
        at = if end > at + 1 + sign { end } else { at };
    }
    at + usize::from(text.get(at..).is_some_and(|t| t.starts_with(['u', 'U'])))
}

/// Where the partner of a closing bracket begins, by the bracket's index.
pub(super) fn opening(tokens: &[Token], close: usize) -> Option<usize> {
    let mut depth = 0_u32;
    for token in tokens.get(..=close)?.iter().rev() {
        match token.kind {
            Kind::Close => depth += 1,
            Kind::Open => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return Some(token.span.start);
        }
    }
    None
}

/// Where the partner of an opening bracket ends, by the bracket's offset.
pub(super) fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let from = tokens.binary_search_by_key(&open, |t| t.span.start).ok()?;
    let mut depth = 0_u32;
    for token in tokens.get(from..)? {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return Some(token.span.end);
        }
    }
    None
}
