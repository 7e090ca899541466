//! A folder of manifests, as an administrator has one: what `provost import` writes there, linted and read again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A place for manifests.
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// With a TargetApplication and the values of its Secret.
    pub fn with(application: &Value, secrets: &[(&str, &str, &str)]) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(desk.path("wiki.json"), application.to_string()).unwrap();
        for (secret, key, value) in secrets {
            std::fs::create_dir_all(desk.path("secrets").join(secret)).unwrap();
            std::fs::write(desk.path("secrets").join(secret).join(key), format!("{value}\n")).unwrap();
        }
        desk
    }

    /// Of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same, as an argument.
    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// `provost` with these arguments.
    pub async fn provost(arguments: &[&str]) -> (u8, String, String) {
        let all: Vec<String> = std::iter::once("provost").chain(arguments.iter().copied()).map(str::to_owned).collect();
        let run = move || {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let status = provost::cli::run(all.into_iter().map(Into::into), false, &mut out, &mut err);
            (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// `provost import`, and `provost lint` of what it has written; its report.
    pub async fn import(&self, more: &[&str]) -> Value {
        let (application, secrets, out) = (self.text("wiki.json"), self.text("secrets"), self.text("acme"));
        let mut arguments = vec!["import", "--application", "wiki", "--out", &out, "-o", "json"];
        if more.is_empty() {
            arguments.extend(["-f", &application, "--secret-dir", &secrets]);
        }
        arguments.extend(more);
        let (status, said, err) = Self::provost(&arguments).await;
        assert!(status < 2, "{err}{said}");
        let again = Self::provost(&arguments).await;
        assert_eq!(again.0, 2, "files that are there are not overwritten");
        assert!(again.2.contains("is there already"), "{}", again.2);
        let before = self.written();
        let forced = [&arguments[..], &["--force"]].concat();
        assert_eq!(
            (Self::provost(&forced).await.0, self.written()),
            (status, before),
            "the same, whenever it is written"
        );
        let (status, linted, _) = Self::provost(&["lint", "-f", &out, "-f", &application]).await;
        assert_eq!(status, 0, "{linted}");
        assert!(linted.ends_with("nothing to say\n"), "{linted}");
        serde_json::from_str::<Value>(&said).unwrap()["answer"].clone()
    }

    fn written(&self) -> BTreeMap<String, String> {
        let file = |path: &Path| (path.display().to_string(), std::fs::read_to_string(path).unwrap());
        std::fs::read_dir(self.path("acme")).unwrap().map(|entry| file(&entry.unwrap().path())).collect()
    }

    /// What was written, as manifests.
    pub fn manifests(&self) -> Vec<Value> {
        let written = self.written();
        let documents = written.values().flat_map(|text| text.split("---\n").filter(|text| !text.is_empty()));
        documents.map(|text| serde_saphyr::from_str(text).unwrap()).collect()
    }
}
