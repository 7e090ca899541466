//! People join, move and leave while the operator is killed again and again: in the end everything is as declared, no
//! account is there twice, and nobody lost anything who should not.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and say what they counted"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::e2e::{Application, Picture, Target, World, identity, policy, until};
use tests::seeds;
use tests::servers::TOKEN;
use tests::simulation::Random;

const DEPARTMENTS: [&str; 3] = ["Engineering", "Finance", "Sales"];
const AT_FIRST: usize = 40;
/// How often it is killed; `PROVOST_KILLS` says otherwise.
const KILLS: usize = 6;

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap()
}

/// What should be of one person.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Person {
    In(usize),
    Suspended(usize),
    Ended,
    Deleted,
}

#[derive(Default)]
struct Story {
    people: BTreeMap<String, Person>,
    /// Who may lose a membership, and who may lose the account, at some time.
    may_lose_group: BTreeSet<String>,
    may_lose_account: BTreeSet<String>,
}

impl Story {
    fn join(&mut self, random: &mut Random) -> Value {
        let (name, department) = (format!("person-{:02}", self.people.len()), below(random, DEPARTMENTS.len()));
        self.people.insert(name.clone(), Person::In(department));
        identity(&name, DEPARTMENTS[department])
    }

    fn pick(&self, random: &mut Random) -> (String, usize) {
        let present: Vec<(&String, usize)> =
            self.people.iter().filter_map(|(n, p)| if let Person::In(d) = p { Some((n, *d)) } else { None }).collect();
        let (name, department) = present[below(random, present.len())];
        (name.clone(), department)
    }

    /// Some joiners, and of the others a mover, a leaver by date, one on leave, one whose file is deleted, a new title.
    fn go_on(&mut self, world: &World, random: &mut Random) {
        let joiners: Vec<Value> = (0..4 + random.below(8)).map(|_| self.join(random)).collect();
        world.apply(&joiners);
        let edit =
            |name: &str, spec: Value| world.patch(&format!("identities.provost.dev/{name}"), &json!({"spec": spec}));
        for _ in 0..3 {
            let (name, department) = self.pick(random);
            match random.below(5) {
                0 => {
                    let to = (department + 1) % DEPARTMENTS.len();
                    edit(&name, json!({"department": DEPARTMENTS[to]}));
                    self.may_lose_group.insert(name.clone());
                    self.people.insert(name, Person::In(to));
                }
                1 => {
                    edit(&name, json!({"lifecycle": {"endTime": "2020-01-01T00:00:00Z"}}));
                    self.may_lose_group.insert(name.clone());
                    self.may_lose_account.insert(name.clone());
                    self.people.insert(name, Person::Ended);
                }
                2 => {
                    edit(&name, json!({"lifecycle": {"suspended": true}}));
                    self.may_lose_account.insert(name.clone());
                    self.people.insert(name, Person::Suspended(department));
                }
                3 => {
                    world.kubectl(&["delete", &format!("identities.provost.dev/{name}"), "--wait=false"]).ok();
                    self.may_lose_group.insert(name.clone());
                    self.may_lose_account.insert(name.clone());
                    self.people.insert(name, Person::Deleted);
                }
                _ => edit(&name, json!({"title": format!("Title {}", random.below(1000))})),
            }
        }
    }

    /// What is wrong with what is at the target.
    fn wrong(&self, picture: &Picture) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, person) in &self.people {
            let active = picture.accounts.get(name).map(|account| account.active);
            let good = match person {
                Person::In(_) => active == Some(true),
                // One who never had an account gets none.
                Person::Suspended(_) | Person::Ended | Person::Deleted => active != Some(true),
            };
            if !good {
                wrong.push(format!("the account of {name} is {active:?}"));
            }
        }
        for (at, department) in DEPARTMENTS.iter().enumerate() {
            let members = picture.members(&format!("{department} group"));
            for (name, person) in &self.people {
                let expected = match person {
                    Person::In(d) => Some(*d == at),
                    // Kept, if it was given.
                    Person::Suspended(d) => (*d != at).then_some(false),
                    Person::Ended | Person::Deleted => Some(false),
                };
                if expected.is_some_and(|expected| expected != members.contains(name)) {
                    wrong
                        .push(format!("{name} is {}in {department}", if members.contains(name) { "" } else { "not " }));
                }
            }
        }
        let strangers = picture.accounts.keys().filter(|name| !self.people.contains_key(*name));
        wrong.extend(strangers.map(|name| format!("{name} was never declared")));
        wrong
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_ends_where_it_should() {
    for seed in seeds::of_this_moment("e2e_kill") {
        killed(seed).await;
    }
}

async fn killed(seed: u64) {
    tests::tell(format!("killed: PROVOST_SEED={seed}"));
    let _tried = seeds::Tried { test: "e2e_kill", seed };
    let kills = std::env::var("PROVOST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut random = Random::new(seed);
    let target = Target::start().await;
    let mut world = World::new(&format!("kill-{seed}"));
    let application = Application::new("wiki", &target.url(), &DEPARTMENTS);
    let grants =
        DEPARTMENTS.map(|d| policy(&d.to_lowercase(), &format!("identity.department == \"{d}\""), "wiki", &[d]));
    let mut manifests = vec![
        // A day's work in a minute: the budgets are not what is tried here.
        application.secret(TOKEN, "127.0.0.1"),
        application.with("safety", json!({"removals": [{"count": 1000, "percent": 100, "window": "1h"}]})).manifest(),
        policy("everyone", "identity.type == \"Person\"", "wiki", &[]),
    ];
    manifests.extend(grants);
    let mut story = Story::default();
    manifests.extend((0..AT_FIRST).map(|_| story.join(&mut random)));
    world.apply(&manifests);

    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut sent = 0;
    for round in 0..kills {
        // A moment: when it has written so and so often, or, where there is less to write, when it has come to rest.
        let after = 1 + random.below(30);
        let began = Instant::now();
        while (target.writes() as u64) < after && began.elapsed() < Duration::from_secs(8) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let writes = target.writes();
        world.kill();
        tests::tell(format!("killed: round {round}: killed after {writes} writes ({after} were asked for)"));
        let requests = target.requests();
        assert!(requests.iter().all(|(method, _)| method != "DELETE"), "nothing is deleted: {requests:?}");
        sent += requests.len();
        for (name, account) in target.picture().await.accounts {
            let known = ids.entry(name.clone()).or_insert_with(|| account.id.clone());
            assert_eq!(*known, account.id, "the account of {name} is another one than before");
        }
        story.go_on(&world, &mut random);
        world.start();
    }
    world.operator().ready();
    let mut last = Vec::new();
    let began = Instant::now();
    loop {
        let picture = target.picture().await;
        let now = story.wrong(&picture);
        if now.is_empty() {
            break;
        }
        assert!(began.elapsed() < Duration::from_mins(2), "{now:#?}\n{}", world.kubectl(&["get", "provost"]).out);
        last = now;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tests::tell(format!(
        "killed: as declared after {:.1} s; last wrong was {:?}",
        began.elapsed().as_secs_f64(),
        last.last()
    ));
    world.all_ready();

    // A full sync finds nothing to do.
    world.reconcile_now("wiki", "last");
    until("the last sync is over", async || {
        (world.get("targetapplications.provost.dev/wiki")["status"]["lastHandledReconcileAt"] == "last").then_some(())
    })
    .await;
    world.settled().await;
    let picture = target.picture().await;
    assert_eq!(story.wrong(&picture), Vec::<String>::new());
    for (name, account) in &picture.accounts {
        assert!(
            ids.get(name).is_none_or(|known| *known == account.id),
            "the account of {name} is another one than before"
        );
    }
    let requests = target.requests();
    sent += requests.len();
    assert!(requests.iter().all(|(method, _)| method != "DELETE"), "nothing is deleted: {requests:?}");
    check_journal(&world, &story);
    tests::tell(format!(
        "killed: {} people, {sent} requests, {} lines of journal",
        story.people.len(),
        world.journal().len()
    ));
    world.check();
}

/// Nobody was disabled or taken out of a group who should not be.
fn check_journal(world: &World, story: &Story) {
    for line in world.journal() {
        let may = match line["step"].as_str() {
            Some("RemoveMembers") => &story.may_lose_group,
            Some("DisableAccount" | "DeleteAccount") => &story.may_lose_account,
            _ => continue,
        };
        let names = line["identities"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        let wrong: Vec<&str> = names.filter(|name| !may.contains(*name)).collect();
        assert!(wrong.is_empty(), "{wrong:?} should have lost nothing: {line}");
    }
}
