//! Connections to directories: what a server that says nothing, or nonsense, may not do to the operator, that nothing goes out after
//! the Lease, and that what other servers hold is not taken for gone.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use provost_connectors::http::Permit;
use provost_connectors::{AnyTarget, Credentials, NetworkRules, Role, Timeouts, connect};
use provost_core::model::{Connector, ConnectorKind, CorrelationKey, Kind, Step, TargetError};
use serde_json::json;
use tests::servers::loopback;
use tests::servers::slapd::{PASSWORD, SUFFIX, Setup, Slapd};

async fn connected(url: &str, rules: &NetworkRules) -> AnyTarget {
    let settings = json!({"ldap": {
        "url": url,
        "bind": {"simple": {"dn": "cn=provost,dc=acme,dc=test", "passwordSecretRef": {"name": "ldap", "key": "password"}}},
        "accounts": {"baseDN": "ou=people,dc=acme,dc=test", "disable": {"passwordLock": {}}},
    }});
    let connector = Connector { kind: ConnectorKind::Ldap, fingerprint: format!("ldap {url}").into(), settings };
    let credentials = Credentials::default().with(Role::Password, PASSWORD.to_owned().into());
    connect(&connector, credentials, rules).await.expect("the settings are right")
}

fn uid(name: &str) -> CorrelationKey {
    CorrelationKey { attribute: "uid".into(), value: name.into() }
}

#[tokio::test]
async fn why_no_connection_can_be_made_is_one_sentence_with_the_host_and_what_to_check() {
    let asked = async |url: &str, rules: &NetworkRules| match connected(url, rules).await.find(&uid("ada")).await.0 {
        Err(TargetError::Unreachable(said)) => said,
        other => panic!("{url}: {other:?}"),
    };
    // It has no address, by RFC 6761; how a resolver says so differs.
    let missing = asked("ldaps://ldap.invalid", &loopback()).await;
    let ends = "); check how it is written, and the DNS that the operator asks";
    assert!(missing.starts_with("host ldap.invalid not found (") && missing.ends_with(ends), "{missing}");
    assert_eq!(
        &*asked("ldap://127.0.0.1:1", &loopback()).await,
        "127.0.0.1:1 refuses connections; check the port, and that the service is up"
    );
    // The system accepts; nobody reads the login.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ldapi");
    let _mute = UnixListener::bind(&path).unwrap();
    let timeouts = Timeouts { whole: Duration::from_millis(300), ..Timeouts::default() };
    assert_eq!(
        &*asked(
            &format!("ldapi://{}", path.to_str().unwrap().replace('/', "%2F")),
            &NetworkRules { timeouts, ..loopback() }
        )
        .await,
        "it accepts connections, and does not answer the login in time"
    );
}

#[tokio::test]
async fn who_gives_up_a_server_that_accepts_and_says_nothing_leaves_no_socket_behind() {
    let short = Duration::from_millis(300);
    let timeouts = Timeouts { connect: short, answer: short, whole: short * 2 };
    for scheme in ["ldap", "ldaps"] {
        // The system accepts; nobody reads.
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("{scheme}://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let target = connected(&url, &NetworkRules { timeouts, ..loopback() }).await;
        let key = uid("ada");
        let asked = tokio::join!(target.find(&key), target.find(&key), target.find(&key), target.find(&key));
        for (found, _) in [asked.0, asked.1, asked.2, asked.3] {
            assert!(matches!(&found, Err(TargetError::Unreachable(_))), "{scheme}: {found:?}");
        }
        listener.set_nonblocking(true).unwrap();
        let accepted: Vec<_> = std::iter::from_fn(|| listener.accept().ok()).collect();
        assert_eq!(accepted.len(), 1, "{scheme}: who has waited for an attempt that failed makes no other");
        for (mut stream, _) in accepted {
            stream.set_nonblocking(false).unwrap();
            // Of a socket that was left open, the end never comes.
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap_or_else(|error| panic!("{scheme}: it is still open: {error}"));
        }
    }
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &length, content].concat()
}

/// The parts of the first element: tag, content, what is after.
fn split(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (length, rest) = match bytes[1] {
        short @ ..0x80 => (usize::from(short), &bytes[2..]),
        long => {
            let (digits, rest) = bytes[2..].split_at(usize::from(long & 0x7f));
            (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
        }
    };
    (bytes[0], &rest[..length], &rest[length..])
}

/// One message; `None`: there are no more.
fn message(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut held = vec![0; 2];
    stream.read_exact(&mut held).ok()?;
    let mut length = usize::from(held[1]);
    if length >= 0x80 {
        let mut digits = vec![0; length & 0x7f];
        stream.read_exact(&mut digits).ok()?;
        length = digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit));
        held.extend(digits);
    }
    let mut content = vec![0; length];
    stream.read_exact(&mut content).ok()?;
    held.extend(content);
    Some(held)
}

/// What is said to a search: the number of the message, and how many searches came before.
type Answer = fn(id: &[u8], before: usize) -> Vec<u8>;

/// A server on a socket in this folder that lets everybody log in; its URL.
fn server(folder: &tempfile::TempDir, answer: Answer) -> String {
    let path = folder.path().join("ldapi");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut before = 0;
                while let Some(message) = message(&mut stream) {
                    let (_, content, _) = split(&message);
                    let (_, id, asked) = split(content);
                    let answer = match asked[0] {
                        0x60 => tlv(0x30, &[tlv(0x02, id), tlv(0x61, SUCCESS)].concat()),
                        _ => answer(id, before),
                    };
                    before += 1;
                    if stream.write_all(&answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("ldapi://{}", path.to_str().unwrap().replace('/', "%2F"))
}

/// Of a result: success, and two empty texts.
const SUCCESS: &[u8] = b"\x0a\x01\x00\x04\x00\x04\x00";

#[tokio::test]
async fn an_answer_that_is_nested_without_end_breaks_its_connection_and_not_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let url = server(&folder, |id, _| {
        let nested = (0..20_000).fold(Vec::new(), |content, _| tlv(0x30, &content));
        tlv(0x30, &[tlv(0x02, id), tlv(0x64, &nested)].concat())
    });
    let target = connected(&url, &loopback()).await;
    for _ in 0..2 {
        let error = target.probe().await.0.unwrap_err();
        assert!(matches!(&error, TargetError::Transient(text) if text.contains("broke off")), "{error:?}");
    }
}

#[tokio::test]
async fn empty_pages_without_end_are_no_listing() {
    let folder = tempfile::tempdir().unwrap();
    let url = server(&folder, |id, before| {
        // One that lists for ever would not end the test.
        let cookie = if before < 1000 { &b"more"[..] } else { b"" };
        let value = tlv(0x30, &[tlv(0x02, b"\0"), tlv(0x04, cookie)].concat());
        let control = tlv(0x30, &[tlv(0x04, b"1.2.840.113556.1.4.319"), tlv(0x04, &value)].concat());
        tlv(0x30, &[tlv(0x02, id), tlv(0x65, SUCCESS), tlv(0xa0, &control)].concat())
    });
    let target = connected(&url, &loopback()).await;
    let error = target.observe(Kind::Accounts, None).await.0.unwrap_err();
    assert!(matches!(&error, TargetError::Malformed(text) if text.contains("empty pages")), "{error:?}");
}

#[tokio::test]
async fn a_removal_whose_permit_is_withdrawn_after_it_was_begun_does_not_reach_the_server() {
    let server = Slapd::start();
    let (armed, asked) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let may = Arc::clone(&armed);
    // As of a process that is stopped between the decision to write and the socket: the first look still allows it.
    let permit = Permit::new(move || !may.load(Ordering::Relaxed) || !asked.swap(true, Ordering::Relaxed));
    let credentials = Credentials::default().with(Role::Password, PASSWORD.to_owned().into());
    let credentials = credentials.with(Role::Authority, server.authority().to_owned().into());
    let rules = NetworkRules { permit, ..loopback() };
    let target = connect(&server.connector(&server.url(), &json!({})), credentials, &rules).await.unwrap();
    target.probe().await.0.unwrap();
    let attributes = ["uid", "cn", "sn"].map(|attribute| (attribute.into(), "ada".into())).into();
    let step = Step::CreateAccount { attributes, enabled: true, password: true };
    let ada = target.apply(&[step]).await.0.remove(0).unwrap().id.unwrap();
    armed.store(true, Ordering::Relaxed);
    let outcome = target.apply(&[Step::DeleteAccount { id: ada }]).await.0.remove(0);
    assert!(matches!(&outcome, Err(TargetError::Lost(_))), "{outcome:?}");
    let found = server.search(&format!("ou=people,{SUFFIX}"), "(uid=ada)", &["uid"]);
    assert!(found.contains("uid: ada"), "a stale process wrote: {found}");
}

#[tokio::test]
async fn what_has_become_a_referral_is_neither_gone_nor_is_the_listing_complete() {
    let moved = format!("ou=moved,ou=people,{SUFFIX}");
    let entries = format!(
        "dn: {moved}\nobjectClass: organizationalUnit\nou: moved\n\n\
         dn: uid=ada,{moved}\nobjectClass: inetOrgPerson\nuid: ada\ncn: Ada\nsn: Ada\n\n"
    );
    let server = Slapd::start_with(&Setup { entries, ..Setup::default() });
    let target = server.connected(&json!({})).await;
    target.probe().await.0.unwrap();
    let ada = target.find(&uid("ada")).await.0.unwrap()[0].id.clone();
    let page = target.observe(Kind::Accounts, None).await.0.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
    server.edit(&format!(
        "dn: uid=ada,{moved}\nchangetype: delete\n\ndn: {moved}\nchangetype: delete\n\n\
         dn: {moved}\nchangetype: add\nobjectClass: referral\nobjectClass: extensibleObject\nou: moved\n\
         ref: ldap://other.acme.test/ou=people,dc=other\n"
    ));
    // One that remembers no names, as after a restart.
    let target = server.connected(&json!({})).await;
    target.probe().await.0.unwrap();
    let told = |error: &TargetError| matches!(error, TargetError::Transient(text) if text.contains("base DN"));
    let read = target.read(&ada).await.0;
    assert!(read.as_ref().is_err_and(told), "{read:?}");
    let page = target.observe(Kind::Accounts, None).await.0.unwrap();
    assert_eq!((page.items.len(), page.elsewhere), (0, 1));
}
