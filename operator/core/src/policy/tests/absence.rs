//! The promise of the guard, on generated rules and people: where an Allow is accepted, no identity gains by losing a
//! field; where a Deny is accepted without a warning, none escapes by losing one.

use super::random::{Random, seeds};
use super::sample;
use crate::model::{Contact, Custom, Effect, Field, Identity, Name, State};
use crate::policy::rule::{Scope, Site, compile};
use crate::policy::{Cost, Facts, Manager, Memberships, Rule, matches};

const ROUNDS: usize = 4000;

const TEXTS: &[&str] = &[
    "identity.title",
    "identity.department",
    "identity.externalId",
    "identity.name.given",
    "identity.manager.title",
    "identity.primaryEmail()",
    "identity.managerRef.name",
];

const ATTRIBUTES: &[&str] = &["identity.attributes.k", "identity.attributes['k']", "identity.attributes.m"];

fn condition(random: &mut Random, depth: usize, element: Option<&str>) -> String {
    if depth > 0 && random.chance(65) {
        let part = |random: &mut Random| condition(random, depth - 1, element);
        return match random.below(6) {
            0 | 1 => format!("({} && {})", part(random), part(random)),
            2 => format!("({} || {})", part(random), part(random)),
            3 | 4 => format!("!({})", part(random)),
            _ => format!("({} ? {} : {})", part(random), part(random), part(random)),
        };
    }
    match element {
        Some(e) if random.chance(80) => of_element(random, e),
        _ => atom(random, depth, element.is_none()),
    }
}

fn of_element(random: &mut Random, e: &str) -> String {
    match random.below(7) {
        0 => format!("{e}.value == 'a'"),
        1 => format!("{e}.type == 'a'"),
        2 => format!("{e}.type != 'a'"),
        3 => format!("has({e}.type)"),
        4 => format!("{e}.primary"),
        5 => format!("has({e}.primary)"),
        _ => format!("{e}.type == {}", random.pick(TEXTS)),
    }
}

fn atom(random: &mut Random, depth: usize, folds: bool) -> String {
    let text = *random.pick(TEXTS);
    let other = *random.pick(TEXTS);
    let attribute = *random.pick(ATTRIBUTES);
    let selects = !text.ends_with(')');
    match random.below(20) {
        0 | 1 => format!("{text} == 'a'"),
        2 | 3 => format!("{text} != 'a'"),
        4 => format!("{text} == ''"),
        5 | 6 if selects => format!("has({text})"),
        7 => format!("{text} in ['a', 'b']"),
        8 => format!("{text}.startsWith('a')"),
        9 => format!("size({text}) < 2"),
        10 => format!("{text} == {other}"),
        11 => format!("{attribute} == 'a'"),
        12 => format!("{attribute} != 'a'"),
        13 if attribute.ends_with(['k', 'm']) => format!("has({attribute})"),
        14 => format!("'a' in {attribute}"),
        15 => "'k' in identity.attributes".to_owned(),
        16 => (*random.pick(&["has(identity.manager)", "identity.lifecycle.suspended", "has(identity.attributes)"]))
            .to_owned(),
        17 => (*random.pick(&["size(identity.emails) > 0", "identity.emails[0].type == 'a'", "has(identity.emails)"]))
            .to_owned(),
        18 | 19 if folds => {
            let name = *random.pick(&["all", "exists", "exists", "exists_one"]);
            let body = condition(random, depth.min(2), Some("e"));
            format!("identity.emails.{name}(e, {body})")
        }
        _ => format!("identity.type == '{}'", random.pick(&["Person", "Service"])),
    }
}

fn some_text(random: &mut Random) -> &'static str {
    const SOME: [&str; 3] = ["a", "b", "ab"];
    SOME[random.below(SOME.len())]
}

fn someone(random: &mut Random) -> Identity {
    let mut texts = Vec::new();
    for field in [Field::Title, Field::Department, Field::GivenName] {
        if random.chance(75) {
            texts.push((field, some_text(random)));
        }
    }
    let mut custom = Vec::new();
    for name in ["k", "m"] {
        if random.chance(75) {
            let many = random.chance(30);
            let text = some_text(random).into();
            custom.push((name.into(), if many { Custom::Many(Box::new([text])) } else { Custom::One(text) }));
        }
    }
    let mut emails = Vec::new();
    for at in 0..random.below(3) {
        let kind = random.chance(60).then(|| some_text(random).into());
        let primary = random.chance(50).then_some(at == 0);
        emails.push(Contact { value: some_text(random).into(), kind, primary });
    }
    Identity {
        external_id: random.chance(75).then(|| some_text(random).into()),
        emails: emails.into(),
        manager: random.chance(75).then(|| Name::from(some_text(random))),
        custom: custom.into(),
        ..sample::identity("a", &texts)
    }
}

/// Everyone that this identity becomes by losing one field.
fn without_one_field(identity: &Identity) -> Vec<Identity> {
    let mut all = Vec::new();
    for at in 0..identity.texts.len() {
        let mut texts = identity.texts.to_vec();
        texts.remove(at);
        all.push(Identity { texts: texts.into(), ..identity.clone() });
    }
    for at in 0..identity.custom.len() {
        let mut custom = identity.custom.to_vec();
        custom.remove(at);
        all.push(Identity { custom: custom.into(), ..identity.clone() });
    }
    for at in 0..identity.emails.len() {
        let mut emails = identity.emails.clone();
        emails[at].kind = None;
        all.push(Identity { emails, ..identity.clone() });
        let mut emails = identity.emails.clone();
        emails[at].primary = None;
        all.push(Identity { emails, ..identity.clone() });
    }
    all.push(Identity { external_id: None, ..identity.clone() });
    all.push(Identity { emails: Box::new([]), ..identity.clone() });
    all.push(Identity { custom: Box::new([]), ..identity.clone() });
    all.push(Identity { manager: None, ..identity.clone() });
    all
}

fn holds(rule: &Rule, identity: &Identity, manager: Manager<'_>) -> Option<bool> {
    let facts = Facts {
        identity: &identity.pack(),
        manager: if identity.manager.is_some() { manager } else { Manager::Absent },
        state: State::Active,
        application: None,
        groups: Memberships { sure: &[], unknown: &[], name: &|_| None },
    };
    matches(rule, &facts, &mut Cost::default()).ok()
}

#[test]
fn nobody_gains_and_nobody_escapes_by_losing_a_field() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let (mut accepted, mut refused, mut true_ones) = (0, 0, 0);
        for _ in 0..ROUNDS {
            let depth = random.below(4);
            let source = condition(&mut random, depth, None);
            let effect = *random.pick(&[Effect::Allow, Effect::Deny]);
            let mut scope = Scope { group: &mut super::group };
            let Ok(rule) = compile(&source, Site::PolicyMatch(effect), &mut scope) else {
                refused += 1;
                continue;
            };
            if !rule.warnings().is_empty() {
                refused += 1;
                continue;
            }
            accepted += 1;
            for _ in 0..12 {
                let (person, boss) = (someone(&mut random), someone(&mut random));
                let lost = without_one_field(&person).into_iter().map(|poorer| (poorer, boss.clone()));
                let of_boss = without_one_field(&boss).into_iter().map(|poorer| (person.clone(), poorer));
                let before = holds(&rule, &person, Manager::Known(&boss.pack()));
                true_ones += usize::from(before == Some(true));
                for (poorer, boss) in lost.chain(of_boss) {
                    let after = holds(&rule, &poorer, Manager::Known(&boss.pack()));
                    let harm = match effect {
                        Effect::Allow => after == Some(true) && before != Some(true),
                        Effect::Deny => after == Some(false) && before != Some(false),
                    };
                    assert!(
                        !harm,
                        "PROVOST_SEED={seed}: {effect:?} {source}\n{person:?}\nbecomes {poorer:?}\n{before:?} -> {after:?}"
                    );
                }
            }
        }
        assert!(accepted > ROUNDS / 20 && refused > ROUNDS / 20 && true_ones > 500, "{accepted} {refused} {true_ones}");
    }
}
