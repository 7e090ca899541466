//! SCIM 2.0 (RFC 7643, RFC 7644, RFC 9865). Here is I/O and what answers teach about a target; shapes are in `map` and
//! `wire`. A target is measured, not trusted, and what can only be seen by writing is learned from our own writes.

mod accounts;
mod bulk;
mod filter;
mod groups;
mod learned;
mod list;
mod map;
mod members;
mod names;
mod probe;
mod schema;
mod wire;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use provost_core::model::{Applied, AttributeName, Spent, Step, TargetError, TargetId};
use provost_crds::v1alpha1::{BulkUse, PagingMethod, PatchMethod, ScimProfileSpec};
use reqwest::Method;
use serde_json::Value as Json;

use crate::http::{Answer, Http, Refusal, Request};
use learned::Learned;

pub(crate) use schema::{MAPPING, SCHEMA};

/// Members in one request.
const MEMBER_BATCH: usize = 100;
/// Operations in one bulk request, where the service takes as many.
const BULK_OPERATIONS: usize = 32;
/// Bytes of one bulk request, the same.
const BULK_PAYLOAD: usize = 512 * 1024;

/// RFC 7644, 3.1; the second for those who know only it.
const ACCEPT: &str = "application/scim+json, application/json;q=0.9";
const CONTENT_TYPE: &str = "application/scim+json";

/// How lists are paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paging {
    Auto,
    Cursor,
    Index,
    None,
}

/// A SCIM service.
#[derive(Debug)]
pub struct Scim {
    http: Http,
    /// By PATCH or by PUT; `None`: as measured.
    patch: Option<bool>,
    paging: Paging,
    bulk: bulk::Use,
    request_timeout: Duration,
    learned: Mutex<Learned>,
    stash: Mutex<list::Stash>,
    /// Accounts whose last write by bulk was not shown: the next one is sent by itself, since its answer shows what the
    /// service makes of it.
    unshown: Mutex<BTreeSet<TargetId>>,
}

impl Scim {
    /// With what the manifest says about the service; sends nothing.
    ///
    /// Errors: a word of the manifest that this version does not know.
    pub fn new(http: Http, profile: Option<&ScimProfileSpec>, request_timeout: Duration) -> Result<Self, TargetError> {
        let unknown = |field: &str| {
            TargetError::Malformed(format!("connector.scim.profile.{field} has an unknown value; correct it").into())
        };
        let patch = match profile.and_then(|profile| profile.patch.as_ref()) {
            None | Some(PatchMethod::Auto) => None,
            Some(PatchMethod::Patch) => Some(true),
            Some(PatchMethod::Put) => Some(false),
            Some(PatchMethod::Unrecognised(_)) => return Err(unknown("patch")),
        };
        let paging = match profile.and_then(|profile| profile.paging.as_ref()) {
            None | Some(PagingMethod::Auto) => Paging::Auto,
            Some(PagingMethod::Cursor) => Paging::Cursor,
            Some(PagingMethod::Index) => Paging::Index,
            Some(PagingMethod::None) => Paging::None,
            Some(PagingMethod::Unrecognised(_)) => return Err(unknown("paging")),
        };
        let bulk = match profile.and_then(|profile| profile.bulk.as_ref()) {
            None | Some(BulkUse::Auto) => bulk::Use::Auto,
            Some(BulkUse::Use) => bulk::Use::Wherever,
            Some(BulkUse::Never) => bulk::Use::Never,
            Some(BulkUse::Unrecognised(_)) => return Err(unknown("bulk")),
        };
        let (learned, stash, unshown) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Self { http, patch, paging, bulk, request_timeout, learned, stash, unshown })
    }

    /// What an earlier connection to the same service has learned.
    pub(crate) fn inherit(&self, earlier: &Self) {
        if self.http.base() == earlier.http.base() {
            let known = earlier.learned().clone();
            *self.learned() = known;
        }
    }

    /// Carries out the first of these steps, and what follows it by bulk where that works; one outcome each. None: it is to
    /// be asked again, for less at once.
    pub async fn apply(&self, steps: &[Step], spent: &mut Spent) -> Vec<Result<Applied, TargetError>> {
        let most = self.learned().bulk_operations(self.bulk);
        let together = if steps.len() > 1 && most > 1 { self.by_bulk(steps, spent).await } else { Vec::new() };
        if !together.is_empty() || most > self.learned().bulk_operations(self.bulk) {
            return together;
        }
        match steps.first() {
            Some(step) => vec![self.step(step, spent).await],
            None => Vec::new(),
        }
    }

    async fn step(&self, step: &Step, spent: &mut Spent) -> Result<Applied, TargetError> {
        match step {
            Step::CreateAccount { attributes, enabled, password } => {
                self.create_account(attributes, *enabled, *password, spent).await
            }
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } => {
                self.update_account(id, set, spent).await
            }
            Step::EnableAccount { id } => self.set_enabled(id, true, spent).await,
            Step::DisableAccount { id } => self.set_enabled(id, false, spent).await,
            Step::DeleteAccount { id } => self.delete_account(id, spent).await,
            Step::CreateGroup { name, mark } => self.create_group(name, mark, spent).await,
            Step::UpdateGroup { id, name } => self.rename_group(id, name, spent).await,
            Step::DeleteGroup { id } => self.delete_group(id, spent).await,
            Step::AddMembers { group, members } => self.add_members(group, members, spent).await,
            Step::RemoveMembers { group, members } => self.remove_members(group, members, spent).await,
            Step::Assign { .. } | Step::Revoke { .. } => {
                Err(TargetError::Unsupported("SCIM knows groups alone; name a group in the catalogue".into()))
            }
        }
    }

    /// What was learned so far. A lock is held for a moment and never over an await.
    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unshown(&self) -> MutexGuard<'_, BTreeSet<TargetId>> {
        self.unshown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether resources of a kind are changed by PATCH.
    fn patches(&self, resource: &str) -> bool {
        let learned = self.learned();
        self.patch.or(learned.patch.get(resource).copied()).or(learned.hint.patch).unwrap_or(true)
    }

    async fn get(&self, segments: &[&str], query: &str, spent: &mut Spent) -> Result<Answer, Refusal> {
        let mut url = self.http.url(segments)?;
        if !query.is_empty() {
            url.set_query(Some(query));
        }
        let answer = self.http.send(&Request::get(url).accept(ACCEPT), spent).await;
        answer.map_err(|refusal| asked(refusal, &Method::GET, segments, query))
    }

    async fn write(
        &self,
        method: Method,
        segments: &[&str],
        body: Option<&Json>,
        if_match: Option<&str>,
        spent: &mut Spent,
    ) -> Result<Answer, Refusal> {
        let mut request = Request::new(method.clone(), self.http.url(segments)?).accept(ACCEPT).if_match(if_match);
        if let Some(body) = body {
            request = request.body(CONTENT_TYPE, body.to_string().into_bytes());
        }
        self.http.send(&request, spent).await.map_err(|refusal| asked(refusal, &method, segments, ""))
    }

    /// What a refusal means once its SCIM error is read. `names`: the attributes that were sent.
    fn refused(&self, refusal: Refusal, names: &[&str]) -> TargetError {
        let TargetError::Rejected { reason, .. } = refusal.error else { return refusal.error };
        let error = wire::scim_error(&refusal.body);
        if error.kind == Some("uniqueness") {
            return TargetError::Conflict;
        }
        let reason = match error.kind {
            Some(kind) => format!("{reason}, {kind}").into(),
            None => reason,
        };
        let field = field(&error.detail, names).map(AttributeName::new);
        TargetError::Rejected { field, reason, detail: self.http.scrubbed(&error.detail).into() }
    }
}

/// A failure of the target itself, and what it cannot do at all, say no more than their status: with what it was asked. Ids and
/// what stands in a query are left out, as is the base: they may be nobody's business.
fn asked(refusal: Refusal, method: &Method, segments: &[&str], query: &str) -> Refusal {
    let what = segments.first().unwrap_or(&"");
    let id = if segments.len() > 1 { "/{id}" } else { "" };
    let names: Vec<&str> = query.split('&').filter_map(|part| Some(part.split_once('=')?.0)).collect();
    let names = if names.is_empty() { String::new() } else { format!("?{}", names.join("&")) };
    let told = |text: &str| format!("{text} for {method} {what}{id}{names}").into();
    let error = match (refusal.error, refusal.status) {
        (TargetError::Transient(text), Some(500..=599)) => TargetError::Transient(told(&text)),
        (TargetError::Lost(text), Some(500..=599)) => TargetError::Lost(told(&text)),
        // Its own words have the method.
        (TargetError::Unsupported(_), Some(status)) => TargetError::Unsupported(told(&format!("HTTP {status}"))),
        (other, _) => other,
    };
    Refusal { error, ..refusal }
}

/// The attribute that the target's words name: the longest that they hold, else the only one that was sent.
fn field<'a>(detail: &str, names: &[&'a str]) -> Option<&'a str> {
    let detail = detail.to_lowercase();
    let longest = names.iter().filter(|name| detail.contains(&name.to_lowercase())).max_by_key(|name| name.len());
    match (longest, names) {
        (Some(name), _) => Some(name),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// The SCIM error kind of a refusal.
fn kind(refusal: &Refusal) -> Option<&'static str> {
    wire::scim_error(&refusal.body).kind
}

/// Whether the target cannot do what was asked, whatever it was asked for.
fn cannot(refusal: &Refusal) -> bool {
    matches!(refusal.status, Some(405 | 501))
}
