//! Macros over lists, maps and optionals.

use std::sync::Arc;

use super::call;
use super::eval::{Env, Frame, Machine, Outcome, fail, paid};
use super::node::{Fold, FoldKind, Node};
use super::value::{List, Map, Val};

impl<'a> Machine<'a, '_> {
    pub fn fold(&mut self, node: &'a Node, fold: &'a Fold, env: Env<'_, 'a>) -> Outcome<Val<'a>> {
        let range = self.value(&fold.range, env)?;
        if let Val::Optional(held) = range {
            return self.fold_optional(node, fold, held, env);
        }
        match fold.kind {
            FoldKind::All => Ok(Val::Bool(self.quantify(fold, &range, env, false)?)),
            FoldKind::Exists => Ok(Val::Bool(self.quantify(fold, &range, env, true)?)),
            FoldKind::ExistsOne => {
                let mut found = 0_usize;
                self.each(fold, &range, env, |machine, frame| {
                    found += usize::from(machine.truth(&fold.body, Some(frame))?);
                    Ok(())
                })?;
                Ok(Val::Bool(found == 1))
            }
            FoldKind::Map | FoldKind::Filter => {
                let mut list = Vec::new();
                self.each(fold, &range, env, |machine, frame| {
                    if let Some(value) = machine.item(fold, frame)? {
                        paid(node, machine.cost.produce(48))?;
                        list.push(value);
                    }
                    Ok(())
                })?;
                Ok(Val::List(List::Own(list.into())))
            }
            FoldKind::TransformMap | FoldKind::TransformMapEntry => self.transform(node, fold, &range, env),
            FoldKind::OptMap | FoldKind::OptFlatMap => {
                fail(node, format!("found {} where an optional is expected", range.type_name()))
            }
        }
    }

    /// `all` (settled by false) and `exists` (settled by true): what decides outweighs what failed.
    fn quantify(&mut self, fold: &'a Fold, range: &Val<'a>, env: Env<'_, 'a>, decides: bool) -> Outcome<bool> {
        let (mut failed, mut settled) = (None, false);
        self.each(fold, range, env, |machine, frame| {
            if settled {
                return Ok(());
            }
            match machine.truth(&fold.body, Some(frame)) {
                Ok(truth) => settled = truth == decides,
                Err(f) if f.exhausted => return Err(f),
                Err(f) => failed = failed.take().or(Some(f)),
            }
            Ok(())
        })?;
        match failed {
            _ if settled => Ok(decides),
            Some(fault) => Err(fault),
            None => Ok(!decides),
        }
    }

    /// What `map`, `filter` and `transformList` keep of one element.
    fn item(&mut self, fold: &'a Fold, frame: &Frame<'_, 'a>) -> Outcome<Option<Val<'a>>> {
        if fold.kind == FoldKind::Filter {
            return Ok(self.truth(&fold.body, Some(frame))?.then(|| frame.first.clone()));
        }
        if let Some(filter) = &fold.filter
            && !self.truth(filter, Some(frame))?
        {
            return Ok(None);
        }
        self.value(&fold.body, Some(frame)).map(Some)
    }

    fn transform(&mut self, node: &'a Node, fold: &'a Fold, range: &Val<'a>, env: Env<'_, 'a>) -> Outcome<Val<'a>> {
        let mut map = Vec::new();
        self.each(fold, range, env, |machine, frame| {
            let Some(value) = machine.item(fold, frame)? else { return Ok(()) };
            paid(node, machine.cost.produce(96))?;
            if fold.kind == FoldKind::TransformMap {
                return machine.insert(node, &mut map, frame.first.clone(), value);
            }
            let Val::Map(made) = value else {
                return fail(
                    node,
                    format!("transformMapEntry() takes a map of one entry; found {}", value.type_name()),
                );
            };
            for (key, value) in (0..made.len()).filter_map(|at| made.entry(at)) {
                paid(node, machine.cost.produce(96))?;
                machine.insert(node, &mut map, key, value)?;
            }
            Ok(())
        })?;
        Ok(Val::Map(Map::Own(map.into())))
    }

    /// Calls for each element, with the variables bound.
    fn each(
        &mut self,
        fold: &'a Fold,
        range: &Val<'a>,
        env: Env<'_, 'a>,
        mut step: impl FnMut(&mut Self, &Frame<'_, 'a>) -> Outcome<()>,
    ) -> Outcome<()> {
        let mut frame = Frame { fold: fold.number, first: Val::Null, second: Val::Null, around: env };
        let length = match range {
            Val::List(list) => list.len(),
            Val::Map(map) => map.len(),
            other => {
                return fail(&fold.range, format!("found {} where a list or a map is expected", other.type_name()));
            }
        };
        for at in 0..length {
            paid(&fold.range, self.cost.step(1))?;
            let (key, value) = match range {
                Val::List(list) => {
                    let index = Val::Int(i64::try_from(at).unwrap_or(i64::MAX));
                    (index, list.get(at).unwrap_or(Val::Null))
                }
                Val::Map(map) => map.entry(at).unwrap_or((Val::Null, Val::Null)),
                _ => return Ok(()),
            };
            match (fold.two, range) {
                (true, _) => (frame.first, frame.second) = (key, value),
                (false, Val::List(_)) => frame.first = value,
                (false, _) => frame.first = key,
            }
            step(self, &frame)?;
        }
        Ok(())
    }

    /// `optMap` and `optFlatMap`.
    fn fold_optional(
        &mut self,
        node: &'a Node,
        fold: &'a Fold,
        held: Option<Arc<Val<'a>>>,
        env: Env<'_, 'a>,
    ) -> Outcome<Val<'a>> {
        let Some(held) = held else { return Ok(Val::Optional(None)) };
        let frame = Frame { fold: fold.number, first: (*held).clone(), second: Val::Null, around: env };
        paid(node, self.cost.produce(48))?;
        let value = self.value(&fold.body, Some(&frame))?;
        match (fold.kind, value) {
            (FoldKind::OptMap, value) => Ok(Val::Optional(Some(Arc::new(value)))),
            (FoldKind::OptFlatMap, value @ Val::Optional(_)) => Ok(value),
            (_, value) => fail(node, format!("found {} where a list is expected", call::show(&value))),
        }
    }
}
