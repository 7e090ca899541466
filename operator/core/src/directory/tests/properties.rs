//! After any sequence of changes and of time: what the directory keeps is what the naive evaluator says, what it says
//! was touched is all that changed, and the order of inputs does not matter.

use std::collections::BTreeMap;

use super::generate::{APPLICATIONS, GROUPS, IDENTITIES, POLICIES, Random, World, at};
use super::naive::Naive;
use super::schemas;
use crate::directory::{AccountAttributes, Decision, Directory, Touched, Truth, Unreadable};
use crate::model::{Change, CorrelationKey, Name, ObjectKind, ObjectRef};

/// What is said of one identity and one application.
type Said = (Decision, Result<AccountAttributes, Unreadable>, Result<Vec<CorrelationKey>, Unreadable>);

#[allow(clippy::disallowed_methods, reason = "a seed is replayed by whoever runs the test")]
/// Runs one test per seed; `PROVOST_SEED` replays one, `PROVOST_SEEDS` asks for another number of them.
fn seeds(count: u64, test: impl Fn(u64, &mut Random)) {
    let count = std::env::var("PROVOST_SEEDS").map_or(count, |n| n.parse().expect("PROVOST_SEEDS is a number"));
    for seed in crate::random::seeds(0..count) {
        test(seed, &mut Random(seed));
    }
}

fn pairs() -> impl Iterator<Item = (Name, Name)> {
    IDENTITIES.iter().flat_map(|i| APPLICATIONS.iter().map(|a| ((*i).into(), (*a).into())))
}

fn said(directory: &Directory) -> BTreeMap<(Name, Name), Said> {
    let one = |(owner, application): (Name, Name)| {
        let attributes = directory.attributes(&owner, &application);
        let keys = directory.correlation_keys(&owner, &application);
        let decision = directory.decision(&owner, &application);
        ((owner, application), (decision, attributes, keys))
    };
    pairs().map(one).collect()
}

/// What statuses show, printed, by object.
fn shown(directory: &Directory) -> BTreeMap<(&'static str, Name), String> {
    let mut shown = BTreeMap::new();
    for name in IDENTITIES.map(Name::from) {
        shown.insert(("identity", name.clone()), format!("{:?}", directory.identity(&name)));
    }
    for name in GROUPS.map(Name::from) {
        let mut members: Vec<&Name> = directory.members(&name).collect();
        members.sort();
        let warned = directory.warnings_of(&ObjectRef { kind: ObjectKind::Group, name: name.clone() });
        shown.insert(("group", name.clone()), format!("{:?} {members:?} {warned:?}", directory.group(&name)));
    }
    for name in POLICIES.map(Name::from) {
        shown.insert(("policy", name.clone()), format!("{:?}", directory.policy(&name)));
    }
    shown
}

fn agree(directory: &Directory, world: &World, context: &str) {
    let naive = Naive { world, now: directory.now() };
    for name in IDENTITIES.map(Name::from) {
        let groups = naive.groups(&name);
        for group in GROUPS.map(Name::from) {
            let there = directory.identity(&name).is_some();
            let expected = groups.get(&group).copied().unwrap_or(Truth::Unknown);
            let ended = naive.state(&name) == crate::model::State::Ended;
            if there && !ended && directory.group(&group).is_some() {
                assert_eq!(directory.membership(&group, &name), expected, "{name} in {group}, {context}");
            }
        }
        assert_eq!(directory.identity(&name).and_then(|i| i.frozen), naive.frozen(&name), "{name} frozen, {context}");
        for (policy, spec) in naive.policies() {
            let truth = naive.matches(spec, &name, &groups);
            let id = directory.identities.id(name.as_str()).zip(directory.policies.id(policy.as_str()));
            let recorded = id.map_or(Truth::No, |(identity, policy)| directory.recorded(policy, identity));
            assert_eq!(recorded, truth, "{policy} matches {name}, {context}");
        }
    }
    for (owner, application) in pairs() {
        let expected = naive.decision(&owner, &application);
        assert_eq!(directory.decision(&owner, &application), expected, "{owner} in {application}, {context}");
        let concerned = !expected.account.allow.is_empty() || !expected.account.unknown.is_empty();
        if concerned {
            assert!(directory.owners(&application).contains(&owner), "{owner} owns in {application}, {context}");
        }
    }
    for (policy, spec) in naive.policies() {
        let count = IDENTITIES
            .map(Name::from)
            .iter()
            .filter(|i| naive.matches(spec, i, &naive.groups(i)) == Truth::Yes)
            .count();
        assert_eq!(directory.policy(policy).unwrap().identities, count, "{policy} counts, {context}");
    }
}

fn covers(touched: &Touched, directory: &Directory, before: &Before, context: &str) {
    for ((owner, application), now) in said(directory) {
        let then = &before.said[&(owner.clone(), application.clone())];
        assert!(
            *then == now || touched.names(&owner, &application),
            "{owner} in {application}, {context}: {then:?} {now:?}"
        );
    }
    for ((kind, name), now) in shown(directory) {
        let names = match kind {
            "identity" => touched.identities.contains(&name),
            "group" => touched.groups.contains(&name),
            _ => touched.policies.contains(&name),
        };
        let then = &before.shown[&(kind, name.clone())];
        assert!(*then == now || names, "{kind} {name}, {context}:\n{then}\n{now}");
    }
}

struct Before {
    said: BTreeMap<(Name, Name), Said>,
    shown: BTreeMap<(&'static str, Name), String>,
}

fn before(directory: &Directory) -> Before {
    Before { said: said(directory), shown: shown(directory) }
}

#[test]
fn what_is_kept_is_what_evaluating_everything_anew_says_and_nothing_changes_untouched() {
    seeds(120, |seed, random| {
        let mut world = World::default();
        let mut directory = Directory::new(schemas);
        let mut now = 0;
        for step in 0..25 {
            let context = format!("seed {seed}, step {step}");
            let then = before(&directory);
            let touched = match random.below(10) {
                0 => {
                    world.batch(random, 6);
                    directory.replace(world.objects.values().cloned().collect(), at(now))
                }
                1..=3 => {
                    now += i64::try_from(random.below(30)).unwrap();
                    directory.advance(at(now))
                }
                4 if random.chance(30) => {
                    now -= i64::try_from(random.below(40)).unwrap();
                    directory.advance(at(now))
                }
                _ => {
                    let size = if step == 0 { 40 } else { 1 + random.below(4) };
                    directory.apply(world.batch(random, size), at(now))
                }
            };
            agree(&directory, &world, &context);
            covers(&touched, &directory, &then, &context);
        }
    });
}

#[test]
fn time_changes_nothing_before_the_next_transition() {
    seeds(100, |seed, random| {
        let mut world = World::default();
        let mut directory = Directory::new(schemas);
        directory.apply(world.batch(random, 40), at(0));
        for step in 0..40 {
            let then = (said(&directory), shown(&directory));
            let Some(next) = directory.next_transition() else { break };
            let touched = directory.advance(next - jiff::SignedDuration::from_nanos(1));
            assert_eq!((said(&directory), shown(&directory)), then, "seed {seed}, step {step}, before {next}");
            assert!(touched.is_empty(), "seed {seed}, step {step}, before {next}: {touched:?}");
            directory.advance(next);
            agree(&directory, &world, &format!("seed {seed}, step {step}, at {next}"));
        }
    });
}

#[test]
fn the_order_of_inputs_does_not_matter() {
    seeds(100, |seed, random| {
        let mut world = World::default();
        world.batch(random, 40);
        let mut all: Vec<Change> = world.objects.values().cloned().collect();
        let mut together = Directory::new(schemas);
        together.replace(all.clone(), at(20));
        random.shuffle(&mut all);
        let mut one_by_one = Directory::new(schemas);
        for change in all {
            one_by_one.apply(vec![change], at(20));
        }
        assert_eq!(said(&together), said(&one_by_one), "seed {seed}");
        assert_eq!(together.problems(), one_by_one.problems(), "seed {seed}");
        assert_eq!(shown(&together), shown(&one_by_one), "seed {seed}");
    });
}

#[test]
fn the_same_list_again_touches_nothing() {
    seeds(50, |seed, random| {
        let mut world = World::default();
        let mut directory = Directory::new(schemas);
        directory.apply(world.batch(random, 40), at(20));
        let touched = directory.replace(world.objects.values().cloned().collect(), at(20));
        assert!(touched.is_empty(), "seed {seed}: {touched:?}");
    });
}
