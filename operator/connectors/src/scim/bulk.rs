//! Bulk requests (RFC 7644, 3.7): many creates, updates and member changes in one. That a service takes them is said by
//! ServiceProviderConfig and measured by our own first ones, which are small and read back; a probe writes nothing and so
//! proves nothing here. What a bulk request refuses is tried once by itself, so that each step is told what its own
//! request would have been told; what it does not answer is lost.

use provost_core::model::{Applied, Attributes, Spent, Step, TargetError, TargetId};
use reqwest::Method;
use serde_json::{Value as Json, json};

use super::accounts::created_as;
use super::learned::{Learned, Shape};
use super::wire::{self, BulkAnswer};
use super::{BULK_OPERATIONS, BULK_PAYLOAD, MEMBER_BATCH, Scim, asked, groups, map};
use crate::http::Refusal;
use crate::password;

/// Operations in a request that is to show whether their kind works.
const TRIAL: usize = 4;

/// Ids remembered of accounts whose last change was not shown.
const MOST_UNSHOWN: usize = 10_000;

/// Whether bulk requests are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Where ServiceProviderConfig offers them and they work.
    Auto,
    /// Where they work.
    Wherever,
    Never,
}

/// One step as an operation of a bulk request.
struct Operation<'a> {
    /// Which of the steps.
    at: usize,
    step: &'a Step,
    shape: Shape,
    path: String,
    /// As it is sent.
    json: Json,
    size: usize,
}

type Outcome = Result<Applied, TargetError>;

impl Scim {
    /// Carries out as many of these steps, from the first on, as belong together in one bulk request; returns their
    /// outcomes, one a step, or none where the first is to be sent by itself.
    pub(super) async fn by_bulk(&self, steps: &[Step], spent: &mut Spent) -> Vec<Outcome> {
        let operations = self.operations(steps);
        if operations.len() < 2 {
            return Vec::new();
        }
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": operations.iter().map(|operation| &operation.json).collect::<Vec<_>>(),
        });
        for step in steps.iter().take(operations.len()) {
            if let Step::AddMembers { group, .. } = step {
                self.learned().left_empty.remove(group);
            }
        }
        let answer = self.write(Method::POST, &["Bulk"], Some(&body), None, spent).await;
        let answers = match answer.map(|answer| wire::bulk_response(&answer.body)) {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => {
                self.learned().bulk.refused = true;
                let lost = TargetError::Lost(format!("a bulk request: {error}").into());
                return operations.iter().map(|_| Err(lost.clone())).collect();
            }
            Err(refusal) => return self.bulk_refused(&refusal, &operations, spent).await,
        };
        self.learned().bulk.refusals = 0;
        self.outcomes(&operations, answers, spent).await
    }

    /// The longest beginning of the steps that may go in one request.
    fn operations<'a>(&self, steps: &'a [Step]) -> Vec<Operation<'a>> {
        let (most, payload) = {
            let learned = self.learned();
            (learned.bulk_operations(self.bulk), learned.bulk_payload())
        };
        let mut operations: Vec<Operation<'a>> = Vec::new();
        let (mut size, mut trial) = (128, false);
        for (at, step) in steps.iter().enumerate().take(most) {
            let Some(operation) = self.operation(at, step) else { break };
            trial |= !self.learned().bulk.works(operation.shape);
            size += operation.size + 1;
            // One write to a resource: answers are told apart by its path.
            let twice = operation.shape != Shape::Create && operations.iter().any(|other| other.path == operation.path);
            if twice || size > payload || (trial && at == TRIAL) {
                break;
            }
            operations.push(operation);
        }
        operations
    }

    /// `None`: by itself.
    fn operation<'a>(&self, at: usize, step: &'a Step) -> Option<Operation<'a>> {
        let (shape, path, data) = match step {
            Step::CreateAccount { attributes, enabled: true, password } => {
                (Shape::Create, "/Users".to_owned(), self.bulk_create(attributes, *password)?)
            }
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } if self.patches("Users") => {
                if self.unshown().contains(id) {
                    return None;
                }
                (Shape::Change, format!("/Users/{}", plain(id)?), map::patch(&map::changes(set)))
            }
            Step::AddMembers { group, members } if self.adds_by_bulk(members) => {
                (Shape::Members, format!("/Groups/{}", plain(group)?), groups::adding(members))
            }
            Step::RemoveMembers { group, members } if self.removes_by_bulk(members) => {
                (Shape::Members, format!("/Groups/{}", plain(group)?), groups::removing(members))
            }
            _ => return None,
        };
        if self.learned().bulk.fails(shape) {
            return None;
        }
        let method = if shape == Shape::Create { "POST" } else { "PATCH" };
        let json = json!({"method": method, "path": path, "bulkId": format!("step-{at}"), "data": data});
        let text = json.to_string();
        // A value that reads like a reference to another operation would be replaced by that one's id.
        let refers = data.to_string().contains("bulkId:");
        (!refers).then_some(Operation { at, step, shape, path, json, size: text.len() })
    }

    fn bulk_create(&self, attributes: &Attributes, with_password: bool) -> Option<Json> {
        let mut body = map::new_account(attributes, true);
        if with_password && self.learned().password_needed {
            body.0.insert("password".into(), password::random().ok()?.into());
        }
        Some(Json::Object(body.0))
    }

    fn adds_by_bulk(&self, members: &[TargetId]) -> bool {
        let learned = self.learned();
        let plain = learned.members.is_some() && !learned.repeats_members;
        drop(learned);
        plain && self.patches("Groups") && members.len() <= MEMBER_BATCH
    }

    fn removes_by_bulk(&self, members: &[TargetId]) -> bool {
        let works = self.learned().member_paths == Some(true);
        works && self.patches("Groups") && members.len() <= MEMBER_BATCH
    }

    /// The request as a whole was not accepted. Empty: nothing was done, and the steps are sent otherwise.
    async fn bulk_refused(&self, refusal: &Refusal, operations: &[Operation<'_>], spent: &mut Spent) -> Vec<Outcome> {
        match (refusal.status, &refusal.error) {
            (Some(413), _) => self.learned().bulk.smaller(operations.len()),
            (
                _,
                error @ (TargetError::Lost(_)
                | TargetError::RateLimited { .. }
                | TargetError::Unauthorized(_)
                | TargetError::Transient(_)
                | TargetError::Unreachable(_)
                | TargetError::Tls(_)
                | TargetError::HostNotAllowed(_)),
            ) => {
                if matches!(error, TargetError::Lost(_)) {
                    // How much of it was done, nobody knows; it may have been too much at once.
                    self.learned().bulk.smaller(operations.len());
                }
                return operations.iter().map(|_| Err(error.clone())).collect();
            }
            // One operation may have spoilt it for all, where bulk requests were seen to work.
            (Some(400 | 422), _) if self.learned().bulk.refused_again() => {
                let mut outcomes = Vec::with_capacity(operations.len());
                for operation in operations {
                    outcomes.push(self.step(operation.step, spent).await);
                }
                return outcomes;
            }
            _ => self.learned().bulk.refused = true,
        }
        Vec::new()
    }

    async fn outcomes(
        &self,
        operations: &[Operation<'_>],
        answers: Vec<BulkAnswer>,
        spent: &mut Spent,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(operations.len());
        for operation in operations {
            let answer = answers.iter().find(|answer| answers_to(answer, operation));
            outcomes.push(match answer {
                None => Err(TargetError::Lost("the answer to a bulk request leaves this operation out".into())),
                Some(answer) if (200..300).contains(&answer.status) => self.bulk_done(operation, answer, spent).await,
                Some(answer) => self.bulk_undone(operation, answer, spent).await,
            });
        }
        outcomes
    }

    /// An operation that is said to be done. The first of its kind is looked at before that is believed.
    async fn bulk_done(&self, operation: &Operation<'_>, answer: &BulkAnswer, spent: &mut Spent) -> Outcome {
        let trial = !self.learned().bulk.works(operation.shape);
        match operation.step {
            Step::CreateAccount { attributes, .. } => {
                let (id, answered) = created_as(answer.response.clone(), answer.location.as_deref())?;
                if trial && !matches!(self.resource("Users", &id, spent).await, Ok(Some(_))) {
                    self.learned().bulk.shapes.insert(operation.shape, false);
                    return Err(TargetError::Lost("a bulk request says it was created, and it is not there".into()));
                }
                let unknown = !self.learned().verified("active");
                let observed = self.verified(&id, attributes, unknown.then_some(true), answered, true, spent).await;
                self.seen_in_bulk(operation.shape, (&id, observed.is_some()));
                Ok(Applied { id: Some(id), observed, ..Applied::default() })
            }
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } => {
                if trial && !self.holds(id, set, spent).await {
                    return self.instead(operation, spent).await;
                }
                let answered = answer.response.clone().filter(|read| read.id().as_ref() == Some(id));
                let observed = self.verified(id, set, None, answered, false, spent).await;
                self.seen_in_bulk(operation.shape, (id, observed.is_some()));
                Ok(Applied { observed, ..Applied::default() })
            }
            Step::AddMembers { group, members } if trial && self.member_shown(group, members, false, spent).await => {
                self.instead(operation, spent).await
            }
            Step::RemoveMembers { group, members } if trial && self.member_shown(group, members, true, spent).await => {
                self.instead(operation, spent).await
            }
            step => {
                let mut learned = self.learned();
                match step {
                    Step::AddMembers { group, members } => learned.got_members(group, members),
                    Step::RemoveMembers { group, members } => learned.lost_members(group, members),
                    _ => {}
                }
                learned.bulk.shapes.insert(operation.shape, true);
                Ok(Applied::default())
            }
        }
    }

    fn seen_in_bulk(&self, shape: Shape, (id, shown): (&TargetId, bool)) {
        let mut learned = self.learned();
        learned.bulk.shapes.insert(shape, true);
        drop(learned);
        let mut unshown = self.unshown();
        if !shown {
            if unshown.len() >= MOST_UNSHOWN {
                unshown.clear();
            }
            unshown.insert(id.clone());
        }
    }

    /// What was refused is tried by itself: it was not done, and its own request knows more ways to do it.
    async fn bulk_undone(&self, operation: &Operation<'_>, answer: &BulkAnswer, spent: &mut Spent) -> Outcome {
        if matches!(answer.status, 409 | 412 | 429 | 500 | 502..=599) {
            let method = if operation.shape == Shape::Create { Method::POST } else { Method::PATCH };
            let refusal = self.http.refusal(answer.status, method.as_str(), answer.body());
            let segments: Vec<&str> = operation.path.split('/').skip(1).collect();
            return Err(self.refused(asked(refusal, &method, &segments, ""), &[]));
        }
        let outcome = self.step(operation.step, spent).await;
        if outcome.is_ok() && !self.learned().bulk.works(operation.shape) {
            self.learned().bulk.shapes.insert(operation.shape, false);
        }
        outcome
    }

    /// What was said to be done and was not is done by itself, and never by bulk again.
    async fn instead(&self, operation: &Operation<'_>, spent: &mut Spent) -> Outcome {
        self.learned().bulk.shapes.insert(operation.shape, false);
        self.step(operation.step, spent).await
    }

    /// Whether an account was changed at all. A look that fails says nothing.
    async fn holds(&self, id: &TargetId, set: &Attributes, spent: &mut Spent) -> bool {
        let Ok(Some(read)) = self.resource("Users", id, spent).await else { return true };
        let Some(account) = map::account(&read) else { return true };
        set.is_empty() || set.iter().any(|(name, value)| map::same(name.as_str(), value, account.attributes.get(name)))
    }

    /// Whether any (all) of these members are not (still) shown, where the group shows members.
    async fn member_shown(&self, group: &TargetId, members: &[TargetId], still: bool, spent: &mut Spent) -> bool {
        let Ok(Some(read)) = self.resource("Groups", group, spent).await else { return false };
        let Some(held) = read.members() else { return false };
        members.iter().any(|member| held.contains(member) == still)
    }
}

/// An id that is the same in a URL and in a path of a bulk request.
fn plain(id: &TargetId) -> Option<&str> {
    let id = id.as_str();
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~.".contains(&byte);
    (!matches!(id, "" | "." | "..") && id.bytes().all(unreserved)).then_some(id)
}

/// By its bulkId, which some echo for POST alone; else by the resource that it changed.
fn answers_to(answer: &BulkAnswer, operation: &Operation<'_>) -> bool {
    match &answer.id {
        Some(id) => *id == format!("step-{}", operation.at),
        None => {
            operation.shape != Shape::Create
                && answer.location.as_deref().is_some_and(|location| location.ends_with(&operation.path))
        }
    }
}

impl Learned {
    /// Operations in one bulk request; fewer than two: none are used.
    pub(super) fn bulk_operations(&self, with: Use) -> usize {
        let offered = match with {
            Use::Never => false,
            Use::Wherever => true,
            Use::Auto => self.hint.bulk == Some(true),
        };
        if !offered || self.bulk.refused {
            return 0;
        }
        let most = self.hint.bulk_operations.unwrap_or(BULK_OPERATIONS).min(BULK_OPERATIONS);
        self.bulk.limit.map_or(most, |limit| most.min(limit))
    }

    /// Bytes of one bulk request.
    fn bulk_payload(&self) -> usize {
        self.hint.bulk_payload.unwrap_or(BULK_PAYLOAD).min(BULK_PAYLOAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_a_path_would_change_goes_by_itself() {
        for (id, same) in
            [("2819c223-7f76", true), ("a.b~c_d", true), ("a/b", false), ("bulkId:1", false), ("é", false)]
        {
            assert_eq!(plain(&id.into()).is_some(), same, "{id}");
        }
    }

    #[test]
    fn nothing_goes_by_bulk_unless_it_is_offered_or_wanted_and_within_what_was_accepted() {
        let cases = [
            (Use::Auto, None, None, 0),
            (Use::Auto, Some(false), None, 0),
            (Use::Auto, Some(true), None, BULK_OPERATIONS),
            (Use::Auto, Some(true), Some(3), 3),
            (Use::Wherever, None, None, BULK_OPERATIONS),
            (Use::Never, Some(true), None, 0),
        ];
        for (with, offered, operations, expected) in cases {
            let mut learned = Learned::default();
            learned.hint.bulk = offered;
            learned.hint.bulk_operations = operations;
            assert_eq!(learned.bulk_operations(with), expected, "{with:?} {offered:?} {operations:?}");
            learned.bulk.smaller(40);
            assert_eq!(learned.bulk_operations(with), expected.min(20));
            learned.bulk.refused = true;
            assert_eq!(learned.bulk_operations(with), 0);
        }
    }
}
