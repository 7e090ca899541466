//! The contract of connectors, on SCIM servers that nobody of this project wrote.

use std::collections::BTreeSet;

use provost_connectors::contract::{Contract, Words};
use provost_core::model::{Attributes, ConnectorKind, Kind, Step};
use tests::keeps::keeps;
use tests::servers::{Counting, Program, Running, connected};

async fn keeps_the_contract(on: &str, server: &Running) {
    let target = connected(&server.url()).await;
    let what = Contract { prefix: "contract-".into(), crowd: 230, words: Words::scim() };
    keeps(&format!("scim on {on}"), &target, ConnectorKind::Scim, &what).await;
}

#[tokio::test]
async fn scim2_server_keeps_the_contract() {
    let server = Program::scim2_server().require().start().await;
    keeps_the_contract("scim2-server", &server).await;
}

#[tokio::test]
async fn scimmy_keeps_the_contract() {
    let server = Program::scimmy().require().start().await;
    keeps_the_contract("SCIMMY", &server).await;
}

/// Invariant: reading never writes.
#[tokio::test]
async fn probes_listings_and_searches_send_nothing_but_get() {
    for program in [Program::scim2_server(), Program::scimmy()] {
        let server = program.require().start().await;
        let proxy = Counting::before(&server).await;
        let target = connected(&proxy.url()).await;
        let attributes: Attributes = [("userName".into(), "ada".into())].into();
        let step = Step::CreateAccount { attributes, enabled: false, password: false };
        let id = target.apply(&[step]).await.0[0].as_ref().unwrap().id.clone().unwrap();
        proxy.take();

        let mut requests = 0;
        let (profile, spent) = target.probe().await;
        profile.unwrap();
        requests += spent.requests;
        for kind in [Kind::Accounts, Kind::Groups, Kind::Roles, Kind::Licenses] {
            let (page, spent) = target.observe(kind, None).await;
            page.unwrap();
            requests += spent.requests;
        }
        let key = provost_core::model::CorrelationKey { attribute: "userName".into(), value: "ada".into() };
        let (found, spent) = target.find(&key).await;
        assert_eq!(found.unwrap().len(), 1);
        requests += spent.requests;
        let (read, spent) = target.read(&id).await;
        assert!(!read.unwrap().unwrap().enabled);
        requests += spent.requests;

        let seen = proxy.take();
        let methods: BTreeSet<_> = seen.iter().map(|(method, _)| method.as_str()).collect();
        assert_eq!(methods, BTreeSet::from(["GET"]), "{seen:?}");
        assert_eq!(seen.len(), requests as usize, "what is said to be spent is what was sent: {seen:?}");
        assert!(seen.len() < 20, "{seen:?}");
    }
}
