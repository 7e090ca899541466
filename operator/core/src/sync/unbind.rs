//! It was acknowledged that this may be another target: an id there may be anybody's.

use std::collections::BTreeSet;

use super::gather::own_mark;
use super::row::{Row, Whose};
use super::{Context, Sync};
use crate::model::{AttributeName, IntentId, Name, RecordId, TargetId};
use crate::plan::{Fold, Shade};

impl Sync {
    /// Whether this is not the target that was last known to be the right one.
    pub(super) fn is_another_target(&self) -> bool {
        self.ledger.standing.fingerprint.as_ref().is_some_and(|known| known != self.target())
    }

    /// Nothing is ours by its id alone: an account that is shown, and not known to be its owner's by its keys, is let go, and so
    /// is one that `other` does not show. Its owner is looked for anew.
    pub(super) fn unbind_accounts(&mut self, other: bool, cx: &Context<'_>) {
        // What was decided by those ids is not sent.
        let unsent = self.flights.iter().filter(|(_, flight)| !flight.sent).map(|(id, _)| *id);
        for id in unsent.collect::<Vec<IntentId>>() {
            self.stored.retain(|(_, stored)| *stored != id);
            self.cancel(id, cx);
        }
        let sent: BTreeSet<RecordId> =
            self.flights.values().flat_map(|flight| &flight.parts).map(|part| part.record).collect();
        let is_kept = |row: Row<'_>| {
            let Some(id) = row.target_id() else { return true };
            let shade = self.ledger.seen(&id.into());
            sent.contains(&row.id) || shade.map_or(!other, |shade| self.is_theirs(row, &shade, cx))
        };
        let gone = self.ledger.records().filter(|row| !is_kept(*row));
        for (id, name) in gone.map(|row| (row.id, Name::from(row.owner()))).collect::<Vec<_>>() {
            self.ledger.forget(id);
            self.learn_lost(id);
            self.doubts.disables.remove(&id);
            self.touch(&name, cx);
        }
        if other {
            self.unbind_grants();
            self.doubts.unstuck.clear();
            self.ledger.standing.protected.clear();
            self.bind_protected();
        }
    }

    /// Whether an account is this record's by what was recorded or written of its keys.
    fn is_theirs(&self, row: Row<'_>, shade: &Shade, cx: &Context<'_>) -> bool {
        let whose = Whose::from(row);
        let own = own_mark(&Name::from(row.owner()), cx);
        let keys = [
            (self.schema.mark, Some(whose.external_id.unwrap_or(&own))),
            (self.schema.external_id, whose.external_id),
            (Some(self.schema.user_name), Some(whose.user_name)),
        ];
        for (attribute, recorded) in keys {
            let Some((attribute, text)) = attribute.and_then(|name| Some((name, shade.key(name)?))) else { continue };
            let name = AttributeName::new(attribute);
            let (fold, written) = (Fold::of(self.schema, &name), row.written().get(&name));
            if recorded.is_some_and(|recorded| fold.apply(recorded) == fold.apply(text))
                || (written.is_some() && written == shade.digest(&name))
            {
                return true;
            }
            // A mark that others made says nothing of whose account it is, where we know no externalId of its owner.
            if written.is_some() || whose.external_id.is_some() || text.starts_with("provost:") {
                return false;
            }
        }
        false
    }

    /// Who has an account there still has what is in groups that were bound again by their names.
    fn unbind_grants(&mut self) {
        let bound: BTreeSet<TargetId> = self.ledger.groups().map(|group| group.target_id.clone()).collect();
        let others = |row: &Row<'_>| row.grants().any(|(group, _)| !bound.contains(group));
        let records: Vec<_> = self.ledger.records().filter(others).map(Row::record).collect();
        for mut record in records {
            record.grants.retain(|group, _| bound.contains(group));
            self.ledger.put(record);
        }
    }
}
