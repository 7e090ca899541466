//! `provost audit` on the file of an operator that is stopped: each condition, each form of answer, and what it forgets.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use provost_core::model::{
    Digest, GroupRecord, Image, Intent, IntentId, LedgerChange, Name, Outcome, Owner, Record, RecordId, RecordState,
    Step, Value,
};
use provost_store::{Fresh, Store};
use secrecy::SecretBox;

/// Exit status, results and errors of `provost ARGUMENTS`.
fn provost(arguments: &[&str]) -> (u8, String, String) {
    let all = std::iter::once(&"provost").chain(arguments).map(Into::into);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = provost::cli::run(all, false, &mut out, &mut err);
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn fresh() -> Fresh {
    Fresh { id: "a-store".into(), key: SecretBox::new(Box::new([7; 32])) }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

fn record(id: u64, name: &str) -> LedgerChange {
    LedgerChange::Put(Arc::new(Record {
        id: RecordId(id),
        owner: Owner { name: name.into(), uid: name.into() },
        external_id: None,
        user_name: name.into(),
        target_id: Some(format!("u-{name}").as_str().into()),
        state: RecordState::Active,
        written: [].into(),
        policies: [].into(),
        grants: [].into(),
        disabled_at: None,
        delete_at: None,
        last_write: None,
        created: true,
    }))
}

/// A title as its digest; 0: none.
fn title(digest: u64) -> Image {
    let digest = Some(Digest(digest)).filter(|digest| digest.0 > 0);
    Image { attributes: [("title".into(), digest)].into(), ..Image::default() }
}

fn update() -> Step {
    Step::UpdateAccount { id: "u-ada".into(), set: [("title".into(), Value::from("Reader"))].into() }
}

/// One write, a minute before and after.
struct Written<'a> {
    application: &'a str,
    minute: i64,
    who: &'a [u64],
    step: Step,
    cause: &'a str,
    before: Option<Image>,
    after: Option<Image>,
    outcome: Outcome,
}

fn write(store: &Store, of: Written<'_>) {
    let application = Name::from(of.application);
    let intent = Intent {
        id: IntentId(100 + u64::try_from(of.minute).unwrap()),
        records: of.who.iter().copied().map(RecordId).collect(),
        step: of.step,
        at: at(of.minute),
        cause: of.cause.into(),
        plan: (of.minute == 30).then(|| "3f9a1c07d2b4e5f6".into()),
        before: of.before.map(Box::new),
        after: of.after.map(Box::new),
    };
    let id = intent.id;
    store.record_here("acme", &application, at(of.minute), vec![LedgerChange::Open(Arc::new(intent))]).unwrap();
    store.record_here("acme", &application, at(of.minute + 1), vec![LedgerChange::Close(id, of.outcome)]).unwrap();
}

/// What happened: ada is changed twice, both join, bob leaves, and chat refuses ada again and again.
fn filled(folder: &Path) -> PathBuf {
    let path = folder.join("provost.redb");
    let store = Store::open(&path, fresh).unwrap();
    for application in ["wiki", "chat"] {
        let group = GroupRecord {
            kind: provost_core::model::EntitlementKind::Group,
            name: "Editors".into(),
            target_id: "g-1".into(),
            created: true,
            prune: false,
        };
        let changes = vec![record(1, "ada"), record(2, "bob"), LedgerChange::PutGroup(group)];
        store.record_here("acme", &Name::from(application), at(0), changes).unwrap();
    }
    let one = |application, minute, who: &'static [u64], step, cause| Written {
        application,
        minute,
        who,
        step,
        cause,
        before: None,
        after: None,
        outcome: Outcome::Done,
    };
    write(&store, Written { after: Some(title(1)), ..one("wiki", 0, &[1], update(), "staff") });
    let (before, after) = (Some(title(1)), Some(title(2)));
    write(&store, Written { before, after, ..one("wiki", 10, &[1], update(), "drift") });
    let join = Step::AddMembers { group: "g-1".into(), members: vec!["u-ada".into(), "u-bob".into()] };
    let before = Some(Image { held: vec![Some(false), Some(true)], ..Image::default() });
    write(&store, Written { before, ..one("wiki", 20, &[1, 2], join, "editors, staff") });
    let enabled = |enabled| Some(Image { enabled: Some(enabled), ..Image::default() });
    let leaves = Step::DisableAccount { id: "u-bob".into() };
    let (before, after) = (enabled(true), enabled(false));
    write(&store, Written { before, after, ..one("wiki", 30, &[2], leaves, "ended") });
    for minute in [40, 50, 60] {
        let outcome = Outcome::Rejected(format!("ada is too long, says request {minute}").into());
        write(&store, Written { after: Some(title(0)), outcome, ..one("chat", minute, &[1], update(), "staff") });
    }
    path
}

/// The answer of `provost audit ... --store FILE` as JSON.
fn audit(file: &Path, arguments: &[&str]) -> Vec<serde_json::Value> {
    let file = file.display().to_string();
    let (status, out, err) = provost(&[&["audit", "--store", &file, "-o", "json"], arguments].concat());
    assert_eq!((status, err.as_str()), (0, ""), "{arguments:?}");
    let whole: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(whole["kind"], "Journal");
    whole["answer"].as_array().unwrap().clone()
}

/// The rows of a table, each as its cells with their lines joined.
fn rows(table: &str) -> Vec<Vec<String>> {
    let mut lines = table.lines();
    let head = lines.next().unwrap();
    let begins: Vec<usize> = ["TIME", "WHERE", "WHAT", "WHY"].iter().map(|name| head.find(name).unwrap()).collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in lines {
        let cell = |at: usize| {
            let end = begins.get(at + 1).copied().unwrap_or(line.len()).min(line.len());
            line.get(begins[at]..end).unwrap_or_default().trim().to_owned()
        };
        let cells: Vec<String> = (0..begins.len()).map(cell).collect();
        if cells[0].is_empty() {
            let row = rows.last_mut().unwrap();
            for (whole, more) in row.iter_mut().zip(cells).filter(|(_, more)| !more.is_empty()) {
                *whole = format!("{whole} {more}");
            }
        } else {
            rows.push(cells);
        }
    }
    rows
}

#[test]
fn each_condition_chooses_what_holds_it_alone_and_with_others_in_json_and_in_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = filled(folder.path());
    let path = file.display().to_string();
    // Each write by the minute in which it began; of equal attempts the latest.
    let table: [(&[&str], &[i64]); 23] = [
        (&[], &[0, 10, 20, 30, 60]),
        (&["-n", "acme"], &[0, 10, 20, 30, 60]),
        (&["-n", "other"], &[]),
        (&["--identity", "ada"], &[0, 10, 20, 60]),
        (&["--identity", "bob"], &[20, 30]),
        (&["--identity", "ad"], &[]),
        (&["--application", "wiki"], &[0, 10, 20, 30]),
        (&["--application", "chat"], &[60]),
        (&["--policy", "staff"], &[0, 20, 60]),
        (&["--policy", "editors"], &[20]),
        (&["--policy", "editor"], &[]),
        (&["--step", "UpdateAccount"], &[0, 10, 60]),
        (&["--step", "DisableAccount"], &[30]),
        (&["--plan", "3f9a"], &[30]),
        (&["--plan", "9a"], &[]),
        (&["--since", "2027-01-15T08:10:00Z"], &[10, 20, 30, 60]),
        (&["--until", "2027-01-15T08:30:00Z"], &[0, 10, 20]),
        (&["--since", "2027-01-15T08:10:00Z", "--until", "2027-01-15T08:30:00Z"], &[10, 20]),
        (&["--since", "2027-01-15T08:45:00Z", "--until", "2027-01-15T08:46:00Z"], &[60]),
        (&["--since", "2027-01-15T10:00:00Z"], &[]),
        (&["--limit", "2"], &[30, 60]),
        (&["--identity", "ada", "--application", "wiki", "--step", "UpdateAccount"], &[0, 10]),
        (&["--identity", "bob", "--policy", "staff", "--until", "2027-01-15T08:30:00Z"], &[20]),
    ];
    for (arguments, minutes) in table {
        let found = audit(&file, arguments);
        let times: Vec<String> = found.iter().map(|write| write["at"].as_str().unwrap().to_owned()).collect();
        let wanted: Vec<String> = minutes.iter().map(|minute| at(*minute).to_string()).collect();
        assert_eq!(times, wanted, "{arguments:?}");
        let (status, out, err) = provost(&[&["audit", "--store", &path], arguments].concat());
        assert_eq!((status, err.as_str()), (0, ""), "{arguments:?}: {out}");
        assert_eq!(minutes.is_empty(), out.starts_with("nothing is recorded"), "{arguments:?}: {out}");
        let rows = if minutes.is_empty() { Vec::new() } else { rows(&out) };
        let times: Vec<String> = rows.iter().map(|row| row[0].clone()).collect();
        assert_eq!(times, wanted, "{arguments:?}: {out}");
    }
    let of_nobody = ["audit", "--store", &path, "-n", "acme", "--identity", "ad"];
    assert_eq!(provost(&of_nobody).1, "nothing is recorded in namespace acme of ad\n");
    let at_wiki =
        ["audit", "-n", "acme", "--identity", "zed", "--application", "wiki", "--step", "Assign", "--store", &path];
    let expected = "nothing is recorded in namespace acme of zed at wiki that fits the other options\n";
    assert_eq!(provost(&at_wiki).1, expected);
    let by_options_alone = ["audit", "-n", "acme", "--step", "Assign", "--store", &path];
    assert_eq!(provost(&by_options_alone).1, "nothing is recorded in namespace acme that fits the options\n");
    let (status, out, err) = provost(&["audit", "--step", "DisableAcount", "--store", &path]);
    assert!(status == 2 && out.is_empty() && err.contains("'DisableAcount' for '--step <STEP>'"), "{err}");
    assert!(err.contains("a similar value exists: 'DisableAccount'") && err.contains("Forget"), "{err}");
    let (status, _, err) = provost(&["held", "--store", &path, "--application", "wikki"]);
    let known = "provost: no TargetApplication 'wikki' is in this file; did you mean 'wiki'?\n";
    assert_eq!((status, err.as_str()), (2, known));
}

#[test]
fn the_table_says_what_was_there_before_and_how_often_it_failed_and_never_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path()).display().to_string();
    let (_, out, _) = provost(&["audit", "-n", "acme", "--store", &path]);
    for wanted in [
        "UpdateAccount ada: title (before: not known)",
        "UpdateAccount ada: title changed",
        "AddMembers ada, bob: Editors (had by 1 of 2 before)",
        "DisableAccount bob: was enabled",
        "ended, approved as 3f9a1c07d2b4",
        "UpdateAccount ada: title cleared",
        "staff (Rejected, 3 times since 2027-01-15T08:40:00Z)",
    ] {
        let has = |row: &Vec<String>| row.iter().any(|cell| cell == wanted);
        assert!(rows(&out).iter().any(has), "{wanted} is not in\n{out}");
    }
    let (_, wide, _) = provost(&["audit", "-n", "acme", "--store", &path, "-o", "wide"]);
    let digest =
        |line: &str, at: usize| line.split("title ").nth(1).unwrap().split_whitespace().nth(at).unwrap().to_owned();
    let lines: Vec<&str> = wide.lines().collect();
    assert_eq!((digest(lines[1], 0), digest(lines[2], 0)), ("?".to_owned(), digest(lines[1], 2)), "{wide}");
    assert_eq!(digest(lines[5], 2), "-");
    assert!(!out.contains("Reader") && !wide.contains("Reader") && !out.contains("too long"), "{out}{wide}");
    let (_, words, _) = provost(&["audit", "-n", "acme", "--store", &path, "--values"]);
    let said = |row: &Vec<String>| row.iter().any(|cell| cell.ends_with(": ada is too long, says request 60"));
    assert!(rows(&words).iter().any(said), "{words}");
    let (_, names, _) = provost(&["audit", "--store", &path, "-o", "name"]);
    assert_eq!(names, "identity.provost.dev/ada\nidentity.provost.dev/bob\n");
}

#[test]
fn what_was_there_before_is_told_in_json_as_what_the_write_before_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = filled(folder.path());
    let ada = audit(&file, &["--identity", "ada"]);
    assert_eq!(ada[0]["before"], serde_json::json!(null));
    assert!(ada[0]["after"]["attributes"]["title"].is_string(), "{}", ada[0]);
    assert_eq!(ada[1]["before"]["attributes"], ada[0]["after"]["attributes"]);
    assert_ne!(ada[1]["after"]["attributes"], ada[0]["after"]["attributes"]);
    assert_eq!(ada[2]["before"], serde_json::json!({"held": [false, true]}));
    assert_eq!(ada[3]["after"], serde_json::json!({"attributes": {"title": null}}), "it is to have none");
    assert_eq!((&ada[3]["attempts"], &ada[3]["first"]), (&3.into(), &at(40).to_string().into()));
    assert_eq!((&ada[0]["attempts"], &ada[0]["first"]), (&1.into(), &serde_json::json!(null)));
    let bob = &audit(&file, &["--step", "DisableAccount"])[0];
    assert_eq!((&bob["before"]["enabled"], &bob["after"]["enabled"]), (&true.into(), &false.into()));
}

#[test]
fn questions_leave_the_file_as_it_is_and_one_in_use_says_whom_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    let file = filled(folder.path());
    let path = file.display().to_string();
    let before = std::fs::read(&file).unwrap();
    for command in ["audit", "ledger", "held"] {
        let (status, _, err) = provost(&[command, "--store", &path]);
        assert_eq!((status, err.as_str()), (0, ""), "{command}");
        assert!(std::fs::read(&file).unwrap() == before, "{command} changed the file");
        let (status, _, err) = provost(&[command, "--store", &format!("{path}.not")]);
        assert!(status == 2 && err.contains("no ledger is there; name its file, provost.redb"), "{command}: {err}");
    }
    let operator = Store::open(&file, fresh).unwrap();
    for arguments in [&["audit"][..], &["ledger"], &["held"], &["audit", "forget", "ada", "-n", "acme"]] {
        let (status, _, err) = provost(&[arguments, &["--store", &path]].concat());
        assert_eq!(status, 2, "{arguments:?}");
        assert!(err.contains("an operator is using it; leave --store out to ask that one"), "{arguments:?}: {err}");
    }
    drop(operator);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_question_about_what_the_file_does_not_have_is_a_failure_with_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path()).display().to_string();
    let nowhere = "nothing of a namespace 'nonexist' is in this file; must be one of acme";
    let wikk = "no TargetApplication 'wikk' of namespace acme is in this file; did you mean 'wiki'?";
    for command in ["held", "ledger"] {
        for (arguments, words) in [
            (&["-n", "nonexist"][..], nowhere),
            (&["-n", "nonexist", "--application", "wiki"], nowhere),
            (&["-n", "acme", "--application", "wikk"], wikk),
        ] {
            let (status, out, err) = provost(&[&[command, "--store", &path], arguments].concat());
            assert_eq!((status, &*out, &*err), (2, "", &*format!("provost: {words}\n")), "{command} {arguments:?}");
        }
    }
    let (status, out, err) = provost(&["audit", "-n", "acme", "--application", "wikk", "--store", &path]);
    assert_eq!((status, &*out, &*err), (2, "", &*format!("provost: {wikk}\n")));
    let of_acme = |arguments: &[&str]| provost(&[arguments, &["-n", "acme", "--store", &path]].concat());
    assert_eq!(of_acme(&["held"]).1, "nothing of namespace acme is held\n");
    assert_eq!(
        of_acme(&["ledger", "--identity", "zed"]).1,
        "no account of namespace acme in the ledger fits the question\n"
    );
}

#[test]
fn of_an_application_that_the_journal_alone_has_it_is_said_that_nothing_fits() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path()).display().to_string();
    let data = folder.path().display().to_string();
    let exported = provost(&["ledger", "export", "--no-journal", "--data", &data]).1;
    let kept: Vec<&str> = exported.lines().filter(|line| !line.contains("chat")).collect();
    let copy = folder.path().join("copy.jsonl");
    std::fs::write(&copy, kept.join("\n")).unwrap();
    let copy = copy.display().to_string();
    let (status, _, err) = provost(&["ledger", "import", &copy, "--replace", "--data", &data]);
    assert_eq!((status, err.as_str()), (0, ""));
    let at_chat = |arguments: &[&str]| provost(&[arguments, &["--application", "chat", "--store", &path]].concat());
    assert_eq!(at_chat(&["held"]).0, 2, "the ledger does not have it");
    let expected = "nothing is recorded of chat that fits the other options\n";
    assert_eq!(at_chat(&["audit", "--step", "Assign"]), (0, expected.to_owned(), String::new()));
}

#[test]
fn who_is_forgotten_is_in_no_answer_any_more_and_that_something_was_done_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = filled(folder.path());
    let path = file.display().to_string();
    let what = |write: &serde_json::Value| ["at", "application", "step", "outcome"].map(|field| write[field].clone());
    let before: Vec<_> = audit(&file, &[]).iter().map(what).collect();
    let (status, _, err) = provost(&["audit", "forget", "ada", "--store", &path]);
    assert!(status == 2 && err.contains("name the namespace of the Identity with -n"), "{err}");
    let forget = |name: &str, more: &[&str]| {
        provost(&[&["audit", "forget", name, "-n", "acme", "--store", &path], more].concat())
    };
    assert_eq!(forget("zoe", &[]).1, "no entry of the journal speaks of zoe in acme\n");
    let (status, said, err) = forget("ada", &[]);
    assert_eq!((status, &*said), (2, ""));
    let why = "provost: ada has an account in use in chat, wiki: 8 entries of the journal would not say any more whom";
    assert!(err.starts_with(why) && err.ends_with("or now with --yes\n"), "{err}");
    assert_eq!(audit(&file, &["--identity", "ada"]).len(), 4, "nothing was erased");
    let (status, said, err) = forget("ada", &["--yes"]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert_eq!(
        said,
        "ada is erased from 8 entries of the journal\n\
         the ledger keeps what it has to know of their account in chat, wiki, until that is deleted\n"
    );
    let mut after = audit(&file, &["--values"]);
    let told: Vec<_> = after.split_off(before.len());
    let told: Vec<&str> = told.iter().filter(|w| w["step"] == "Forget").map(|w| w["cause"].as_str().unwrap()).collect();
    let erased = [2, 6].map(|n| format!("an identity was erased from {n} entries by somebody on this file"));
    assert_eq!(told, erased, "whoever did it may be somebody to erase");
    let table = provost(&["audit", "--store", &path]).1;
    assert!(table.contains("Forget") && !table.contains("ada"), "{table}");
    assert_eq!(after.iter().map(what).collect::<Vec<_>>(), before);
    assert!(!serde_json::to_string(&after).unwrap().contains("ada"), "{after:?}");
    assert_eq!(audit(&file, &["--identity", "ada"]).len(), 0);
    assert_eq!(audit(&file, &["--identity", "bob"]).len(), 2, "others stay");
    let names: BTreeSet<&str> =
        after.iter().flat_map(|w| w["identities"].as_array().unwrap()).map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names, ["FORGOTTEN", "bob"].into());
    let names = provost(&["audit", "--store", &path, "-o", "name"]).1;
    assert_eq!(names, "identity.provost.dev/bob\n", "nobody is called FORGOTTEN");
}

#[test]
fn every_field_of_the_journal_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md")).unwrap();
    let section = text.split("\n## Journal\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let fields: BTreeSet<&str> =
        section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let known = |field: &str| {
        assert!(
            fields.contains(field) || fields.contains(&*format!("{field}[]")),
            "docs/json.md does not name {field}"
        );
    };
    for write in audit(&filled(folder.path()), &["--values"]) {
        for (name, value) in write.as_object().unwrap() {
            known(&format!("answer[].{name}"));
            // What is after is documented as what is before.
            if name == "before" || name == "after" {
                value.as_object().into_iter().flatten().for_each(|(name, _)| known(&format!("answer[].before.{name}")));
            }
        }
    }
}
