//! What the running operator is asked over HTTP: who asks is told by a TokenReview, whether they may by a
//! SubjectAccessReview; the answers are those of `inquiry`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use k8s_openapi::api::authentication::v1::UserInfo;
use provost_core::engine::DeletionOrder;
use provost_core::model::Name;
use provost_kubernetes::access::{Access, Denied, Right};
use provost_store::{Store, StoreError};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, oneshot};
use tracing::info;

use super::ledger::{Keeper, print};
use crate::inquiry::{
    self, Foreseen, Forget, Forgotten, Held, HeldAnswer, JournalAsk, LedgerAsk, Order, Ordered, TOKEN_HEADER,
};

/// Questions at a time: each may read the whole journal, and costs the API server a review.
const AT_ONCE: usize = 4;
/// How long a namespace's task may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a namespace's task is asked.
pub enum Ask {
    /// What is held; with what mode Plan would do, where that is asked for too. `None`: there is no such application.
    Held { application: Option<String>, all: bool, answer: oneshot::Sender<Option<(Vec<Held>, Vec<Foreseen>)>> },
    /// Whether an Identity is declared. `None`: that is not known (yet).
    Declared { identity: Name, answer: oneshot::Sender<Option<bool>> },
    /// An order about a deletion.
    Deletion {
        application: Name,
        identity: Name,
        order: DeletionOrder,
        /// Whose token came with it.
        by: String,
        answer: oneshot::Sender<Result<Arc<str>, Arc<str>>>,
    },
}

/// What is asked, and of whom. Cheap to clone.
#[derive(Clone)]
pub struct Inquiries(Arc<Inner>);

struct Inner {
    /// Set once this process leads: before that nothing is known here.
    answering: OnceLock<Answering>,
    namespaces: Mutex<HashMap<Arc<str>, UnboundedSender<Ask>>>,
    slots: Semaphore,
}

struct Answering {
    access: Access,
    ledger: Keeper,
}

/// Why there is no answer.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Denied::Forbidden { .. } => StatusCode::FORBIDDEN,
            Denied::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(code, denied.to_string())
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

#[derive(Deserialize)]
struct Scope {
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct HeldScope {
    namespace: Option<String>,
    application: Option<String>,
    #[serde(default)]
    all: bool,
}

impl Inquiries {
    /// Nobody answers yet.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            answering: OnceLock::new(),
            namespaces: Mutex::default(),
            slots: Semaphore::new(AT_ONCE),
        }))
    }

    /// This process leads: it answers from now on.
    pub fn answer(&self, client: kube::Client, ledger: Keeper) {
        let _ = self.0.answering.set(Answering { access: Access::new(client), ledger });
    }

    /// A namespace's task takes questions.
    pub fn register(&self, namespace: &Arc<str>, asks: UnboundedSender<Ask>) {
        let mut namespaces = self.0.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        namespaces.insert(Arc::clone(namespace), asks);
    }

    /// A namespace's task ends.
    pub fn unregister(&self, namespace: &str) {
        self.0.namespaces.lock().unwrap_or_else(PoisonError::into_inner).remove(namespace);
    }

    /// What is served.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v1/journal", get(journal))
            .route("/v1/held", get(held))
            .route("/v1/ledger", get(ledger))
            .route("/v1/deletions", post(deletion))
            .route("/v1/erasures", post(erasure))
            .with_state(self.clone())
    }

    /// Requires rights of whoever sent the token, and says who that is.
    async fn admit(&self, headers: &HeaderMap, rights: &[Right<'_>]) -> Result<(&Answering, UserInfo), Refused> {
        let answering = self.0.answering.get().ok_or_else(|| {
            let text = "this process does not lead (yet); ask again";
            Refused(StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
        })?;
        let token = headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok()).filter(|token| !token.is_empty());
        let none = || Denied::Unauthenticated(format!("the header {TOKEN_HEADER} is missing"));
        let token = SecretString::from(token.ok_or_else(none)?.to_owned());
        let user = answering.access.who(&token).await?;
        for right in rights {
            answering.access.require(&user, right).await?;
        }
        told(&user, rights);
        Ok((answering, user))
    }

    /// The tasks of one namespace, or of all.
    fn tasks(&self, namespace: Option<&str>) -> Vec<UnboundedSender<Ask>> {
        let namespaces = self.0.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> =
            namespaces.iter().filter(|(name, _)| namespace.is_none_or(|wanted| wanted == &***name)).collect();
        found.sort_by(|a, b| a.0.cmp(b.0));
        found.into_iter().map(|(_, asks)| asks.clone()).collect()
    }
}

/// Who asked for what, for the log.
fn told(user: &UserInfo, rights: &[Right<'_>]) {
    let Some(right) = rights.first() else { return };
    let (user, namespace) = (user.username.as_deref().unwrap_or_default(), right.namespace.unwrap_or("all namespaces"));
    info!(user, verb = right.verb, resource = right.resource, namespace, "asked");
}

/// The right to see something, and the right to see its values where they are asked for.
fn to_see<'a>(resource: &'static str, namespace: Option<&'a str>, values: bool) -> Vec<Right<'a>> {
    let plain = Right { verb: "get", resource, subresource: None, namespace };
    let with_values = Right { subresource: Some("values"), ..plain.clone() };
    std::iter::once(plain).chain(values.then_some(with_values)).collect()
}

/// Asks the store on a thread that may block.
async fn read<T: Send + 'static>(
    answering: &Answering,
    what: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refused> {
    let unavailable = |text: String| Refused(StatusCode::SERVICE_UNAVAILABLE, text);
    let store = answering.ledger.store().map_err(|failure| unavailable(failure.to_string()))?;
    let found = tokio::task::spawn_blocking(move || what(&store)).await;
    Ok(found.map_err(|error| unavailable(error.to_string()))??)
}

async fn slot(inquiries: &Inquiries) -> Result<tokio::sync::SemaphorePermit<'_>, Refused> {
    let closed = |_| Refused(StatusCode::SERVICE_UNAVAILABLE, "the operator stops".to_owned());
    inquiries.0.slots.acquire().await.map_err(closed)
}

async fn journal(
    State(inquiries): State<Inquiries>,
    headers: HeaderMap,
    Query(scope): Query<Scope>,
    Query(ask): Query<JournalAsk>,
) -> Result<impl IntoResponse, Refused> {
    let _slot = slot(&inquiries).await?;
    let rights = to_see("journals", scope.namespace.as_deref(), ask.values);
    let (answering, _) = inquiries.admit(&headers, &rights).await?;
    let (namespace, application) = (scope.namespace.clone(), ask.application.clone());
    let found = read(answering, move |store| inquiry::journal(store, scope.namespace.as_deref(), &ask)).await?;
    known(&inquiries, answering, namespace, application.filter(|_| found.is_empty())).await?;
    json(found)
}

async fn ledger(
    State(inquiries): State<Inquiries>,
    headers: HeaderMap,
    Query(scope): Query<Scope>,
    Query(ask): Query<LedgerAsk>,
) -> Result<impl IntoResponse, Refused> {
    let _slot = slot(&inquiries).await?;
    let rights = to_see("ledgers", scope.namespace.as_deref(), ask.values);
    let (answering, _) = inquiries.admit(&headers, &rights).await?;
    let (namespace, application) = (scope.namespace.clone(), ask.application.clone());
    let found = read(answering, move |store| inquiry::ledger(store, scope.namespace.as_deref(), &ask)).await?;
    known(&inquiries, answering, namespace, application.filter(|_| found.is_empty())).await?;
    json(found)
}

async fn held(
    State(inquiries): State<Inquiries>,
    headers: HeaderMap,
    Query(scope): Query<HeldScope>,
) -> Result<impl IntoResponse, Refused> {
    let _slot = slot(&inquiries).await?;
    inquiries.admit(&headers, &to_see("heldplans", scope.namespace.as_deref(), false)).await?;
    let mut found = HeldAnswer::default();
    let mut known = scope.application.is_none();
    for task in inquiries.tasks(scope.namespace.as_deref()) {
        let (answer, answered) = oneshot::channel();
        let ask = Ask::Held { application: scope.application.clone(), all: scope.all, answer };
        let Some((held, planned)) = asked(&task, ask, answered).await? else { continue };
        known = true;
        found.held.extend(held);
        found.planned.extend(planned);
    }
    match scope.application.filter(|_| !known) {
        Some(name) => Err(nowhere(scope.namespace.as_deref(), &name)),
        None => json(found),
    }
}

fn nowhere(namespace: Option<&str>, application: &str) -> Refused {
    let within = namespace.map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
    Refused(StatusCode::NOT_FOUND, format!("there is no TargetApplication {application}{within}"))
}

/// Refuses an application that nobody knows: "nothing is recorded" would be no answer to a name that is misspelt. Of one that
/// is deleted there may be what was written.
async fn known(
    inquiries: &Inquiries,
    answering: &Answering,
    namespace: Option<String>,
    application: Option<String>,
) -> Result<(), Refused> {
    let Some(application) = application else { return Ok(()) };
    let (of, name) = (namespace.clone(), application.clone());
    let known = read(answering, move |store| inquiry::recorded(store, of.as_deref(), &name)).await?
        || is_there(inquiries, namespace.as_deref(), &application).await?;
    if known { Ok(()) } else { Err(nowhere(namespace.as_deref(), &application)) }
}

/// Whether the task of a namespace has the application.
async fn is_there(inquiries: &Inquiries, namespace: Option<&str>, application: &str) -> Result<bool, Refused> {
    for task in inquiries.tasks(namespace) {
        let (answer, answered) = oneshot::channel();
        let ask = Ask::Held { application: Some(application.to_owned()), all: false, answer };
        if asked(&task, ask, answered).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn deletion(
    State(inquiries): State<Inquiries>,
    headers: HeaderMap,
    Query(scope): Query<Scope>,
    Json(order): Json<Order>,
) -> Result<impl IntoResponse, Refused> {
    let _slot = slot(&inquiries).await?;
    let namespace = scope.namespace.as_deref();
    let right = Right { verb: "update", resource: "ledgers", subresource: None, namespace };
    let (_, user) = inquiries.admit(&headers, &[right]).await?;
    let refused = |code, text: &str| Refused(code, text.to_owned());
    let one = namespace.ok_or_else(|| refused(StatusCode::BAD_REQUEST, "a namespace must be named"))?;
    let tasks = inquiries.tasks(Some(one));
    let task = tasks.first().ok_or_else(|| refused(StatusCode::NOT_FOUND, "the namespace is not watched"))?;
    let (answer, answered) = oneshot::channel();
    let (application, identity) = (Name::from(order.application.as_str()), Name::from(order.identity.as_str()));
    let by = user.username.unwrap_or_default();
    let ask = Ask::Deletion { application, identity, order: order.order, by, answer };
    match asked(task, ask, answered).await? {
        Ok(meant) => Ok(meant.to_string()),
        Err(why) => Err(refused(StatusCode::CONFLICT, &why)),
    }
}

/// The journal forgets an identity. It and the log say who ordered that, and not of whom.
async fn erasure(
    State(inquiries): State<Inquiries>,
    headers: HeaderMap,
    Query(scope): Query<Scope>,
    Json(whom): Json<Forget>,
) -> Result<impl IntoResponse, Refused> {
    let _slot = slot(&inquiries).await?;
    let namespace = scope.namespace.as_deref();
    let right = Right { verb: "update", resource: "journals", subresource: None, namespace };
    let (answering, user) = inquiries.admit(&headers, &[right]).await?;
    let one = scope.namespace.clone();
    let one = one.ok_or_else(|| Refused(StatusCode::BAD_REQUEST, "a namespace must be named".to_owned()))?;
    let declared = !whom.yes && is_declared(&inquiries, &one, &whom.identity).await?;
    let by = user.username.unwrap_or_default();
    let ordered = Ordered { by, at: answering.ledger.now(), declared };
    let done = read(answering, move |store| inquiry::forget(store, &one, &whom, &ordered)).await?;
    let done = done.map_err(|why| Refused(StatusCode::CONFLICT, why))?;
    print(&done.told);
    let done = Forgotten::from(done);
    info!(namespace, entries = done.entries, "an identity was erased from the journal");
    json(done)
}

/// Whether an Identity is declared. Where that is not known, as before a namespace was listed, nobody is erased for it.
async fn is_declared(inquiries: &Inquiries, namespace: &str, identity: &str) -> Result<bool, Refused> {
    let mut known = None;
    if let Some(task) = inquiries.tasks(Some(namespace)).first() {
        let (answer, answered) = oneshot::channel();
        known = asked(task, Ask::Declared { identity: identity.into(), answer }, answered).await?;
    }
    known.ok_or_else(|| {
        let why = format!("it is not known (yet) whether {identity} is declared in {namespace}");
        Refused(StatusCode::SERVICE_UNAVAILABLE, format!("{why}: ask again, or erase them all the same with --yes"))
    })
}

/// Asks a namespace's task and waits for its answer.
async fn asked<T>(task: &UnboundedSender<Ask>, ask: Ask, answered: oneshot::Receiver<T>) -> Result<T, Refused> {
    let late =
        || Refused(StatusCode::SERVICE_UNAVAILABLE, "the namespace's task does not answer; ask again".to_owned());
    task.send(ask).map_err(|_| late())?;
    tokio::time::timeout(PATIENCE, answered).await.ok().and_then(Result::ok).ok_or_else(late)
}

#[allow(clippy::unnecessary_wraps, reason = "the last word of handlers that may refuse")]
fn json<T: Serialize>(answer: T) -> Result<Json<T>, Refused> {
    Ok(Json(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_may_be_declared_is_not_erased_for_not_being_known_yet() {
        let inquiries = Inquiries::new();
        let asked = || is_declared(&inquiries, "acme", "ada");
        let refused = asked().await.unwrap_err().1;
        assert!(refused.contains("whether ada is declared in acme: ask again"), "{refused}");
        for known in [None, Some(false), Some(true)] {
            let (asks, mut task) = tokio::sync::mpsc::unbounded_channel();
            inquiries.register(&"acme".into(), asks);
            let answers = async {
                let Some(Ask::Declared { answer, .. }) = task.recv().await else { panic!("it is asked") };
                answer.send(known).unwrap();
            };
            assert_eq!(tokio::join!(asked(), answers).0.ok(), known);
        }
    }

    #[tokio::test]
    async fn an_application_is_there_where_the_task_of_a_namespace_that_was_asked_about_has_it() {
        let inquiries = Inquiries::new();
        let (asks, mut task) = tokio::sync::mpsc::unbounded_channel();
        inquiries.register(&"acme".into(), asks);
        for (known, wanted) in [(None, false), (Some((Vec::new(), Vec::new())), true)] {
            let answers = async {
                let Some(Ask::Held { application, answer, .. }) = task.recv().await else { panic!("it is asked") };
                assert_eq!(application.as_deref(), Some("wiki"));
                assert!(answer.send(known).is_ok());
            };
            assert_eq!(tokio::join!(is_there(&inquiries, None, "wiki"), answers).0.ok(), Some(wanted));
        }
        assert_eq!(is_there(&inquiries, Some("other"), "wiki").await.ok(), Some(false));
        assert_eq!(nowhere(Some("other"), "wiki").1, "there is no TargetApplication wiki in namespace other");
    }
}
