//! Users of Keycloak, and members of a group while somebody leaves: more than one page of them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use provost_connectors::AnyTarget;
use provost_core::model::{Connector, ConnectorKind, Item, Kind, ObservedEntitlement, Step, TargetError, TargetId};
use serde_json::{Value, json};
use tests::servers::{TOKEN, connected_to};
use tokio::task::JoinHandle;

/// A realm with one group.
#[derive(Debug)]
struct Realm {
    members: Vec<String>,
    /// How many leave still, the first of the list after each page.
    leave: usize,
}

type Shared = State<Arc<Mutex<Realm>>>;

async fn page(State(realm): Shared, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let mut realm = realm.lock().unwrap();
    let (first, max) = (query["first"].parse().unwrap(), query["max"].parse().unwrap());
    let page: Vec<Value> = realm.members.iter().skip(first).take(max).map(|id| json!({"id": id})).collect();
    if realm.leave > 0 {
        realm.leave -= 1;
        realm.members.remove(0);
    }
    Json(page.into())
}

/// A connection to this realm, and what serves it.
async fn served(realm: Router) -> (AnyTarget, JoinHandle<()>) {
    let token = post(async || Json(json!({"access_token": "t"})));
    let router = realm.route("/realms/acme/protocol/openid-connect/token", token);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let settings = json!({"keycloak": {
        "url": url, "realm": "acme", "auth": {"clientId": "provost", "clientSecretRef": {"name": "sso", "key": "secret"}},
    }});
    let connector = Connector { kind: ConnectorKind::Keycloak, fingerprint: "keycloak acme".into(), settings };
    (connected_to(&connector, TOKEN).await, serving)
}

/// The members that a listing shows of a group of 2,500, and those that there are at the end.
async fn listed(leave: usize) -> (Result<BTreeSet<TargetId>, TargetError>, BTreeSet<TargetId>) {
    let members = (0..2500).map(|number| format!("u{number:04}")).collect();
    let realm = Arc::new(Mutex::new(Realm { members, leave }));
    let group = json!([{"id": "g", "name": "all", "subGroupCount": 0}]);
    let router = Router::new()
        .route("/admin/realms/acme/groups/count", get(async || Json(json!({"count": 1}))))
        .route("/admin/realms/acme/groups", get(async || Json(group)))
        .route("/admin/realms/acme/groups/g/members", get(page))
        .with_state(Arc::clone(&realm));
    let (target, serving) = served(router).await;
    let listed = target.observe(Kind::Groups, None).await.0.map(|page| {
        let [Item::Entitlement(ObservedEntitlement { members: Some(members), .. })] = page.items.as_slice() else {
            panic!("{:?}", page.items)
        };
        members.iter().cloned().collect()
    });
    serving.abort();
    let there = realm.lock().unwrap().members.iter().map(|id| TargetId::new(id.as_str())).collect();
    (listed, there)
}

#[tokio::test]
async fn who_leaves_a_large_group_while_it_is_listed_hides_nobody() {
    for leave in [0, 1, 2] {
        let (listed, there) = listed(leave).await;
        let missing: Vec<_> = there.difference(&listed.unwrap()).cloned().collect();
        assert_eq!((missing, there.len()), (Vec::new(), 2500 - leave), "{leave} left");
    }
}

#[tokio::test]
async fn a_group_that_does_not_come_to_rest_is_not_listed() {
    let (listed, _) = listed(1000).await;
    assert!(matches!(&listed, Err(TargetError::Transient(text)) if text.contains("came and went")), "{listed:?}");
}

/// Everybody's department has a team of that name, and pages of a search come in no order.
#[tokio::test]
async fn a_group_at_the_top_is_found_however_many_below_have_its_name() {
    let mut teams: Vec<Value> =
        (0..450).map(|at| json!({"id": format!("t{at}"), "name": "platform", "parentId": format!("d{at}")})).collect();
    teams.push(json!({"id": "top", "name": "platform", "attributes": {"provost": ["provost:acme/sso"]}}));
    let search = async move |Query(query): Query<HashMap<String, String>>| {
        assert_eq!((&*query["search"], &*query["populateHierarchy"]), ("platform", "false"));
        let (first, max) = (query["first"].parse().unwrap(), query["max"].parse().unwrap());
        Json(Value::from(teams.iter().skip(first).take(max).cloned().collect::<Vec<_>>()))
    };
    let taken = async || {
        (StatusCode::CONFLICT, Json(json!({"errorMessage": "Top level group named 'platform' already exists."})))
    };
    let router = Router::new().route("/admin/realms/acme/groups", get(search).post(taken));
    let (target, serving) = served(router).await;
    let step = Step::CreateGroup { name: "platform".into(), mark: "provost:acme/sso".into() };
    let made = target.apply(&[step]).await.0.remove(0);
    serving.abort();
    assert_eq!(made.unwrap().id, Some("top".into()));
}

/// Those of a federation (LDAP) come after the realm's own, and `users/count` knows nothing of them.
#[tokio::test]
async fn a_count_that_is_exactly_a_page_hides_no_user_of_a_federation() {
    for (own, federated) in [(500_usize, 0_usize), (500, 20), (1000, 1), (499, 1)] {
        let users = async move |Query(query): Query<HashMap<String, String>>| {
            let (first, max) = (query["first"].parse().unwrap(), query["max"].parse().unwrap());
            let all = (0..own + federated).map(|at| json!({"id": format!("u{at}"), "username": format!("u{at}")}));
            Json(Value::from(all.skip(first).take(max).collect::<Vec<_>>()))
        };
        let router = Router::new()
            .route("/admin/realms/acme/users/profile", get(async || Json(json!({"attributes": []}))))
            .route("/admin/realms/acme/users/count", get(async move || Json(json!(own))))
            .route("/admin/realms/acme/users", get(users));
        let (target, serving) = served(router).await;
        let (mut seen, mut totals, mut from) = (BTreeSet::new(), Vec::new(), None);
        loop {
            let page = target.observe(Kind::Accounts, from.as_ref()).await.0.unwrap();
            seen.extend(page.items.iter().map(|item| match item {
                Item::Account(account) => account.id.clone(),
                Item::Entitlement(_) => panic!("{item:?}"),
            }));
            totals.push(page.total);
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        serving.abort();
        assert_eq!(seen.len(), own + federated, "{own} and {federated}");
        // By which the listing adds up, or does not.
        assert_eq!((totals[0], totals[totals.len() - 1]), (Some(own as u64), Some(own as u64)));
    }
}
