//! One run tells all that can be told.

use super::*;

/// Each of these words is said, one a finding, and nothing besides.
fn says(manifests: &str, words: &[&str]) {
    let (_, out, err) = said(&["lint", "-o", "wide"], manifests);
    for words in words {
        assert!(out.contains(words), "{words} is not in {out}{err}");
    }
    let told = out.matches("  error  ").count() + out.matches("  warning  ").count();
    assert_eq!(told, words.len(), "{out}{err}");
}

#[test]
fn a_field_of_another_type_hides_no_other_field() {
    for (kind, spec, words) in [
        (
            "Identity",
            "{displayName: 5, title: [x], userName: a b, lifecycle: {startTime: soon, endTime: 2026-13-01T00:00:00Z}}",
            &[
                "spec.displayName is an integer",
                "spec.title is a list",
                "is no user name",
                "spec.lifecycle.startTime \"soon\"",
                "spec.lifecycle.endTime \"2026",
            ][..],
        ),
        // What stands in for a key that is wrong is no double of another one.
        (
            "Identity",
            "{emails: [{value: 5}, {value: 6}, {}, {value: a@b.c}, {value: a@b.c, primary: x}], managerRef: {name: null}}",
            &["[0].value is an", "[1].value is an", "[2] 'value' is missing", "same value", "is a text", "'name' is"],
        ),
        ("Identity", "{type: Persn, lifecycle: {endTime: soon}}", &["did you mean 'Person'?", "endTime \"soon\""]),
        (
            "Group",
            "{members: [{kind: Group, name: 5}, {kind: Group, name: 6}, null]}",
            &["[0].name", "[1].name", "[2] is"],
        ),
        ("AccessPolicy", "{mode: 5}", &["spec 'grants' is missing", "spec.mode is an integer", "is about nobody"]),
        (
            "AccessPolicy",
            "{match: 5, effect: 5, leadTime: 7d, grants: [{application: 5, entitlements: ['*', 7]}]}",
            &["match is an", "effect is an", "no span of time", "application is an", "entitlements[1] is an"],
        ),
        (
            "TargetApplication",
            "{connector: {ldap: {}, scim: {url: http://w, auth: {}}}, sync: {concurrency: 0, interval: 0s}, mode: Stop, \
             entitlements: [{name: a, target: {group: {name: 5}}}, {name: b, target: {group: {name: 6}}}]}",
            &[
                "spec.connector names scim and ldap",
                "ldap 'accounts' is missing",
                "ldap 'bind' is missing",
                "ldap 'url' is missing",
                "is not encrypted",
                "auth names none",
                "concurrency \"0\"",
                "interval \"0s\"",
                "mode \"Stop\"",
                "[0].target.group.name is an",
                "[1].target.group.name is an",
            ],
        ),
    ] {
        says(&manifest(kind, "x1", spec), words);
    }
    let labels = manifest("Identity", "ada", "{title: 5}").replace("acme}", "acme, labels: {team: 7}}");
    says(&labels, &["metadata.labels.team is an integer", "spec.title is an integer"]);
}

#[test]
fn a_rule_that_is_wrong_hides_no_group_that_is_missing() {
    let rule = "'nogroup' in identity.groups && identity.departmnt == 'x' && identity.title == 5";
    let policy = manifest("AccessPolicy", "p", &format!("{{match: \"{rule}\", grants: [{{application: wiki}}]}}"));
    let words = ["no Group nogroup", "no field 'departmnt'", "can never be decided"];
    says(&format!("{policy}{}", manifest("TargetApplication", "wiki", WIKI)), &words);
}

#[test]
fn an_entitlement_is_looked_for_also_in_an_application_that_is_wrong_otherwise() {
    let policy = |spec: &str| {
        let grants = "grants: [{application: wiki, entitlements: [editr, reader]}]";
        manifest("AccessPolicy", "p", &format!("{{{spec}match: \"true\", {grants}}}"))
    };
    let told = "TargetApplication wiki has no entitlement editr; it has: editor, reader";
    let wiki = |from: &str, to: &str| manifest("TargetApplication", "wiki", &WIKI.replace(from, to));
    for (from, to, wrong) in [
        ("{connector", "{mode: Stop, connector", "spec.mode \"Stop\""),
        ("{connector", "{displayName: 5, connector", "spec.displayName is an integer"),
        ("https://", "http://", "is not encrypted"),
    ] {
        let wiki = wiki(from, to);
        says(&format!("{wiki}{}", policy("")), &[wrong, told]);
        says(&format!("{}{wiki}", policy("leadTime: 7d, ")), &[wrong, told, "no span of time"]);
    }
    // A list that is not there, or wrong itself, may have it.
    for (from, to, wrong) in [
        ("entitlements", "entitlement", "did you mean 'entitlements'?"),
        ("{name: reader", "{name: 5", "entitlements[1].name is an integer"),
        (
            "{name: reader, target: {group: {name: r}}}",
            "{name: reader, target: {}}",
            "entitlements[1].target names none",
        ),
    ] {
        says(
            &format!("{}{}", wiki(from, to).replace("{connector", "{mode: Stop, connector"), policy("")),
            &[wrong, "\"Stop\""],
        );
    }
}

#[test]
fn the_expression_of_an_attribute_that_cannot_be_mapped_is_looked_at_too() {
    let attributes = "[{name: active, expression: identity.departmnt}, {name: title, expression: identity.title}, \
                      {name: TITLE, expression: identity.titel}]";
    let wiki = WIKI.replace(", entitlements", &format!(", account: {{attributes: {attributes}}}, entitlements"));
    let told =
        ["active is controlled by", "no field 'departmnt'", "TITLE is title, which an entry", "no field 'titel'"];
    says(&manifest("TargetApplication", "wiki", &wiki), &told);
}

#[test]
fn a_field_that_must_be_there_and_is_misspelt_is_one_error() {
    let wiki = manifest("TargetApplication", "wiki", WIKI);
    let policy = |grants: &str| manifest("AccessPolicy", "p", &format!("{{match: \"true\", {grants}}}"));
    for (text, words) in [
        (policy("grant: [{application: wiki}]"), &["m.yaml:5:23  error  spec.grant is no field here"][..]),
        (policy("grants: [{aplication: wiki}]"), &["m.yaml:5:33  error  spec.grants[0].aplication is no field here"]),
        (manifest("Identity", "ada", "{managerRef: {nam: bob}}"), &["managerRef.nam is no field here"]),
        (policy("grants: [{application: wiki}]").replace("spec:", "sepc:"), &["sepc is no field here"]),
        (policy("grants: [{application: wiki}]").replace("metadata:", "metdata:"), &["metdata is no field here"]),
        // What is not near is not meant.
        (policy("grants: [{app: wiki}]"), &["'application' is missing", "grants[0].app is no field here"]),
    ] {
        says(&format!("{text}{wiki}"), words);
    }
    let (_, out, _) = said(&["lint"], &format!("{}{wiki}", policy("grant: [{application: wiki}]")));
    assert!(out.contains("     |                       ^^^^^ did you mean 'grants'?"), "{out}");
}

#[test]
fn two_identities_of_one_key_are_told_also_where_one_of_them_is_wrong_otherwise() {
    let bob = manifest("Identity", "bob", "{externalId: E-1, userName: same}");
    for wrong in ["displayName: 5", "emails: [{}]"] {
        let ada = manifest("Identity", "ada", &format!("{{externalId: E-1, userName: SAME, {wrong}}}"));
        let (_, out, _) = said(&["lint"], &format!("{ada}{bob}"));
        for other in ["\"E-1\" is that of Identity bob", "\"E-1\" is that of Identity ada", "\"same\" is that of"] {
            assert!(out.contains(other), "{wrong}: {out}");
        }
        assert!(out.contains("the other is in m.yaml:2") && out.contains("the other is in m.yaml:7"), "{out}");
        assert!(out.ends_with("5 errors in 2 of 2 manifests\n") && !out.contains("older"), "{out}");
    }
    // A key that is wrong itself is nobody's.
    let ada = manifest("Identity", "same", "{externalId: E-1, userName: 5}");
    says(
        &format!("{ada}{bob}"),
        &["spec.userName is an", "E-1\" is that of Identity bob", "E-1\" is that of Identity same"],
    );
}

#[test]
fn of_who_may_have_ended_no_key_is_a_double() {
    let back = manifest("Identity", "ada2", "{externalId: E-1}");
    for (wrong, told) in
        [("{endTime: 2020-13-31T00:00:00Z}", "lifecycle.endTime \"2020-13"), ("soon", "lifecycle is a text")]
    {
        let ada = manifest("Identity", "ada", &format!("{{externalId: E-1, lifecycle: {wrong}}}"));
        says(&format!("{ada}{back}"), &[told]);
    }
    let cyn = manifest("Identity", "cyn", "{externalId: E-1}");
    let ada = manifest("Identity", "ada", "{externalId: E-1, lifecycle: soon}");
    says(&[ada, back, cyn].concat(), &["is a text", "is that of Identity ada2", "is that of Identity cyn"]);
}

#[test]
fn metadata_that_cannot_be_read_is_told_there_and_hides_nothing() {
    let with = |field: &str| {
        let ada = manifest("Identity", "ada", "{displayName: 5, lifecycle: {endTime: soon}}");
        ada.replace("acme}", &format!("acme, {field}}}"))
    };
    for (field, told) in [
        ("generation: '1'", "metadata.generation is a text"),
        ("finalizers: x", "metadata.finalizers is a text"),
        ("ownerReferences: [x]", "metadata.ownerReferences[0] is a text"),
        ("creationTimestamp: 2024-01-01", "metadata.creationTimestamp cannot be read"),
        ("creationTimestamp: 5", "metadata.creationTimestamp is an integer"),
    ] {
        says(&with(field), &[told, "displayName is an integer", "endTime \"soon\""]);
    }
    says(
        &manifest("Identity", "ada", "{}").replace("acme}", "acme, generation: '1'}"),
        &["metadata.generation is a text"],
    );
    says(&with("generation: 1, finalizers: [x], managedFields: [{a: 1}]"), &["displayName is an", "endTime \"soon\""]);
}

#[test]
fn manifests_without_a_name_are_looked_at_each_by_itself() {
    let policy = |application: &str| {
        let grants = format!("{{match: \"true\", grants: [{{application: {application}}}]}}");
        manifest("AccessPolicy", "p", &grants).replace("{name: p, namespace: acme}", "{namespace: acme}")
    };
    says(
        &format!("{}{}", policy("wiki"), policy("chat")),
        &[
            "m.yaml:4:11  error  metadata 'name'",
            "m.yaml:9:11  error  metadata 'name'",
            "TargetApplication wiki",
            "TargetApplication chat",
        ],
    );
}

#[test]
fn what_is_missing_at_the_top_is_told_with_its_place_and_what_to_write() {
    let head = "apiVersion: provost.dev/v1alpha1\nkind: Identity\nmetadata: {name: ada}\n";
    for (text, place, message, remedy) in [
        (head.to_owned(), "m.yaml:2:7", "spec is missing", "add 'spec: {}', with what there is to say in it"),
        (format!("{head}spec: null\n"), "m.yaml:4:7", "spec is missing", "add 'spec: {}'"),
        (head.replace("Identity", "AccessPolicy"), "m.yaml:2:7", "spec is missing", "add 'spec', with 'grants' in it"),
        (head.replace("{name: ada}", "{}") + "spec: {}\n", "m.yaml:3:11", "metadata 'name' is", "add 'name'"),
    ] {
        let (status, out, _) = said(&["lint"], &text);
        assert!(
            status == 1 && out.starts_with(place) && out.contains(message) && out.contains(remedy),
            "{text}: {out}"
        );
        assert!(out.ends_with("1 error in 1 of 1 manifest\n"), "{text}: {out}");
    }
}

#[test]
fn manifests_without_a_namespace_go_with_the_one_that_the_others_name() {
    let ada = manifest("Identity", "ada", "{}");
    let without = |name: &str, member: &str| {
        manifest("Group", name, &format!("{{members: [{member}]}}")).replace(", namespace: acme", "")
    };
    let groups = [without("g", "{kind: Identity, name: ada}"), without("h", "{kind: Group, name: g}")].concat();
    let (status, out, _) = said(&["lint", "-o", "wide"], &format!("{ada}{groups}"));
    let told = "m.yaml:9:11  warning  2 manifests name no namespace, the first of them here, and";
    assert!(status == 0 && out.starts_with(told) && out.contains("read as in acme; the others name acme"), "{out}");
    assert!(out.ends_with("1 warning in 1 of 3 manifests\n"), "{out}");
    assert!(said(&["explain", "ada"], &format!("{ada}{groups}")).1.starts_with("ada: Active, in g, h\n"));
    // Of several, that of kubectl.
    let other = manifest("Identity", "bob", "{}").replace("acme", "beta");
    let (_, out, _) = said(&["lint", "-o", "wide"], &[ada.clone(), other, without("g", "")].concat());
    assert!(
        out.contains("this manifest names no namespace and is read as in default; the others name acme, beta"),
        "{out}"
    );
    says(&groups, &[]);
    // What is told by itself is no manifest without a namespace.
    let is = |from: &str, to: &str| without("g", "").replace(from, to);
    let told = [("{name: g}", "[x]", "metadata is a list"), ("{name: g}", "x", "metadata is a text")];
    for (from, to, told) in told.into_iter().chain([("v1alpha1", "v1beta9", "is no version that this provost reads")]) {
        says(&format!("{ada}{}", is(from, to)), &[told]);
    }
}

#[test]
fn both_versions_of_a_difference_have_one_usual_namespace() {
    let grants = "{match: \"identity.type == 'Person'\", grants: [{application: wiki}]}";
    let all = [manifest("Identity", "ada", "{}"), manifest("AccessPolicy", "p", grants)];
    let old = [&*all.concat(), &manifest("TargetApplication", "wiki", WIKI)].concat().replace(", namespace: acme", "");
    let new = format!("{old}{}", manifest("Identity", "bob", "{}"));
    for (old, new, sign) in [(&old, &new, "+ "), (&new, &old, "- ")] {
        let (_, out) = between(&["-o", "wide"], old, new);
        assert!(out.contains("bob") && out.contains(sign) && !out.contains("ada"), "{out}");
    }
}

#[test]
fn a_rule_that_matches_nobody_here_is_a_warning() {
    let people =
        ["Engineering", "Sales"].map(|of| manifest("Identity", &of.to_lowercase(), &format!("{{department: {of}}}")));
    let rules = |rule: &str| {
        let group = manifest("Group", "g", &format!("{{match: \"identity.{rule}\"}}"));
        let policy =
            manifest("AccessPolicy", "p", &format!("{{match: \"identity.{rule}\", grants: [{{application: wiki}}]}}"));
        [group, policy, manifest("TargetApplication", "wiki", WIKI)].concat()
    };
    let (status, out, _) =
        said(&["lint", "-o", "wide"], &[people.concat(), rules("department == 'Enginering'")].concat());
    assert_eq!(out.matches("warning  this rule matches nobody of the 2 identities here").count(), 2, "{out}");
    assert!(status == 0 && out.ends_with("2 warnings in 2 of 5 manifests\n"), "{out}");
    let one = "this rule does not match the one identity here";
    says(&[&*people[0], &rules("department == 'Sales'")].concat(), &[one, one]);
    says(&[people.concat(), rules("department == 'Sales'")].concat(), &[]);
    says(&rules("department == 'Sales'"), &[]);
    let deny = rules("department == 'Enginering'").replace(
        "{match: \"identity.department == 'Enginering'\", g",
        "{effect: Deny, match: \"identity.department == 'Enginering'\", g",
    );
    says(&[people.concat(), deny].concat(), &["warning  this rule matches nobody of the 2", "lifts this Deny"]);
    // Who asks what the manifests say is not told of it.
    let all = [people.concat(), rules("department == 'Enginering'")].concat();
    for asked in [&["plan"][..], &["explain", "sales"], &["who-can", "wiki"]] {
        assert_eq!(said(asked, &all).2, "", "{asked:?}");
    }
}

#[test]
fn documents_of_other_kinds_are_one_line_with_their_kinds() {
    let other = |kind: &str| format!("---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: x}}\n");
    let all =
        [other("Secret"), other("ConfigMap"), other("Secret"), "---\na: 1\n".to_owned(), manifest("Group", "g", "{}")];
    let told = "4 documents of other kinds skipped: ConfigMap, Secret, none\n";
    assert_eq!(said(&["lint"], &all.concat()).2, told);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.yaml");
    std::fs::write(&file, all.concat()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let file = file.to_str().unwrap();
    run(["provost", "diff", file, file].map(OsString::from), false, &mut out, &mut err);
    assert_eq!(String::from_utf8(err).unwrap(), told);
}
