//! Whose turn it is: every owner of a name, with what the directory says of it and the ledger's record.

use std::sync::Arc;

use super::row::{Row, Whose};
use super::{Context, Sync};
use crate::directory::{AttributeValue, Decision, IdentityView, PolicyState};
use crate::model::{
    Apply, AttributeName, CorrelationKey, MappingSource, Name, Owner, Reason, Record, RecordId, RecordState, State,
    Value,
};
use crate::plan::WantedAttribute;
use crate::report::Problem;

/// What is decided for one owner, apart from what the target shows.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) owner: Owner,
    pub(super) decision: Decision,
    pub(super) external_id: Option<Arc<str>>,
    pub(super) user_name: Arc<str>,
    pub(super) keys: Vec<CorrelationKey>,
    pub(super) mark: Arc<str>,
    pub(super) attributes: Vec<WantedAttribute>,
    /// Why an account may not be looked for or created, if so.
    pub(super) unreadable: Option<Problem>,
    pub(super) record: Option<Record>,
}

impl Gathered {
    /// The same owner, with another record.
    pub(super) fn with(&self, record: Record) -> Self {
        Self {
            owner: self.owner.clone(),
            decision: self.decision.clone(),
            external_id: self.external_id.clone(),
            user_name: Arc::clone(&self.user_name),
            keys: self.keys.clone(),
            mark: Arc::clone(&self.mark),
            attributes: self.attributes.clone(),
            unreadable: None,
            record: Some(record),
        }
    }

    /// A record whose owner is gone.
    fn gone(record: Record) -> Self {
        Self {
            owner: record.owner.clone(),
            decision: Decision::default(),
            external_id: record.external_id.clone(),
            user_name: "".into(),
            keys: Vec::new(),
            mark: "".into(),
            attributes: Vec::new(),
            unreadable: None,
            record: Some(record),
        }
    }

    /// Ended, suspended or gone.
    pub(super) fn leaves(&self) -> bool {
        self.decision.owner.is_none_or(|owner| matches!(owner.state, State::Ended | State::Suspended))
    }

    /// Ended or suspended by what the manifest says.
    pub(super) fn is_ended_by_manifest(&self) -> bool {
        let owner = self.decision.owner;
        owner.is_some_and(|owner| owner.explicit && matches!(owner.state, State::Suspended | State::Ended))
    }

    /// A record that has no id yet.
    pub(super) fn new_record(&self) -> Record {
        Record {
            id: RecordId(0),
            owner: self.owner.clone(),
            external_id: self.external_id.clone(),
            user_name: Arc::clone(&self.user_name),
            target_id: None,
            state: RecordState::Creating,
            written: std::collections::BTreeMap::new(),
            policies: self.decision.account.allow.iter().cloned().collect(),
            grants: std::collections::BTreeMap::new(),
            disabled_at: None,
            delete_at: None,
            last_write: None,
            created: false,
        }
    }
}

impl Sync {
    /// Every owner of this name: records whose owner is gone, then the Identity that is there.
    pub(super) fn owners_of(&self, name: &Name, cx: &Context<'_>) -> Vec<Gathered> {
        let live = cx.directory.identity(name);
        let own = live.and_then(|view| self.own_record(&view)).map(|row| row.id);
        let mut current: Option<Record> = None;
        let mut out = Vec::new();
        for record in self.ledger.of_name(name) {
            if Some(record.id) == own {
                current = Some(record);
            } else if record.state != RecordState::Released && !self.may_come_back(&record, live.is_some()) {
                out.push(Gathered::gone(record));
            }
        }
        if let Some(view) = live {
            out.push(self.gather(&view, current, cx));
        }
        out
    }

    /// The record of an Identity, of those of its name: the one with its uid, or of one that was restored what is the same
    /// person's.
    pub(super) fn own_record(&self, view: &IdentityView<'_>) -> Option<Row<'_>> {
        let same = self.ledger.rows_of(view.name).filter(|row| is_same(*row, view));
        same.min_by_key(|row| (*Whose::from(*row).uid != *view.uid, row.id))
    }

    /// An Identity with what the directory says of its account.
    pub(super) fn gather(&self, view: &IdentityView<'_>, record: Option<Record>, cx: &Context<'_>) -> Gathered {
        let name = view.name;
        let mut decision = cx.directory.decision(name, &self.application);
        let decided = decision.entitlements.len();
        if let Some(record) = &record {
            keep_what_rests_on_unknown(&mut decision, record, self.doubts_absence(), cx);
            if decision.entitlements.len() > decided {
                cx.directory.withhold_by_requires(name, &self.application, &mut decision);
            }
        }
        self.decide_pushed(&mut decision, name, cx);
        let (external_id, user_name) = match view.spec {
            Ok(identity) => (identity.external_id().map(Arc::from), Arc::from(identity.folded_user_name())),
            // Of an invalid Identity nothing is known but its name: the record stays as it is.
            Err(_) => (record.as_ref().and_then(|r| r.external_id.clone()), Arc::from("")),
        };
        let mark = external_id.clone().unwrap_or_else(|| own_mark(name, cx));
        let (keys, unreadable) = match cx.directory.correlation_keys(name, &self.application) {
            Ok(keys) => (keys, None),
            Err(error) => (Vec::new(), Some(Problem::new(Reason::EvaluationFailed, error.to_string()))),
        };
        let mut attributes = Vec::new();
        if let Ok(wanted) = cx.directory.attributes(name, &self.application) {
            let one = |(name, wanted): (AttributeName, crate::directory::AccountAttribute)| WantedAttribute {
                value: self.resolve_value(wanted.value, cx),
                name,
                apply: wanted.apply,
            };
            attributes = wanted.into_iter().map(one).collect();
            self.add_mark(&mut attributes, &mark, record.as_ref());
        }
        let owner = Owner { name: name.clone(), uid: view.uid.clone() };
        Gathered { owner, decision, external_id, user_name, keys, mark, attributes, unreadable, record }
    }

    /// An attribute's value; a reference is the id of the account that identity has here now, whatever accounts others of
    /// its name left; unknown while there is none.
    fn resolve_value(&self, value: AttributeValue, cx: &Context<'_>) -> Option<Value> {
        match value {
            AttributeValue::Value(value) => Some(value),
            AttributeValue::Account(None) => Some(Value::Null),
            AttributeValue::Account(Some(other)) => {
                let Some(view) = cx.directory.identity(&other) else { return Some(Value::Null) };
                self.own_record(&view)?.target_id().map(Value::from)
            }
            AttributeValue::Unknown(_) => None,
        }
    }

    /// Our mark, where the target has an attribute meant for it and the manifest does not say otherwise: on a new account,
    /// and on one that carries none or an older mark of ours.
    fn add_mark(&self, attributes: &mut Vec<WantedAttribute>, mark: &Arc<str>, record: Option<&Record>) {
        let Some(attribute) = self.schema.mark else { return };
        let mut declared = self.settings.account.attributes.iter();
        if declared.any(|m| self.schema.spelled(&m.attribute).as_str() == attribute && m.source == MappingSource::Never)
        {
            return;
        }
        let carried = record.and_then(|r| r.target_id.as_ref()).and_then(|id| self.ledger.seen(id));
        let carried = carried.as_ref().and_then(|shade| shade.key(attribute));
        if carried.is_some_and(|text| !text.starts_with("provost:")) {
            return;
        }
        let value = Some(Value::Text(Arc::clone(mark)));
        match attributes.iter_mut().find(|w| w.name.as_str() == attribute) {
            Some(wanted) if wanted.value.as_ref().is_some_and(Value::is_empty) => wanted.value = value,
            Some(_) => {}
            None => attributes.push(WantedAttribute { name: attribute.into(), value, apply: Apply::Always }),
        }
    }
}

/// What an account of this Identity is marked with.
pub(super) fn mark_of(view: &IdentityView<'_>, cx: &Context<'_>) -> Arc<str> {
    let external_id = view.spec.ok().and_then(|identity| identity.external_id());
    external_id.map_or_else(|| own_mark(view.name, cx), Arc::from)
}

/// Our own mark, for who has no externalId.
pub(super) fn own_mark(name: &Name, cx: &Context<'_>) -> Arc<str> {
    format!("provost:{}/{name}", cx.namespace).into()
}

/// Whether the record is this Identity's: the same uid, or a restore of the same person.
fn is_same<'a>(record: impl Into<Whose<'a>>, view: &IdentityView<'_>) -> bool {
    let whose: Whose<'_> = record.into();
    if *whose.uid == *view.uid {
        return true;
    }
    // An invalid Identity is frozen, not gone, also when it was restored.
    let Ok(identity) = view.spec else { return true };
    // One that was rebuilt from the journal knows neither: nobody is ended for that.
    if whose.external_id.is_none() && whose.user_name.is_empty() {
        return true;
    }
    match (whose.external_id, identity.external_id()) {
        (Some(recorded), Some(external)) => *recorded == *external,
        _ => *whose.user_name == *identity.folded_user_name(),
    }
}

/// A policy whose manifest is invalid says nothing, and one that may only be missing neither: what rests on it is kept, as if
/// it were Unknown.
fn keep_what_rests_on_unknown(decision: &mut Decision, record: &Record, doubts_absence: bool, cx: &Context<'_>) {
    let unknown = |policy: &&Name| match cx.directory.policy_state(policy) {
        PolicyState::Invalid => true,
        PolicyState::Absent => doubts_absence,
        PolicyState::Valid => false,
    };
    decision.account.unknown.extend(record.policies.iter().filter(unknown).cloned());
    for grant in record.grants.values() {
        let policies: Vec<Name> = grant.policies.iter().filter(unknown).cloned().collect();
        if !policies.is_empty() {
            decision.entitlements.entry(grant.entitlement.clone()).or_default().unknown.extend(policies);
        }
    }
}
