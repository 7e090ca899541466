//! Everything outside: targets, store and network as they answer, and people who edit targets behind our back.

use std::time::Duration;

use provost_core::engine::{Answer, Effect, EffectId, StoreFailure};
use provost_core::model::{
    Applied, AttributeName, Attributes, Ledger, Name, Spent, Step, TargetError, TargetId, Value,
};

use super::run::{At, Event, Sim};
use super::target::{Account, TIMEOUT, Target, VISIBILITY, membership};
use super::trouble::Spell;
use super::world::{APPS, PROTECTED, STRANGER, group_name, kind_of};

/// What others put behind the name of a group.
pub(super) const RENAMED: &str = ", since ";

impl Sim {
    /// What is at a target before we come. At one that takes another's place strangers have the ids of ours.
    pub(super) fn furnish(&mut self, app: &str, number: u64) {
        self.forget_ids(app);
        // The protected user name is the one account's that has it.
        let people = self.world.people.values().filter(|person| person.user_name != PROTECTED);
        let people: Vec<_> = people.cloned().collect();
        let now = self.now;
        let mut target = Target::new(self.plan.blind && app == APPS[1], self.plan.answers);
        (target.tells, target.uncounted) = (self.plan.tells, self.plan.uncounted);
        target.add_group(kind_of(app, "reader"), &group_name(app, "reader"), None, now);
        let text = |name: &str, value: &str| (AttributeName::new(name), Value::from(value));
        for n in 0..if number > 0 { people.len() } else { 0 } {
            target.add_account(true, [text("userName", &format!("{STRANGER}-{n}"))].into(), now);
        }
        for (n, person) in people.iter().enumerate().filter(|(n, _)| n % 4 == 0) {
            let mut attributes: Attributes = [text("userName", &person.user_name.to_lowercase())].into();
            if let Some(external) = person.external.as_ref().filter(|_| self.random.chance(50)) {
                attributes.extend([text("externalId", external)]);
            }
            attributes.extend([text("title", &format!("Old {n}"))]);
            target.add_account(true, attributes, now);
        }
        target.add_account(true, [text("userName", STRANGER)].into(), now);
        let gone = [text("userName", "forgotten"), text("externalId", "provost:acme/forgotten")];
        target.add_account(true, gone.into(), now);
        let root = target.add_account(true, [text("userName", PROTECTED)].into(), now);
        self.protected.insert((app.into(), root));
        self.targets.insert((app.into(), number), target);
    }

    /// What is known of ids at an application's target is so of none at another one.
    fn forget_ids(&mut self, app: &str) {
        for memberships in [&mut self.foreign, &mut self.unseen] {
            memberships.retain(|(of, ..)| of.as_str() != app);
        }
        for accounts in [&mut self.protected, &mut self.disabled, &mut self.strays] {
            accounts.retain(|(of, _)| of.as_str() != app);
        }
        self.read.retain(|(of, _), _| of.as_str() != app);
    }

    pub(super) fn execute(&mut self, life: u64, at: &At, id: EffectId, effect: Effect) {
        let spent = Spent { requests: 1, wait: None };
        let now = self.now;
        let spoilt = self.spoilt(&effect);
        let Some(answer) = spoilt.or_else(|| self.answer(at, effect)) else { return };
        if life != self.life {
            return;
        }
        let slow = matches!(&answer, Answer::Applied(outcomes) if outcomes.iter().any(|o| matches!(o, Err(TargetError::Lost(_)))));
        let wait = if slow { TIMEOUT.saturating_sub(Duration::from_millis(200)) } else { self.soon(120) };
        let wrote = matches!(answer, Answer::Applied(_));
        self.later(wait, Event::Deliver(life, at.0.clone(), id, answer, spent));
        let writes = self.writes();
        let planned = self.plan.crash_after.is_some_and(|after| writes >= after && self.out.crashes == 0);
        if wrote && (planned || self.random.chance(self.plan.crashes)) && now == self.now {
            self.crash();
        }
    }

    /// What store or target answer, by their state and by chance.
    fn answer(&mut self, at: &At, effect: Effect) -> Option<Answer> {
        let lag = self.random.within(VISIBILITY);
        let seen = if self.faults { self.now.saturating_sub(lag) } else { self.now };
        let fault = if self.faults { self.random.below(100) } else { 99 };
        Some(match effect {
            Effect::Load => self.load(&at.0),
            Effect::Record(changes) => {
                let recorded = self.record(&at.0, &changes, fault == 0);
                if !recorded && fault != 0 {
                    self.fail(format!("{}: a disk with room does not take {changes:?}", at.0));
                }
                Answer::Recorded(if recorded { Ok(()) } else { Err(StoreFailure("disk full".into())) })
            }
            Effect::Probe(..) if fault < 3 => Answer::Probed(Err(TargetError::Transient("503".into()))),
            Effect::Probe(..) => Answer::Probed(Ok(Box::new(self.targets.get(at)?.profile(seen)))),
            Effect::Observe { kind, page } => {
                let mut page = self.targets.get(at)?.observe(kind, page.as_ref(), 7, seen);
                if self.spell() == Some(Spell::HalfPage) {
                    page.items.truncate(page.items.len() / 2);
                    page.next = None;
                }
                Answer::Page(match fault {
                    0 => Err(TargetError::Transient("502".into())),
                    1 => Err(TargetError::RateLimited { retry_after: Some(Duration::from_secs(1)) }),
                    2 => {
                        // The page shifts under the reader: an item is lost.
                        page.items.pop();
                        Ok(page)
                    }
                    _ => Ok(page),
                })
            }
            Effect::Find(key) => {
                let found = self.targets.get(at)?.find(&key, seen);
                Answer::Found(if fault < 2 { Err(TargetError::Transient("504".into())) } else { Ok(found) })
            }
            Effect::Read(id) => {
                let read = self.targets.get(at)?.read(&id, seen);
                if fault < 2 {
                    return Some(Answer::Read(Err(TargetError::Lost("timeout".into()))));
                }
                if *at == self.at(at.0.as_str()) {
                    self.read.insert((at.0.clone(), id), self.now);
                }
                Answer::Read(Ok(read))
            }
            Effect::Changes(from) => {
                let changes = self.targets.get(at)?.changes(&from, seen);
                let lost = || TargetError::Unreachable("connection refused".into());
                Answer::Changes(if fault < 2 { Err(lost()) } else { Ok(changes) })
            }
            Effect::Apply(steps) => Answer::Applied(self.apply(at, &steps)),
        })
    }

    /// What the store holds, which is what it was asked to record.
    fn load(&mut self, app: &Name) -> Answer {
        let Some(must) = self.stores.get(app) else { return Answer::Loaded(Err(StoreFailure("no store".into()))) };
        match self.memory.as_ref().map_or_else(|| Ok(must.ledger()), |memory| memory.load(app)) {
            Ok(ledger) => {
                self.out.loads += 1;
                let stored = Ledger { store: None, ..ledger.clone() };
                if stored != must.ledger() {
                    let text = format!("{app}: the store holds {stored:?} in place of {:?}", must.ledger());
                    self.fail(text);
                }
                Answer::Loaded(Ok(Box::new(ledger)))
            }
            Err(error) => Answer::Loaded(Err(StoreFailure(error.to_string().into()))),
        }
    }

    pub(super) fn apply(&mut self, at: &At, steps: &[Step]) -> Vec<Result<Applied, TargetError>> {
        let mut out = Vec::new();
        for step in steps {
            // As connectors do.
            if out.last().is_some_and(provost_connectors::ends) {
                out.push(Err(TargetError::NotAsked));
                continue;
            }
            let fault = if self.faults { self.random.below(100) } else { 99 };
            let now = self.now;
            let lost = self.plan.lose == Some(self.writes() + 1);
            self.out.lost |= lost;
            self.out.kinds.insert(step.name());
            let storms = self.spell() == Some(Spell::Storm);
            let Some(target) = self.targets.get_mut(at) else { continue };
            let outcome = match fault {
                // In a storm some of what is asked is done.
                30.. if storms => Err(TargetError::Transient("503".into())),
                _ if lost => target.apply(step, now).and(Err(TargetError::Lost("timeout".into()))),
                0..2 => Err(TargetError::Transient("503".into())),
                2 => Err(TargetError::Unreachable("connection refused".into())),
                3 => Err(TargetError::RateLimited { retry_after: Some(Duration::from_secs(2)) }),
                4 => Err(TargetError::RateLimited { retry_after: None }),
                5 => Err(TargetError::Lost("never sent".into())),
                6..11 => {
                    // Done, and the answer is lost.
                    let done = target.apply(step, now);
                    done.and(Err(TargetError::Lost("timeout".into())))
                }
                11 => {
                    let done = target.apply(step, now);
                    done.and(Err(TargetError::Transient("502".into())))
                }
                12 => Err(TargetError::Rejected { field: None, reason: "400".into(), detail: "no".into() }),
                _ if storms => target.apply(step, now).and(Err(TargetError::Transient("502".into()))),
                _ => target.apply(step, now),
            };
            self.forget_foreign(at, step, outcome.is_ok());
            let told = match &outcome {
                Ok(Applied { id: Some(id), .. }) => format!("{id}"),
                Ok(_) => "done".to_owned(),
                Err(error) => error.to_string(),
            };
            self.say(&format!("{}: {} -> {told}", at.0, words(step)));
            out.push(outcome);
        }
        out
    }

    /// What we took or switched is not others' any more.
    fn forget_foreign(&mut self, at: &At, step: &Step, done: bool) {
        let (app, _) = at;
        if *at != self.at(app.as_str()) {
            return;
        }
        if let Some((false, group, members)) = membership(step) {
            for member in members {
                self.foreign.remove(&(app.clone(), group.clone(), member.clone()));
            }
        }
        match step {
            Step::EnableAccount { id } | Step::DisableAccount { id } if done => {
                self.disabled.remove(&(app.clone(), id.clone()));
            }
            _ => {}
        }
    }

    /// Somebody edits a target behind our back.
    fn tamper_with(&mut self, app: &str, id: &TargetId, group: &TargetId) -> Option<String> {
        let (now, at) = (self.now, self.at(app));
        let target = self.targets.get_mut(&at)?;
        let account = target.account(id).cloned()?;
        if self.protected.contains(&(app.into(), id.clone())) {
            return None;
        }
        let membership = (app.into(), group.clone(), id.clone());
        let shown = target.group(group).cloned()?;
        Some(match self.random.below(7) {
            0 => {
                let mut account = account;
                account.attributes.insert(AttributeName::new("title"), Value::from("tampered"));
                target.set_account(id, Some(account), now);
                format!("title of {id}")
            }
            1 => {
                target.set_account(id, Some(Account { enabled: false, ..account }), now);
                self.disabled.insert((app.into(), id.clone()));
                format!("disable {id}")
            }
            2 => {
                target.set_account(id, Some(Account { enabled: true, ..account }), now);
                format!("enable {id}")
            }
            3 => {
                target.change_group(group, now, |members| _ = members.insert(id.clone()));
                self.foreign.insert(membership);
                format!("add {id} to {group}")
            }
            4 => {
                target.change_group(group, now, |members| _ = members.remove(id));
                self.unseen.insert(membership);
                format!("remove {id} from {group}")
            }
            5 if shown.mark.is_some() => {
                // No two are ever named alike.
                let name = format!("{}{RENAMED}{}", shown.name, now.as_millis());
                target.rename_group(group, &name, now);
                format!("name {group} {name}")
            }
            _ => {
                target.set_account(id, None, now);
                format!("delete {id}")
            }
        })
    }

    pub(super) fn tamper(&mut self) {
        let app = self.random.pick(&APPS).copied().unwrap_or(APPS[0]);
        let Some(target) = self.target(app) else { return };
        let ids: Vec<TargetId> = target.accounts().map(|(id, _)| id.clone()).collect();
        let groups: Vec<TargetId> = target.groups().map(|(id, _)| id.clone()).collect();
        let (id, group) = (self.random.pick(&ids).cloned(), self.random.pick(&groups).cloned());
        if let (Some(id), Some(group)) = (id, group)
            && let Some(what) = self.tamper_with(app, &id, &group)
        {
            self.say(&format!("{app}: tampered: {what}"));
        }
    }
}

/// A step in words.
pub(super) fn words(step: &Step) -> String {
    let text = |attributes: &Attributes| {
        attributes.iter().map(|(n, v)| format!("{n}={}", v.as_text().unwrap_or("-"))).collect::<Vec<_>>().join(" ")
    };
    match step {
        Step::CreateAccount { attributes, enabled, .. } => format!("create {} enabled={enabled}", text(attributes)),
        Step::UpdateAccount { id, set } => format!("update {id} {}", text(set)),
        Step::RenameAccount { id, set } => format!("rename {id} {}", text(set)),
        Step::EnableAccount { id } => format!("enable {id}"),
        Step::DisableAccount { id } => format!("disable {id}"),
        Step::DeleteAccount { id } => format!("delete {id}"),
        Step::CreateGroup { name, .. } => format!("create group {name}"),
        Step::AddMembers { group, members } => format!("add {members:?} to {group}"),
        Step::RemoveMembers { group, members } => format!("remove {members:?} from {group}"),
        other => format!("{other:?}"),
    }
}
