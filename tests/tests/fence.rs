//! The fence: what each crate may reach, at any depth. One crate at a time, since a workspace-wide tree unifies features
//! and hides a breach.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Crate, and what it may never reach.
const FENCE: &[(&str, &[&str])] = &[
    ("provost-crds", &["tokio", "hyper", "kube-client", "reqwest", "redb", "provost-core"]),
    (
        "provost-core",
        &[
            "tokio",
            "hyper",
            "kube-client",
            "reqwest",
            "ldap3",
            "redb",
            "rand",
            "getrandom",
            "chrono",
            "provost-connectors",
        ],
    ),
    ("provost-connectors", &["kube-client", "redb", "provost-store", "provost-kubernetes"]),
    ("provost-store", &["kube-client", "reqwest", "provost-connectors", "provost-kubernetes"]),
    ("provost-kubernetes", &["redb", "reqwest", "provost-connectors", "provost-store"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What `krate` reaches and may not.
fn breaches(workspace: &Path, krate: &str, forbidden: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-p", krate, "-e", "normal", "--prefix", "none", "-f", "{p}"])
        .current_dir(workspace)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let reached = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut found: Vec<String> = reached.filter(|name| forbidden.contains(name)).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn no_crate_reaches_what_it_may_not() {
    for (krate, forbidden) in FENCE {
        assert_eq!(breaches(&root(), krate, forbidden), Vec::<String>::new(), "{krate} reaches what it may not");
    }
}

#[test]
fn the_fence_falls_when_the_core_gets_tokio() {
    let copy = tempfile::tempdir().unwrap();
    for file in ["Cargo.toml", "Cargo.lock"] {
        std::fs::copy(root().join(file), copy.path().join(file)).unwrap();
    }
    for member in [
        "crds",
        "operator/core",
        "operator/connectors",
        "operator/store",
        "operator/kubernetes",
        "operator/provost",
        "tests",
    ] {
        let folder = copy.path().join(member);
        std::fs::create_dir_all(folder.join("src")).unwrap();
        std::fs::write(folder.join("src/lib.rs"), "").unwrap();
        let manifest = std::fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        // Only the dependencies matter here: targets with files of their own are left out.
        let manifest = manifest.split("\n[[").next().unwrap().to_owned();
        let manifest = if member == "operator/core" {
            manifest.replacen("[dependencies]\n", "[dependencies]\ntokio.workspace = true\n", 1)
        } else {
            manifest
        };
        std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    }
    assert_eq!(breaches(copy.path(), "provost-core", &["tokio", "hyper"]), ["tokio"]);
}

#[test]
fn only_input_names_the_resources_in_the_core() {
    let mut open = vec![root().join("operator/core/src")];
    let mut named = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let inside = path.components().any(|c| c.as_os_str() == "input" || c.as_os_str() == "tests");
                if !inside && !path.ends_with("tests.rs") && code.contains("provost_crds") {
                    named.push(path);
                }
            }
        }
    }
    assert_eq!(named, Vec::<PathBuf>::new(), "only operator/core/src/input may name provost_crds");
}
