use std::sync::Arc;

use serde::Serialize;

use super::worst;
use crate::model::{Name, Reason};

/// Something that is not as declared: why, and what a person would want to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    reason: Reason,
    message: Arc<str>,
}

impl Problem {
    /// Characters of a message; what is longer is cut, so that a status stays small.
    pub const LONGEST: usize = 512;

    /// A problem. A reason that says that all is well is none: it becomes `ProgressingWithRetry`. The message is ours: no
    /// secrets, no target's words, no times and no counts, since two runs over one state must write the same.
    pub fn new(reason: Reason, message: impl Into<Arc<str>>) -> Self {
        let reason = if reason.is_good() { Reason::ProgressingWithRetry } else { reason };
        let message = message.into();
        let message = match message.char_indices().nth(Self::LONGEST) {
            Some((end, _)) => message.get(..end).unwrap_or_default().into(),
            None => message,
        };
        Self { reason, message }
    }

    /// What is told of an account with which nothing goes on because of its application. In words that stand as long as that
    /// does: a target that does not answer may say so in many ways.
    pub fn of_application(application: &Name, reason: Reason) -> Self {
        let name = reason.as_str();
        let message = match reason {
            Reason::TargetUnreachable => {
                "what is left waits for the target, which does not answer: it is asked again about every 15 seconds, and \
                 then it is done"
                    .into()
            }
            Reason::StoreUnavailable => {
                "what is left waits for the operator's store, which is tried again about every minute".into()
            }
            _ if reason.is_stalled() => format!(
                "what is left waits for a person to act on TargetApplication {application} ({name}): its status says what to do"
            ),
            _ => format!(
                "what is left waits for TargetApplication {application} ({name}), as its status says; it is tried again by itself"
            ),
        };
        Self::new(reason, message)
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What is missing and who must act.
    pub fn message(&self) -> &Arc<str> {
        &self.message
    }
}

/// How the account of one identity in one application stands, as `sync` knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Account {
    /// There is none and there should be none; takes the pair off the board.
    #[default]
    None,
    /// Not decided since start, or not since the decision may have changed. The status that the object carries stands until it
    /// is, unless the object was edited or an account more is wanted.
    Unknown,
    /// Something is decided that is not done yet: a create, an update, a grant, a revoke, a disable. With what it waits
    /// for, if that is worth telling.
    Pending(Option<Problem>),
    /// As declared.
    Provisioned,
    /// Disabled as decided: suspended, or in its lead time.
    Disabled,
    /// Not desired any more; disabled (or left, by `Retain`), waits for its deletion.
    Retained,
    /// What is decided waits in a held plan, until a person approves it or takes back the change.
    Held(Problem),
    /// The target said no; retried.
    Failed(Problem),
    /// Nothing is tried until a person acts.
    Blocked(Problem),
    /// Somebody disabled it at the target, and that is respected.
    DisabledAtTarget(Problem),
}

impl Account {
    /// The state without its problem.
    pub fn state(&self) -> AccountState {
        match self {
            Self::None => AccountState::None,
            Self::Unknown => AccountState::Unknown,
            Self::Pending(_) => AccountState::Pending,
            Self::Provisioned => AccountState::Provisioned,
            Self::Disabled => AccountState::Disabled,
            Self::Retained => AccountState::Retained,
            Self::Held(_) => AccountState::Held,
            Self::Failed(_) => AccountState::Failed,
            Self::Blocked(_) => AccountState::Blocked,
            Self::DisabledAtTarget(_) => AccountState::DisabledAtTarget,
        }
    }

    /// From its state and its problem.
    pub(crate) fn of(state: AccountState, problem: Option<Problem>) -> Self {
        match (state, problem) {
            (AccountState::None, _) => Self::None,
            (AccountState::Unknown, _) => Self::Unknown,
            (AccountState::Provisioned, _) => Self::Provisioned,
            (AccountState::Disabled, _) => Self::Disabled,
            (AccountState::Retained, _) => Self::Retained,
            (AccountState::Held, Some(problem)) => Self::Held(problem),
            (AccountState::Failed, Some(problem)) => Self::Failed(problem),
            (AccountState::Blocked, Some(problem)) => Self::Blocked(problem),
            (AccountState::DisabledAtTarget, Some(problem)) => Self::DisabledAtTarget(problem),
            (_, problem) => Self::Pending(problem),
        }
    }

    /// Its problem alone.
    pub(crate) fn into_problem(self) -> Option<Problem> {
        match self {
            Self::Pending(problem) => problem,
            Self::Held(problem) | Self::Failed(problem) | Self::Blocked(problem) | Self::DisabledAtTarget(problem) => {
                Some(problem)
            }
            Self::None | Self::Unknown | Self::Provisioned | Self::Disabled | Self::Retained => None,
        }
    }

    /// The problem, if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Pending(problem) => problem.as_ref(),
            Self::Held(problem) | Self::Failed(problem) | Self::Blocked(problem) | Self::DisabledAtTarget(problem) => {
                Some(problem)
            }
            Self::None | Self::Unknown | Self::Provisioned | Self::Disabled | Self::Retained => None,
        }
    }
}

/// The state of an account as the board keeps it: a byte a pair. A status has no `None`, and other words for `Unknown` and
/// `Held`: [`Self::told`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[allow(missing_docs, reason = "each is the Account of the same name")]
pub enum AccountState {
    #[default]
    None,
    Unknown,
    Pending,
    Provisioned,
    Disabled,
    Retained,
    Held,
    Failed,
    Blocked,
    DisabledAtTarget,
}

impl AccountState {
    /// All, in the order of their bytes.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::Unknown,
        Self::Pending,
        Self::Provisioned,
        Self::Disabled,
        Self::Retained,
        Self::Held,
        Self::Failed,
        Self::Blocked,
        Self::DisabledAtTarget,
    ];

    /// As status and plans write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Unknown => "Unknown",
            Self::Pending => "Pending",
            Self::Provisioned => "Provisioned",
            Self::Disabled => "Disabled",
            Self::Retained => "Retained",
            Self::Held => "Held",
            Self::Failed => "Failed",
            Self::Blocked => "Blocked",
            Self::DisabledAtTarget => "DisabledAtTarget",
        }
    }

    /// As a status has it: what is held is blocked until a person acts.
    pub fn told(self) -> Self {
        match self {
            Self::Unknown => Self::Pending,
            Self::Held => Self::Blocked,
            other => other,
        }
    }

    /// Whether something may be left to do that its application has to be asked for.
    pub fn waits_for_application(self) -> bool {
        matches!(self, Self::Unknown | Self::Pending | Self::Failed)
    }

    /// Whether the account is as declared: in use, or disabled where that is decided.
    pub fn is_provisioned(self) -> bool {
        matches!(self, Self::Provisioned | Self::Disabled)
    }
}

/// One account of an identity, to be told of: its application, whether it should exist, how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountIn<'a> {
    /// The TargetApplication.
    pub application: &'a str,
    /// It should exist (disabled where that is decided).
    pub desired: bool,
    /// How it stands.
    pub state: AccountState,
    /// What is wrong, if something is.
    pub problem: Option<&'a Problem>,
    /// Why its application as a whole does not get on, where something is left to do there.
    pub waits: Option<&'a Problem>,
}

impl<'a> AccountIn<'a> {
    /// The worse of what is wrong with it and with its application.
    pub fn worst(&self) -> Option<&'a Problem> {
        worst(self.waits.into_iter().chain(self.problem))
    }

    /// Whether this is told of it because of the application, which says so itself: nobody needs to hear it of each account.
    pub(super) fn is_told_there(&self, reason: Reason) -> bool {
        let shared = |problem: &Problem| self.state == AccountState::Held || problem.reason() == Reason::LedgerMismatch;
        let problem = self.problem.filter(|problem| shared(problem));
        self.waits.into_iter().chain(problem).any(|problem| problem.reason() == reason)
    }
}

/// How many accounts of an application are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Should exist.
    pub desired: u32,
    /// Should exist and are as declared; those disabled as decided included.
    pub provisioned: u32,
    /// Pending, or not decided since start.
    pub pending: u32,
    /// Disabled as decided.
    pub disabled: u32,
    /// Not desired any more, waiting for deletion.
    pub retained: u32,
    /// Waiting in a held plan.
    pub held: u32,
    /// Refused by the target.
    pub failed: u32,
    /// Waiting for a person; those disabled at the target included.
    pub blocked: u32,
    /// Not decided since start; also counted as pending.
    pub unknown: u32,
}
