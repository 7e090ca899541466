//! What the commands say of manifests that are wrong.

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
            "{subjects: [{kind: group, name: g}], grants: [{application: wiki}]}",
            "did you mean 'Group'?",
        ),
        ("TargetApplication", "wiki", "{connector: {}}", "connector"),
    ] {
        let all = format!("{}{}", manifest("Group", "g", "{}"), manifest(kind, name, spec));
        let (status, out, err) = said(&["lint"], &all);
        assert_eq!((status, out.matches("  error  ").count()), (1, 1), "{spec}: {out}{err}");
        assert!(out.contains(words) && out.ends_with("1 error in 1 of 2 manifests\n"), "{spec}: {out}");
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
