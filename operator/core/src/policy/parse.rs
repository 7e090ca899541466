//! The parser of the `cel` crate, behind the scan of tokens. Macros are left as the calls they are written as: the
//! checker knows them, and so a message or a trace can speak of what was written.

use std::collections::HashMap;
use std::ops::Range;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, SourceInfo, operators};

use super::diagnostic::{Diagnostic, SEE};
use super::scan::{self, Token};

/// A parsed rule, with the place of every node.
pub(super) struct Parsed {
    pub root: IdedExpr,
    spans: HashMap<u64, Range<usize>>,
}

impl Parsed {
    /// Where a node stands in the source, in bytes.
    pub fn span(&self, node: &IdedExpr) -> Range<usize> {
        self.spans.get(&node.id).cloned().unwrap_or(0..0)
    }
}

/// Parses a rule that has passed the scan.
pub(super) fn parse(source: &str) -> Result<Parsed, Vec<Diagnostic>> {
    let tokens = scan::scan(source).map_err(|e| vec![e])?;
    let parser = cel::Env::default().parser().error_recovery_limit(1);
    match parser.parse_with_source_info(source) {
        Ok((root, info)) => {
            let mut places = Places { source, tokens: &tokens, info: &info, spans: HashMap::new() };
            places.visit(&root);
            Ok(Parsed { spans: places.spans, root })
        }
        Err(errors) => {
            let first = errors.errors.iter().find(|e| !e.msg.contains("recovery attempt limit"));
            let first = first.or(errors.errors.first());
            Err(vec![first.map_or_else(
                || Diagnostic::error(source, 0..0, "the expression cannot be parsed", SEE),
                |e| syntax_error(source, &tokens, e),
            )])
        }
    }
}

/// Says in plain words what the parser found, and where.
fn syntax_error(source: &str, tokens: &[Token], error: &cel::ParseError) -> Diagnostic {
    let offset = offset(source, error.pos);
    let token = tokens.iter().find(|t| t.span.contains(&offset) || t.span.start >= offset);
    let span = token.map_or(source.len()..source.len(), |t| t.span.clone());
    let found = source.get(span.clone()).unwrap_or_default();
    let Some(detail) = error.msg.strip_prefix("Syntax error: ") else {
        return Diagnostic::error(source, span, error.msg.clone(), SEE);
    };
    if found.is_empty() || detail.contains("'<EOF>' expecting") {
        let end = source.trim_end().len();
        let remedy = "write what is missing, or take out the last operator";
        return Diagnostic::error(source, end..end, "the expression ends where more is expected", remedy);
    }
    let (expected, remedy) = match detail.split_once("expecting ").map(|(_, what)| what) {
        // Sets of tokens are as long as the grammar; what they begin and end with tells which place it is.
        Some(set) if set.contains("<EOF>") => (
            "an operator or the end is expected".to_owned(),
            "join conditions with && or ||, or take the rest out".to_owned(),
        ),
        Some(set) if set.contains("IDENTIFIER") || set.contains("STRING") => {
            ("an expression is expected".to_owned(), "write a field or a value there, as identity.title".to_owned())
        }
        Some(set) if set.starts_with('{') => {
            let remedy = "close the bracket there, or join with an operator or a comma";
            ("an operator or a closing bracket is expected".to_owned(), remedy.to_owned())
        }
        Some(one) => (format!("{one} is expected"), format!("write {one} there")),
        None => ("something else is expected".to_owned(), SEE.to_owned()),
    };
    let quoted = found.ends_with(['\'', '"']);
    let text =
        if quoted { format!("found {found} where {expected}") } else { format!("found '{found}' where {expected}") };
    Diagnostic::error(source, span, text, remedy)
}

/// The byte offset of a line (from 1) and a column in characters (from 1).
fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = source.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at)
}

/// Widens the parser's one token a node to the whole text of the node.
struct Places<'a> {
    source: &'a str,
    tokens: &'a [Token],
    info: &'a SourceInfo,
    spans: HashMap<u64, Range<usize>>,
}

impl Places<'_> {
    fn visit(&mut self, node: &IdedExpr) -> Range<usize> {
        let own = self.own(node.id);
        let mut span = own.clone();
        let mut widen = |part: Range<usize>| span = span.start.min(part.start)..span.end.max(part.end);
        match &node.expr {
            Expr::Call(call) => {
                for part in call.target.iter().map(|t| &**t).chain(&call.args) {
                    widen(self.visit(part));
                }
                widen(self.call(call, &own));
            }
            Expr::Select(select) => {
                widen(self.visit(&select.operand));
                widen(self.after(own.start));
            }
            Expr::List(list) => {
                for part in &list.elements {
                    self.visit(part);
                }
                widen(self.bracket(&own));
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.visit(&entry.key);
                        self.visit(&entry.value);
                    }
                }
                widen(self.bracket(&own));
            }
            Expr::Struct(_) => widen(self.bracket(&own)),
            Expr::Comprehension(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
        let span = self.balanced(span);
        self.spans.insert(node.id, span.clone());
        span
    }

    /// Takes in the brackets that stand around operands: the tree has no node for them.
    fn balanced(&self, mut span: Range<usize>) -> Range<usize> {
        let from = self.tokens.partition_point(|t| t.span.start < span.start);
        let mut open = Vec::new();
        for (at, token) in self.tokens.iter().enumerate().skip(from) {
            if token.span.start >= span.end {
                break;
            }
            match token.kind {
                scan::Kind::Open => open.push(token.span.start),
                scan::Kind::Close if open.pop().is_none() => {
                    span.start = scan::opening(self.tokens, at).map_or(span.start, |start| start.min(span.start));
                }
                _ => {}
            }
        }
        let end = open.first().and_then(|open| scan::closing(self.tokens, *open));
        span.start..end.map_or(span.end, |end| end.max(span.end))
    }

    /// The parser's own token of a node; its end is that of the token.
    fn own(&self, id: u64) -> Range<usize> {
        let start = self.info.offset_for(id).map_or(0, |(start, _)| start as usize);
        self.token(start).map_or(start..start, |t| t.span.clone())
    }

    fn token(&self, offset: usize) -> Option<&Token> {
        let at = self.tokens.partition_point(|t| t.span.end <= offset);
        self.tokens.get(at)
    }

    /// The name that follows a dot (or `.?`).
    fn after(&self, dot: usize) -> Range<usize> {
        let at = self.tokens.partition_point(|t| t.span.start <= dot);
        let name = self.tokens.get(at..).and_then(|rest| rest.iter().find(|t| t.kind == scan::Kind::Name));
        name.map_or(dot..dot, |t| t.span.clone())
    }

    fn bracket(&self, open: &Range<usize>) -> Range<usize> {
        open.start..scan::closing(self.tokens, open.start).unwrap_or(open.end)
    }

    /// From the name of a function to its closing bracket; operators have their operands.
    fn call(&self, call: &CallExpr, own: &Range<usize>) -> Range<usize> {
        match call.func_name.as_str() {
            operators::OPT_SELECT => return own.start..self.after(own.start).end,
            operators::INDEX | operators::OPT_INDEX => return self.bracket(own),
            _ if self.source.get(own.clone()) != Some("(") => return own.clone(),
            _ => {}
        }
        let end = self.bracket(own).end;
        let at = self.tokens.partition_point(|t| t.span.start < own.start);
        let name = at.checked_sub(1).and_then(|before| self.tokens.get(before));
        name.filter(|t| t.kind == scan::Kind::Name).map_or(own.start, |t| t.span.start)..end
    }
}
