use std::collections::BTreeMap;

use super::{Change, Fold, Shade, Subject, digest};
use crate::model::{Apply, AttributeName, Attributes, Digest, Record, Schema, Step, TargetId, Value};

/// Every attribute of a new account that has a value, and its digests.
pub(super) fn for_create(subject: &Subject<'_>, schema: &Schema) -> (Attributes, BTreeMap<AttributeName, Digest>) {
    let mut attributes = Attributes::new();
    let mut written = BTreeMap::new();
    for wanted in subject.attributes {
        let Some(value) = &wanted.value else { continue };
        if let Some(digest) = digest(value, Fold::of(schema, &wanted.name)) {
            attributes.insert(wanted.name.clone(), value.clone());
            written.insert(wanted.name.clone(), digest);
        }
    }
    (attributes, written)
}

/// What differs between an account and what it should carry.
#[derive(Debug, Default)]
pub(super) struct Difference {
    set: Attributes,
    written: BTreeMap<AttributeName, Option<Digest>>,
    rename: bool,
    /// Attributes that differ from what we wrote last, while what we want has not changed.
    pub(super) drift: Vec<AttributeName>,
    /// Digests to remember without a write: the target already has what is wanted.
    pub(super) learned: BTreeMap<AttributeName, Digest>,
}

impl Difference {
    /// The one step that removes the difference, if there is one.
    pub(super) fn step(self, id: &TargetId) -> Option<(Step, Change)> {
        if self.set.is_empty() {
            return None;
        }
        let (id, set) = (id.clone(), self.set);
        let step = if self.rename { Step::RenameAccount { id, set } } else { Step::UpdateAccount { id, set } };
        Some((step, Change::Write(self.written)))
    }
}

/// Compares by digest. A value that became empty clears only what the ledger says we wrote; what was set once, what is
/// unknown and what nobody maps is left alone.
pub(super) fn difference(
    subject: &Subject<'_>,
    record: &Record,
    id: &TargetId,
    shade: &Shade,
    schema: &Schema,
) -> Difference {
    let mut out = Difference::default();
    for wanted in subject.attributes.iter().filter(|w| w.apply == Apply::Always) {
        let (name, Some(value)) = (&wanted.name, &wanted.value) else { continue };
        let want = digest(value, Fold::of(schema, name));
        let seen = shade.digest(name);
        let wrote = record.written.get(name).copied();
        if want == seen {
            // Only of what we wrote before: what was found so is not ours to clear.
            if let (Some(want), Some(_)) = (want, wrote.filter(|wrote| Some(*wrote) != want)) {
                out.learned.insert(name.clone(), want);
            }
            continue;
        }
        match want {
            Some(want) if subject.unstuck.contains(&(id.clone(), name.clone(), want)) => continue,
            Some(_) => out.set.insert(name.clone(), value.clone()),
            None if wrote.is_some() => out.set.insert(name.clone(), Value::Null),
            None => continue,
        };
        out.written.insert(name.clone(), want);
        if want.is_some() && want == wrote {
            out.drift.push(name.clone());
        }
        out.rename |= name.as_str() == schema.user_name;
    }
    out
}
