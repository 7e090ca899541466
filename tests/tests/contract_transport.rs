//! The rules of transport, on a live connection: what answers mean, how one logs in, where one may go, and what is
//! never said.

use std::sync::Arc;
use std::time::Duration;

use provost_connectors::{Credentials, Role, Timeouts, connect, secrets};
use provost_core::model::{Connector, Kind, Step, TargetError, TargetId};
use serde_json::json;
use tests::misbehaving::client::{apply, attributes, create, probe, start, update};
use tests::misbehaving::{Misbehaving, Switches};
use tests::servers::{Authority, Raw, Says, TOKEN, connected, connector, loopback};

#[tokio::test]
async fn answers_that_are_no_answers_are_never_an_empty_target() {
    type Expected = fn(&TargetError) -> bool;
    let malformed: Expected = |error| matches!(error, TargetError::Malformed(_));
    let cases: [(u16, Option<&'static str>, &'static str, Expected); 10] = [
        (200, None, "", malformed),
        (200, None, "{}", malformed),
        (200, None, "<html>sign in</html>", malformed),
        (302, None, "", malformed),
        (401, None, "", |error| matches!(error, TargetError::Unauthorized(_))),
        (403, None, "", |error| matches!(error, TargetError::Unauthorized(_))),
        (500, None, "", |error| matches!(error, TargetError::Transient(_))),
        (429, Some("7"), "", |error| *error == TargetError::RateLimited { retry_after: Some(Duration::from_secs(7)) }),
        (503, Some("Thu, 01 Jan 2026 00:00:00 GMT"), "", |error| {
            *error == TargetError::RateLimited { retry_after: Some(Duration::ZERO) }
        }),
        (429, None, "", |error| *error == TargetError::RateLimited { retry_after: None }),
    ];
    for (status, wait, body, expected) in cases {
        let (server, target) = start(Switches::default()).await;
        server.with(|service| service.switches.answer = Some((status, wait, body)));
        for kind in [Kind::Accounts, Kind::Groups] {
            let (page, spent) = target.observe(kind, None).await;
            let error = page.unwrap_err();
            assert!(expected(&error), "{status} {body:?}: {error:?}");
            assert_eq!(spent.requests, 1);
            assert_eq!(spent.wait.map(|wait| wait.as_secs()), wait.map(|wait| wait.parse().unwrap_or(0)));
        }
        let error = target.probe().await.0.unwrap_err();
        assert!(expected(&error), "{status} {body:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_failure_that_says_no_more_than_its_status_is_told_with_what_was_asked() {
    let (server, target) = start(Switches { groups_refused: Some(500), ..Switches::default() }).await;
    let Err(TargetError::Transient(words)) = target.observe(Kind::Groups, None).await.0 else { panic!("listed") };
    assert_eq!(&*words, "HTTP 500 for GET Groups?startIndex&count");
    server.with(|service| service.switches.patch_refused = Some(500));
    let ada = server.with(|service| service.add_user("ada", true));
    let refused = update(&target, &TargetId::new(ada), &[("title", "Boss")]).await;
    assert_eq!(refused.unwrap_err(), TargetError::Lost("HTTP 500 for PATCH Users/{id}".into()));
    for status in [405, 501] {
        server.with(|service| service.switches.answer = Some((status, None, "")));
        let Err(TargetError::Unsupported(words)) = target.observe(Kind::Accounts, None).await.0 else {
            panic!("listed")
        };
        assert_eq!(words.to_string(), format!("HTTP {status} for GET Users?startIndex&count"));
    }
}

#[tokio::test]
async fn nothing_of_a_credential_or_of_the_targets_words_is_in_what_we_say() {
    let (server, target) = start(Switches::default()).await;
    let id = create(&target, &[("userName", "ada")]).await;
    let echo = r#"{"scimType": "ada@acme.test", "detail": "bad token canary-token-7f3a for ada@acme.test"}"#;
    server.with(|service| service.switches.answer = Some((400, None, echo)));
    let error = update(&target, &id, &[("title", "Boss")]).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(TOKEN), "{error:?}");
    assert!(!error.to_string().contains("ada@"), "{error}");
    let TargetError::Rejected { detail, .. } = error else { panic!("{error:?}") };
    assert_eq!(&*detail, "bad token *** for ada@acme.test");
    assert!(!format!("{target:?}").contains(TOKEN));
}

fn settings(server: &Misbehaving, auth: &serde_json::Value) -> Connector {
    let settings = json!({"scim": {"url": server.url(), "auth": auth}});
    Connector { settings, ..connector(&server.url()) }
}

#[tokio::test]
async fn a_credential_is_hidden_in_every_form_in_which_it_is_sent() {
    const ENCODED: &str = "cHJvdm9zdDpjYW5hcnktdG9rZW4tN2YzYQ==";
    const ECHO: &str = r#"{"detail": "canary-token-7f3a, cHJvdm9zdDpjYW5hcnktdG9rZW4tN2YzYQ==, issued-1, issued-2"}"#;
    let basic = json!({"username": "provost", "passwordSecretRef": {"name": "scim", "key": "password"}});
    let basic_switches = Switches { basic: Some(ENCODED), ..Switches::default() };
    let cases = [("basic", basic, Role::Password, basic_switches, "***, ***, issued-1, issued-2"), {
        let server_given = Switches { tokens_last: Some(3600), ..Switches::default() };
        let client =
            json!({"tokenUrl": "", "clientId": "provost", "clientSecretRef": {"name": "scim", "key": "secret"}});
        ("oauth2ClientCredentials", client, Role::ClientSecret, server_given, "***, ***, ***, issued-2")
    }];
    for (way, mut auth, role, switches, expected) in cases {
        let server = Misbehaving::start(Switches { answer: Some((400, None, ECHO)), ..switches }).await;
        if role == Role::ClientSecret {
            auth["tokenUrl"] = server.token_url().into();
        }
        let credentials = Credentials::default().with(role, TOKEN.to_owned().into());
        let target = connect(&settings(&server, &json!({way: auth})), credentials, &loopback()).await.unwrap();
        let error = update(&target, &"1".into(), &[("title", "Boss")]).await.unwrap_err();
        let TargetError::Rejected { detail, .. } = error else { panic!("{error:?}") };
        assert_eq!(&*detail, expected, "{way}");
    }
}

#[tokio::test]
async fn a_list_without_bounds_is_refused() {
    let items = vec!["{\"id\":1}"; 1_000_000].join(",");
    let cursor = "x".repeat(9 * 1024);
    for body in [
        format!(r#"{{"totalResults": 1, "Resources": [{items}]}}"#),
        format!(r#"{{"totalResults": 1, "Resources": [{{"id": 1}}], "nextCursor": "{cursor}"}}"#),
    ] {
        let target = connected(&Raw::start(Says::ok(&body)).url("127.0.0.1")).await;
        let error = target.observe(Kind::Accounts, None).await.0.unwrap_err();
        assert!(matches!(error, TargetError::Malformed(_)), "{error:?}");
    }
}

#[tokio::test]
async fn basic_credentials_are_sent_as_the_rfc_has_it() {
    let server =
        Misbehaving::start(Switches { basic: Some("cHJvdm9zdDpjYW5hcnktdG9rZW4tN2YzYQ=="), ..Switches::default() })
            .await;
    let auth = json!({"basic": {"username": "provost", "passwordSecretRef": {"name": "scim", "key": "password"}}});
    let credentials = |password: &str| Credentials::default().with(Role::Password, password.to_owned().into());
    let connector = settings(&server, &auth);
    let target = connect(&connector, credentials(TOKEN), &loopback()).await.unwrap();
    assert_eq!(probe(&target).await.principal, None);
    let own = server.with(|service| service.add_user("Provost", true));
    assert_eq!(probe(&target).await.principal, Some(own.as_str().into()), "who logs in is the account of that name");
    let target = connect(&connector, credentials("wrong"), &loopback()).await.unwrap();
    assert!(matches!(target.probe().await.0, Err(TargetError::Unauthorized(_))));
}

#[tokio::test]
async fn tokens_are_fetched_once_kept_and_replaced_when_refused_or_old() {
    let server = Misbehaving::start(Switches { tokens_last: Some(3600), ..Switches::default() }).await;
    let auth = json!({"oauth2ClientCredentials": {
        "tokenUrl": server.token_url(), "clientId": "provost", "clientSecretRef": {"name": "scim", "key": "secret"},
        "scopes": ["scim", "users"],
    }});
    let connector = settings(&server, &auth);
    let host = server.url().trim_start_matches("http://").trim_end_matches("/scim").to_owned();
    assert_eq!(secrets(&connector)[0].hosts, [host]);
    let credentials = Credentials::default().with(Role::ClientSecret, TOKEN.to_owned().into());
    let target = connect(&connector, credentials, &loopback()).await.unwrap();

    let fetched = || server.take().iter().filter(|request| *request == "POST /token").count();
    let (profile, spent) = target.probe().await;
    profile.unwrap();
    let requests = server.take();
    assert_eq!(requests.iter().filter(|request| *request == "POST /token").count(), 1, "{requests:?}");
    assert_eq!(spent.requests as usize, requests.len(), "the token is paid for too");
    probe(&target).await;
    assert_eq!(fetched(), 0, "it is kept");
    server.with(|service| service.tokens = 40);
    probe(&target).await;
    assert_eq!(fetched(), 1, "it was refused, and replaced");
    server.with(|service| service.switches.tokens_last = Some(0));
    server.with(|service| service.tokens = 80);
    probe(&target).await;
    assert!(fetched() > 1, "a token that lasts no time is fetched for each request");
    server.with(|service| service.switches.answer = Some((401, None, "")));
    let error = target.probe().await.0.unwrap_err();
    let told = error.to_string();
    assert!(
        matches!(error, TargetError::Unauthorized(_)) && told.contains("clock") && !told.contains("Secret"),
        "{told}"
    );
}

/// Of a client that fetches its tokens there.
fn client(token_url: &str) -> serde_json::Value {
    let secret = json!({"name": "scim", "key": "secret"});
    json!({"oauth2ClientCredentials": {"tokenUrl": token_url, "clientId": "provost", "clientSecretRef": secret}})
}

#[tokio::test]
async fn of_many_requests_that_are_refused_together_one_fetches_a_token() {
    let server = Misbehaving::start(Switches { tokens_last: Some(3600), ..Switches::default() }).await;
    let credentials = Credentials::default().with(Role::ClientSecret, TOKEN.to_owned().into());
    let target = connect(&settings(&server, &client(&server.token_url())), credentials, &loopback()).await.unwrap();
    probe(&target).await;
    server.take();
    server.with(|service| (service.tokens, service.refused) = (40, 0));
    let target = Arc::new(target);
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let target = Arc::clone(&target);
        requests.spawn(async move { target.observe(Kind::Accounts, None).await.0.map(drop) });
    }
    while let Some(page) = requests.join_next().await {
        page.unwrap().unwrap();
    }
    assert_eq!(server.with(|service| service.refused), 16, "all of them were refused");
    assert_eq!(server.take().iter().filter(|request| *request == "POST /token").count(), 1);
}

#[tokio::test]
async fn what_goes_wrong_where_tokens_are_fetched_says_that_nothing_was_sent() {
    let server = Misbehaving::start(Switches { tokens_last: Some(3600), ..Switches::default() }).await;
    let connected = async |token_url: &str, timeouts: Timeouts| {
        let rules = provost_connectors::NetworkRules { timeouts, ..loopback() };
        let credentials = Credentials::default().with(Role::ClientSecret, TOKEN.to_owned().into());
        connect(&settings(&server, &client(token_url)), credentials, &rules).await.unwrap()
    };
    for (status, transient) in
        [(500, true), (502, true), (503, true), (400, false), (404, false), (405, false), (409, false), (501, false)]
    {
        server.with(|service| service.switches.tokens_refused = Some(status));
        let target = connected(&server.token_url(), Timeouts::default()).await;
        let written = apply(&target, creation()).await;
        let expected = match &written {
            Err(TargetError::Transient(text)) => transient && text.starts_with("the token endpoint"),
            Err(TargetError::Unauthorized(text)) => !transient && text.starts_with("the token endpoint"),
            _ => false,
        };
        assert!(expected, "HTTP {status}: {written:?}");
    }
    let silent = Raw::start(Says::Silence);
    let impatient = Timeouts { whole: Duration::from_millis(500), ..Timeouts::default() };
    let written = apply(&connected(&silent.url("127.0.0.1"), impatient).await, creation()).await;
    assert!(matches!(written, Err(TargetError::Transient(_))), "{written:?}");
    let written = apply(&connected("http://127.0.0.1:1/token", Timeouts::default()).await, creation()).await;
    assert!(matches!(written, Err(TargetError::Unreachable(_))), "{written:?}");
    assert!(server.take().iter().all(|request| request == "POST /token"), "nothing else was sent");
}

#[tokio::test]
async fn a_wrong_client_secret_is_unauthorized() {
    let server = Misbehaving::start(Switches { tokens_last: Some(3600), ..Switches::default() }).await;
    let auth = client(&server.token_url());
    let credentials = Credentials::default().with(Role::ClientSecret, "wrong".to_owned().into());
    let target = connect(&settings(&server, &auth), credentials, &loopback()).await.unwrap();
    let error = target.probe().await.0.unwrap_err();
    assert!(matches!(error, TargetError::Unauthorized(_)), "{error:?}");
}

#[tokio::test]
async fn loopback_is_reached_only_with_the_operators_leave() {
    let server = Misbehaving::start(Switches::default()).await;
    let credentials = || Credentials::default().with(Role::BearerToken, TOKEN.to_owned().into());
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let url = server.url().replace("127.0.0.1", host);
        let mut connector = connector(&url);
        connector.settings["scim"]["allowInsecure"] = true.into();
        let rules = provost_connectors::NetworkRules::default();
        let target = connect(&connector, credentials(), &rules).await.unwrap();
        let error = target.probe().await.0.unwrap_err();
        assert!(matches!(error, TargetError::HostNotAllowed(_)), "{host}: {error:?}");
    }
    assert_eq!(server.take(), Vec::<String>::new());
}

#[tokio::test]
async fn a_target_that_is_not_there_is_told_from_one_that_fails() {
    let closed = connected("http://127.0.0.1:1/scim").await;
    let error = closed.probe().await.0.unwrap_err();
    assert!(matches!(error, TargetError::Unreachable(_)), "{error:?}");
    let written = apply(&closed, creation()).await;
    assert!(matches!(written, Err(TargetError::Unreachable(_))), "nothing was sent: {written:?}");
}

#[tokio::test]
async fn why_no_connection_can_be_made_is_one_sentence_with_the_host_and_what_to_check() {
    let silent = Raw::start(Says::Silence);
    let silent = silent.url("127.0.0.1").replace("http:", "https:");
    let place = silent.trim_start_matches("https://").split('/').next().unwrap();
    let timeouts = Timeouts { connect: Duration::from_millis(300), ..Timeouts::default() };
    let mute = format!(
        "{place} does not answer; check that it is up, and that firewalls and NetworkPolicies let the operator through"
    );
    let check = "check how it is written, and the DNS that the operator asks";
    for (url, said) in [
        // It has no address, by RFC 6761; how a resolver says so differs.
        ("https://wiki.invalid/scim", &*format!("host wiki.invalid not found (); {check}")),
        ("https://127.0.0.1:1/scim", "127.0.0.1:1 refuses connections; check the port, and that the service is up"),
        (&*silent, &*mute),
    ] {
        let rules = provost_connectors::NetworkRules { timeouts, ..loopback() };
        let credentials = Credentials::default().with(Role::BearerToken, TOKEN.to_owned().into());
        let error = connect(&connector(url), credentials, &rules).await.unwrap().probe().await.0.unwrap_err();
        let TargetError::Unreachable(told) = &error else { panic!("{url}: {error:?}") };
        let (begins, ends) = said.split_once("()").map_or((said, ""), |(begins, ends)| (begins, ends));
        assert!(told.starts_with(begins) && told.ends_with(ends), "{told}");
    }
}

fn creation() -> Step {
    Step::CreateAccount { attributes: attributes(&[("userName", "ada")]), enabled: true, password: false }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_lost_for_a_write_and_transient_for_a_read() {
    let truncated = || Says::Bytes(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{".to_vec());
    for says in [Says::Nothing, Says::Silence, truncated()] {
        let server = Raw::start(says.clone());
        let timeouts = Timeouts { whole: Duration::from_millis(500), ..Timeouts::default() };
        let rules = provost_connectors::NetworkRules { timeouts, ..loopback() };
        let credentials = Credentials::default().with(Role::BearerToken, TOKEN.to_owned().into());
        let target = connect(&connector(&server.url("127.0.0.1")), credentials, &rules).await.unwrap();
        let written = apply(&target, creation()).await;
        assert!(matches!(written, Err(TargetError::Lost(_))), "{says:?}: {written:?}");
        let read = target.observe(Kind::Accounts, None).await.0;
        assert!(matches!(read, Err(TargetError::Transient(_))), "{says:?}: {read:?}");
    }
}

#[tokio::test]
async fn a_write_whose_permit_is_withdrawn_after_it_was_begun_sends_not_one_byte() {
    // One with a body, and one without.
    for step in [creation(), Step::DeleteAccount { id: "1".into() }] {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/scim", listener.local_addr().unwrap());
        let heard = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let (mut stream, _) = listener.accept().unwrap();
            // As of one that never answers, for whom nobody waits.
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let ended = std::io::Read::read_to_end(&mut stream, &mut bytes);
            (ended.is_ok(), String::from_utf8(bytes).unwrap())
        });
        // As of a process that is stopped between the decision to write and the socket: the first look still allows it.
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let may = move || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        let rules = provost_connectors::NetworkRules { permit: provost_connectors::Permit::new(may), ..loopback() };
        let credentials = Credentials::default().with(Role::BearerToken, TOKEN.to_owned().into());
        let target = connect(&connector(&url), credentials, &rules).await.unwrap();
        let withdrawn = Err(TargetError::Transient("this process may not write any more".into()));
        assert_eq!(apply(&target, step.clone()).await, withdrawn, "{step:?}");
        let heard = tokio::task::spawn_blocking(move || heard.join().unwrap()).await.unwrap();
        assert_eq!(heard, (true, String::new()), "{step:?}");
        // Nobody listens any more: it is not even tried.
        assert_eq!(apply(&target, step).await, withdrawn);
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let server = Raw::start(Says::ok(&"x".repeat(17 * 1024 * 1024)));
    let target = connected(&server.url("127.0.0.1")).await;
    let error = target.observe(Kind::Accounts, None).await.0.unwrap_err();
    assert_eq!(error, TargetError::Malformed("the answer is larger than 16 MiB".into()));
}

#[tokio::test]
async fn a_certificate_is_verified_against_the_authority_of_the_secret_and_nothing_else() {
    let (ours, other) = (Authority::new(), Authority::new());
    let good = Raw::start_tls(Says::empty_list(), ours.server("localhost"));
    let elsewhere = Raw::start_tls(Says::empty_list(), ours.server("wiki.test"));
    let plain = Misbehaving::start(Switches::default()).await;
    let cases = [
        ("its own authority", good.url("localhost"), Some(ours.pem()), true),
        ("both authorities", good.url("localhost"), Some(other.pem() + &ours.pem()), true),
        ("the public authorities", good.url("localhost"), None, false),
        ("another authority", good.url("localhost"), Some(other.pem()), false),
        ("a certificate for another name", elsewhere.url("localhost"), Some(ours.pem()), false),
        ("a server without TLS", plain.url().replace("http:", "https:"), Some(ours.pem()), false),
    ];
    for (name, url, authority, trusted) in cases {
        let mut connector = connector(&url);
        let mut credentials = Credentials::default().with(Role::BearerToken, TOKEN.to_owned().into());
        if let Some(pem) = authority {
            connector.settings["scim"]["tls"] = json!({"caSecretRef": {"name": "acme-ca", "key": "ca.crt"}});
            credentials = credentials.with(Role::Authority, pem.into());
        }
        let target = connect(&connector, credentials, &loopback()).await.unwrap();
        let result = target.observe(Kind::Accounts, None).await.0;
        match result {
            Ok(_) => assert!(trusted, "{name} is trusted"),
            Err(error) => assert!(!trusted && matches!(error, TargetError::Tls(_)), "{name}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn an_authority_that_is_no_certificate_is_refused() {
    let mut connector = connector("https://wiki.test");
    connector.settings["scim"]["tls"] = json!({"caSecretRef": {"name": "acme-ca", "key": "ca.crt"}});
    for text in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let credentials = Credentials::default()
            .with(Role::BearerToken, TOKEN.to_owned().into())
            .with(Role::Authority, text.to_owned().into());
        let error = connect(&connector, credentials, &loopback()).await.unwrap_err();
        assert!(matches!(error, TargetError::Tls(_)), "{text:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_url_that_leads_to_no_service_is_named_as_such() {
    let server = Misbehaving::start(Switches::default()).await;
    let target = connected(&server.url().replace("/scim", "/elsewhere")).await;
    let error = target.probe().await.0.unwrap_err();
    assert_eq!(error, TargetError::Malformed("the service has no /Users, HTTP 404; check the url".into()));
}
