//! Who asks the operator something, and whether they may: by TokenReview and SubjectAccessReview, so that RBAC says who
//! sees what. Tokens are bound to an audience of our own: one that was sent here opens nothing at the API server.

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec, TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::{Api, PostParams};
use secrecy::{ExposeSecret as _, SecretString};

use crate::client::{CallError, call};

/// The audience of the tokens that are accepted.
pub const AUDIENCE: &str = "provost.dev";

/// The API group of what may be asked for, as RBAC names it.
pub const GROUP: &str = "provost.dev";

/// How long a token lives that is made to ask one question: the shortest that the API server gives.
const LIVES: i64 = 600;

/// Asks the API server who somebody is and what they may do.
#[derive(Clone)]
pub struct Access {
    client: Client,
}

/// What somebody wants to do.
#[derive(Clone, Debug)]
pub struct Right<'a> {
    /// `get` or `update`.
    pub verb: &'static str,
    /// `journals`, `heldplans`, `ledgers`.
    pub resource: &'static str,
    /// `values`: also what is nobody's business but theirs.
    pub subresource: Option<&'static str>,
    /// In which namespace; `None`: in all.
    pub namespace: Option<&'a str>,
}

/// Why the answer is no.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No token, or none that is good here.
    #[error(
        "not authenticated: {0}; send a token of the audience {AUDIENCE}, as `kubectl create token NAME \
         --audience={AUDIENCE}` makes it"
    )]
    Unauthenticated(String),
    /// Known, and not allowed.
    #[error("{user} needs the verb {verb:?} on {resource}.{GROUP} in {place}; a Role or ClusterRole can give it")]
    Forbidden {
        /// Who.
        user: String,
        /// What is missing.
        verb: &'static str,
        /// On what.
        resource: String,
        /// Where.
        place: String,
    },
    /// The API server did not say.
    #[error("whether it is allowed could not be asked: {0}; ask again")]
    Unavailable(#[from] CallError),
}

impl Access {
    /// One for the process.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Whose token it is.
    pub async fn who(&self, token: &SecretString) -> Result<UserInfo, Denied> {
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let spec = TokenReviewSpec {
            token: Some(token.expose_secret().to_owned()),
            audiences: Some(vec![AUDIENCE.to_owned()]),
        };
        let review = TokenReview { spec, ..TokenReview::default() };
        let status = call(api.create(&PostParams::default(), &review)).await?.status.unwrap_or_default();
        let audience = status.audiences.is_some_and(|found| found.iter().any(|a| a == AUDIENCE));
        match (status.authenticated, status.user) {
            // An API server that knows no audiences names none: its word would be about another audience.
            (Some(true), Some(user)) if audience && user.username.is_some() => Ok(user),
            _ => Err(Denied::Unauthenticated("the API server does not accept the token for this audience".to_owned())),
        }
    }

    /// Whether a user has a right.
    pub async fn may(&self, user: &UserInfo, right: &Right<'_>) -> Result<bool, Denied> {
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let attributes = ResourceAttributes {
            group: Some(GROUP.to_owned()),
            verb: Some(right.verb.to_owned()),
            resource: Some(right.resource.to_owned()),
            subresource: right.subresource.map(str::to_owned),
            namespace: right.namespace.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            user: user.username.clone(),
            uid: user.uid.clone(),
            groups: user.groups.clone(),
            extra: user.extra.clone(),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let status = call(api.create(&PostParams::default(), &review)).await?.status;
        Ok(status.is_some_and(|status| status.allowed && status.denied != Some(true)))
    }

    /// Requires a right.
    pub async fn require(&self, user: &UserInfo, right: &Right<'_>) -> Result<(), Denied> {
        if self.may(user, right).await? {
            return Ok(());
        }
        Err(Denied::Forbidden {
            user: user.username.clone().unwrap_or_default(),
            verb: right.verb,
            resource: right
                .subresource
                .map_or_else(|| right.resource.to_owned(), |sub| format!("{}/{sub}", right.resource)),
            place: right.namespace.map_or_else(|| "all namespaces".to_owned(), |name| format!("the namespace {name}")),
        })
    }
}

/// A token of a ServiceAccount that is good for the operator alone, for ten minutes. Whoever may make one
/// (`create serviceaccounts/token`) may ask in its name.
pub async fn token(client: Client, namespace: &str, account: &str) -> Result<SecretString, CallError> {
    let api: Api<ServiceAccount> = Api::namespaced(client, namespace);
    let spec = TokenRequestSpec {
        audiences: vec![AUDIENCE.to_owned()],
        expiration_seconds: Some(LIVES),
        ..TokenRequestSpec::default()
    };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let answer = call(api.create_token_request(account, &PostParams::default(), &request)).await?;
    match answer.status {
        Some(status) => Ok(SecretString::from(status.token)),
        None => Err(CallError::Unreachable("it answered without a token".to_owned())),
    }
}
