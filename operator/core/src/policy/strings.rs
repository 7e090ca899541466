//! Functions on texts. Positions and lengths count characters (code points), as CEL has it.

use std::sync::Arc;

use super::eval::{Outcome, fail, paid};
use super::facts::Cost;
use super::functions::Function;
use super::node::Node;
use super::transliterate;
use super::value::{List, Text, Val};

/// A function whose first argument is a text (or, for `join`, a list of them).
pub(super) fn call<'a>(node: &Node, function: Function, args: &[Val<'a>], cost: &mut Cost) -> Outcome<Val<'a>> {
    if let (Function::Join, [Val::List(list), rest @ ..]) = (function, args) {
        return join(node, list, rest.first(), cost);
    }
    let Some(Val::Text(text)) = args.first() else {
        let found = args.first().map_or("nothing", Val::type_name);
        return fail(node, format!("found {found} where a value of another type is expected"));
    };
    let text = text.as_str();
    paid(node, cost.step(text.len() / 64))?;
    match (function, args) {
        (Function::Contains, [_, Val::Text(part)]) => Ok(Val::Bool(text.contains(part.as_str()))),
        (Function::StartsWith, [_, Val::Text(part)]) => Ok(Val::Bool(text.starts_with(part.as_str()))),
        (Function::EndsWith, [_, Val::Text(part)]) => Ok(Val::Bool(text.ends_with(part.as_str()))),
        (Function::LowerAscii, [_]) => made(node, text.to_ascii_lowercase(), cost),
        (Function::UpperAscii, [_]) => made(node, text.to_ascii_uppercase(), cost),
        (Function::Trim, [_]) => made(node, text.trim().to_owned(), cost),
        (Function::Ascii | Function::Slug, [_]) => {
            // Each character is looked up.
            paid(node, cost.step(text.len() / 4))?;
            let plain = function == Function::Ascii;
            made(node, if plain { transliterate::ascii(text) } else { transliterate::slug(text) }, cost)
        }
        (Function::Replace, [_, Val::Text(from), Val::Text(to)]) => {
            replace(node, [text, from.as_str(), to.as_str()], None, cost)
        }
        (Function::Replace, [_, Val::Text(from), Val::Text(to), Val::Int(limit)]) => {
            replace(node, [text, from.as_str(), to.as_str()], Some(*limit), cost)
        }
        (Function::Split, [_, Val::Text(at)]) => split(node, text, at.as_str(), None, cost),
        (Function::Split, [_, Val::Text(at), Val::Int(limit)]) => split(node, text, at.as_str(), Some(*limit), cost),
        (Function::Substring, [_, Val::Int(from)]) => substring(node, text, *from, None, cost),
        (Function::Substring, [_, Val::Int(from), Val::Int(to)]) => substring(node, text, *from, Some(*to), cost),
        (Function::CharAt, [_, Val::Int(at)]) => char_at(node, text, *at, cost),
        (Function::IndexOf, [_, Val::Text(part)]) => index_of(node, text, part.as_str(), 0),
        (Function::IndexOf, [_, Val::Text(part), Val::Int(from)]) => index_of(node, text, part.as_str(), *from),
        _ => {
            let found: Vec<_> = args.iter().map(Val::type_name).collect();
            fail(node, format!("the function takes no arguments of the types {}", found.join(", ")))
        }
    }
}

fn made<'a>(node: &Node, text: String, cost: &mut Cost) -> Outcome<Val<'a>> {
    paid(node, cost.produce(text.len()))?;
    Ok(Val::Text(Text::Own(text.into())))
}

/// The byte offset of a character; the end of the text counts.
fn byte(text: &str, at: i64) -> Option<usize> {
    let at = usize::try_from(at).ok()?;
    text.char_indices().map(|(byte, _)| byte).chain([text.len()]).nth(at)
}

fn replace<'a>(node: &Node, [text, from, to]: [&str; 3], limit: Option<i64>, cost: &mut Cost) -> Outcome<Val<'a>> {
    let limit = match limit {
        None => usize::MAX,
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    // Counted and paid for before it is made: short texts can become long.
    let count = text.matches(from).take(limit).count();
    let length = text.len().saturating_add(count.saturating_mul(to.len()));
    paid(node, cost.produce(length))?;
    Ok(Val::Text(Text::Own(text.replacen(from, to, limit).into())))
}

fn split<'a>(node: &Node, text: &str, at: &str, limit: Option<i64>, cost: &mut Cost) -> Outcome<Val<'a>> {
    let parts: Vec<&str> = match (limit, at) {
        (Some(0), _) => Vec::new(),
        // Between all characters, without empty ends.
        (None | Some(i64::MIN..=-1), "") => chars(text).collect(),
        (Some(limit), "") => {
            let limit = usize::try_from(limit).unwrap_or(1);
            let cut = byte(text, i64::try_from(limit - 1).unwrap_or(i64::MAX)).unwrap_or(text.len());
            let (head, tail) = text.split_at(cut);

            chars(head).chain((!tail.is_empty() || text.is_empty()).then_some(tail)).collect()
        }
        (Some(limit @ 1..), at) => text.splitn(usize::try_from(limit).unwrap_or(usize::MAX), at).collect(),
        (_, at) => text.split(at).collect(),
    };
    paid(node, cost.produce(text.len().saturating_add(parts.len().saturating_mul(64))))?;
    Ok(Val::List(List::Own(parts.into_iter().map(|part| Val::Text(Text::Own(part.into()))).collect())))
}

fn join<'a>(node: &Node, list: &List<'a>, between: Option<&Val<'a>>, cost: &mut Cost) -> Outcome<Val<'a>> {
    let between = match between {
        None => "",
        Some(Val::Text(text)) => text.as_str(),
        Some(other) => return fail(node, format!("join() takes a string; found {}", other.type_name())),
    };
    let mut joined = String::new();
    for (at, item) in list.iter().enumerate() {
        let Val::Text(item) = &item else {
            return fail(node, format!("join() takes a list of strings; found {}", item.type_name()));
        };
        let between = if at == 0 { "" } else { between };
        paid(node, cost.produce(between.len().saturating_add(item.as_str().len()).saturating_add(1)))?;
        joined.push_str(between);
        joined.push_str(item.as_str());
    }
    Ok(Val::Text(Text::Own(Arc::from(joined))))
}

fn substring<'a>(node: &Node, text: &str, from: i64, to: Option<i64>, cost: &mut Cost) -> Outcome<Val<'a>> {
    let end = to.map_or(Some(text.len()), |to| byte(text, to));
    match (byte(text, from), end) {
        (Some(start), Some(end)) if start <= end => {
            made(node, text.get(start..end).unwrap_or_default().to_owned(), cost)
        }
        _ => {
            let to = to.map(|to| format!(" to {to}")).unwrap_or_default();
            fail(node, format!("a string of {} characters has no part from {from}{to}", text.chars().count()))
        }
    }
}

fn char_at<'a>(node: &Node, text: &str, at: i64, cost: &mut Cost) -> Outcome<Val<'a>> {
    match byte(text, at).and_then(|start| text.get(start..)) {
        Some(rest) => made(node, rest.chars().take(1).collect(), cost),
        None => fail(node, format!("a string of {} characters has no character {at}", text.chars().count())),
    }
}

fn index_of<'a>(node: &Node, text: &str, part: &str, from: i64) -> Outcome<Val<'a>> {
    let Some(start) = byte(text, from) else {
        return fail(node, format!("a string of {} characters has no position {from}", text.chars().count()));
    };
    let found = text.get(start..).and_then(|rest| rest.find(part));
    let index = found.and_then(|at| text.get(..start + at)).map(|before| before.chars().count());
    Ok(Val::Int(index.map_or(-1, |index| i64::try_from(index).unwrap_or(i64::MAX))))
}

/// The characters of a text as texts.
fn chars(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices().filter_map(|(at, c)| text.get(at..at + c.len_utf8()))
}
