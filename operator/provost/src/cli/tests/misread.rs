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

fn utf_16(text: &str) -> Vec<u8> {
    [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
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
