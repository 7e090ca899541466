//! The end: once faults stop, the target is as declared, by a naive reading of it.

use provost_core::model::{AttributeName, Name, Record, RecordState, State, Value};

use super::expected::{Sure, wanted};
use super::run::Sim;
use super::store::Store;
use super::target::Target;
use super::world::{APPS, ENTITLEMENTS, PUSHED, group_name, is_authoritative};

impl Sim {
    /// With faults off and time to settle: the target is as declared.
    pub(super) fn check_the_end(&mut self) {
        let mut wrong = Vec::new();
        if !self.engine.is_idle() {
            wrong.push("something is still under way".to_owned());
        }
        for app in APPS {
            let app = Name::new(app);
            let (Some(target), Some(store)) = (self.targets.get(&app), self.stores.get(&app)) else { continue };
            for name in self.world.people.keys() {
                wrong.extend(self.check_person(&app, name, target, store));
            }
            for record in store.records.values().filter(|r| !self.world.people.contains_key(&r.owner.name)) {
                wrong.extend(check_gone(&app, record, target));
            }
            if !store.intents.is_empty() {
                wrong.push(format!("{app}: open intents {:?}", store.intents.keys()));
            }
            for (id, account) in target.accounts() {
                let mark = account.attributes.get(&AttributeName::new("externalId")).and_then(Value::as_text);
                if store.of_target(id).is_none() && mark.is_some_and(|m| m.starts_with("provost:")) {
                    wrong.push(format!("{app}: {id} carries our mark and nobody owns it"));
                }
            }
        }
        for what in wrong {
            self.fail(what);
        }
    }

    fn check_person(&self, app: &Name, name: &Name, target: &Target, store: &Store) -> Option<String> {
        let wanted = wanted(&self.world, name, app.as_str(), self.wall())?;
        let records: Vec<&Record> = store.records.values().filter(|r| r.owner.name == *name).collect();
        let record = match (wanted.account == Sure::Yes && wanted.state == State::Active, records.as_slice()) {
            (_, [one]) => *one,
            (false, []) => return None,
            (_, many) => return Some(format!("{app}: {name} has {} records", many.len())),
        };
        let Some(id) = &record.target_id else { return Some(format!("{app}: {name} has no account: {record:?}")) };
        let active = wanted.state == State::Active && wanted.account == Sure::Yes;
        let Some(account) = target.account(id) else {
            return active.then(|| format!("{app}: the account {id} of {name} is gone"));
        };
        if account.enabled != active && !(active && self.disabled.contains(&(app.clone(), id.clone()))) {
            return Some(format!("{app}: {name}: {id} enabled {}, should be {active}", account.enabled));
        }
        let text = |attribute: &str| account.attributes.get(&AttributeName::new(attribute)).and_then(Value::as_text);
        let person = self.world.people.get(name)?;
        // Case alone is no difference.
        if active && !text("userName").is_some_and(|t| t.eq_ignore_ascii_case(&person.user_name)) {
            return Some(format!("{app}: {name}: userName {:?}", text("userName")));
        }
        if active && person.title.is_some() && text("title") != person.title.as_deref() {
            return Some(format!("{app}: {name}: title {:?}, should be {:?}", text("title"), person.title));
        }
        let may_hold = matches!(wanted.state, State::Active | State::Suspended);
        let pushed = (app.as_str() == APPS[0]).then_some(PUSHED);
        for entitlement in ENTITLEMENTS.into_iter().chain(pushed) {
            let named = group_name(app.as_str(), entitlement);
            let Some((group_id, group)) = target.groups().find(|(_, g)| *g.name == *named) else {
                return Some(format!("{app}: the group {named} of {entitlement} is not there"));
            };
            let holds = group.members.contains(id);
            let granted = wanted.entitlements.contains(entitlement);
            if active && granted && !holds {
                return Some(format!("{app}: {name} should have {entitlement} on {id}"));
            }
            let foreign = self.foreign.contains(&(app.clone(), group_id.clone(), id.clone()));
            let spared =
                foreign && !is_authoritative(app.as_str(), entitlement) && !record.grants.contains_key(group_id);
            if holds && !(granted && may_hold) && !spared {
                return Some(format!("{app}: {name} should not have {entitlement} on {id}"));
            }
        }
        None
    }
}

fn check_gone(app: &Name, record: &Record, target: &Target) -> Option<String> {
    let id = record.target_id.as_ref()?;
    let account = target.account(id)?;
    if account.enabled {
        return Some(format!("{app}: {id} of {} who is gone is enabled ({:?})", record.owner.name, record.state));
    }
    if record.state != RecordState::Retained {
        return Some(format!("{app}: {id} of {} who is gone is {:?}", record.owner.name, record.state));
    }
    let held = ENTITLEMENTS
        .iter()
        .find(|e| target.groups().any(|(_, g)| *g.name == *group_name(app.as_str(), e) && g.members.contains(id)));
    held.map(|e| format!("{app}: {id} of {} who is gone has {e}", record.owner.name))
}
