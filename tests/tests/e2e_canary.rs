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
use tests::e2e::{Application, Target, World, identity, policy, ready_reason, until};
use tests::misbehaving::{Misbehaving, Switches};
use tests::servers::TOKEN;

/// Planted too: a token that the target refuses, and one for a host that is not allowed.
const WRONG: &str = "canary-wrong-51b2e0c9";
const ELSEWHERE: &str = "canary-elsewhere-9d07aa13";

/// The password of basic credentials, and what is sent for it.
const PASSWORD: &str = "canary-password-c41d88e6";
const BASIC: &str = "cHJvdm9zdDpjYW5hcnktcGFzc3dvcmQtYzQxZDg4ZTY=";

/// The secret of a client, and what is sent for it.
const CLIENT: &str = "canary-client-2be9f05d";
const CLIENT_BASIC: &str = "cHJvdm9zdDpjYW5hcnktY2xpZW50LTJiZTlmMDVk";

/// What a service says that repeats, in its refusal, what was sent to it.
const BASIC_ECHO: &str = "no: canary-password-c41d88e6, {}";
const CLIENT_ECHO: &str = "no: canary-client-2be9f05d, cHJvdm9zdDpjYW5hcnktY2xpZW50LTJiZTlmMDVk, {}";

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

/// Services that are logged in to with a password, and with a client's secret: one that lets us in, one that does not, and
/// one that lets us in and refuses every account with the words that we sent.
struct Logins {
    services: Vec<(&'static str, Misbehaving)>,
}

impl Logins {
    async fn start() -> Self {
        let basic = |basic| Switches { basic: Some(basic), ..Switches::default() };
        let client = |client| Switches { client: Some(client), tokens_last: Some(3600), ..Switches::default() };
        let echo = |switches, words| Switches { create_refused: Some(words), ..switches };
        let all = [
            ("basic-good", basic(BASIC)),
            ("basic-refused", basic("bm9ib2R5")),
            ("basic-echo", echo(basic(BASIC), BASIC_ECHO)),
            ("client-good", client(CLIENT_BASIC)),
            ("client-refused", client("bm9ib2R5")),
            ("client-echo", echo(client(CLIENT_BASIC), CLIENT_ECHO)),
        ];
        let mut services = Vec::new();
        for (name, switches) in all {
            services.push((name, Misbehaving::start(switches).await));
        }
        Self { services }
    }

    fn manifests(&self) -> Vec<Value> {
        let of = |(name, service): &(&'static str, Misbehaving)| {
            let secret = json!({"name": name, "key": "token"});
            let (auth, credential) = if name.starts_with("basic") {
                (json!({"basic": {"username": "provost", "passwordSecretRef": secret}}), PASSWORD)
            } else {
                let client = json!({"tokenUrl": service.token_url(), "clientId": "provost", "clientSecretRef": secret});
                (json!({"oauth2ClientCredentials": client}), CLIENT)
            };
            let application = Application::new(name, &service.url(), &[]).with("connector.scim.auth", auth);
            let everybody = policy(name, "identity.type == \"Person\"", name, &[]);
            [application.secret(credential, "127.0.0.1"), application.manifest(), everybody]
        };
        self.services.iter().flat_map(of).collect()
    }

    /// As the statuses tell, and the services.
    async fn have_ended_as_they_should(&self, world: &World) {
        for (name, service) in &self.services {
            let object = format!("targetapplications.provost.dev/{name}");
            let users = || service.with(|service| service.users.len());
            match name.rsplit_once('-').unwrap().1 {
                "good" => {
                    world.reason(&object, "Synced").await;
                    assert_eq!(users(), 2, "{name}");
                }
                "refused" => drop(world.reason(&object, "Unauthorized").await),
                _ => {
                    until(&format!("{name} has refused two"), async || {
                        (world.get(&object)["status"]["accounts"]["failed"] == 2).then_some(())
                    })
                    .await;
                }
            }
        }
    }

    /// All that may be seen nowhere: what is in the Secrets, with the user's name as it is encoded, and tokens given for it.
    fn credentials(&self) -> Vec<String> {
        let mut all = [PASSWORD, CLIENT].map(str::to_owned).to_vec();
        all.extend([PASSWORD, CLIENT].map(|secret| format!("provost:{secret}")));
        for (_, service) in &self.services {
            all.extend(service.with(|service| (1..=service.tokens).map(|n| format!("issued-{n}")).collect::<Vec<_>>()));
        }
        assert!(all.iter().any(|secret| secret == "issued-1"), "a token was given out");
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_nowhere_but_in_its_secret() {
    let (target, other) = (Target::start().await, Target::start().await);
    let mut world = World::logging("canary", "debug");
    let good = Application::new("good", &target.url(), &["editor"]);
    let refused = Application::new("refused", &other.url(), &[]);
    let elsewhere = Application::new("elsewhere", "https://wiki.acme.test/v2", &[]);
    let grants = ["good", "refused", "elsewhere"].map(|name| policy(name, "identity.type == \"Person\"", name, &[]));
    let logins = Logins::start().await;
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
    manifests.extend(logins.manifests());
    world.apply(&manifests);
    world.reason("targetapplications.provost.dev/good", "Synced").await;
    world.reason("targetapplications.provost.dev/refused", "Unauthorized").await;
    world.reason("targetapplications.provost.dev/elsewhere", "HostNotAllowed").await;

    logins.have_ended_as_they_should(&world).await;

    // The operator is killed, and comes back.
    world.kill();
    world.start();
    world.patch("identities.provost.dev/bob", &json!({"spec": {"department": "Engineering"}}));
    until("bob is an editor", async || target.picture().await.members("editor group").contains("bob").then_some(()))
        .await;
    logins.have_ended_as_they_should(&world).await;

    let lines = world.said().lines().count();
    assert!(world.said().contains("\"level\":\"DEBUG\""), "the log is at debug level");
    assert!(!world.journal().is_empty(), "the journal's lines are looked at");
    let places = world.places();
    for (place, text) in &places {
        assert!(!text.is_empty(), "{place} is empty: there is nothing that could be found");
    }
    // Statuses are written a moment after what they tell.
    until("every object is told of", async || {
        world.objects().iter().all(|object| !ready_reason(object).is_empty()).then_some(())
    })
    .await;
    world.check();
    world.stop();
    let ledger = std::fs::read(world.ledger()).unwrap();
    assert!(contains(&ledger, b"ada"), "the ledger is what is looked at");
    for words in ["no: ***, Basic ***", "no: ***, ***, Bearer ***"] {
        assert!(contains(&ledger, words.as_bytes()), "the ledger has what was answered: {words}");
    }
    let tokens = [TOKEN, WRONG, ELSEWHERE].map(str::to_owned);
    for token in tokens.into_iter().chain(logins.credentials()) {
        for form in forms(&token) {
            for (place, text) in &places {
                assert!(!text.contains(&form), "{place} has {form}");
            }
            assert!(!world.said().contains(&form), "the log has {form}");
            assert!(!contains(&ledger, form.as_bytes()), "the ledger has {form}");
        }
    }
    tests::tell(format!(
        "canary: {lines} lines of log, {} places and a ledger of {} bytes hold none",
        places.len(),
        ledger.len()
    ));
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}
