//! Calls: functions by their overloads, macros by their names.

use std::ops::Range;

use cel::common::ast::{CallExpr, Expr, IdedExpr};
use regex::{Regex, RegexBuilder};

use super::check::{Bound, Checked, Checker};
use super::diagnostic::{SEE, did_you_mean};
use super::functions::{Function, LEFT_OUT, MACROS, OVERLOADS, Overload};
use super::node::{Fold, FoldKind, Node, Op};
use super::time;
use super::types::{Schema, Type};
use super::value::Val;

impl Checker<'_, '_> {
    pub(super) fn function(&mut self, span: &Range<usize>, call: &CallExpr) -> Checked {
        let name = call.func_name.as_str();
        let Some(target) = &call.target else {
            if name == "has" {
                return self.has(span, &call.args);
            }
            return self.overloaded(span, name, None, &call.args);
        };
        if let Expr::Ident(namespace) = &target.expr
            && matches!(
                namespace.as_str(),
                "optional" | "cel" | "math" | "lists" | "base64" | "sets" | "ext" | "strings"
            )
            && !self.is_bound(namespace)
        {
            return self.overloaded(span, &format!("{namespace}.{name}"), None, &call.args);
        }
        if let Some((_, arities)) = MACROS.iter().find(|(n, _)| *n == name) {
            if !arities.contains(&call.args.len()) {
                self.check(target);
                let text = format!("{name}() takes {} arguments; found {}", counts(arities), call.args.len());
                return self.refuse(span.clone(), text, format!("write list.{name}(x, ..)"));
            }
            return self.fold(span, name, target, &call.args);
        }
        match name {
            "matches" => self.matches(span, target, &call.args),
            "primaryEmail" => self.primary_email(span, target, &call.args),
            _ => {
                let target = self.check(target);
                let args: Vec<_> = call.args.iter().map(|arg| self.check(arg)).collect();
                let args: Option<Vec<_>> = [target].into_iter().chain(args).collect();
                self.resolve(span, name, true, args?)
            }
        }
    }

    fn overloaded(&mut self, span: &Range<usize>, name: &str, target: Option<Node>, args: &[IdedExpr]) -> Checked {
        if name == "matches"
            && let [text, pattern] = args
        {
            return self.matches(span, text, std::slice::from_ref(pattern));
        }
        let args: Vec<_> = args.iter().map(|arg| self.check(arg)).collect();
        let args: Option<Vec<_>> = args.into_iter().collect();
        self.resolve(span, name, false, target.into_iter().chain(args?).collect())
    }

    /// Finds the overloads that take these arguments.
    fn resolve(&mut self, span: &Range<usize>, name: &str, method: bool, args: Vec<Node>) -> Checked {
        let plain = name.strip_prefix('.').unwrap_or(name);
        let named: Vec<&Overload> = OVERLOADS.iter().filter(|o| o.name == plain && o.method == method).collect();
        let Some(first) = named.first() else { return self.no_function(span, plain, method) };
        let fitting: Vec<&&Overload> = named
            .iter()
            .filter(|o| o.takes.len() == args.len() && o.takes.iter().zip(&args).all(|(t, a)| t.accepts(&a.ty)))
            .collect();
        if fitting.is_empty() {
            let found: Vec<_> = args.iter().skip(usize::from(method)).map(|a| a.ty.to_string()).collect();
            let on =
                if method { args.first().map(|a| format!("{}.", a.ty)).unwrap_or_default() } else { String::new() };
            let takes: Vec<_> = named.iter().map(|o| o.signature()).collect();
            let text = format!("found {on}{plain}({}); there is {}", found.join(", "), takes.join(", "));
            let remedy = "give it what it takes; string(), int(), double() and others convert";
            return self.refuse(span.clone(), text, remedy);
        }
        self.constant_arguments(first.function, &args)?;
        let ty = result(first.function, fitting.first().map_or(Type::Dyn, |o| o.gives.ty()), &args);
        Some(self.make(span, Op::Call(first.function, args.into()), ty))
    }

    /// What can be known to fail already now.
    fn constant_arguments(&mut self, function: Function, args: &[Node]) -> Option<()> {
        let Some(Op::Const(Val::Text(text))) = args.last().map(|a| &a.op) else { return Some(()) };
        let place = args.last().map_or(0..0, Node::span);
        let text = text.as_str();
        let (sound, wanted, remedy) = match (function, args) {
            (Function::ToTimestamp, _) => {
                let sound = time::parse_timestamp(text).is_some();
                (sound, "an RFC 3339 timestamp", "write it as \"2026-12-01T08:00:00Z\"")
            }
            (Function::ToDuration, _) => {
                let sound = time::parse_duration(text).is_some();
                (sound, "a duration like \"1h30m\"", "write h, m and s behind the numbers: seven days are \"168h\"")
            }
            (_, [at, _]) if at.ty == Type::Timestamp => {
                let wanted = "an offset like \"+02:00\"; named time zones are left out";
                (time::offset(text).is_some(), wanted, "write the offset, or \"UTC\"")
            }
            _ => return Some(()),
        };
        if sound {
            return Some(());
        }
        self.refuse(place, format!("found \"{text}\" where {wanted} is expected"), remedy)
    }

    fn no_function(&mut self, span: &Range<usize>, name: &str, method: bool) -> Checked {
        let bare = name.rsplit('.').next().unwrap_or(name);
        if let Some((_, remedy)) = LEFT_OUT.iter().find(|(left_out, _)| *left_out == bare) {
            return self.refuse(span.clone(), format!("{name}() is left out"), *remedy);
        }
        if let Some((extension, _)) = name.split_once('.').filter(|(extension, _)| *extension != "optional") {
            let text = format!("{name}() is left out, like all of the extension '{extension}'");
            return self.refuse(span.clone(), text, SEE);
        }
        if let Some(other) = OVERLOADS.iter().find(|o| o.name == name && o.method != method) {
            let text = format!("{name}() is not called {}", if method { "on a value" } else { "without a value" });
            return self.refuse(span.clone(), text, format!("write {}", other.signature()));
        }
        if MACROS.iter().any(|(n, _)| *n == name) {
            let message = format!("{name}() is called on a list");
            return self.refuse(span.clone(), message, format!("write list.{name}(x, ..)"));
        }
        let functions = OVERLOADS.iter().map(|o| o.name).chain(["has", "matches", "primaryEmail"]);
        let remedy = did_you_mean(name, functions.chain(MACROS.iter().map(|(n, _)| *n)));
        self.refuse(span.clone(), format!("there is no function {name}()"), remedy.unwrap_or_else(|| SEE.to_owned()))
    }

    fn has(&mut self, span: &Range<usize>, args: &[IdedExpr]) -> Checked {
        let remedy = "write has(identity.title)";
        let [field] = args else {
            return self.refuse(span.clone(), format!("has() takes one field; found {} arguments", args.len()), remedy);
        };
        let selects = matches!(&field.expr, Expr::Select(_));
        if !selects {
            return self.refuse(self.span(field), "has() takes a field", remedy);
        }
        let field = self.check(field)?;
        match field.op {
            Op::Of(..) | Op::Field(..) | Op::Key(..) | Op::OptIndex(_) | Op::OptField(..) => {
                Some(self.make(span, Op::Has(Box::new(field)), Type::Bool))
            }
            _ => self.refuse(field.span(), "has() takes a field", remedy),
        }
    }

    fn matches(&mut self, span: &Range<usize>, text: &IdedExpr, args: &[IdedExpr]) -> Checked {
        let [pattern] = args else {
            let message = format!("matches() takes one pattern; found {}", args.len());
            return self.refuse(span.clone(), message, "write text.matches(\"^..$\")");
        };
        let (text, pattern) = (self.check(text), self.check(pattern));
        let (text, pattern) = (text?, pattern?);
        if !matches!(text.ty, Type::Text | Type::Dyn) {
            let list = matches!(text.ty, Type::List(_));
            let remedy = if list { "write list.exists(x, x.matches(..))" } else { "convert it with string()" };
            return self.refuse(text.span(), format!("matches() takes a string; found {}", text.ty), remedy);
        }
        let Op::Const(Val::Text(source)) = &pattern.op else {
            let remedy = "use startsWith(), endsWith() or contains() for texts that vary";
            return self.refuse(pattern.span(), "the pattern of matches() must be a constant string", remedy);
        };
        match compile_pattern(source.as_str()) {
            Ok((regex, weight)) => Some(self.make(span, Op::Matches(Box::new(text), regex, weight), Type::Bool)),
            Err((message, remedy)) => self.refuse(pattern.span(), message, remedy),
        }
    }

    fn primary_email(&mut self, span: &Range<usize>, target: &IdedExpr, args: &[IdedExpr]) -> Checked {
        let target = self.check(target)?;
        if !args.is_empty() {
            return self.refuse(span.clone(), "primaryEmail() takes no arguments", "write identity.primaryEmail()");
        }
        match target.ty {
            Type::Object(Schema::Identity | Schema::Manager) => {
                Some(self.make(span, Op::Call(Function::PrimaryEmail, Box::new([target])), Type::Text))
            }
            ref other => {
                let text = format!("primaryEmail() is called on identity or identity.manager; found {other}");
                self.refuse(span.clone(), text, "write identity.primaryEmail()")
            }
        }
    }

    /// A macro: its variables are bound while the rest is checked.
    fn fold(&mut self, span: &Range<usize>, name: &str, target: &IdedExpr, args: &[IdedExpr]) -> Checked {
        let kind = match name {
            "all" => FoldKind::All,
            "exists" => FoldKind::Exists,
            "exists_one" | "existsOne" => FoldKind::ExistsOne,
            "map" | "transformList" => FoldKind::Map,
            "filter" => FoldKind::Filter,
            "transformMap" => FoldKind::TransformMap,
            "transformMapEntry" => FoldKind::TransformMapEntry,
            "optMap" => FoldKind::OptMap,
            _ => FoldKind::OptFlatMap,
        };
        let two = name.starts_with("transform")
            || args.len() == 3 && matches!(kind, FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne);
        let range = self.range(kind, name, two, target);
        // Of a list that is wrong nothing is known, and the rest of the macro is looked at all the same.
        let types = range.as_ref().and_then(|range| element_types(&range.ty, kind, two));
        let (first, rest) = self.names(args, two, types.unwrap_or((Type::Dyn, Type::Dyn)))?;
        let number = first.number;
        self.bound.push(first);
        let (filter, body) = match rest {
            [filter, body] => (self.condition(filter).map(Some), self.body(kind, body)),
            [body] => (Some(None), self.body(kind, body)),
            _ => (None, None),
        };
        self.bound.pop();
        let (range, filter, body) = (range?, filter?, body?);
        let ty = fold_type(kind, &range.ty, &body.ty, two);
        Some(self.make(span, Op::Fold(Box::new(Fold { kind, range, two, filter, body, number })), ty))
    }

    /// What a macro is called on.
    fn range(&mut self, kind: FoldKind, name: &str, two: bool, target: &IdedExpr) -> Checked {
        let range = self.check(target)?;
        if element_types(&range.ty, kind, two).is_some() {
            return Some(range);
        }
        let (wanted, remedy) = match kind {
            FoldKind::OptMap | FoldKind::OptFlatMap => ("an optional", "call it on what a.?b or optional.of(..) gives"),
            _ => ("a list or map", "call it on a list, as identity.emails, or compare the value itself"),
        };
        self.refuse(range.span(), format!("{name}() is called on {wanted}; found {}", range.ty), remedy)
    }

    fn body(&mut self, kind: FoldKind, body: &IdedExpr) -> Checked {
        match kind {
            FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne | FoldKind::Filter => self.condition(body),
            _ => self.check(body),
        }
    }

    /// The names that a macro binds, and the arguments that are left.
    fn names<'e>(&mut self, args: &'e [IdedExpr], two: bool, types: (Type, Type)) -> Option<(Bound, &'e [IdedExpr])> {
        self.folds += 1;
        let number = self.folds;
        let mut name = |e: &IdedExpr| match &e.expr {
            Expr::Ident(name) if !name.starts_with('.') => Some(name.clone()),
            _ => {
                let message = "a macro names its variable here: a simple name is expected";
                self.refuse(self.span(e), message, "write a name first, as in exists(x, x == \"..\")")
            }
        };
        match args {
            [first, second, rest @ ..] if two => {
                let (first, second) = (name(first)?, name(second)?);
                if first == second {
                    let message = format!("the variable '{first}' is there twice");
                    return self.refuse(self.span(args.first()?), message, "give the second another name");
                }
                Some((Bound { number, first: (first, types.0), second: Some((second, types.1)) }, rest))
            }
            [first, rest @ ..] => Some((Bound { number, first: (name(first)?, types.0), second: None }, rest)),
            [] => None,
        }
    }
}

/// The types of a macro's variables over a range.
fn element_types(range: &Type, kind: FoldKind, two: bool) -> Option<(Type, Type)> {
    let optional = matches!(kind, FoldKind::OptMap | FoldKind::OptFlatMap);
    match range {
        Type::Optional(of) if optional => Some(((**of).clone(), Type::Dyn)),
        Type::Dyn => Some((Type::Dyn, Type::Dyn)),
        _ if optional => None,
        Type::List(of) if two => Some((Type::Int, (**of).clone())),
        Type::List(of) => Some(((**of).clone(), Type::Dyn)),
        Type::Map(key, value) => Some(((**key).clone(), (**value).clone())),
        _ => None,
    }
}

fn fold_type(kind: FoldKind, range: &Type, body: &Type, two: bool) -> Type {
    match kind {
        FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne => Type::Bool,
        FoldKind::Map => Type::list(body.clone()),
        FoldKind::Filter => match range {
            Type::List(_) => range.clone(),
            Type::Map(key, _) => Type::list((**key).clone()),
            _ => Type::list(Type::Dyn),
        },
        FoldKind::TransformMap => match range {
            Type::Map(key, _) => Type::map((**key).clone(), body.clone()),
            Type::List(_) if two => Type::map(Type::Int, body.clone()),
            _ => Type::map(Type::Dyn, body.clone()),
        },
        FoldKind::TransformMapEntry => body.clone(),
        FoldKind::OptMap => Type::optional(body.clone()),
        FoldKind::OptFlatMap => match body {
            Type::Optional(_) => body.clone(),
            _ => Type::optional(Type::Dyn),
        },
    }
}

/// The type that a function gives, where it depends on what it takes.
fn result(function: Function, usual: Type, args: &[Node]) -> Type {
    let inner = |at: usize| match args.get(at).map(|a| &a.ty) {
        Some(Type::Optional(of)) => (**of).clone(),
        _ => Type::Dyn,
    };
    match function {
        Function::TypeOf => Type::Meta,
        Function::OptionalOf | Function::OptionalOfNonZero => {
            Type::optional(args.first().map_or(Type::Dyn, |a| a.ty.clone()))
        }
        Function::ValueOf => inner(0),
        Function::Or => Type::optional(inner(0).join(&inner(1))),
        Function::OrValue => inner(0).join(args.get(1).map_or(&Type::Dyn, |a| &a.ty)),
        _ => usual,
    }
}

fn counts(arities: &[usize]) -> String {
    arities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// Compiles a pattern, within bounds, or says why not and what to do; and what one byte of text costs it, in quarters of an operation.
fn compile_pattern(pattern: &str) -> Result<(Regex, usize), (String, &'static str)> {
    const SMALL: usize = 32 * 1024;
    const LARGE: usize = 512 * 1024;
    let build = |size: usize| RegexBuilder::new(pattern).size_limit(size).dfa_size_limit(LARGE).nest_limit(24).build();
    match build(SMALL) {
        Ok(regex) => Ok((regex, 1)),
        Err(regex::Error::CompiledTooBig(_)) => match build(LARGE) {
            Ok(regex) => Ok((regex, 32)),
            Err(_) => Err(("the pattern is too large once compiled".to_owned(), "repeat less, or use ASCII classes")),
        },
        Err(error) => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let remedy = "write it in the syntax of RE2, which looks neither ahead nor back";
            Err((format!("the pattern is not valid: {last}"), remedy))
        }
    }
}
