//! Edits of the declared state, and of the target behind our back.

use provost_core::model::{
    AttributeName, Attributes, EntitlementKind, Field, Identity, Name, TargetId, Uid, UserName, Value,
};

use super::declared::Declared;
use super::generate::{self, APPLICATIONS, GROUPS, IDENTITIES, POLICIES, one};
use crate::simulation::Random;
use crate::simulation::target::{Account, Target};

/// One edit, in words.
pub fn edit(random: &mut Random, declared: &mut Declared) -> String {
    let who = one(random, &IDENTITIES);
    let policy = one(random, &POLICIES);
    match random.below(20) {
        0..=3 => {
            generate::identity(random, declared, who);
            format!("{who} anew: {:?}", declared.identities.get(who))
        }
        4 | 5 => {
            declared.identities.remove(who);
            format!("{who} is deleted")
        }
        6 => rehire(random, declared, who),
        7 => {
            restore(random, declared, who);
            format!("{who} is restored: {:?}", declared.identities.get(who))
        }
        8 | 9 => {
            if let Some(identity) = valid(declared, who) {
                identity.lifecycle.suspended = !identity.lifecycle.suspended;
            }
            format!("{who} is suspended, or is back")
        }
        10 => {
            let n = random.below(12);
            if let Some(identity) = valid(declared, who) {
                let name = format!("V{n}");
                identity.user_name = UserName::new(name.as_str(), &name.to_lowercase());
            }
            format!("{who} is renamed V{n}")
        }
        11 => {
            let department = one(random, &["A", "B"]);
            if let Some(identity) = valid(declared, who) {
                let others = identity.texts.iter().filter(|(field, _)| *field != Field::Department).cloned();
                let mut texts: Vec<_> = others.chain([(Field::Department, department.into())]).collect();
                texts.sort();
                identity.texts = texts.into();
            }
            format!("{who} moves to {department}")
        }
        12 | 13 => {
            let group = one(random, &GROUPS[..4]);
            generate::group(random, declared, group);
            format!("{group} anew: {:?}", declared.groups.get(group))
        }
        14 => {
            let group = one(random, &GROUPS[..4]);
            declared.groups.remove(group);
            format!("{group} is deleted")
        }
        15 | 16 => {
            generate::policy(random, declared, policy);
            format!("{policy} anew: {:?}", declared.policies.get(policy))
        }
        17 => {
            declared.policies.remove(policy);
            format!("{policy} is deleted")
        }
        _ => {
            let application = one(random, &APPLICATIONS);
            generate::application(random, declared, application);
            format!("{application} anew: {:?}", declared.applications.get(application))
        }
    }
}

fn valid<'a>(declared: &'a mut Declared, name: &str) -> Option<&'a mut Identity> {
    declared.identities.get_mut(name)?.spec.as_mut().ok()
}

/// The same person as another object.
fn rehire(random: &mut Random, declared: &mut Declared, old: &str) -> String {
    let new = one(random, &IDENTITIES);
    let Some(mut manifest) = declared.identities.get(old).cloned() else { return String::new() };
    if declared.identities.contains_key(new) {
        return String::new();
    }
    manifest.meta.name = new.into();
    manifest.meta.uid = Uid::new(&format!("{new}-{}", 2 + random.below(100)));
    declared.identities.remove(old);
    declared.identities.insert(new.into(), manifest);
    format!("{old} is handed over to {new}")
}

/// The same object with another uid, perhaps as another person.
fn restore(random: &mut Random, declared: &mut Declared, name: &'static str) {
    if random.chance(50) {
        declared.identities.remove(name);
        generate::identity(random, declared, name);
    }
    if let Some(manifest) = declared.identities.get_mut(name).filter(|manifest| manifest.spec.is_ok()) {
        manifest.meta.uid = Uid::new(&format!("{name}-{}", 200 + random.below(100)));
    }
}

/// What is at a target before we come.
pub fn furnish(random: &mut Random, declared: &Declared) -> Target {
    let now = std::time::Duration::ZERO;
    let mut target = Target::new(false, false);
    let groups: Vec<TargetId> =
        generate::ENTITLEMENTS.iter().map(|name| target.add_group(EntitlementKind::Group, name, None, now)).collect();
    let text = |name: &str, value: &str| (AttributeName::new(name), Value::from(value));
    let mut accounts = vec![target.add_account(true, [text("userName", "stranger")].into(), now)];
    accounts.push(target.add_account(true, [text("userName", super::end::PROTECTED)].into(), now));
    for manifest in declared.identities.values() {
        let Ok(identity) = &manifest.spec else { continue };
        if !random.chance(40) {
            continue;
        }
        let own = identity.user_name.folded().to_owned();
        let user_name = if random.chance(80) { own } else { format!("old-{own}") };
        let mut attributes: Attributes = [text("userName", &user_name)].into();
        match (random.below(4), &identity.external_id) {
            (0 | 1, Some(external_id)) => attributes.extend([text("externalId", external_id)]),
            (2, _) => attributes.extend([text("externalId", "another")]),
            _ => {}
        }
        let taken = target.accounts().any(|(_, a)| a.attributes.get("userName") == attributes.get("userName"));
        if !taken {
            accounts.push(target.add_account(random.chance(90), attributes, now));
        }
    }
    for account in &accounts {
        for group in &groups {
            if random.chance(25) {
                target.change_group(group, now, |members| _ = members.insert(account.clone()));
            }
        }
    }
    target
}

/// Somebody edits a target behind our back: what, and the account whose groups that changes.
pub fn tamper(random: &mut Random, target: &mut Target, now: std::time::Duration) -> (String, Option<TargetId>) {
    let accounts: Vec<TargetId> = target.accounts().map(|(id, _)| id.clone()).collect();
    let groups: Vec<(TargetId, Name)> = target.groups().map(|(id, g)| (id.clone(), Name::new(&*g.name))).collect();
    let (Some(id), Some((group, name))) = (random.pick(&accounts), random.pick(&groups)) else {
        return Default::default();
    };
    match random.below(3) {
        0 => {
            let Some(account) = target.account(id).cloned() else { return Default::default() };
            target.set_account(id, Some(Account { enabled: !account.enabled, ..account }), now);
            (format!("{id} is switched"), None)
        }
        1 => {
            target.change_group(group, now, |members| _ = members.insert(id.clone()));
            (format!("{id} is added to {name}"), Some(id.clone()))
        }
        _ => {
            target.change_group(group, now, |members| _ = members.remove(id));
            (format!("{id} is removed from {name}"), Some(id.clone()))
        }
    }
}
