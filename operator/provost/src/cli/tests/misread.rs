//! Files that are no UTF-8.

use super::*;

/// What a command said of files of these bytes, each named `-f`, and of whatever else is asked.
fn of_bytes(arguments: &[&str], files: &[(&str, &[u8])]) -> (u8, String, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let folder = folder.path().to_str().unwrap();
    let all = ["provost"].into_iter().chain(arguments.iter().copied()).map(|word| word.replace("FOLDER", folder));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(all.map(OsString::from), false, &mut out, &mut err);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&format!("{folder}/"), "");
    (status, text(out), text(err))
}

/// What `lint` said of one such file.
fn linted(bytes: &[u8]) -> (u8, String, String) {
    of_bytes(&["lint", "-o", "wide", "-f", "FOLDER/m.yaml"], &[("m.yaml", bytes)])
}

fn utf_16(text: &str) -> Vec<u8> {
    [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_file_in_latin_1_is_told_with_its_line_and_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        // Every character of it is one byte of Latin-1.
        std::fs::write(folder.path().join(name), text.chars().map(|c| c as u8).collect::<Vec<_>>()).unwrap();
    };
    let people = manifest("Identity", "ada", "\n  displayName: J\u{fc}rgen\n  titel: x");
    write("latin.yaml", &format!("{people}{}", manifest("Identity", "bob", "{title: B\u{f6}ss}")));
    write("other.yaml", &manifest("Identity", "cyn", "{titel: x}"));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let all = ["provost", "lint", "-o", "wide", "-f", folder.path().to_str().unwrap()].map(OsString::from);
    let status = run(all, false, &mut out, &mut err);
    let out = String::from_utf8(out).unwrap();
    let told = "latin.yaml:6:17  error  this cannot be read: byte 0xFC is no UTF-8  [Identity/ada]\n     | write it";
    let out = out.replace(&format!("{}/", folder.path().display()), "");
    assert!(status == 1 && out.starts_with(told) && out.contains("iconv -f windows-1252 -t utf-8"), "{out}");
    assert_eq!(out.matches("did you mean 'title'?").count(), 2, "{out}");
    assert!(out.ends_with("3 errors in 2 of 3 manifests\n"), "{out}");
    let table = folder.path().join("t.csv");
    std::fs::write(&table, b"userName,displayName\nada,J\xfcrgen\n").unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let all = ["provost", "import", "--csv", table.to_str().unwrap(), "--out", "nowhere"].map(OsString::from);
    assert_eq!(run(all, false, &mut out, &mut err), 2);
    let err = String::from_utf8(err).unwrap();
    assert!(err.contains("t.csv:2:6: byte 0xFC is no UTF-8; write it in UTF-8: iconv -f windows-1252"), "{err}");
}

#[test]
fn what_cannot_be_read_for_sure_is_no_answer() {
    let wiki = manifest("TargetApplication", "wiki", WIKI);
    let latin = wiki.replace("kind: Target", "# \u{fc}\nkind: Target").chars().map(|c| c as u8).collect::<Vec<_>>();
    let wide = utf_16(&manifest("Identity", "ada", "{}"));
    for (bytes, told) in
        [(&wide, "b.yaml:1:1: byte 0xFF is no UTF-8; write it in UTF-8: iconv"), (&latin, "b.yaml:3:3: byte 0xFC is")]
    {
        let files = [("a.yaml", wiki.as_bytes()), ("b.yaml", bytes)];
        for asked in [
            &["plan", "-f", "FOLDER"][..],
            &["explain", "ada", "-f", "FOLDER"],
            &["who-can", "wiki", "-f", "FOLDER"],
            &["diff", "FOLDER/a.yaml", "FOLDER/b.yaml"],
            &["diff", "FOLDER/b.yaml", "FOLDER/a.yaml"],
        ] {
            let (status, out, err) = of_bytes(asked, &files);
            assert!(
                status == 2 && out.is_empty() && err.starts_with(&format!("provost: {told}")),
                "{asked:?}: {out}{err}"
            );
        }
    }
}

#[test]
fn of_a_line_that_is_no_utf_8_nothing_is_shown_and_only_our_own_are_named() {
    let ada = manifest("Identity", "ada", "{}");
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  bind: h\u{fc}nter2\n";
    let list = |items: &[&str]| {
        let items = items
            .iter()
            .map(|item| format!("- {}\n", item.trim_end().trim_start_matches("---\n").replace('\n', "\n  ")));
        format!("apiVersion: v1\nkind: List\nitems:\n{}", items.collect::<String>())
    };
    let titled = manifest("Identity", "ada", "\n  titel: h\u{fc}nter2");
    for (text, place, object, count) in [
        (format!("{ada}---\n{secret}"), "m.yaml:11:10", "m.yaml", "1 error in 1 of 2 manifests\n"),
        (format!("{secret}{ada}"), "m.yaml:5:10", "m.yaml", "1 error in 1 of 2 manifests\n"),
        (list(&[&ada, secret]), "m.yaml:12:12", "m.yaml", "1 error in 1 of 2 manifests\n"),
        (list(&[secret, &ada]), "m.yaml:8:12", "m.yaml", "1 error in 1 of 2 manifests\n"),
        (format!("{ada}--- # h\u{fc}nter2\n"), "m.yaml:6:8", "m.yaml", "1 error in 1 of 2 manifests\n"),
        (titled, "m.yaml:6:11", "Identity/ada", "2 errors in 1 of 1 manifest\n"),
    ] {
        let (status, out, err) = linted(&text.chars().map(|c| c as u8).collect::<Vec<_>>());
        let told = format!("{place}  error  this cannot be read: byte 0xFC is no UTF-8  [{object}]\n");
        assert!(status == 1 && out.contains(&told) && out.ends_with(count), "{text}: {out}{err}");
        assert!(!out.contains("nter2"), "{out}");
    }
}

#[test]
fn one_wrong_byte_hides_no_letter_and_no_document() {
    let bytes = |text: &str, byte: u8| {
        let (before, after) = text.split_once('@').unwrap();
        [before.as_bytes(), &[byte], after.as_bytes()].concat()
    };
    // Windows writes quotes where Latin-1 has control characters.
    let ada = manifest("Identity", "ada", "\n  displayName: A@da\n  titel: x");
    let (_, out, err) = linted(&bytes(&format!("{ada}{}", manifest("Identity", "bob", "{titel: x}")), 0x93));
    assert!(out.contains("byte 0x93 is no UTF-8") && out.contains("iconv -f windows-1252"), "{out}{err}");
    assert_eq!(out.matches("did you mean 'title'?").count(), 2, "{out}");
    assert!(
        out.ends_with("3 errors in 2 of 2 manifests\n") && !out.contains(|c: char| c.is_control() && c != '\n'),
        "{out}"
    );
    // The rest is UTF-8, and is not to be turned into it again.
    let ada = manifest("Identity", "J\u{fc}rg", "\n  displayName: \u{fc}@");
    let (_, out, _) = linted(&bytes(&ada, 0xFC));
    assert!(out.contains("m.yaml:6:17  error  this cannot be read: byte 0xFC") && !out.contains("iconv"), "{out}");
    assert!(
        out.contains("the rest of the file is UTF-8: write this character anew") && out.contains("\"J\u{fc}rg\""),
        "{out}"
    );
    assert!(out.ends_with("2 errors in 1 of 1 manifest\n"), "{out}");
}

#[test]
fn a_file_of_which_nothing_is_read_is_counted() {
    let (status, out, err) = linted(&utf_16(&manifest("Identity", "ada", "{}")));
    assert!(status == 1 && out.ends_with("1 error in 1 of 1 manifest\n"), "{out}{err}");
    assert!(out.contains("iconv -f utf-16 -t utf-8"), "{out}");
}
