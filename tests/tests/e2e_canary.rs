//! A credential is nowhere but in its Secret and at its target: not in the log at debug level, the statuses, the events,
//! the metrics, the journal or the ledger, neither as it is nor encoded, whatever goes wrong.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and say what they counted"
)]

use serde_json::{Value, json};
use tests::e2e::{Application, Target, World, identity, policy, until};
use tests::servers::TOKEN;

/// Planted too: a token that the target refuses, and one for a host that is not allowed.
const WRONG: &str = "canary-wrong-51b2e0c9";
const ELSEWHERE: &str = "canary-elsewhere-9d07aa13";

/// A credential, and in what forms it might get somewhere.
fn forms(token: &str) -> Vec<String> {
    let hex = token.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    // Bytes as Rust's Debug writes them.
    let bytes = token.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    let mut encode = std::process::Command::new("base64");
    let mut child =
        encode.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().expect("base64");
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), token.as_bytes()).unwrap();
    let encoded = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    vec![token.to_owned(), hex, bytes, encoded.trim().trim_end_matches('=').to_owned()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_nowhere_but_in_its_secret() {
    let (target, other) = (Target::start().await, Target::start().await);
    let mut world = World::logging("canary", "debug");
    let good = Application::new("good", &target.url(), &["editor"]);
    let refused = Application::new("refused", &other.url(), &[]);
    let elsewhere = Application::new("elsewhere", "https://wiki.acme.test/v2", &[]);
    let grants = ["good", "refused", "elsewhere"].map(|name| policy(name, "identity.type == \"Person\"", name, &[]));
    let mut manifests: Vec<Value> = vec![
        good.secret(TOKEN, "127.0.0.1"),
        refused.secret(WRONG, "127.0.0.1"),
        elsewhere.secret(ELSEWHERE, "chat.acme.test"),
        good.manifest(),
        refused.manifest(),
        elsewhere.manifest(),
        policy("editors", "identity.department == \"Engineering\"", "good", &["editor"]),
        identity("ada", "Engineering"),
        identity("bob", "Sales"),
    ];
    manifests.extend(grants);
    world.apply(&manifests);
    world.reason("targetapplications.provost.dev/good", "Synced").await;
    world.reason("targetapplications.provost.dev/refused", "Unauthorized").await;
    world.reason("targetapplications.provost.dev/elsewhere", "HostNotAllowed").await;

    // The operator is killed, and comes back.
    world.kill();
    world.start();
    world.patch("identities.provost.dev/bob", &json!({"spec": {"department": "Engineering"}}));
    until("bob is an editor", async || target.picture().await.members("editor group").contains("bob").then_some(()))
        .await;

    let lines = world.said().lines().count();
    assert!(world.said().contains("\"level\":\"DEBUG\""), "the log is at debug level");
    assert!(!world.journal().is_empty(), "the journal's lines are looked at");
    let places = world.places();
    for (place, text) in &places {
        assert!(!text.is_empty(), "{place} is empty: there is nothing that could be found");
    }
    world.stop();
    let ledger = std::fs::read(world.ledger()).unwrap();
    assert!(contains(&ledger, b"ada"), "the ledger is what is looked at");
    for token in [TOKEN, WRONG, ELSEWHERE] {
        for form in forms(token) {
            for (place, text) in &places {
                assert!(!text.contains(&form), "{place} has {form}");
            }
            assert!(!world.said().contains(&form), "the log has {form}");
            assert!(!contains(&ledger, form.as_bytes()), "the ledger has {form}");
        }
    }
    println!("{lines} lines of log, {} places and a ledger of {} bytes hold none", places.len(), ledger.len());
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}
