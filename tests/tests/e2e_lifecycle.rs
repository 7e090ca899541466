//! Three hundred people join, move, are renamed, suspended, end, are deleted and re-hired, by edits and by dates that pass,
//! while the operator is killed again and again: in the end two SCIM servers hold what the oracle reads off the manifests.
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

use jiff::Timestamp;
use provost_core::model::Name;
use provost_store::Store;
use serde_json::{Value, json};
use tests::e2e::{Account, Application, Picture, Story, Target, Wave, World, until};
use tests::oracle::{Directory, Seen, Should, Standing};
use tests::seeds;
use tests::servers::TOKEN;

const AT_FIRST: usize = 240;
const WAVES: usize = 6;

/// Who leaves the chat is deleted there after seconds; the wiki keeps its accounts.
const DELETES: &str = "chat";
const CATALOGUES: [(&str, &[&str]); 2] = [("chat", &["tech"]), ("wiki", &["editor", "reader"])];

fn application(name: &str, target: &Target, entitlements: &[&str]) -> [Value; 2] {
    // Half a year in a minute: the budgets are not what is tried here.
    let safety = json!({"removals": [{"count": 1000, "percent": 100, "window": "1s"}]});
    let mut application = Application::new(name, &target.url(), entitlements).with("safety", safety);
    if name == DELETES {
        application = application.with("deprovision", json!({"deleteAfter": "6s", "ended": {"deleteAfter": "3s"}}));
    }
    let mut manifest = application.manifest();
    manifest["spec"]["entitlements"][0]["membership"] = json!("Authoritative");
    [application.secret(TOKEN, "127.0.0.1"), manifest]
}

fn happens(world: &World, wave: &Wave) {
    world.apply(&wave.manifests);
    if !wave.deleted.is_empty() {
        let names = wave.deleted.iter().map(|name| format!("identities.provost.dev/{name}")).collect::<Vec<_>>();
        let names = names.iter().map(String::as_str);
        world.kubectl(&["delete"].into_iter().chain(names).collect::<Vec<_>>()).ok();
    }
}

/// Whoever looks after the applications approves what is held: more leave in this minute than may within an hour.
fn approve(world: &World, approved: &mut BTreeSet<String>) {
    for object in world.objects() {
        let plans = object["status"]["heldPlans"].as_array().cloned().unwrap_or_default();
        let hashes = plans.iter().map(|plan| plan["hash"].as_str().unwrap().to_owned());
        let Some(hash) = hashes.into_iter().find(|hash| !approved.contains(hash)) else { continue };
        let name = object["metadata"]["name"].as_str().unwrap();
        let spec = json!({"safety": {"approvedPlan": hash}});
        world.patch(&format!("targetapplications.provost.dev/{name}"), &json!({"spec": spec}));
        approved.insert(hash);
    }
}

/// Accounts by the key of who owns them: nobody has two.
fn by_key(application: &str, picture: &Picture) -> BTreeMap<String, (String, Account)> {
    let mut accounts = BTreeMap::new();
    for (user_name, account) in &picture.accounts {
        let key = account.external_id.clone();
        assert!(!key.is_empty(), "{application}: {user_name} has no key: {account:?}");
        let twice = accounts.insert(key, (user_name.clone(), account.clone()));
        assert_eq!(twice, None, "{application}: {user_name} has a second account");
    }
    accounts
}

fn holds(application: &str, picture: &Picture, user_name: &str) -> BTreeSet<Name> {
    let catalogue = CATALOGUES.iter().find(|(name, _)| *name == application).unwrap().1;
    let is_in = |entitlement: &&&str| picture.members(&format!("{entitlement} group")).contains(user_name);
    catalogue.iter().filter(is_in).map(|entitlement| Name::new(*entitlement)).collect()
}

/// What differs from what the manifests alone say.
fn wrong(application: &str, objects: &[Value], picture: &Picture) -> Vec<String> {
    let should = Directory::read(objects, &Story::rules()).should(application, Timestamp::now());
    let mut accounts = by_key(application, picture);
    let mut people: Vec<(&Value, &Should)> = objects
        .iter()
        .filter(|object| object["kind"] == "Identity")
        .map(|object| (&object["spec"], &should[object["metadata"]["name"].as_str().unwrap()]))
        .collect();
    // One who is back under another name comes before the Identity that has ended.
    people.sort_by_key(|(_, should)| should.standing == Standing::Ended);
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (spec, should) in people {
        let key = spec["externalId"].as_str().unwrap();
        if !seen.insert(key) {
            continue;
        }
        let account = accounts.remove(key);
        let held = account.as_ref().map(|(name, _)| holds(application, picture, name)).unwrap_or_default();
        if !is_right(application, spec, should, account.as_ref(), &held) {
            wrong.push(format!("{application}: {spec} should be {should:?} and is {account:?} with {held:?}"));
        }
    }
    for (key, (name, account)) in accounts {
        if application == DELETES || account.active || !holds(application, picture, &name).is_empty() {
            wrong.push(format!("{application}: {key} is gone, and has {account:?}"));
        }
    }
    wrong
}

fn is_right(
    application: &str,
    spec: &Value,
    should: &Should,
    account: Option<&(String, Account)>,
    held: &BTreeSet<Name>,
) -> bool {
    let Some((user_name, account)) = account else {
        return !(should.account && (should.standing == Standing::Active || should.prepared));
    };
    let named =
        spec["userName"] == *user_name && spec["emails"][0]["value"] == account.email && spec["title"] == account.title;
    match should.standing {
        Standing::Active if should.account => account.active && named && *held == should.holds,
        Standing::Suspended if should.account => !account.active && named && held.is_subset(&should.holds),
        Standing::Pending => !account.active && held.is_empty() && (named || !should.prepared),
        // A suspension may spare an account that is lost.
        Standing::Suspended => !account.active && held.is_empty(),
        _ => application != DELETES && !account.active && held.is_empty(),
    }
}

/// What was seen and done until now.
#[derive(Default)]
struct Known {
    /// The accounts' ids, by application and key: who has one keeps it, but for those whose account may be deleted.
    ids: BTreeMap<(String, String), String>,
    /// Held plans that were approved.
    approved: BTreeSet<String>,
}

impl Known {
    fn look(&mut self, application: &str, picture: &Picture, story: &Story) {
        let accounts = by_key(application, picture);
        let may_go = |key: &String| application == DELETES && story.may_be_deleted.contains(key);
        for ((at, key), id) in &self.ids {
            let now = accounts.get(key).map(|(_, account)| &account.id);
            assert!(
                at != application || may_go(key) || now == Some(id),
                "{application}: {key} had {id}, and has {now:?}"
            );
        }
        self.ids.retain(|(at, _), _| at != application);
        let now = accounts.into_iter().map(|(key, (_, account))| ((application.to_owned(), key), account.id));
        self.ids.extend(now);
    }
}

/// Approves what is held, and kills the operator at some moment: when it has written so and so often or, where there is less to write, after seconds.
async fn kill(world: &mut World, targets: &[Target], story: &mut Story, known: &mut Known) {
    approve(world, &mut known.approved);
    let (after, began) = (1 + story.below(40), Instant::now());
    let writes = || targets.iter().map(Target::writes).sum::<usize>();
    while writes() < after && began.elapsed() < Duration::from_secs(8) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let written = writes();
    world.kill();
    let at = story.began.elapsed().as_secs_f64();
    tests::tell(format!("lifecycle: {at:.1} s: killed after {written} writes ({after} were asked for)"));
    for ((application, _), target) in CATALOGUES.iter().zip(targets) {
        let requests = target.requests();
        let deletes = requests.iter().filter(|(method, _)| method == "DELETE").count();
        assert!(*application == DELETES || deletes == 0, "{application} deletes nothing: {requests:?}");
        known.look(application, &target.picture().await, story);
    }
}

/// Waits until both servers hold what is declared, every date having passed.
async fn in_the_end(world: &World, targets: &[Target], story: &Story, known: &mut Known) -> Vec<Picture> {
    until("every date has passed", async || (Timestamp::now() > story.last).then_some(())).await;
    let (began, mut seen) = (Instant::now(), Vec::new());
    loop {
        let objects = world.objects();
        let mut differs = Vec::new();
        let mut pictures = Vec::new();
        for ((application, _), target) in CATALOGUES.iter().zip(targets) {
            let picture = target.picture().await;
            differs.extend(wrong(application, &objects, &picture));
            pictures.push(picture);
        }
        if differs.is_empty() {
            let at = story.began.elapsed().as_secs_f64();
            tests::tell(format!("lifecycle: {at:.1} s: as declared, after so many differences were left: {seen:?}"));
            return pictures;
        }
        assert!(
            began.elapsed() < Duration::from_mins(2),
            "{}\n{}",
            differs.join("\n"),
            told(world, &objects, &differs)
        );
        seen.push(differs.len());
        approve(world, &mut known.approved);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What the applications say, and what was said and done of those who are wrong.
fn told(world: &World, objects: &[Value], differs: &[String]) -> String {
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    let is_wrong = |object: &&Value| {
        let named = format!("\"E-{}\"", name(object).replace("-again", ""));
        object["kind"] == "TargetApplication" || differs.iter().any(|differs| differs.contains(&named))
    };
    let wrong: Vec<&Value> = objects.iter().filter(is_wrong).collect();
    let mut said: Vec<String> = wrong.iter().map(|object| format!("{}: {}", name(object), object["status"])).collect();
    let about =
        |line: &Value| wrong.iter().any(|o| line["identities"].as_array().unwrap().contains(&o["metadata"]["name"]));
    said.extend(world.journal().iter().filter(|line| about(line)).map(ToString::to_string));
    said.join("\n")
}

/// With the ledger of the operator, which has ended, the oracle finds nothing that is left to be done.
fn nothing_is_left(world: &World, namespace: &str, pictures: &[Picture]) {
    let objects = world.objects();
    let directory = Directory::read(&objects, &Story::rules());
    let store = Store::open_existing(&world.ledger()).unwrap();
    for ((application, _), picture) in CATALOGUES.iter().zip(pictures) {
        let seen = |(user_name, account): (&String, &Account)| Seen {
            id: account.id.clone(),
            user_name: user_name.clone(),
            external_id: account.external_id.clone(),
            active: account.active,
            holds: holds(application, picture, user_name),
        };
        let accounts: Vec<Seen> = picture.accounts.iter().map(seen).collect();
        let ledger = store.load(namespace, &Name::new(*application)).unwrap();
        let left = directory.left(application, &accounts, &ledger, Timestamp::now());
        assert!(left.is_empty(), "{application}: {left:#?}\n{}", told(world, &objects, &left));
        tests::tell(format!(
            "lifecycle: {application}: {} accounts, {} of them active, {} records",
            accounts.len(),
            picture.active().len(),
            ledger.records.len()
        ));
    }
}

/// What was done: deletions and re-hires were, and nobody's account was deleted who was never gone.
fn check_journal(world: &World, story: &Story) {
    let mut steps = BTreeMap::<String, usize>::new();
    for line in world.journal() {
        let step = line["step"].as_str().unwrap().to_owned();
        if step == "DeleteAccount" {
            assert_eq!(line["application"], DELETES, "{line}");
            for name in line["identities"].as_array().unwrap() {
                // Whoever is back under another name has the key of the first.
                let key = format!("E-{}", name.as_str().unwrap().replace("-again", ""));
                assert!(story.may_be_deleted.contains(&key), "{name} was never gone: {line}");
            }
        }
        *steps.entry(step).or_default() += 1;
    }
    tests::tell(format!("lifecycle: the journal has {steps:?}"));
    for step in ["CreateAccount", "RenameAccount", "EnableAccount", "DisableAccount", "DeleteAccount"] {
        assert!(steps.contains_key(step), "there was no {step}");
    }
}

/// Started once more, it reads everything and writes nothing.
async fn has_nothing_to_do(
    world: &mut World,
    targets: &[Target],
    pictures: &[Picture],
    story: &Story,
    known: &mut Known,
) {
    for ((name, _), target) in CATALOGUES.iter().zip(targets) {
        known.look(name, &target.picture().await, story);
        target.requests();
    }
    world.start();
    world.operator().ready();
    for (name, _) in CATALOGUES {
        world.reconcile_now(name, "last");
        until("the last sync is over", async || {
            let status = world.get(&format!("targetapplications.provost.dev/{name}"))["status"].clone();
            (status["lastHandledReconcileAt"] == "last").then_some(())
        })
        .await;
    }
    for (picture, target) in pictures.iter().zip(targets) {
        assert_eq!(target.picture().await, *picture);
        let requests = target.requests();
        assert!(requests.iter().all(|(method, _)| method == "GET"), "there was nothing to do: {requests:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_life_of_edits_dates_and_kills_both_servers_hold_what_the_oracle_says() {
    for seed in seeds::of_this_moment("e2e_lifecycle") {
        lives(seed).await;
    }
}

async fn lives(seed: u64) {
    tests::tell(format!("lifecycle: PROVOST_SEED={seed}"));
    let _tried = seeds::Tried { test: "e2e_lifecycle", seed };
    let mut story = Story::new(seed, AT_FIRST);
    let targets = [Target::start().await, Target::start().await];
    let namespace = format!("lifecycle-{seed}");
    let mut world = World::new(&namespace);
    for ((name, entitlements), target) in CATALOGUES.iter().zip(&targets) {
        world.apply(&application(name, target, entitlements));
    }
    let first = story.all();
    happens(&world, &first);
    let mut known = Known::default();
    for number in 0..WAVES {
        let wave = story.go_on();
        // Half of the waves come while the operator is gone.
        if number % 2 == 0 {
            kill(&mut world, &targets, &mut story, &mut known).await;
            happens(&world, &wave);
        } else {
            happens(&world, &wave);
            kill(&mut world, &targets, &mut story, &mut known).await;
        }
        world.start();
    }
    // Once more, since what came last was found by a start.
    kill(&mut world, &targets, &mut story, &mut known).await;
    world.start();
    world.operator().ready();
    let pictures = in_the_end(&world, &targets, &story, &mut known).await;
    world.many_ready().await;
    world.stop();
    nothing_is_left(&world, &namespace, &pictures);

    has_nothing_to_do(&mut world, &targets, &pictures, &story, &mut known).await;
    let declared = |object: &Value| object["kind"] == "Identity";
    let objects: Vec<Value> = world.objects().into_iter().filter(declared).collect();
    assert_eq!(
        objects.iter().map(|o| o["metadata"]["name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(),
        story.declared()
    );
    check_journal(&world, &story);
    tests::tell(format!(
        "lifecycle: {} identities, {} held plans approved; {:?}",
        story.ever(),
        known.approved.len(),
        story.happened
    ));
    world.check();
    tests::tell(format!("lifecycle: {:.1} s: the end", story.began.elapsed().as_secs_f64()));
}
