//! What is said between the core and a connector. Connectors never retry and never decide.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AttributeName, Attributes, EntitlementKind, Spelling, TargetId, Value};

/// What a connector is, known offline: needed to plan before the target was ever reached.
#[derive(Debug)]
pub struct Schema {
    /// The default mapping: attribute at the target, CEL source, when it is written.
    pub mapping: &'static [(&'static str, &'static str)],
    /// Attributes that hold a reference to another account (manager): the value is that account's id.
    pub references: &'static [&'static str],
    /// Attributes that can never be mapped (passwords, enabled flags, membership, admin rights), in none of their spellings.
    pub control: &'static [&'static str],
    /// Which spellings of a name are the same.
    pub spelling: Spelling,
    /// Attributes compared without case (RFC 7643 `caseExact: false`).
    pub case_insensitive: &'static [&'static str],
    /// The attribute that carries our mark, if the target has one meant for it.
    pub mark: Option<&'static str>,
    /// The attribute that names the account for people (`userName`); a change of it is a rename.
    pub user_name: &'static str,
    /// The attribute of the strong key, if any (`externalId`).
    pub external_id: Option<&'static str>,
    /// The attribute that an account has while the target itself protects it; such a one is never written to.
    pub protection: Option<&'static str>,
    /// Which kinds of entitlement it knows.
    pub entitlements: &'static [EntitlementKind],
    /// Names of groups are paths: who is in a group has what the groups above it have, too.
    pub paths: bool,
    /// Default time between full observations.
    pub interval: Duration,
}

/// What a target can do, as measured by the probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Members in one AddMembers or RemoveMembers.
    pub member_batch: usize,
    /// Steps in one `apply`.
    pub step_batch: usize,
    /// How completely memberships can be seen.
    pub members: Observability,
    /// How long after a write a read may still show the state before it.
    pub visibility: Duration,
    /// What DELETE on an account does.
    pub delete: DeleteMeans,
    /// Whether accounts can be disabled.
    pub disable: bool,
    /// Whether group objects can be created and deleted.
    pub create_groups: bool,
    /// The longest a request may take before its answer counts as lost.
    pub request_timeout: Duration,
}

/// How completely memberships can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observability {
    /// Listings hold every member.
    Full,
    /// A single membership can be asked for.
    Probe,
    /// Not at all: an empty list says nothing.
    None,
}

/// What DELETE on an account does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeleteMeans {
    /// The account is gone.
    Hard,
    /// The account is deactivated.
    Deactivate,
    /// The target refuses.
    Denied,
}

/// The answer of a probe: measured quirks for status, and what follows from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// For `status.profile`: at most 64 short texts.
    pub measured: std::collections::BTreeMap<Arc<str>, Arc<str>>,
    /// What follows.
    pub capabilities: Capabilities,
    /// The id of the operator's own principal at the target, where it can be known: always protected.
    pub principal: Option<TargetId>,
    /// From where it tells what has changed; `None`: listings alone show that.
    pub changes: Option<Cursor>,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Accounts.
    Accounts,
    /// Groups, with members where the target shows them.
    Groups,
    /// Roles with their assignees.
    Roles,
    /// Licences with their holders.
    Licenses,
}

/// Where a listing goes on; opaque to the core. `None` is the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageToken(pub Arc<str>);

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most 500.
    pub items: Vec<Item>,
    /// The total the target claims, if it does.
    pub total: Option<u64>,
    /// Where it goes on; `None`: this was the last page.
    pub next: Option<PageToken>,
    /// What is known of the target by now, where that may be more than its probe told: writes teach too.
    pub profile: Option<Box<Profile>>,
    /// Parts of the list that other servers hold, which are not asked.
    pub elsewhere: usize,
}

/// A moment from which a target tells what has changed; opaque to the core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(pub Arc<str>);

/// What was touched since a cursor, by whomever: a part of what a listing would show, which says nothing of the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// As they are now.
    pub items: Vec<Item>,
    /// Ids of what is said to be gone, as far as the target tells; some may be nothing of ours.
    pub gone: Vec<TargetId>,
    /// Nothing was left out: false where it is too much, or where the cursor says nothing to the target.
    pub whole: bool,
    /// From where to ask on.
    pub next: Cursor,
}

/// One listed thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An account.
    Account(Observed),
    /// A group, role or licence.
    Entitlement(ObservedEntitlement),
}

/// An account as the target shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Its immutable id.
    pub id: TargetId,
    /// Whether it can be used to log in.
    pub enabled: bool,
    /// Attributes, named and shaped as the connector's schema maps them; unmapped ones may be left out.
    pub attributes: Attributes,
    /// What it holds, where the target shows that on the account (`groups` in SCIM); `None`: not shown here.
    pub holds: Option<Vec<TargetId>>,
}

impl Observed {
    /// A text attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Value::as_text)
    }
}

/// A group, role or licence as the target shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedEntitlement {
    /// Its immutable id.
    pub id: TargetId,
    /// Group, role or licence.
    pub kind: EntitlementKind,
    /// Its name.
    pub name: Arc<str>,
    /// Our key on it, where it carries one.
    pub mark: Option<Arc<str>>,
    /// Members by account id; `None`: not shown (never means empty).
    pub members: Option<Vec<TargetId>>,
    /// Groups within it, where the target tells them from accounts; else their ids are among the members.
    pub groups: Vec<TargetId>,
}

/// One attribute and the value to look for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CorrelationKey {
    /// At the target.
    pub attribute: AttributeName,
    /// Never empty.
    pub value: Arc<str>,
}

/// One write at a target. Safe to repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A new account.
    CreateAccount {
        /// Every mapped attribute that has a value; the mark included.
        attributes: Attributes,
        /// Whether it can be used at once.
        enabled: bool,
        /// Give it a random password, kept nowhere.
        password: bool,
    },
    /// Set (or, with Null, clear) attributes.
    UpdateAccount {
        /// Which.
        id: TargetId,
        /// Only what differs.
        set: Attributes,
    },
    /// The same, where the name of the account is among them.
    RenameAccount {
        /// Which.
        id: TargetId,
        /// Only what differs.
        set: Attributes,
    },
    /// Let it be used.
    EnableAccount {
        /// Which.
        id: TargetId,
    },
    /// Keep it from being used, and end its sessions where the target has any.
    DisableAccount {
        /// Which.
        id: TargetId,
    },
    /// Delete it.
    DeleteAccount {
        /// Which.
        id: TargetId,
    },
    /// A new group.
    CreateGroup {
        /// Its name.
        name: Arc<str>,
        /// Our key on it.
        mark: Arc<str>,
    },
    /// Rename a group.
    UpdateGroup {
        /// Which.
        id: TargetId,
        /// Its name.
        name: Arc<str>,
    },
    /// Delete a group.
    DeleteGroup {
        /// Which.
        id: TargetId,
    },
    /// Add accounts to a group.
    AddMembers {
        /// The group.
        group: TargetId,
        /// Accounts; at most `member_batch`.
        members: Vec<TargetId>,
    },
    /// Remove accounts from a group.
    RemoveMembers {
        /// The group.
        group: TargetId,
        /// Accounts; at most `member_batch`.
        members: Vec<TargetId>,
    },
    /// Assign a role or licence.
    Assign {
        /// Role or licence.
        kind: EntitlementKind,
        /// Which.
        entitlement: TargetId,
        /// To whom.
        account: TargetId,
    },
    /// Revoke a role or licence.
    Revoke {
        /// Role or licence.
        kind: EntitlementKind,
        /// Which.
        entitlement: TargetId,
        /// From whom.
        account: TargetId,
    },
}

impl Step {
    /// The names of all steps.
    pub const NAMES: [&str; 13] = [
        "CreateAccount",
        "UpdateAccount",
        "RenameAccount",
        "EnableAccount",
        "DisableAccount",
        "DeleteAccount",
        "CreateGroup",
        "UpdateGroup",
        "DeleteGroup",
        "AddMembers",
        "RemoveMembers",
        "Assign",
        "Revoke",
    ];

    /// As plans, status and journal name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateAccount { .. } => "CreateAccount",
            Self::UpdateAccount { .. } => "UpdateAccount",
            Self::RenameAccount { .. } => "RenameAccount",
            Self::EnableAccount { .. } => "EnableAccount",
            Self::DisableAccount { .. } => "DisableAccount",
            Self::DeleteAccount { .. } => "DeleteAccount",
            Self::CreateGroup { .. } => "CreateGroup",
            Self::UpdateGroup { .. } => "UpdateGroup",
            Self::DeleteGroup { .. } => "DeleteGroup",
            Self::AddMembers { .. } => "AddMembers",
            Self::RemoveMembers { .. } => "RemoveMembers",
            Self::Assign { .. } => "Assign",
            Self::Revoke { .. } => "Revoke",
        }
    }
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The id of what was created.
    pub id: Option<TargetId>,
    /// The account as the target answered it, where it did.
    pub observed: Option<Observed>,
    /// The account has another name now, and the target's references to it hold names: those to the old one lead nowhere,
    /// unless the target carried them on by itself.
    pub moved: bool,
}

/// What a reply cost and until when the target asked to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Requests that were sent.
    pub requests: u32,
    /// Wait this long before the next one, if the target said so.
    pub wait: Option<Duration>,
}

/// Why a target did not do what was asked, named by what happens next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Try again with backoff: 5xx, an answer that broke off.
    #[error("the target is unreachable or failing: {0}")]
    Transient(Arc<str>),
    /// The same, where no connection could be made: it is about the target and not about what was asked.
    #[error("the target cannot be reached: {0}")]
    Unreachable(Arc<str>),
    /// Try again after this long.
    #[error("the target asks to wait")]
    RateLimited {
        /// What it asked for, if it said.
        retry_after: Option<Duration>,
    },
    /// The credentials are not accepted.
    #[error("the target does not accept the credentials: {0}")]
    Unauthorized(Arc<str>),
    /// The certificate is not trusted, or TLS was refused.
    #[error("TLS failed: {0}")]
    Tls(Arc<str>),
    /// The Secret that should hold a credential, or its key, is not there.
    #[error("{0}")]
    SecretNotFound(Arc<str>),
    /// The Secret does not allow this host, or the address may not be reached.
    #[error("{0}")]
    HostNotAllowed(Arc<str>),
    /// Another TargetApplication manages this target.
    #[error("{0}")]
    Claimed(Arc<str>),
    /// The target said no to this item.
    #[error("the target rejects it: {reason}")]
    Rejected {
        /// The attribute it names, if any.
        field: Option<AttributeName>,
        /// Our words and the HTTP code; the target's own are in `detail`.
        reason: Arc<str>,
        /// The target's words, 256 characters, scrubbed: for the journal alone.
        detail: Arc<str>,
    },
    /// Something with this key is there already.
    #[error("the target already has one with this key")]
    Conflict,
    /// It is not there.
    #[error("the target does not have it")]
    NotFound,
    /// The target cannot do this at all.
    #[error("the target cannot do this: {0}")]
    Unsupported(Arc<str>),
    /// The answer never came: look before repeating.
    #[error("the answer was lost: {0}")]
    Lost(Arc<str>),
    /// The answer is not what the protocol says: 200 with an empty body, a page that repeats.
    #[error("the answer makes no sense: {0}")]
    Malformed(Arc<str>),
    /// One of several steps, after one that found the target out of reach or was told to wait: it goes out again.
    #[error("it was not asked, after what was answered before it")]
    NotAsked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_among_the_names() {
        // What is read by serde names all that there could have been.
        let error = serde_json::from_str::<Step>("{\"None\":{}}").unwrap_err().to_string();
        let named: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(named, Step::NAMES, "{error}");
        let step = Step::DeleteAccount { id: TargetId::new("1") };
        assert!(Step::NAMES.contains(&step.name()));
    }
}
