//! What is known about one target: hints it gives, what was measured by reading, and what writes have shown. Kept as
//! long as the connection, shown as the profile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use provost_core::model::{Capabilities, DeleteMeans, Observability, Profile, TargetId};

/// How group members can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Members {
    /// Listings hold them.
    Listed,
    /// Reading a group by id shows them, listing does not.
    ByRead,
    /// Nowhere.
    Hidden,
}

/// `None` is: not measured yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    /// ServiceProviderConfig says so.
    pub(super) hint: Hint,
    pub(super) patch: Option<bool>,
    pub(super) cursor: Option<bool>,
    /// Pages were cut to this size.
    pub(super) page_limit: Option<usize>,
    pub(super) filter: Option<bool>,
    /// Deactivated accounts are missing from a search that does not ask for them.
    pub(super) inactive_hidden: Option<bool>,
    /// `active eq false` is understood.
    pub(super) active_filter: Option<bool>,
    pub(super) groups: Option<bool>,
    pub(super) members: Option<Members>,
    /// `members.value eq` finds groups.
    pub(super) members_filter: Option<bool>,
    /// Accounts show the groups they are in.
    pub(super) groups_on_account: bool,
    /// A member added again is stored again.
    pub(super) repeats_members: bool,
    /// `members[value eq ...]` removes.
    pub(super) member_paths: Option<bool>,
    /// The version changes when the resource does.
    pub(super) etag: Option<bool>,
    /// Groups that our last write to them left empty, a create among them.
    pub(super) left_empty: BTreeSet<TargetId>,
    pub(super) delete: Option<DeleteMeans>,
    /// A created account was not there when read right after.
    pub(super) lags: bool,
    pub(super) password_needed: bool,
    /// A refused write was carried out all the same.
    pub(super) stores_rejected: bool,
    /// Attributes that were read back as written.
    pub(super) kept: BTreeSet<String>,
    /// Attributes that were accepted and not stored.
    pub(super) dropped: BTreeSet<String>,
}

/// What ServiceProviderConfig says (RFC 7643, 5; RFC 9865, 5). Never believed where it can be measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hint {
    pub(super) patch: Option<bool>,
    pub(super) cursor: Option<bool>,
}

impl Learned {
    /// An attribute was written and read back.
    pub(super) fn stuck(&mut self, name: &str, stuck: bool) {
        let set = if stuck { &mut self.kept } else { &mut self.dropped };
        set.insert(name.to_owned());
    }

    /// Whether the first write of an attribute was already read back.
    pub(super) fn verified(&self, name: &str) -> bool {
        self.kept.contains(name) || self.dropped.contains(name)
    }

    /// How completely memberships can be seen. What was not measured counts as full, and each group says by itself
    /// whether its members are shown.
    fn observability(&self) -> Observability {
        match (self.members, self.members_filter) {
            (Some(Members::Hidden), Some(true)) => Observability::Probe,
            (Some(Members::Hidden), _) => Observability::None,
            _ => Observability::Full,
        }
    }

    /// For status.
    pub(super) fn profile(&self, patch: bool, request_timeout: Duration) -> Profile {
        let word = |value: Option<bool>, yes: &'static str, no: &'static str| match value {
            Some(true) => yes,
            Some(false) => no,
            None => "not measured",
        };
        let mut measured: BTreeMap<Arc<str>, Arc<str>> = [
            (
                "change",
                if !patch {
                    "PUT"
                } else if self.patch == Some(true) {
                    "PATCH"
                } else {
                    "PATCH, not measured"
                },
            ),
            ("paging", if self.cursor == Some(true) { "cursor" } else { "index" }),
            ("filter", word(self.filter, "works", "ignored or refused")),
            ("inactiveInSearch", word(self.inactive_hidden.map(|hidden| !hidden), "shown", "hidden")),
            ("groups", word(self.groups, "offered", "not offered")),
            (
                "members",
                match self.members {
                    Some(Members::Listed) => "listed",
                    Some(Members::ByRead) => "shown by read",
                    Some(Members::Hidden) => "hidden",
                    None => "not measured",
                },
            ),
            ("membersFilter", word(self.members_filter, "works", "ignored or refused")),
            ("etag", word(self.etag, "changes", "does not change")),
            (
                "delete",
                match self.delete {
                    Some(DeleteMeans::Hard) => "deletes",
                    Some(DeleteMeans::Deactivate) => "deactivates",
                    Some(DeleteMeans::Denied) => "refused",
                    None => "not measured",
                },
            ),
        ]
        .into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
        if let Some(limit) = self.page_limit {
            measured.insert("pageLimit".into(), limit.to_string().into());
        }
        if !self.dropped.is_empty() {
            let names: Vec<&str> = self.dropped.iter().map(String::as_str).collect();
            let shown: String = names.join(", ").chars().take(256).collect();
            measured.insert("notKept".into(), shown.into());
        }
        for (quirk, seen) in [
            ("repeatsMembers", self.repeats_members),
            ("readsLag", self.lags),
            ("needsPassword", self.password_needed),
            ("storesRejected", self.stores_rejected),
        ] {
            if seen {
                measured.insert(quirk.into(), "seen".into());
            }
        }
        Profile { measured, capabilities: self.capabilities(request_timeout), principal: None }
    }

    pub(super) fn capabilities(&self, request_timeout: Duration) -> Capabilities {
        Capabilities {
            member_batch: super::MEMBER_BATCH,
            step_batch: 1,
            members: self.observability(),
            visibility: if self.lags { Duration::from_mins(1) } else { Duration::from_secs(2) },
            delete: self.delete.unwrap_or(DeleteMeans::Hard),
            disable: true,
            create_groups: self.groups != Some(false),
            request_timeout,
        }
    }
}
