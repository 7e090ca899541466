//! The end: once faults stop, the target is as declared, by a naive reading of it.

use provost_core::model::{AttributeName, Intent, Name, Record, RecordState, State, Value};

use super::expected::{Sure, wanted};
use super::guard::somebodys;
use super::manifests::uid;
use super::outside::words;
use super::run::Sim;
use super::store::Store;
use super::target::{Target, membership};
use super::world::{APPS, ENTITLEMENTS, PUSHED, Person, group_name};

impl Sim {
    /// With faults off and time to settle: the target is as declared.
    pub(super) fn check_the_end(&mut self) {
        let mut wrong = Vec::new();
        if !self.engine.is_idle() {
            wrong.push("something is still under way".to_owned());
        }
        for app in APPS {
            let app = Name::new(app);
            let (Some(target), Some(store)) = (self.target(app.as_str()), self.stores.get(&app)) else { continue };
            for name in self.world.people.keys() {
                wrong.extend(self.check_person(&app, name, target, store));
            }
            for record in store.records.values().filter(|r| !self.world.people.contains_key(&r.owner.name)) {
                wrong.extend(self.check_gone(&app, record, target));
            }
            let open = store.intents.values().filter(|intent| !self.stays_unsure(&app, intent, store));
            wrong.extend(open.map(|intent| format!("{app}: an intent is open: {}", words(&intent.step))));
            for (id, account) in target.accounts() {
                let mark = account.attributes.get(&AttributeName::new("externalId")).and_then(Value::as_text);
                let forgotten = mark == Some("provost:acme/forgotten");
                let may_be = self.world.apps.get(app.as_str()).is_some_and(|app| !app.disables_orphans);
                if forgotten && account.enabled && !may_be {
                    wrong.push(format!("{app}: {id} is an orphan and enabled"));
                }
                let stray = forgotten || self.is_stray(&app, id);
                if store.of_target(id).is_none() && !stray && mark.is_some_and(|m| m.starts_with("provost:")) {
                    wrong.push(format!("{app}: {id} carries our mark and nobody owns it"));
                }
            }
            wrong.extend(self.check_members(&app, target, store));
            wrong.extend(self.check_journal(&app, store));
            let pushes = self.world.apps.get(app.as_str()).is_some_and(|app| app.pushes);
            if let Some(group) = store.groups.values().find(|g| {
                let empty = target.group(&g.target_id).is_some_and(|group| group.members.is_empty());
                g.prune && g.created && !pushes && empty
            }) {
                wrong.push(format!("{app}: {} is not declared and not pruned", group.name));
            }
        }
        for what in wrong {
            self.fail(what);
        }
    }

    /// The journal has each intent, and what came of it; equal attempts are one, and counted.
    fn check_journal(&self, app: &Name, store: &Store) -> Option<String> {
        match self.memory.as_ref()?.journalled(app) {
            Ok(found) => {
                (!found.tells(store)).then(|| format!("{app}: the journal has {found:?}, not {:?}", store.closed))
            }
            Err(error) => Some(format!("{app}: {error}")),
        }
    }

    /// Nobody's accounts are in no group whose members are exactly those declared.
    fn check_members(&self, app: &Name, target: &Target, store: &Store) -> Option<String> {
        let declared = self.world.apps.get(app.as_str()).is_some_and(|declared| !declared.absent && !declared.deleting);
        if self.is_blind(app) || !declared {
            return None;
        }
        let exact = |entry: &&str| self.world.is_authoritative(app.as_str(), entry);
        let names: Vec<String> =
            ENTITLEMENTS.into_iter().chain([PUSHED]).filter(exact).map(|e| group_name(app.as_str(), e)).collect();
        let members = target.groups().filter(|(_, group)| names.contains(&group.name.to_string()));
        members.flat_map(|(_, group)| group.members.iter().map(move |id| (group, id))).find_map(|(group, id)| {
            let account = target.account(id)?;
            let spared = store.of_target(id).is_some()
                || self.protected.contains(&(app.clone(), id.clone()))
                || somebodys(&self.world, account, self.wall());
            (!spared).then(|| format!("{app}: {id} is nobody's and is in {}", group.name))
        })
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
        // Of what is found nothing is cleared that we may not have written.
        let kept = self.is_stray(app, id) && self.manager_of(name).is_none();
        if active && !kept && !self.refers_rightly(name, text("manager"), store) {
            return Some(format!("{app}: {name}: manager {:?}", text("manager")));
        }
        let may_hold = matches!(wanted.state, State::Active | State::Suspended);
        let declared = self.world.apps.get(app.as_str()).filter(|declared| !declared.absent && !declared.deleting);
        for entitlement in ENTITLEMENTS.into_iter().chain([PUSHED]) {
            let named = group_name(app.as_str(), entitlement);
            let Some((group_id, group)) = target.groups().find(|(_, g)| *g.name == *named) else {
                if declared.is_some_and(|declared| entitlement != PUSHED || declared.pushes) {
                    return Some(format!("{app}: the group {named} of {entitlement} is not there"));
                }
                continue;
            };
            let holds = group.members.contains(id);
            let granted = wanted.entitlements.contains(entitlement);
            let membership = (app.clone(), group_id.clone(), id.clone());
            let blind = self.is_blind(app);
            if active && granted && !holds && !(blind && !self.plan.answers && self.unseen.contains(&membership)) {
                return Some(format!("{app}: {name} should have {entitlement} on {id}"));
            }
            let foreign = self.foreign.contains(&membership);
            let exact = !blind && self.world.is_authoritative(app.as_str(), entitlement);
            let spared = foreign && !exact && !record.grants.contains_key(group_id);
            if holds && !(granted && may_hold) && !spared {
                return Some(format!("{app}: {name} should not have {entitlement} on {id}"));
            }
        }
        None
    }

    /// Whether nobody can tell whether somebody was given this: members are not shown, and the account of one who is
    /// suspended is given nothing, so neither is it given again before that is over.
    fn stays_unsure(&self, app: &Name, intent: &Intent, store: &Store) -> bool {
        let Some((true, group, _)) = membership(&intent.step) else { return false };
        let records = intent.records.iter().filter_map(|id| store.records.get(id));
        let holds = records.filter(|record| record.grants.contains_key(group));
        let mut people = holds.filter_map(|record| self.world.people.get(&record.owner.name));
        self.is_blind(app) && people.any(|person| person.lifecycle.state(self.wall()) == State::Suspended)
    }

    fn is_blind(&self, app: &Name) -> bool {
        self.plan.blind && app.as_str() == APPS[1]
    }

    /// Whom somebody reports to, if that one is there.
    fn manager_of(&self, name: &Name) -> Option<(&Name, &Person)> {
        let manager = self.world.people.get(name)?.manager.as_ref()?;
        Some((manager, self.told.people.get(manager)?))
    }

    /// Whether the reference to a manager is to the account that this one has here; where there is none it is not known.
    fn refers_rightly(&self, name: &Name, reference: Option<&str>, store: &Store) -> bool {
        let Some((manager, person)) = self.manager_of(name) else { return reference.is_none() };
        let uid = uid(manager, person.uid);
        let theirs = store.records.values().find(|r| r.owner.name == *manager && r.owner.uid == uid);
        theirs.and_then(|record| record.target_id.as_ref()).is_none_or(|id| reference == Some(id.as_str()))
    }

    fn check_gone(&self, app: &Name, record: &Record, target: &Target) -> Option<String> {
        let id = record.target_id.as_ref()?;
        let account = target.account(id)?;
        if account.enabled {
            return Some(format!("{app}: {id} of {} who is gone is enabled ({:?})", record.owner.name, record.state));
        }
        if record.state != RecordState::Retained {
            return Some(format!("{app}: {id} of {} who is gone is {:?}", record.owner.name, record.state));
        }
        let held = target.groups().find(|(group, g)| {
            let unseen = self.is_blind(app) && self.foreign.contains(&(app.clone(), (*group).clone(), id.clone()));
            let listed = ENTITLEMENTS.iter().any(|e| *g.name == *group_name(app.as_str(), e));
            listed && g.members.contains(id) && !unseen
        });
        held.map(|(_, group)| format!("{app}: {id} of {} who is gone is in {}", record.owner.name, group.name))
    }
}
