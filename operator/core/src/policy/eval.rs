//! Evaluation of a checked rule. Values borrow, so that usual clauses allocate nothing; every operation is paid for.

use std::ops::Range;
use std::sync::Arc;

use super::call;
use super::facts::{Cost, Facts, GroupId, Manager};
use super::functions::Function;
use super::node::{Binary, Node, Op, Root, Who};
use super::types::Member;
use super::value::{Exhausted, List, Map, Object, Text, Val, equal, order};
use crate::model::Reason;

/// Why an expression has no value.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub reason: Reason,
    pub message: String,
    pub span: Range<usize>,
    /// The budget is used up: nothing absorbs this.
    pub exhausted: bool,
}

pub(super) type Outcome<T> = Result<T, Box<Fault>>;

/// The variables of one macro while it runs; those around it are linked, on the stack.
pub(super) struct Frame<'e, 'a> {
    pub fold: u32,
    pub first: Val<'a>,
    pub second: Val<'a>,
    pub around: Env<'e, 'a>,
}

pub(super) type Env<'e, 'a> = Option<&'e Frame<'e, 'a>>;

/// One evaluation.
pub(super) struct Machine<'a, 'c> {
    pub facts: &'a Facts<'a>,
    pub cost: &'c mut Cost,
}

pub(super) fn fail<T>(node: &Node, message: impl Into<String>) -> Outcome<T> {
    let fault =
        Fault { reason: Reason::EvaluationFailed, message: message.into(), span: node.span(), exhausted: false };
    Err(Box::new(fault))
}

fn condition(node: &Node, value: &Val<'_>) -> Outcome<bool> {
    match value {
        Val::Bool(truth) => Ok(*truth),
        other => fail(node, format!("found {} where bool is expected", other.type_name())),
    }
}

/// A fact cannot be told.
fn unknown<T>(node: &Node, message: String) -> Outcome<T> {
    let fault = Fault { reason: Reason::ReferenceNotFound, message, span: node.span(), exhausted: false };
    Err(Box::new(fault))
}

fn no_manager<T>(node: &Node) -> Outcome<T> {
    unknown(node, "identity.manager cannot be told: its manifest is not valid".to_owned())
}

/// Puts a place to a budget that is used up.
pub(super) fn paid<T>(node: &Node, result: Result<T, Exhausted>) -> Outcome<T> {
    result.map_err(|Exhausted| {
        Box::new(Fault {
            reason: Reason::EvaluationFailed,
            message: format!(
                "the expression exceeds its budget of {} operations and {} bytes",
                Cost::STEPS,
                Cost::BYTES
            ),
            span: node.span(),
            exhausted: true,
        })
    })
}

impl<'a> Machine<'a, '_> {
    /// The truth of a condition.
    pub fn truth(&mut self, node: &'a Node, env: Env<'_, 'a>) -> Outcome<bool> {
        match &node.op {
            Op::And(parts) => self.logic(parts, env, false),
            Op::Or(parts) => self.logic(parts, env, true),
            Op::Not(part) => Ok(!self.truth(part, env)?),
            Op::Binary(op, ab) => {
                let [a, b] = &**ab;
                paid(node, self.cost.step(1))?;
                match op {
                    Binary::Eq | Binary::Ne => {
                        if let (Some(a), Some(b)) = (self.text_of(a), self.text_of(b)) {
                            return Ok((a == b) == (*op == Binary::Eq));
                        }
                        let (a, b) = (self.value(a, env)?, self.value(b, env)?);
                        Ok(paid(node, equal(&a, &b, self.cost))? == (*op == Binary::Eq))
                    }
                    Binary::In => self.within(node, a, b, env),
                    Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => self.compare(node, *op, a, b, env),
                    Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Rem => {
                        fail(node, "found no bool where a condition is expected")
                    }
                }
            }
            Op::InGroup(group, name) => self.in_group(node, *group, name),
            Op::Has(part) => self.has(part, env),
            Op::Call(function @ (Function::StartsWith | Function::EndsWith | Function::Contains), args) => {
                self.part_of(node, *function, args, env)
            }
            Op::Matches(text, regex, weight) => {
                let text = self.value(text, env)?;
                let Val::Text(text) = &text else {
                    return fail(node, format!("matches() takes a string; found {}", text.type_name()));
                };
                paid(node, self.cost.step(1 + text.as_str().len().saturating_mul(*weight) / 4))?;
                Ok(regex.is_match(text.as_str()))
            }
            _ => condition(node, &self.value(node, env)?),
        }
    }

    fn in_group(&mut self, node: &Node, group: GroupId, name: &str) -> Outcome<bool> {
        paid(node, self.cost.step(1))?;
        if self.facts.groups.sure.binary_search(&group).is_ok() {
            Ok(true)
        } else if self.facts.groups.unknown.binary_search(&group).is_ok() {
            unknown(node, format!("group '{name}' does not exist, or its members cannot be told"))
        } else {
            Ok(false)
        }
    }

    /// `startsWith`, `endsWith`, `contains`.
    fn part_of(&mut self, node: &'a Node, function: Function, args: &'a [Node], env: Env<'_, 'a>) -> Outcome<bool> {
        if let [text, part] = args
            && let (Some(text), Some(part)) = (self.text_of(text), self.text_of(part))
        {
            paid(node, self.cost.step(1 + text.len() / 64))?;
            return Ok(match function {
                Function::StartsWith => text.starts_with(part),
                Function::EndsWith => text.ends_with(part),
                _ => text.contains(part),
            });
        }
        condition(node, &self.value(node, env)?)
    }

    /// The text of the usual operands, constants and text fields of the identity, without the way through a value: most
    /// clauses compare nothing else.
    fn text_of(&self, node: &'a Node) -> Option<&'a str> {
        let identity = self.facts.identity;
        match &node.op {
            Op::Const(Val::Text(text)) => Some(text.as_str()),
            Op::Of(Who::Identity, member) => match member {
                Member::Text(field) => Some(identity.text(*field).unwrap_or_default()),
                Member::Type => Some(identity.kind().as_str()),
                Member::State => Some(self.facts.state.as_str()),
                Member::UserName => Some(identity.user_name()),
                Member::ExternalId => Some(identity.external_id().unwrap_or_default()),
                _ => None,
            },
            _ => None,
        }
    }

    /// `&&` (decided by false) and `||` (decided by true): what decides outweighs what failed, on either side.
    fn logic(&mut self, parts: &'a [Node], env: Env<'_, 'a>, decides: bool) -> Outcome<bool> {
        let mut fault = None;
        for part in parts {
            match self.truth(part, env) {
                Ok(truth) if truth == decides => return Ok(decides),
                Ok(_) => {}
                Err(f) if f.exhausted => return Err(f),
                Err(f) => fault = fault.or(Some(f)),
            }
        }
        fault.map_or(Ok(!decides), Err)
    }

    fn compare(&mut self, node: &Node, op: Binary, a: &'a Node, b: &'a Node, env: Env<'_, 'a>) -> Outcome<bool> {
        let (a, b) = (self.value(a, env)?, self.value(b, env)?);
        let Ok(order) = order(&a, &b) else {
            return fail(node, format!("{} and {} have no order between them", a.type_name(), b.type_name()));
        };
        Ok(order.is_some_and(|order| match op {
            Binary::Lt => order.is_lt(),
            Binary::Le => order.is_le(),
            Binary::Gt => order.is_gt(),
            _ => order.is_ge(),
        }))
    }

    /// `a in b`, where b is a list, the keys of a map, or a custom attribute with one value or several.
    fn within(&mut self, node: &Node, a: &'a Node, b: &'a Node, env: Env<'_, 'a>) -> Outcome<bool> {
        if let (Some(text), Op::Const(Val::List(List::Own(list)))) = (self.text_of(a), &b.op) {
            paid(node, self.cost.step(list.len()))?;
            return Ok(list.iter().any(|item| matches!(item, Val::Text(item) if item.as_str() == text)));
        }
        let (a, b) = (self.value(a, env)?, self.value(b, env)?);
        match &b {
            Val::List(List::Texts(texts)) => {
                paid(node, self.cost.step(texts.len()))?;
                Ok(matches!(&a, Val::Text(a) if texts.iter().any(|text| text == a.as_str())))
            }
            Val::List(list) => {
                for item in list.iter() {
                    if paid(node, equal(&a, &item, self.cost))? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Val::Map(map) => Ok(paid(node, map.get(&a, self.cost))?.is_some()),
            Val::Text(_) => paid(node, equal(&a, &b, self.cost)),
            Val::Null => Ok(false),
            other => fail(node, format!("`in` takes a list or a map; found {}", other.type_name())),
        }
    }

    /// The value of an expression.
    pub fn value(&mut self, node: &'a Node, env: Env<'_, 'a>) -> Outcome<Val<'a>> {
        paid(node, self.cost.step(1))?;
        match &node.op {
            Op::Const(constant) => Ok(Val::borrowed(constant)),
            Op::Of(who, member) => self.of(node, *who, *member),
            Op::Var { fold, second } => variable(node, env, *fold, *second),
            Op::Root(Root::Identity) => Ok(Val::Object(Object::Identity(self.facts.identity))),
            Op::Root(Root::Application) => Ok(Val::Object(Object::Application)),
            Op::Field(object, member) => {
                let object = self.value(object, env)?;
                self.field(node, &object, *member)
            }
            Op::Key(map, key) => {
                let map = self.value(map, env)?;
                self.key(node, &map, &Val::text(key))
            }
            Op::Index(ab) => {
                let [a, b] = &**ab;
                let (a, b) = (self.value(a, env)?, self.value(b, env)?);
                self.key(node, &a, &b)
            }
            Op::OptIndex(..) | Op::OptField(..) => self.optional(node, env),
            Op::Neg(part) => {
                let value = self.value(part, env)?;
                call::negate(node, &value)
            }
            Op::Conditional(abc) => {
                let [condition, yes, no] = &**abc;
                if self.truth(condition, env)? { self.value(yes, env) } else { self.value(no, env) }
            }
            Op::Binary(op @ (Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Rem), ab) => {
                let [a, b] = &**ab;
                let (a, b) = (self.value(a, env)?, self.value(b, env)?);
                call::arithmetic(node, *op, &a, &b, self.cost)
            }
            Op::List(_) | Op::Map(_) => self.literal(node, env),
            Op::Call(function, args) => {
                let mut values = [Val::Null, Val::Null, Val::Null, Val::Null];
                for (slot, arg) in values.iter_mut().zip(args) {
                    *slot = self.value(arg, env)?;
                }
                let values = values.get(..args.len()).unwrap_or_default();
                call::call(node, *function, values, self.cost)
            }
            Op::Fold(fold) => self.fold(node, fold, env),
            Op::And(_) | Op::Or(_) | Op::Not(_) | Op::Binary(..) | Op::InGroup(..) | Op::Has(_) | Op::Matches(..) => {
                Ok(Val::Bool(self.truth(node, env)?))
            }
        }
    }

    /// A field of the identity or of its manager.
    fn of(&mut self, node: &Node, who: Who, member: Member) -> Outcome<Val<'a>> {
        let identity = match (who, member) {
            (Who::Identity, Member::State) => return Ok(Val::text(self.facts.state.as_str())),
            (Who::Identity, Member::Groups) => return self.groups(node),
            (Who::Identity, Member::Manager) => {
                return Ok(Val::Object(match self.facts.manager {
                    Manager::Absent => Object::Absent,
                    Manager::Known(manager) => Object::Manager(manager),
                    Manager::Unknown => return no_manager(node),
                }));
            }
            (Who::Identity, _) => Some(self.facts.identity),
            (Who::Manager, _) => match self.facts.manager {
                Manager::Absent => None,
                Manager::Known(manager) => Some(manager),
                Manager::Unknown => return no_manager(node),
            },
        };
        Ok(call::member(identity.map_or(Object::Absent, Object::Identity), member))
    }

    /// `identity.groups` as a list: a name is produced for each.
    fn groups(&mut self, node: &Node) -> Outcome<Val<'a>> {
        let groups = &self.facts.groups;
        if !groups.unknown.is_empty() {
            return unknown(node, "not every group of the identity can be told".to_owned());
        }
        let mut names = Vec::with_capacity(groups.sure.len());
        for group in groups.sure {
            if let Some(name) = (groups.name)(*group) {
                paid(node, self.cost.produce(64 + name.as_str().len()))?;
                names.push(Val::Text(Text::Own(name.as_str().into())));
            }
        }
        Ok(Val::List(List::Own(names.into())))
    }

    /// A field of a value that is known at evaluation alone to have it.
    fn field(&mut self, node: &Node, object: &Val<'a>, member: Member) -> Outcome<Val<'a>> {
        match (object, member) {
            (Val::Object(Object::Application), Member::ApplicationName) => match self.facts.application {
                Some(name) => Ok(Val::text(name)),
                None => fail(node, "there is no application here"),
            },
            (Val::Object(Object::Identity(_)), member) => self.of(node, Who::Identity, member),
            (Val::Object(object), member) => Ok(call::member(*object, member)),
            (other, _) => fail(node, format!("{} has no fields", other.type_name())),
        }
    }

    /// `a[b]` and `a.b`.
    pub fn key(&mut self, node: &Node, a: &Val<'a>, b: &Val<'_>) -> Outcome<Val<'a>> {
        match (a, b) {
            (Val::List(list), index) => {
                let Some(at) = call::whole(index) else {
                    return fail(node, format!("a list has no element {}", call::show(index)));
                };
                let found = usize::try_from(at).ok().and_then(|at| list.get(at));
                found.map_or_else(|| fail(node, format!("a list of {} has no element {at}", list.len())), Ok)
            }
            (Val::Map(map), key) => match (paid(node, map.get(key, self.cost))?, map) {
                (Some(value), _) => Ok(value),
                // An absent custom attribute reads as null.
                (None, Map::Custom(_)) => Ok(Val::Null),
                (None, Map::Own(_)) => fail(node, format!("the map has no key {}", call::show(key))),
            },
            (Val::Object(_), _) => fail(node, "fields are read by their names"),
            (other, _) => fail(node, format!("{} has no elements", other.type_name())),
        }
    }

    /// Whether a field or key is present.
    fn has(&mut self, part: &'a Node, env: Env<'_, 'a>) -> Outcome<bool> {
        paid(part, self.cost.step(1))?;
        if let Some(text) = self.text_of(part) {
            return Ok(!text.is_empty());
        }
        match &part.op {
            Op::Of(Who::Identity, Member::Groups) => match (self.facts.groups.sure, self.facts.groups.unknown) {
                ([], []) => Ok(false),
                ([], _) => unknown(part, "not every group of the identity can be told".to_owned()),
                _ => Ok(true),
            },
            Op::Of(who, member) => {
                let value = self.of(part, *who, *member)?;
                Ok(call::is_present(&value))
            }
            Op::Field(object, member) => {
                let object = self.value(object, env)?;
                let value = self.field(part, &object, *member)?;
                Ok(call::has_member(&object, &value, *member))
            }
            Op::Key(map, key) => match self.value(map, env)? {
                Val::Map(map) => Ok(paid(part, map.get(&Val::text(key), self.cost))?.is_some()),
                other => fail(part, format!("has() takes a field of an object or map; found {}", other.type_name())),
            },
            Op::OptIndex(_) | Op::OptField(..) => Ok(matches!(self.optional(part, env)?, Val::Optional(Some(_)))),
            _ => fail(part, "has() takes a field"),
        }
    }

    /// `a.?b`, `a[?b]`, and selections on an optional.
    fn optional(&mut self, node: &'a Node, env: Env<'_, 'a>) -> Outcome<Val<'a>> {
        let some = |value: Val<'a>| Val::Optional(Some(Arc::new(value)));
        let (from, key, member) = match &node.op {
            Op::OptIndex(ab) => {
                let [a, b] = &**ab;
                (self.value(a, env)?, Some(self.value(b, env)?), None)
            }
            Op::OptField(a, member) => (self.value(a, env)?, None, Some(*member)),
            _ => return fail(node, "there is nothing to select"),
        };
        let from = match from {
            Val::Optional(None) => return Ok(Val::Optional(None)),
            Val::Optional(Some(value)) => (*value).clone(),
            other => other,
        };
        paid(node, self.cost.produce(48))?;
        if let Some(member) = member {
            let value = self.field(node, &from, member)?;
            let present = call::has_member(&from, &value, member);
            return Ok(if present { some(value) } else { Val::Optional(None) });
        }
        let Some(key) = key else { return Ok(Val::Optional(None)) };
        Ok(match (&from, &key) {
            (Val::List(list), index) => {
                let at = call::whole(index).and_then(|at| usize::try_from(at).ok());
                at.and_then(|at| list.get(at)).map_or(Val::Optional(None), some)
            }
            (Val::Map(map), key) => paid(node, map.get(key, self.cost))?.map_or(Val::Optional(None), some),
            (Val::Null, _) => Val::Optional(None),
            (other, _) => return fail(node, format!("{} has no elements", other.type_name())),
        })
    }

    /// `[a, ?b]` and `{k: v, ?l: w}`.
    fn literal(&mut self, node: &'a Node, env: Env<'_, 'a>) -> Outcome<Val<'a>> {
        match &node.op {
            Op::List(elements) => {
                let mut list = Vec::with_capacity(elements.len());
                for element in elements {
                    paid(node, self.cost.produce(48))?;
                    let value = self.value(&element.value, env)?;
                    list.extend(unwrapped(&element.value, value, element.optional)?);
                }
                Ok(Val::List(List::Own(list.into())))
            }
            Op::Map(entries) => {
                let mut map: Vec<(Val<'a>, Val<'a>)> = Vec::with_capacity(entries.len());
                for entry in entries {
                    paid(node, self.cost.produce(96))?;
                    let key = self.value(&entry.key, env)?;
                    let value = self.value(&entry.value, env)?;
                    if let Some(value) = unwrapped(&entry.value, value, entry.optional)? {
                        self.insert(&entry.key, &mut map, key, value)?;
                    }
                }
                Ok(Val::Map(Map::Own(map.into())))
            }
            _ => fail(node, "found no literal"),
        }
    }

    /// Adds an entry to a map that is being made; keys are texts, whole numbers and truth values, each once.
    pub fn insert(
        &mut self,
        node: &Node,
        map: &mut Vec<(Val<'a>, Val<'a>)>,
        key: Val<'a>,
        value: Val<'a>,
    ) -> Outcome<()> {
        if !matches!(key, Val::Text(_) | Val::Int(_) | Val::Uint(_) | Val::Bool(_)) {
            return fail(node, format!("{} cannot be the key of a map", key.type_name()));
        }
        for (known, _) in map.iter() {
            if paid(node, equal(known, &key, self.cost))? {
                return fail(node, format!("the key {} is there twice", call::show(&key)));
            }
        }
        map.push((key, value));
        Ok(())
    }
}

/// An element as it is, or what an optional one holds.
fn unwrapped<'a>(node: &Node, value: Val<'a>, optional: bool) -> Outcome<Option<Val<'a>>> {
    match value {
        value if !optional => Ok(Some(value)),
        Val::Optional(inner) => Ok(inner.map(|value| (*value).clone())),
        other => fail(node, format!("found {} where an optional is expected", other.type_name())),
    }
}

/// A variable of a macro around this place.
fn variable<'a>(node: &Node, env: Env<'_, 'a>, fold: u32, second: bool) -> Outcome<Val<'a>> {
    let mut at = env;
    while let Some(frame) = at {
        if frame.fold == fold {
            return Ok(if second { frame.second.clone() } else { frame.first.clone() });
        }
        at = frame.around;
    }
    fail(node, "the variable has no value")
}
