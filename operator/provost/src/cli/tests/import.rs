//! What `import` says, and what it writes to.

use super::*;

/// What `import` said of a table.
fn imported(table: &str) -> (u8, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.csv");
    std::fs::write(&file, table).unwrap();
    let (file, out) = (file.to_str().unwrap(), folder.path().join("out"));
    let all = ["provost", "import", "--csv", file, "--out", out.to_str().unwrap()];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(all.map(OsString::from), false, &mut out, &mut err);
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap().replace(file, "t.csv"))
}

#[test]
fn a_table_of_doubles_names_their_lines_and_one_with_semicolons_is_noticed() {
    let (status, out, err) = imported("userName,givenName\nada,A\nada,B\nADA,C\n");
    assert_eq!(status, 1, "{err}");
    assert!(out.starts_with("nothing was written: all that is there was left out, as told below\n"), "{out}");
    let same = "lines 2, 3 and 4 have this user name\n";
    assert!(out.contains("left out (3)\n") && out.matches(same).count() == 2, "{out}");
    for table in [
        "userName;givenName\nada;A\n",
        "userName;\"givenName\"\nada;A\n",
        "\"userName\";\"givenName\"\r\nada;A\r\n",
        "userName;givenName;groups\nada;A;\"B, C\"\n",
    ] {
        let (status, _, err) = imported(table);
        let semicolons = "provost: t.csv:1:1: the columns are parted by semicolons; part";
        assert!(status == 2 && err.starts_with(semicolons), "{table}: {err}");
    }
    let (_, _, err) = imported("userName,givenName\nada\n");
    assert!(err.contains("there is 1 cell here and 2 columns; write"), "{err}");
    let (_, _, err) = imported("userName\nada,A\n");
    assert!(err.contains("there are 2 cells here and 1 column; put"), "{err}");
}

/// What `import` said in a folder.
fn within(folder: &std::path::Path, words: &str) -> (u8, String) {
    let place = folder.to_str().unwrap();
    let words = words.split(' ').map(|word| OsString::from(word.replace("HERE", place)));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run([OsString::from("provost"), "import".into()].into_iter().chain(words), false, &mut out, &mut err);
    (status, String::from_utf8([out, err].concat()).unwrap().replace(&format!("{place}/"), ""))
}

#[test]
fn a_file_that_was_read_or_that_nothing_would_replace_is_never_lost() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    write("t.csv", "userName,groups\nada,Platform\n");
    write("more.csv", "userName\nada\nbob\n");
    write("none.csv", "userName\n");
    assert_eq!(within(folder.path(), "--csv HERE/t.csv --out HERE/acme").0, 0);
    let (identities, groups) = (read("acme/identities.yaml"), read("acme/groups.yaml"));
    let there = "provost: acme/identities.yaml is there already; name another folder with --out, or add --force\n";
    assert_eq!(within(folder.path(), "--csv HERE/more.csv --out HERE/acme"), (2, there.to_owned()));
    let lost = "provost: acme/identities.yaml is read by -f, and what it declares is not written again; name another folder with --out\n";
    for more in ["-f HERE/acme", "-f HERE/acme/identities.yaml", "-f HERE/acme/../acme/identities.yaml --force"] {
        let asked = format!("--csv HERE/more.csv --out HERE/acme {more}");
        assert_eq!(within(folder.path(), &asked), (2, lost.to_owned()), "{more}");
    }
    for (table, file) in [("more", "groups"), ("none", "identities")] {
        let asked = format!("--csv HERE/{table}.csv --out HERE/acme --force");
        let expected = format!(
            "provost: there are no {file} to write to acme/{file}.yaml, which is there already; remove it, or name another folder with --out\n"
        );
        assert_eq!(within(folder.path(), &asked), (2, expected));
    }
    assert_eq!((read("acme/identities.yaml"), read("acme/groups.yaml")), (identities, groups));

    assert_eq!(within(folder.path(), "--csv HERE/more.csv --out HERE/chat -f HERE/acme").0, 0);
    assert!(!read("chat/identities.yaml").contains("name: ada") && read("chat/identities.yaml").contains("name: bob"));
    write("t.csv", "userName,groups\ncyn,Platform\n");
    assert_eq!(within(folder.path(), "--csv HERE/t.csv --out HERE/acme --force").0, 0);
    assert!(read("acme/identities.yaml").contains("name: cyn"));
}

#[test]
fn an_application_that_is_misspelt_is_told_also_for_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("t.csv", "userName\nada\n");
    write("wiki.yaml", &manifest("TargetApplication", "wiki", WIKI));
    write("eve.yaml", &manifest("Identity", "eve", "{}"));
    let asked = |more: &str| within(folder.path(), &format!("--csv HERE/t.csv --out HERE/acme {more}"));
    let expected =
        "provost: there is no TargetApplication wikki in the manifests that -f names; did you mean 'wiki'?\n";
    assert_eq!(asked("--application wikki -f HERE/wiki.yaml"), (2, expected.to_owned()));
    assert_eq!(asked("--application wiki -f HERE/wiki.yaml").0, 0);
    // Who is declared is named alone: the application may be declared elsewhere.
    assert_eq!(asked("--application chat -f HERE/eve.yaml --force").0, 0);
}
