//! The command line as its users meet it: in git, in a pipe, in a shell, as a plugin, and as the documentation shows it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::cluster::{cache, repository};
use tests::documents::shown;

/// A time that no example depends on.
const AT: &str = "2026-12-01T00:00:00Z";
const EXAMPLE: &str = "examples/01-quickstart";

/// What a command said: exit status, standard output, standard error. Run in the root of the repository.
fn provost(arguments: &[&str]) -> (u8, String, String) {
    std::env::set_current_dir(repository()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let all = std::iter::once("provost").chain(arguments.iter().copied()).map(std::ffi::OsString::from);
    let status = provost::cli::run(all, false, &mut out, &mut err);
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// The program as it was built, for what needs a process of its own.
fn built() -> std::path::PathBuf {
    tests::cluster::binary()
}

/// A git repository with two commits: in the second the policies cover Sales in place of Engineering.
fn two_commits() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let name = ["-c", "user.name=T", "-c", "user.email=t@acme.test", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").current_dir(folder.path()).args(name).args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let acme = folder.path().join("acme/all");
    std::fs::create_dir_all(&acme).unwrap();
    for file in ["applications.yaml", "groups.yaml", "people.yaml", "policies.yaml"] {
        std::fs::copy(repository().join(EXAMPLE).join(file), acme.join(file)).unwrap();
    }
    std::fs::write(
        folder.path().join("other.yaml"),
        "kind: Group\napiVersion: provost.dev/v1alpha1\nmetadata: {name: far}\n",
    )
    .unwrap();
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "one"]);
    git(&["checkout", "--quiet", "-b", "change"]);
    let policies = std::fs::read_to_string(acme.join("policies.yaml")).unwrap();
    let changed = policies.replace("identity.type == \"Person\"", "identity.department == \"Sales\"");
    assert_ne!(policies, changed);
    std::fs::write(acme.join("policies.yaml"), changed).unwrap();
    git(&["commit", "--quiet", "-am", "two"]);
    // What is not committed is not looked at.
    std::fs::write(acme.join("policies.yaml"), "nonsense: [").unwrap();
    folder
}

fn in_folder(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(built()).current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_difference_of_two_git_revisions_is_that_of_the_folders_they_hold() {
    let folder = two_commits();
    let next = tempfile::tempdir().unwrap();
    for file in ["applications.yaml", "groups.yaml", "people.yaml", "policies.yaml"] {
        let show = format!("HEAD:acme/all/{file}");
        let shown = Command::new("git").current_dir(folder.path()).args(["show", &show]).output().unwrap();
        std::fs::write(next.path().join(file), shown.stdout).unwrap();
    }
    let example = repository().join(EXAMPLE);
    let by_folders =
        in_folder(folder.path(), &["diff", example.to_str().unwrap(), next.path().to_str().unwrap(), "--at", AT]);
    assert_eq!(by_folders.0, Some(0), "{}", by_folders.2);
    assert!(by_folders.1.contains("- "), "{}", by_folders.1);
    for range in ["main..HEAD", "main...change", "main.."] {
        let (status, said, err) = in_folder(folder.path(), &["diff", range, "--at", AT, "--exit-code", "--", "acme/"]);
        assert_eq!(status, Some(1), "{range}: {err}");
        assert_eq!(said, by_folders.1, "{range}");
        assert_eq!(err, "", "{range}: the working tree, or a path that was not named, was read");
    }
    // From a folder below the root: paths are its own.
    let below = in_folder(&folder.path().join("acme"), &["diff", "main..HEAD", "--at", AT, "--", "all"]);
    assert_eq!((below.0, &below.1), (Some(0), &by_folders.1), "{}", below.2);
    let same = in_folder(folder.path(), &["diff", "main..main", "--exit-code", "--", "acme/"]);
    assert_eq!(same.0, Some(0), "{}", same.2);
    assert!(same.1.starts_with("nobody gains or loses anything\n"), "as the README says: {}", same.1);
}

#[test]
fn a_revision_that_is_none_is_a_failure_with_a_remedy() {
    let folder = two_commits();
    for (arguments, expected) in [
        (&["diff", "nowhere..HEAD"][..], "git knows no revision nowhere"),
        (&["diff", "main"], "give OLD and NEW, or two git revisions as main..HEAD"),
        (&["diff", "-x..HEAD"], "unexpected argument"),
        (&["diff", "main..-x"], "-x is no revision"),
        (&["diff", "a", "b", "--", "c"], "paths after -- go with git revisions alone"),
        (&["diff", "main..HEAD", "--", "nothing/"], "no manifests of provost.dev found in either version"),
    ] {
        let (status, out, err) = in_folder(folder.path(), arguments);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}

#[test]
fn markdown_has_totals_and_a_row_for_each_cause() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for file in ["applications.yaml", "groups.yaml", "people.yaml", "policies.yaml"] {
        let text = std::fs::read_to_string(repository().join(EXAMPLE).join(file)).unwrap();
        std::fs::write(old.path().join(file), &text).unwrap();
        let odd = text.replace("match: identity.type == \"Person\"", "match: identity.department == \"Sales\"");
        std::fs::write(new.path().join(file), odd).unwrap();
    }
    let (status, said, err) =
        provost(&["diff", old.path().to_str().unwrap(), new.path().to_str().unwrap(), "-o", "markdown", "--at", AT]);
    assert_eq!(status, 0, "{err}");
    assert!(said.starts_with("- **chat**: + 0 accounts, - "), "{said}");
    assert!(said.contains("\n| | right | who | cause |\n|---|---|---|---|\n| - | chat | "), "{said}");
    assert!(said.trim_end().ends_with("unchanged."), "{said}");
    for row in said.lines().filter(|line| line.starts_with("| ")) {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 5, "{row}");
    }
}

#[test]
fn every_form_of_every_answer_can_be_had() {
    let commands: [&[&str]; 4] = [&["lint"], &["plan"], &["explain", "ada"], &["who-can", "wiki", "editor"]];
    for command in commands {
        let with = |form: &str| {
            let all: Vec<&str> = command.iter().copied().chain(["-f", EXAMPLE, "--at", AT, "-o", form]).collect();
            let (status, said, err) = provost(&all);
            assert_eq!(status, 0, "{all:?}: {err}");
            said
        };
        let json: Value = serde_json::from_str(&with("json")).unwrap();
        let yaml: Value = serde_saphyr::from_str(with("yaml").trim_start_matches("---\n")).unwrap();
        assert_eq!(json, yaml, "{command:?}");
        let (table, wide) = (with("table"), with("wide"));
        assert!(wide.len() >= table.len(), "{command:?}: {wide}");
        for name in with("name").lines() {
            assert!(name.contains(".provost.dev/"), "{command:?}: {name}");
        }
    }
    let (_, said, _) = provost(&["who-can", "wiki", "admin", "-f", EXAMPLE, "--at", AT, "-o", "name"]);
    assert_eq!(said, "identity.provost.dev/ada\nidentity.provost.dev/dan\nidentity.provost.dev/eve\n");
    let (_, said, _) = provost(&["plan", "-f", EXAMPLE, "--at", AT, "-o", "wide"]);
    assert!(said.lines().next().unwrap().starts_with("IDENTITY  APPLICATION  RIGHT"), "{said}");
    assert!(said.contains("\nada       wiki         admin "), "{said}");
}

#[test]
fn answers_about_every_example_have_80_columns() {
    let mut asked = 0;
    let mut fits = |arguments: &[&str]| {
        let (status, said, err) = provost(&[arguments, &["--at", AT]].concat());
        assert!(status < 2, "{arguments:?}: {err}");
        let wide = said.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{arguments:?}");
        asked += 1;
    };
    for example in std::fs::read_dir(repository().join("examples")).unwrap() {
        let folder = format!("examples/{}", example.unwrap().file_name().to_str().unwrap());
        let files = ["-f", &*folder];
        fits(&[&["lint"], &files[..]].concat());
        fits(&[&["plan"], &files[..]].concat());
        fits(&["diff", EXAMPLE, &folder]);
        fits(&["diff", &folder, EXAMPLE]);
        let (_, plan, _) = provost(&[&["plan"], &files[..], &["--at", AT, "-o", "wide"]].concat());
        for row in plan.lines().skip(1) {
            let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
            let right = cells[2].split(' ').next().unwrap().trim_end_matches(',');
            let right: &[&str] = if right == "account" { &[] } else { &[right] };
            fits(&[&["explain", cells[0]], &files[..]].concat());
            fits(&[&["explain", cells[0], cells[1]], right, &files[..]].concat());
            fits(&[&["who-can", cells[1]], right, &files[..]].concat());
        }
    }
    assert!(asked > 100, "{asked}");
}

#[test]
fn colours_are_there_when_wanted_and_never_in_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.yaml");
    std::fs::write(&file, "apiVersion: provost.dev/v1alpha1\nkind: Group\nmetadata: {name: g}\nspec: {matches: x}\n")
        .unwrap();
    let lint = |more: &[&str], terminal: bool| {
        let all = [&["provost", "lint", "-f", file.to_str().unwrap()], more].concat();
        let all = all.into_iter().map(std::ffi::OsString::from);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        provost::cli::run(all, terminal, &mut out, &mut err);
        String::from_utf8(out).unwrap()
    };
    let plain = lint(&[], false);
    assert!(!plain.contains('\x1b'), "{plain}");
    assert!(lint(&["--color", "always"], false).contains("\x1b[31merror\x1b[0m"));
    assert_eq!(lint(&["--color", "never"], true), plain);
    let no_color =
        Command::new(built()).args(["lint", "-f", file.to_str().unwrap()]).env("NO_COLOR", "1").output().unwrap();
    assert_eq!(String::from_utf8(no_color.stdout).unwrap(), plain);
}

#[test]
fn other_kinds_are_skipped_and_counted_and_lists_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.yaml");
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: s}\n- apiVersion: provost.dev/v1alpha1\n  \
                kind: Identity\n  metadata: {name: ada}\n  spec: {userNam: x}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    std::fs::write(&file, text).unwrap();
    let (status, out, err) = provost(&["lint", "-f", file.to_str().unwrap()]);
    assert_eq!(status, 1);
    assert!(out.contains("all.yaml:10:") && out.contains("did you mean 'userName'?"), "{out}");
    assert!(out.contains("1 error in 1 of 1 manifest"), "{out}");
    assert_eq!(err, "2 documents of other kinds skipped: ConfigMap, Secret\n");
    let (_, _, err) = provost(&["plan", "-f", file.to_str().unwrap()]);
    assert!(err.starts_with("2 documents of other kinds skipped: ConfigMap, Secret\nwarning: 1 error"), "{err}");
}

#[test]
fn a_time_is_a_date_or_how_far_off_it_is_and_what_is_none_is_answered_with_examples() {
    let day = provost(&["plan", "-f", EXAMPLE, "--at", "2026-12-01"]);
    assert_eq!(day, provost(&["plan", "-f", EXAMPLE, "--at", AT]));
    assert_eq!(provost(&["plan", "-f", EXAMPLE, "--at", "7d"]).0, 0);
    for (arguments, option) in [
        (&["plan", "-f", EXAMPLE, "--at", "tomorrow"][..], "--at <TIME>"),
        (&["diff", EXAMPLE, EXAMPLE, "--at", "01.12.2026"], "--at <TIME>"),
        (&["audit", "--since", "yesterday"], "--since <TIME>"),
        (&["audit", "--until", "1 month"], "--until <TIME>"),
    ] {
        let (status, _, err) = provost(arguments);
        let said = format!("error: invalid value '{}' for '{option}': write ", arguments.last().unwrap());
        assert!(status == 2 && err.starts_with(&said) && err.contains("7d"), "{arguments:?}: {err}");
    }
}

#[test]
fn what_make_helps_with_has_100_columns() {
    let help = Command::new("make").current_dir(repository()).arg("help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("\ndemo            "), "{help}");
    assert_eq!(help.lines().find(|line| line.chars().count() > 100), None);
}

#[test]
fn there_are_completions_and_man_pages_of_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (status, script, _) = provost(&["completion", shell]);
        assert!(status == 0 && script.contains("who-can"), "{shell}: {script}");
    }
    let bash = provost(&["completion", "bash"]).1;
    let asked = format!(
        "{bash}\nCOMP_WORDS=(provost explai); COMP_CWORD=1; _provost provost explai provost; echo \"${{COMPREPLY[@]}}\""
    );
    let answered = Command::new("bash").args(["-c", &asked]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answered.stdout).trim(), "explain", "{answered:?}");
    let offered = |action: &str| {
        let asked = format!(
            "{bash}\nCOMP_WORDS=(provost ledger {action} -); COMP_CWORD=3; _provost provost - {action}; echo \"${{COMPREPLY[@]}}\""
        );
        let answered = Command::new("bash").args(["-c", &asked]).output().unwrap();
        String::from_utf8_lossy(&answered.stdout).trim().to_owned()
    };
    assert_eq!(offered("export"), "-h --data --no-journal --color --help", "nothing that it refuses");
    let asking = offered("cancel-deletion");
    assert!(asking.contains("--server") && asking.contains("--store"), "{asking}");
    let folder = tempfile::tempdir().unwrap();
    let (status, ..) = provost(&["man", folder.path().to_str().unwrap()]);
    assert_eq!(status, 0);
    for page in ["provost.1", "provost-lint.1", "provost-who-can.1", "provost-operator.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".TH provost"), "{page}: {text}");
    }
    let (status, _, err) = provost(&["man", "/proc/folder"]);
    assert!(status == 2 && err.contains("/proc/folder"), "{err}");
}

#[test]
fn called_as_a_plugin_by_kubectl_it_speaks_as_one() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(built(), folder.path().join("kubectl-provost")).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let kubectl = |arguments: &[&str]| {
        let mut command = Command::new(cache().join("bin/kubectl"));
        command.current_dir(repository()).env("PATH", &path).env("HOME", folder.path());
        let output = command.arg("provost").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (status, help) = kubectl(&["lint", "--help"]);
    assert!(status == Some(0) && help.contains("Usage: kubectl provost lint [OPTIONS]"), "{help}");
    assert_eq!(kubectl(&["lint", "-f", EXAMPLE]).0, Some(0));
}

fn documents() -> Vec<std::path::PathBuf> {
    let mut found = vec![repository().join("README.md")];
    for folder in ["docs", "examples"] {
        let mut folders = vec![repository().join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "md") {
                    found.push(path);
                }
            }
        }
    }
    found
}

#[test]
fn every_command_that_the_documentation_shows_works_and_says_what_is_shown() {
    let mut run = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for (command, output) in shown(&text) {
            let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
            let place = format!("{}: $ {command}", document.display());
            let offline = ["lint", "plan", "explain", "who-can", "completion"].contains(&arguments[0])
                || (arguments[0] == "diff" && !command.contains(".."));
            run += 1;
            if offline {
                let (status, said, err) = provost(&arguments);
                assert!(status < 2, "{place}\n{err}");
                if !output.is_empty() {
                    assert_eq!(said.trim_end(), output.join("\n").trim_end(), "{place}");
                }
                continue;
            }
            // What needs a cluster or somebody's repository is at least understood: a wrong option says `error:`.
            let called = Command::new(built())
                .args(&arguments)
                .current_dir("/")
                .env("KUBECONFIG", "/nonexistent")
                .env_remove("KUBERNETES_SERVICE_HOST")
                .output()
                .unwrap();
            let err = String::from_utf8_lossy(&called.stderr);
            assert!(err.is_empty() || err.starts_with("provost: "), "{place}\n{err}");
        }
    }
    assert!(run > 10, "only {run} commands were found");
}

/// The documented fields by kind, from the tables of `docs/json.md`.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(repository().join("docs/json.md")).unwrap();
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut kind = String::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut kind);
        } else if let Some(field) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            kinds.entry(kind.clone()).or_default().insert(field.to_owned());
        }
    }
    kinds
}

/// Notes the path of every field, as it is documented: a name that is no field is `*`.
fn walk(value: &Value, path: &str, fields: &BTreeSet<String>, missing: &mut BTreeSet<String>) {
    // Where two fields have the same form only one is spelt out.
    let path = path
        .replace("rights[].denies[].", "rights[].allows[].")
        .replace("rights[].nearest[].", "rights[].allows[].")
        .replace("allows[].rule.", "requires.")
        .replace("answer.noLonger[].", "answer.later[].")
        .replace("answer.had[].", "answer.later[].");
    let known = |path: &str| {
        fields.iter().any(|f| f == path || f.starts_with(&format!("{path}.")) || f.starts_with(&format!("{path}[]")))
    };
    if !path.is_empty() && !known(&path) {
        missing.insert(path.clone());
        return;
    }
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let named = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let any = format!("{path}.*");
                let at = if known(&named) || !known(&any) { named } else { any };
                walk(value, &at, fields, missing);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[]"), fields, missing)),
        _ => {}
    }
}

/// The example, in which ada starts later and bob has ended.
fn timed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["applications.yaml", "groups.yaml", "people.yaml", "policies.yaml"] {
        let text = std::fs::read_to_string(repository().join(EXAMPLE).join(file)).unwrap();
        let text = text
            .replace("  externalId: E-1002\n", "  externalId: E-1002\n  lifecycle: {startTime: 2027-01-01T00:00:00Z}\n")
            .replace("  externalId: E-1003\n", "  externalId: E-1003\n  lifecycle: {endTime: 2026-11-01T00:00:00Z}\n");
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

#[test]
fn what_comes_by_time_alone_ends_a_plan_and_a_difference() {
    let timed = timed();
    let timed = timed.path().to_str().unwrap();
    let (status, plan, err) = provost(&["plan", "-f", timed, "--at", AT]);
    assert_eq!(status, 0, "{err}");
    let last = "changes take effect later; the first at 2027-01-01T00:00:00Z: account in chat for ada ";
    assert!(plan.replace('\n', " ").ends_with(last), "{plan}");
    // Who is new and starts later gains nothing now.
    let (status, said, err) = provost(&["diff", EXAMPLE, timed, "--at", AT, "--exit-code"]);
    assert_eq!(status, 1, "{err}");
    assert!(said.replace('\n', " ").contains(last), "{said}");
    let (status, said, _) = provost(&["diff", timed, timed, "--at", AT, "--exit-code"]);
    assert!(status == 0 && !said.contains("later"), "{said}");
}

#[test]
fn the_json_of_every_command_is_documented_field_by_field() {
    let kinds = documented();
    let wrong = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(repository().join(EXAMPLE)).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path)
            .unwrap()
            .replace("identity.type == \"Person\"", "identity.departmnt == \"x\"");
        std::fs::write(wrong.path().join(path.file_name().unwrap()), text).unwrap();
    }
    let wrong = wrong.path().to_str().unwrap();
    let table = format!("{wrong}/people.csv");
    std::fs::write(&table, "userName,manager\nada,nobody\n").unwrap();
    let out = format!("{wrong}/out");
    let import = ["import", "--csv", &table, "--out", &out];
    let timed = timed();
    let timed = timed.path().to_str().unwrap();
    let commands: [&[&str]; 13] = [
        &import,
        &["lint", "-f", wrong],
        &["plan", "-f", EXAMPLE],
        &["plan", "-f", wrong],
        &["plan", "-f", timed],
        &["diff", EXAMPLE, timed],
        &["diff", EXAMPLE, wrong],
        &["explain", "ada", "-f", timed],
        &["explain", "bob", "-f", timed],
        &["explain", "bob", "-f", EXAMPLE],
        &["explain", "bob", "wiki", "admin", "-f", EXAMPLE],
        &["explain", "ada", "-f", wrong],
        &["who-can", "wiki", "editor", "-f", EXAMPLE],
    ];
    for command in commands {
        let mut all: Vec<&str> = command.iter().copied().chain(["-o", "json"]).collect();
        if command[0] != "import" {
            all.extend(["--at", AT]);
        }
        let (_, said, err) = provost(&all);
        let value: Value =
            serde_json::from_str(said.lines().next().unwrap_or_else(|| panic!("{command:?}: {err}"))).unwrap();
        assert_eq!(value["apiVersion"], "cli.provost.dev/v1alpha1");
        let kind = value["kind"].as_str().unwrap();
        let fields = kinds.get(kind).unwrap_or_else(|| panic!("docs/json.md has no kind {kind}"));
        let mut missing = BTreeSet::new();
        walk(&value, "", fields, &mut missing);
        assert!(missing.is_empty(), "{command:?}: docs/json.md does not name {missing:?}");
    }
}
