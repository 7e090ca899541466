use std::future::IntoFuture;
use std::sync::Mutex;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};

use super::super::collect::tests::{ACME, list};
use super::*;
use crate::lease::Leadership;
use crate::manifest::KINDS;

/// An API server that knows the CRDs, and the namespace `acme` by a uid while there is one.
#[derive(Clone, Default)]
struct Api(Arc<Mutex<Option<&'static str>>>);

impl Api {
    fn has(&self, uid: Option<&'static str>) {
        *self.0.lock().unwrap() = uid;
    }

    /// A domain of all namespaces there, and what it delivers.
    async fn domain(&self) -> (Domain, mpsc::Receiver<Watched>) {
        let meta = |uid: &str| {
            Json(json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"uid": uid}}))
        };
        let namespace = move |State(api): State<Self>| async move {
            let uid = *api.0.lock().unwrap();
            uid.map(meta).ok_or((
                StatusCode::NOT_FOUND,
                Json(json!({"kind": "Status", "apiVersion": "v1", "code": 404, "reason": "NotFound"})),
            ))
        };
        let crd = move |Path(name): Path<String>| async move { meta(&name) };
        let router = axum::Router::new()
            .route("/api/v1/namespaces/acme", get(namespace))
            .route("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", get(crd))
            .fallback(|| async { Json::<Value>(json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": []})) })
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let finalizers = Finalizers::new(client.clone(), Leadership::always());
        let (out, events) = mpsc::channel(64);
        let mut domain = Domain::new(client, None, finalizers, Readiness::default(), out);
        assert!(matches!(domain.stands().await, Ok(None)));
        (domain, events)
    }
}

/// Long enough ago for all that is waited for.
fn ago() -> Instant {
    Instant::now().checked_sub(Duration::from_mins(1)).unwrap()
}

/// All kinds listed a minute ago, with these of each kind in `acme`.
fn listed(seen: &mut Collector, names: &[&str]) {
    for kind in KINDS {
        list(seen, kind, names, ago());
    }
}

/// What was delivered, but for on which CRDs it rests; a namespace that is gone is none.
fn delivered(events: &mut mpsc::Receiver<Watched>) -> Vec<Option<EngineEvent>> {
    let all = std::iter::from_fn(|| events.try_recv().ok()).map(|(_, event)| event);
    all.filter(|event| !matches!(event, Some(EngineEvent::Resources(_)))).collect()
}

#[tokio::test]
async fn a_namespace_that_is_made_anew_a_second_time_is_waited_for_as_the_first_time() {
    let api = Api::default();
    let (mut domain, mut events) = api.domain().await;
    api.has(Some("first"));
    let mut seen = Collector::default();
    listed(&mut seen, &["a", "b"]);
    assert!(domain.deliver(&mut seen).await.is_ok());
    assert!(matches!(&delivered(&mut events)[..], [Some(EngineEvent::Listed(_))]));
    // Each is found only by the check of a deletion: the watch has seen nothing else of it.
    for uid in ["second", "third"] {
        api.has(Some(uid));
        seen.gone(ObjectKind::Identity, &ACME.into(), "a".into(), ago());
        let stopped = domain.deliver(&mut seen).await;
        let said = delivered(&mut events);
        assert!(matches!(stopped, Err(Stop::Relist)) && said.is_empty(), "the {uid}: {said:?}");
        seen = Collector::new([(ACME.into(), domain.restored.contains(ACME))]);
        listed(&mut seen, &["a", "b"]);
        assert!(seen.restored(ACME), "the {uid} is waited for");
        assert!(domain.deliver(&mut seen).await.is_ok());
        assert!(matches!(&delivered(&mut events)[..], [Some(EngineEvent::Listed(_))]), "the {uid} is there");
    }
}

#[tokio::test]
async fn a_halted_namespace_that_is_there_again_is_listed_again_also_where_no_event_tells_of_it() {
    let api = Api::default();
    let (mut domain, mut events) = api.domain().await;
    let mut seen = Collector::new([(ACME.into(), false)]);
    listed(&mut seen, &["a"]);
    assert!(domain.deliver(&mut seen).await.is_ok());
    assert!(matches!(&delivered(&mut events)[..], [Some(EngineEvent::Halted(_))]), "it is not there");
    api.has(Some("second"));
    listed(&mut seen, &["a"]);
    assert_eq!(seen.due(), None, "a list that the watch made by itself");
    let stopped = domain.forget_gone(&mut seen, vec![ACME.into()]).await;
    assert!(matches!(stopped, Err(Stop::Relist)));
}

#[tokio::test]
async fn a_namespace_that_went_while_it_was_empty_or_with_the_crds_is_halted_and_forgotten() {
    for restored in [false, true] {
        let api = Api::default();
        let (mut domain, mut events) = api.domain().await;
        api.has(Some("first"));
        let mut seen = Collector::new([(ACME.into(), restored)]);
        listed(&mut seen, &[]);
        assert!(domain.deliver(&mut seen).await.is_ok());
        // Without an Identity a restore has not begun.
        assert_eq!(delivered(&mut events).len(), usize::from(!restored));
        assert_eq!(seen.empty(), [ACME.into()]);
        let empty = seen.empty();
        assert!(domain.forget_gone(&mut seen, empty).await.is_ok());
        assert!(delivered(&mut events).is_empty(), "it is there");
        api.has(None);
        let empty = seen.empty();
        assert!(domain.forget_gone(&mut seen, empty).await.is_ok());
        let said = delivered(&mut events);
        assert!(matches!(&said[..], [Some(EngineEvent::Halted(_)), None]), "{restored}: {said:?}");
        assert!(seen.empty().is_empty() && domain.going.is_empty() && domain.known.is_empty());
    }
}
