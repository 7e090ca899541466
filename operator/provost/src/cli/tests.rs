//! What the commands say of manifests that are wrong.

mod at_once;
mod import;
mod metadata;
mod misread;
mod versions;

use super::*;

/// What a command said of one file: exit status, standard output, standard error.
fn said(arguments: &[&str], manifests: &str) -> (u8, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.yaml");
    std::fs::write(&file, manifests).unwrap();
    let file = file.to_str().unwrap();
    let all = [&["provost"], arguments, &["-f", file]].concat();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(all.into_iter().map(OsString::from), false, &mut out, &mut err);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(file, "m.yaml");
    (status, text(out), text(err))
}

/// A manifest in the namespace acme.
fn manifest(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: provost.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: acme}}\nspec: {spec}\n"
    )
}

#[test]
fn each_error_is_said_and_counted_once() {
    for (kind, name, spec, words) in [
        ("Identity", "ada", "{userName: \"a b\"}", "is no user name"),
        ("Identity", "ada", "{lifecycle: {startTime: 2029-01-01T00:00:00Z, endTime: 2028-01-01T00:00:00Z}}", "endTime"),
        ("Identity", "Ada", "{}", "metadata.name"),
        ("Identity", "ada", "{emails: [{value: a@b.c}, {value: a@b.c}]}", "emails"),
        ("Identity", "ada", "{type: Persn}", "did you mean 'Person'?"),
        ("Identity", "ada", "{userName: true}", "put it in quotes"),
        (
            "AccessPolicy",
            "p",
            "{subjects: [{kind: group, name: g}], grants: [{application: chat}]}",
            "did you mean 'Group'?",
        ),
        ("TargetApplication", "wiki", "{connector: {}}", "connector"),
    ] {
        let others = [manifest("Group", "g", "{}"), manifest("TargetApplication", "chat", WIKI)].concat();
        let all = format!("{others}{}", manifest(kind, name, spec));
        let (status, out, err) = said(&["lint"], &all);
        assert_eq!((status, out.matches("  error  ").count()), (1, 1), "{spec}: {out}{err}");
        assert!(out.contains(words) && out.ends_with("1 error in 1 of 3 manifests\n"), "{spec}: {out}");
    }
}

const WIKI: &str = "{connector: {scim: {url: \"https://wiki.acme.test/scim/v2\", auth: {bearer: {secretRef: {name: s, key: t}}}}}, \
                    entitlements: [{name: editor, target: {group: {name: e}}}, {name: reader, target: {group: {name: r}}}]}";

#[test]
fn a_question_about_what_is_not_there_is_a_failure_with_the_nearest_name() {
    let all = format!("{}{}", manifest("TargetApplication", "wiki", WIKI), manifest("Identity", "ada", "{}"));
    for (arguments, expected) in [
        (&["who-can", "wikki"][..], "there is no TargetApplication 'wikki'; did you mean 'wiki'?"),
        (&["who-can", "nowhere", "editor"], "there is no TargetApplication 'nowhere'; must be one of wiki"),
        (&["who-can", "wiki", "editr"], "TargetApplication 'wiki' has no entitlement 'editr'; did you mean 'editor'?"),
        (&["explain", "ada", "wikki"], "there is no TargetApplication 'wikki'; did you mean 'wiki'?"),
        (&["explain", "adda"], "there is no Identity 'adda'; did you mean 'ada'?"),
        (
            &["explain", "ada", "wiki", "x"],
            "TargetApplication 'wiki' has no entitlement 'x'; must be one of editor, reader",
        ),
    ] {
        let (status, out, err) = said(arguments, &all);
        assert_eq!((status, out.as_str(), err), (2, "", format!("provost: {expected}\n")), "{arguments:?}");
    }
    assert_eq!(said(&["who-can", "wiki", "editor"], &all), (0, "nobody\n".to_owned(), String::new()));
    assert_eq!(said(&["explain", "ada", "wiki", "editor"], &all).0, 0);
    // A manifest that is not valid may have it.
    let invalid = manifest("TargetApplication", "wiki", "{entitlement: []}");
    assert_eq!(said(&["who-can", "wiki", "editor"], &invalid).0, 0);
}

#[test]
fn lint_that_has_read_nothing_is_a_failure() {
    for manifests in ["", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"] {
        let (status, out, err) = said(&["lint"], manifests);
        assert_eq!((status, out.as_str()), (2, ""), "{err}");
        assert!(err.ends_with(&format!("provost: {NOTHING_READ}\n")), "{err}");
    }
    let nearly = "apiVersion: provost.io/v1alpha1\nkind: Identity\nmetadata: {name: ada}\nspec: {}\n";
    let (status, out, err) = said(&["lint"], nearly);
    assert!(status == 1 && out.contains("did you mean 'provost.dev/v1alpha1'?") && err.is_empty(), "{out}{err}");
}

#[test]
fn what_is_named_and_is_not_there_has_its_place_and_the_nearest_name() {
    let fake = "{connector: {fake: {}}, entitlements: [{name: editor, target: {group: {name: e}}}]}";
    let all = [
        manifest("TargetApplication", "wiki", fake),
        manifest("Identity", "grace", "{}"),
        manifest("Group", "platform", "{}"),
    ];
    for (kind, spec, place, words) in [
        ("Identity", "{managerRef: {name: garce}}", "5:27  warning", "the manager counts as absent|'grace'"),
        (
            "Group",
            "{members: [{kind: Identity, name: garce}]}",
            "5:41  warning",
            "no Identity garce; it is ignored|'grace'",
        ),
        ("Group", "{exclude: [{kind: Identity, name: zoe}]}", "5:41  warning", "no Identity zoe|create it, or take"),
        ("Group", "{members: [{kind: Group, name: platfrom}]}", "5:38  error", "no Group platfrom|'platform'"),
        (
            "AccessPolicy",
            "{subjects: [{kind: Group, name: x}, {kind: Identity, name: grce}], grants: [{application: wiki}]}",
            "5:66  warning",
            "no Group x|'grace'",
        ),
        (
            "AccessPolicy",
            "{match: \"'platfom' in identity.groups\", grants: [{application: wiki}]}",
            "5:17  error",
            "no Group platfom|'platform'",
        ),
        (
            "AccessPolicy",
            "{match: \"true\", grants: [{application: wikki}]}",
            "5:46  error",
            "no TargetApplication wikki|'wiki'",
        ),
        (
            "AccessPolicy",
            "{match: \"true\", grants: [{application: wiki, entitlements: [editr]}]}",
            "5:66  error",
            "has no entitlement editr|it has: editor",
        ),
    ] {
        let (_, out, _) = said(&["lint", "-o", "wide"], &[manifest(kind, "x1", spec), all.concat()].concat());
        assert!(out.contains(&format!("m.yaml:{place}  ")), "{spec}: {out}");
        words.split('|').for_each(|words| assert!(out.contains(words), "{spec}: {words} is not in {out}"));
    }
    // Identities that were not read at all are elsewhere.
    let alone = manifest("Group", "g", "{members: [{kind: Identity, name: ada}]}");
    assert_eq!(said(&["lint"], &alone).1, "1 manifest: nothing to say\n");
    let (status, _, err) = said(&["plan"], &format!("{alone}{}", manifest("Identity", "bob", "{}")));
    assert_eq!(
        (status, &*err),
        (0, "warning: 1 warning in the manifests;\n`provost lint` names them, and rules that match nobody\n")
    );
}

#[test]
fn what_is_wrong_is_underlined_and_said_with_what_to_do() {
    let head = "apiVersion: provost.dev/v1alpha1\nkind: Identity\n";
    for (text, wanted) in [
        (
            "metadata: {name: ada}\nspec:\n  departmnt: x\n",
            "   5 |   departmnt: x\n     |   ^^^^^^^^^ did you mean 'department'?",
        ),
        (
            "metadata: {name: ada}\nspec:\n  managerRef:\n    x: bob\n",
            "   5 |   managerRef:\n     |   ^^^^^^^^^^ add 'name'",
        ),
        ("metadata: {name: ada}\nspec: {managerRef: {xxx: bob}}\n", "     |                    ^^^^^^^^^^ add 'name'"),
        (
            "metadata: {name: ada}\nspec:\n  emails:\n  - primary: true\n",
            "   6 |   - primary: true\n     |     ^^^^^^^ add 'value'",
        ),
        ("metadata: {name: ada}\n", "   2 | kind: Identity\n     |       ^^^^^^^^ add 'spec: {}'"),
        ("metadata:\n\tname: ada\nspec: {}\n", "indent with spaces"),
        (
            "metadata: {name: ada}\nspec:\n  title: a\n  title: b\n",
            "   6 |   title: b\n     |   ^ write each field once",
        ),
        ("metadata: {name: ada\nspec: {}\n", "close the bracket that was opened before"),
    ] {
        let (status, out, err) = said(&["lint"], &format!("{head}{text}"));
        assert!(status == 1 && out.contains(wanted) && out.contains(" in 1 of 1 manifest"), "{text}: {out}{err}");
    }
    let listed = "- apiVersion: provost.dev/v1alpha1\n  kind: Identity\n  metadata: {name: ada}\n  spec: {}\n";
    let (status, out, _) = said(&["lint"], listed);
    assert!(status == 1 && out.contains("separate manifests by lines of ---"), "{out}");
    // Others in the file are looked at all the same.
    let (_, out, _) = said(&["lint"], &format!("a: {{b\n{}", manifest("Identity", "ada", "{titel: x}")));
    assert!(out.contains("did you mean 'title'?") && out.ends_with("2 errors in 2 of 2 manifests\n"), "{out}");
}

#[test]
fn findings_have_80_columns_and_none_is_lost() {
    let (before, behind) = ("identity.title == 'y' && ".repeat(4), " && true".repeat(20));
    let spec = format!("{{match: \"{before}identity.departmnt == 'x'{behind}\", grants: [{{application: wiki}}]}}");
    let all = format!("{}{}", manifest("AccessPolicy", "p", &spec), manifest("TargetApplication", "wiki", WIKI));
    let (_, out, _) = said(&["lint"], &all);
    assert!(out.contains("  5 | ..."), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let marked = out.lines().zip(out.lines().skip(1)).find(|(_, marks)| marks.contains("^^^^^^^^^"));
    let (line, marks) = marked.unwrap_or_else(|| panic!("{out}"));
    let at = marks.find('^').unwrap();
    assert_eq!(line.get(at..at + 9), Some("departmnt"), "{out}");
}

#[test]
fn a_table_is_folded_at_spaces_until_it_has_80_columns() {
    let rows =
        [vec!["2026-12-01T00:00:00Z".to_owned(), "one two three ".repeat(9).trim().to_owned(), "why, ".repeat(12)]];
    let table = |wide: bool| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut screen = Screen { out: &mut out, err: &mut err, color: false };
        screen.table(&["TIME", "WHAT", "WHY"], &rows, wide).unwrap();
        String::from_utf8(out).unwrap()
    };
    let (folded, wide) = (table(false), table(true));
    assert!(folded.lines().all(|line| line.chars().count() <= 80) && folded.lines().count() > 3, "{folded}");
    assert_eq!(wide.lines().count(), 2, "{wide}");
    let words = |text: &str| text.split_whitespace().filter(|word| *word == "three" || *word == "why,").count();
    assert_eq!((words(&folded), words(&wide)), (21, 21), "{folded}");
}

#[test]
fn what_is_wrong_with_a_field_hides_no_rule_and_no_reference() {
    let others = format!("{}{}", manifest("TargetApplication", "wiki", WIKI), manifest("Identity", "bob", "{}"));
    let policy = "{match: \"identity.departmnt == 'x'\", subjects: [{kind: Group, name: nogroup}, {kind: Identity, name: bbo}], \
                  grants: [{application: wiki, entitlements: ['*']}, {application: wikki}]}";
    let negated = "match: \"identity.title != 'x'\", grants: [{application: wiki}]";
    let here: &[&str] =
        &["identity has no field 'departmnt'", "no Group nogroup", "no Identity bbo", "no TargetApplication wikki"];
    for (kind, spec, words) in [
        ("AccessPolicy", policy.to_owned(), [here, &["is for effect: Deny alone"]].concat()),
        // What cannot even be read as its kind.
        ("AccessPolicy", policy.replace("['*']", "5"), [here, &["is an integer"]].concat()),
        ("AccessPolicy", policy.replace("{application: wikki}", "{}, {application: wikki}"), [here, &["'application' is missing", "is for effect: Deny alone"]].concat()),
        ("AccessPolicy", format!("{{{negated}, leadTime: 7d}}"), vec!["could grant", "is no span of time"]),
        ("AccessPolicy", format!("{{{negated}, mode: [x]}}"), vec!["could grant", "is a list"]),
        // It may be a Deny, where nothing could grant.
        ("AccessPolicy", format!("{{{negated}, effect: Dny}}"), vec!["did you mean 'Deny'?"]),
        ("AccessPolicy", format!("{{{negated}, effect: 5}}"), vec!["is an integer"]),
        (
            "Group",
            "{displayName: 5, match: \"identity.titel == 'x'\", members: [{kind: Group, name: nogroup}, {kind: group, name: x}, {name: zoe}]}"
                .to_owned(),
            vec!["is an integer", "no field 'titel'", "no Group nogroup", "did you mean 'Group'?", "'kind' is missing"],
        ),
        ("Group", "{members: [{kind: Group, name: x1}]}".to_owned(), vec!["is the group that lists itself"]),
        ("Identity", "{userName: \"a b\", managerRef: {name: bbo}}".to_owned(), vec!["is no user name", "no Identity bbo"]),
        (
            "TargetApplication",
            "{connector: {scim: {}}, entitlements: [{name: e, requires: \"foo()\", target: {group: {name: e}}}], \
             pushedGroups: [{name: p, groupRef: {name: nogroup}}], account: {attributes: [{name: title, expression: \"x\"}]}}"
                .to_owned(),
            vec!["'url' is missing", "'auth' is missing", "no function foo()", "no Group nogroup", "no variable 'x'"],
        ),
    ] {
        let (_, out, _) = said(&["lint", "-o", "wide"], &[manifest(kind, "x1", &spec), others.clone()].concat());
        for words in &words {
            assert!(out.contains(words), "{spec}: {words} is not in {out}");
        }
        let told = out.matches("  error  ").count() + out.matches("  warning  ").count();
        assert_eq!(told, words.len(), "{spec}: {out}");
    }
    // Others are judged by the manifest as it is: nobody is told of an entitlement that may be there.
    let invalid = WIKI.replace("entitlements: [", "entitlements: [{name: 5, target: {group: {name: x}}}, ");
    let grant = manifest("AccessPolicy", "p", "{match: \"true\", grants: [{application: wiki, entitlements: [five]}]}");
    let (_, out, _) = said(&["lint"], &[manifest("TargetApplication", "wiki", &invalid), grant].concat());
    assert!(out.contains("is an integer") && out.ends_with("1 error in 1 of 2 manifests\n"), "{out}");
}

#[test]
fn a_line_that_may_hold_a_secret_is_not_shown() {
    let scim = |url: &str, auth: &str, rest: &str| {
        format!(
            "\n  connector:\n    scim:\n      url: {url}\n      auth:\n        bearer: {auth}\n  account: {{}}\n{rest}"
        )
    };
    let (url, key) = ("https://wiki.acme.test/scim/v2", "{secretRef: {name: s, key: t}}");
    let flow = "{connector: {scim: {url: \"https://x.test/hunter2\", auth: {}}}, account: {attributes: [{name: a, expression: \"foo()\"}]}}";
    for (spec, place) in [
        (scim("\"http://u:hunter2@x.test/?token=hunter2\"", key, ""), "m.yaml:8:12"),
        (scim("hunter2", key, ""), "m.yaml:8:12"),
        (scim("\"http://hunter2.test\"", key, ""), "m.yaml:8:12"),
        (scim(url, "hunter2", ""), "m.yaml:10:17"),
        (scim(url, "{secretRef: {name: s, key: t}, value: hunter2}", ""), "m.yaml:10:"),
        (scim(url, "\n          token: hunter2", ""), "m.yaml:11:11"),
        (scim(url, key, "  url: http://hunter2.test\n"), "m.yaml:12:3"),
        (flow.to_owned(), "m.yaml:5:"),
        // What is no YAML has no fields.
        (scim("\"http://u:hunter2@x.test", key, ""), "m.yaml:"),
        (scim(url, key, "  password: hunter2\n  password: hunter2\n"), "m.yaml:13:"),
    ] {
        for form in ["table", "wide", "json"] {
            let (status, out, err) = said(&["lint", "-o", form], &manifest("TargetApplication", "wiki", &spec));
            assert_eq!(status, 1, "{spec}: {out}{err}");
            assert!(!format!("{out}{err}").contains("hunter2"), "{spec}: {out}{err}");
            assert!(form == "json" || out.contains(place), "{spec}: {out}");
        }
    }
    let (_, out, _) = said(&["lint"], &manifest("TargetApplication", "wiki", &scim("\"http://x.test\"", key, "")));
    assert!(out.contains("is not encrypted\n     | must be https"), "{out}");
    // Other lines of the same manifest are shown.
    let spec = scim(url, key, "  entitlements:\n  - name: '*'\n    target: {group: {name: x}}\n");
    let (_, out, _) = said(&["lint"], &manifest("TargetApplication", "wiki", &spec));
    assert!(out.contains("  13 |   - name: '*'"), "{out}");
}

#[test]
fn two_identities_with_one_key_in_files_are_both_shown_and_neither_is_older() {
    let people = [
        manifest("Identity", "ada", "{userName: same, externalId: E-1}"),
        manifest("Identity", "same", "{externalId: E-2}"),
        manifest("Identity", "bob", "{userName: bb, externalId: E-1}"),
    ];
    let (status, out, err) = said(&["lint"], &people.concat());
    assert_eq!(status, 1, "{err}");
    for (place, with, other) in [
        ("m.yaml:5:18  error  \"same\" is", "that of Identity same too", "the other is in m.yaml:7"),
        // What a manifest does not say is not underlined in its stead: it comes from the name.
        ("m.yaml:9:18  error  \"same\" is", "that of Identity ada too", "the other is in m.yaml:2"),
        ("m.yaml:5:36  error  \"E-1\" is", "that of Identity bob too", "the other is in m.yaml:12"),
        ("m.yaml:15:34  error  \"E-1\" is", "that of Identity ada too", "the other is in m.yaml:2"),
    ] {
        let from = out.find(place).unwrap_or_else(|| panic!("{place}: {out}"));
        let finding = out[from + 1..].split("\nm.yaml:").next().unwrap();
        assert!(finding.contains(with) && finding.contains(other), "{place}: {out}");
    }
    assert!(out.ends_with("4 errors in 3 of 3 manifests\n") && !out.contains("older"), "{out}");
    let (_, out, _) = said(&["explain", "bob"], &people.concat());
    assert!(out.contains("\"E-1\" is that of Identity ada too;") && !out.contains("older"), "{out}");
}

#[test]
fn of_doubles_one_is_called_older_where_both_have_an_age_alone_and_the_other_has_its_place() {
    let one = |name: &str, age: Option<&str>| {
        let written = manifest("Identity", name, "{externalId: E-1}");
        age.map_or(written.clone(), |age| {
            written.replace("namespace: acme", &format!("namespace: acme, creationTimestamp: {age}"))
        })
    };
    let [early, late] = [Some("2026-01-01T00:00:00Z"), Some("2026-02-01T00:00:00Z")];
    let (_, out, err) = said(&["lint"], &[one("ada", early), one("bob", late)].concat());
    assert!(
        out.contains("\"E-1\" belongs to Identity ada, which is") && out.contains("the other is in m.yaml:2"),
        "{out}{err}"
    );
    assert!(out.ends_with("1 error in 1 of 2 manifests\n"), "{out}");
    let (_, out, _) = said(&["lint"], &[one("ada", early), one("bob", early)].concat());
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    let tie = "belongs to Identity ada, which was created at the same time and comes first by its name;";
    assert!(words.contains(tie) && words.ends_with("1 error in 1 of 2 manifests") && !out.contains("older"), "{out}");
    for people in [[one("ada", early), one("bob", None)], [one("ada", None), one("bob", early)]] {
        let (_, out, _) = said(&["lint"], &people.concat());
        assert!(out.ends_with("2 errors in 2 of 2 manifests\n") && !out.contains("older"), "{out}");
        assert!(out.contains("the other is in m.yaml:2") && out.contains("the other is in m.yaml:7"), "{out}");
    }
}

/// What `diff` said of two versions.
fn between(arguments: &[&str], old: &str, new: &str) -> (u8, String) {
    let (status, out, _) = compared(arguments, old, new);
    (status, out)
}

fn compared(arguments: &[&str], old: &str, new: &str) -> (u8, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let files = [("old.yaml", old), ("new.yaml", new)].map(|(name, manifests)| {
        let file = folder.path().join(name);
        std::fs::write(&file, manifests).unwrap();
        file.to_str().unwrap().to_owned()
    });
    let all = [&["provost", "diff", &files[0], &files[1]], arguments].concat();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(all.into_iter().map(OsString::from), false, &mut out, &mut err);
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn a_difference_names_an_application_whose_manifest_became_invalid_and_calls_nothing_lost() {
    let people = manifest("Identity", "ada", "{}");
    let policy =
        manifest("AccessPolicy", "p", "{subjects: [{kind: Identity, name: ada}], grants: [{application: wiki}]}");
    let version = |spec: &str| format!("{people}{policy}{}", manifest("TargetApplication", "wiki", spec));
    let (old, new) = (version(WIKI), version("{connector: {scim: {url: 3}}}"));
    let (status, out) = between(&["--exit-code"], &old, &new);
    assert!(status == 1 && out.starts_with("wiki  unknown: its manifest is invalid;") && !out.contains("- "), "{out}");
    let (status, out) = between(&["--exit-code", "-o", "name"], &old, &new);
    assert_eq!((status, &*out), (1, "targetapplication.provost.dev/wiki\n"));
    let (_, out) = between(&["-o", "json"], &old, &new);
    assert!(out.contains("\"invalid\":[\"wiki\"]") && out.contains("\"invalidBefore\":[]"), "{out}");
    let (_, out) = between(&["-o", "wide"], &old, &new);
    assert!(out.contains("unknown: its manifest is invalid"), "{out}");
}

#[test]
fn a_difference_names_the_rights_that_a_broken_rule_leaves_untold() {
    let people: String = ["ada", "bob", "cyn", "dan"].map(|name| manifest("Identity", name, "{}")).concat();
    let version = |rule: &str| {
        let policy = manifest("AccessPolicy", "p", &format!("{{match: \"{rule}\", grants: [{{application: wiki}}]}}"));
        format!("{people}{policy}{}", manifest("TargetApplication", "wiki", WIKI))
    };
    let (old, new) = (version("identity.type == 'Person'"), version("identity.typ == 'Person'"));
    let (status, out) = between(&["--exit-code"], &old, &new);
    let told =
        "the account of ada, bob, cyn and 1 more becomes unknown and is kept as it is: AccessPolicy p cannot be told";
    let words = |out: &str| out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status == 1 && words(&out).contains(told) && out.contains("as far as is known nobody"), "{out}");
    for output in ["wide", "markdown"] {
        let (status, out) = between(&["--exit-code", "-o", output], &old, &new);
        assert!(status == 1 && words(&out).contains(told), "{out}");
    }
    let (_, out) = between(&["-o", "json"], &old, &new);
    assert!(
        out.contains("\"unknown\":[{\"application\":\"wiki\",\"entitlement\":null,\"identities\":[\"ada\""),
        "{out}"
    );
    // What could not be told before is no difference, and what can be told again is a gain of nobody.
    let (status, out) = between(&["--exit-code"], &new, &new);
    assert!(status == 0 && out.contains("nobody gains or loses anything\n"), "{out}");
}

#[test]
fn a_plan_names_an_application_whose_manifest_is_invalid_and_fails_as_lint_does() {
    let wrong = manifest("TargetApplication", "wiki", "{connector: {scim: {url: 3}}}");
    let (status, out, err) = said(&["plan"], &wrong);
    assert_eq!((status, &*out), (1, "wiki  unknown: its manifest is invalid; `provost lint` says why\n"), "{err}");
    let both = format!("{wrong}{}", manifest("TargetApplication", "chat", WIKI));
    let (status, out, _) = said(&["plan"], &both);
    assert!(status == 1 && out.contains("chat  0 accounts\n") && out.contains("wiki  unknown: "), "{out}");
    let (status, out, _) = said(&["plan", "-o", "json"], &wrong);
    assert!(status == 1 && out.contains("\"invalid\":[\"wiki\"]"), "{out}");
    assert_eq!(said(&["plan", "-o", "name"], &wrong).1, "targetapplication.provost.dev/wiki\n");
}

#[test]
fn every_application_is_told_of_where_none_is_named() {
    let grants = "{match: \"identity.userName == 'ada'\", grants: [{application: wiki, entitlements: [editor]}]}";
    let all = [
        manifest("Identity", "ada", "{}"),
        manifest("TargetApplication", "wiki", WIKI),
        manifest("TargetApplication", "chat", WIKI),
        manifest("AccessPolicy", "p", grants),
    ];
    let (status, out, err) = said(&["explain", "ada"], &all.concat());
    assert_eq!(status, 0, "{err}");
    let rows: Vec<Vec<&str>> = out.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [vec!["chat", "not", "no", "policy"], vec!["wiki", "has", "p"], vec!["wiki/editor", "has", "p"]]);
}

#[test]
fn man_pages_go_into_a_folder_that_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let within = folder.path().join("share/man/man1");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let all = ["provost", "man", within.to_str().unwrap()].map(OsString::from);
    assert_eq!(run(all, false, &mut out, &mut err), 0);
    assert!(within.join("provost.1").exists());
    let page = within.join("provost.1");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let all = ["provost", "man", page.to_str().unwrap()].map(OsString::from);
    assert_eq!(run(all, false, &mut out, &mut err), 2);
    let expected = format!("provost: {}: this is a file; name a folder\n", page.display());
    assert_eq!(String::from_utf8(err).unwrap(), expected);
}
