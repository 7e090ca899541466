//! What is known about one target: hints it gives, what was measured by reading, and what writes have shown. Kept as
//! long as the connection, shown as the profile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use provost_core::model::{Capabilities, DeleteMeans, Observability, Profile, TargetId};

use super::Paging;

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

/// What kind of operation a bulk request holds: some services take one and not the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// POST of an account.
    Create,
    /// PATCH of an account.
    Change,
    /// PATCH of a group's members.
    Members,
}

/// What bulk requests have shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Bulk {
    /// None is sent any more.
    pub(super) refused: bool,
    /// Requests in a row that were refused as a whole.
    pub(super) refusals: u32,
    /// Which operations were seen to be carried out, and which not.
    pub(super) shapes: BTreeMap<Shape, bool>,
    /// More operations than this were too many.
    pub(super) limit: Option<usize>,
}

impl Bulk {
    pub(super) fn works(&self, shape: Shape) -> bool {
        self.shapes.get(&shape) == Some(&true)
    }

    pub(super) fn fails(&self, shape: Shape) -> bool {
        self.shapes.get(&shape) == Some(&false)
    }

    /// That many operations were too many.
    pub(super) fn smaller(&mut self, count: usize) {
        self.limit = Some(self.limit.map_or(count / 2, |limit| limit.min(count / 2)));
    }

    /// A request was refused as a whole. True: they work as a rule, and are sent again.
    pub(super) fn refused_again(&mut self) -> bool {
        self.refusals += 1;
        self.refusals < 3 && self.shapes.values().any(|works| *works)
    }

    fn words(&self, offered: bool) -> String {
        let name = |shape: &Shape| match shape {
            Shape::Create => "creates",
            Shape::Change => "updates",
            Shape::Members => "members",
        };
        let those = |works: bool| -> String {
            let shapes: Vec<&str> = self.shapes.iter().filter(|(_, is)| **is == works).map(|(s, _)| name(s)).collect();
            shapes.join(", ")
        };
        match (self.refused, offered, those(true), those(false)) {
            (true, ..) => "refused".to_owned(),
            (_, false, ..) => "not used".to_owned(),
            (_, _, works, fails) if works.is_empty() && fails.is_empty() => "offered, not measured".to_owned(),
            (_, _, works, fails) if fails.is_empty() => format!("works: {works}"),
            (_, _, works, fails) if works.is_empty() => format!("does not work: {fails}"),
            (_, _, works, fails) => format!("works: {works}; does not: {fails}"),
        }
    }
}

/// `None` is: not measured yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    /// ServiceProviderConfig says so.
    pub(super) hint: Hint,
    /// Whether PATCH works, by kind of resource: `Users`, `Groups`.
    pub(super) patch: BTreeMap<&'static str, bool>,
    pub(super) cursor: Option<bool>,
    /// Whether lists come in parts, by kind of resource, as far as that was seen.
    pub(super) index: BTreeMap<String, bool>,
    /// Pages were cut to this size.
    pub(super) page_limit: Option<usize>,
    pub(super) filter: Option<bool>,
    /// Deactivated accounts are missing from a search that does not ask for them.
    pub(super) inactive_hidden: Option<bool>,
    /// `active eq false` is understood.
    pub(super) active_filter: Option<bool>,
    pub(super) groups: Option<bool>,
    pub(super) members: Option<Members>,
    /// Groups were listed without members, before anybody's were seen.
    pub(super) without_members: bool,
    /// `members.value eq` finds groups.
    pub(super) members_filter: Option<bool>,
    /// Accounts show the groups they are in.
    pub(super) groups_on_account: bool,
    /// A member added again is stored again.
    pub(super) repeats_members: bool,
    /// `members[value eq ...]` removes.
    pub(super) member_paths: Option<bool>,
    pub(super) bulk: Bulk,
    /// The account that we log in as.
    pub(super) principal: Option<TargetId>,
    /// The version changes when the resource does.
    pub(super) etag: Option<bool>,
    /// Groups that our last write to them left empty, a create among them.
    pub(super) left_empty: BTreeSet<TargetId>,
    /// Some group came with a list that is empty: where the list is left out, it is not for that.
    pub(super) empty_shown: bool,
    /// The members of each group as last shown or written; groups without any are not in it.
    pub(super) had: BTreeMap<TargetId, BTreeSet<TargetId>>,
    /// Groups that are listed without members and were found empty, and the state that they had.
    pub(super) known_empty: BTreeMap<TargetId, String>,
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
    pub(super) bulk: Option<bool>,
    /// `maxOperations`.
    pub(super) bulk_operations: Option<usize>,
    /// `maxPayloadSize`, in bytes.
    pub(super) bulk_payload: Option<usize>,
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
    /// whether its members are shown; where none does, an account is asked about, which measures it.
    fn observability(&self) -> Observability {
        match (self.members, self.members_filter) {
            (Some(Members::Hidden), Some(true)) => Observability::Probe,
            (Some(Members::Hidden), _) => Observability::None,
            (None, None) if self.without_members => Observability::Probe,
            _ => Observability::Full,
        }
    }

    /// Whether it is not known where members are shown, and whether groups are found by them.
    pub(super) fn may_hide_members(&self) -> bool {
        self.members.is_none() && self.members_filter.is_none() && self.without_members
    }

    /// For status. `patch`: changes of accounts, and of groups, go by PATCH; `paging`: as the manifest says; `bulk`:
    /// operations in one bulk request.
    pub(super) fn profile(&self, patch: (bool, bool), paging: Paging, bulk: usize, timeout: Duration) -> Profile {
        let mut measured: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
        let mut say = |key: &str, value: &str| drop(measured.insert(key.into(), value.into()));
        say("change", change(patch, &self.patch));
        say("paging", self.paging(paging));
        say("filter", word(self.filter, "works", "ignored or refused"));
        say("inactiveInSearch", word(self.inactive_hidden.map(|hidden| !hidden), "shown", "hidden"));
        say("groups", word(self.groups, "offered", "not offered"));
        say("members", members(self.members));
        say("membersFilter", word(self.members_filter, "works", "ignored or refused"));
        say("etag", word(self.etag, "changes", "does not change"));
        say("delete", delete(self.delete));
        say("bulk", &self.bulk.words(bulk > 1));
        self.say_what_was_seen(&mut say);
        let capabilities = self.capabilities(bulk, timeout);
        Profile { measured, capabilities, principal: self.principal.clone(), changes: None }
    }

    fn paging(&self, paging: Paging) -> &'static str {
        match (paging, self.cursor) {
            (Paging::None, _) => return "one page",
            (_, Some(true)) => return "cursor",
            (Paging::Cursor, _) => return "cursor, not measured",
            _ => {}
        }
        let of = |kind: &str| self.index.get(kind).copied();
        match (of("Users"), of("Groups")) {
            (Some(true), Some(false)) => "index of accounts, none of groups",
            (Some(false), Some(true)) => "none of accounts, index of groups",
            (Some(true), _) | (_, Some(true)) => "index",
            (Some(false), _) | (_, Some(false)) => "none: all at once",
            (None, None) => "index, not measured",
        }
    }

    /// What not every service has.
    fn say_what_was_seen(&self, say: &mut impl FnMut(&str, &str)) {
        if let Some(limit) = self.page_limit {
            say("pageLimit", &limit.to_string());
        }
        if let Some(limit) = self.bulk.limit {
            say("bulkLimit", &limit.to_string());
        }
        if !self.dropped.is_empty() {
            let names: Vec<&str> = self.dropped.iter().map(String::as_str).collect();
            say("notKept", &names.join(", ").chars().take(256).collect::<String>());
        }
        for (quirk, seen) in [
            ("repeatsMembers", self.repeats_members),
            ("readsLag", self.lags),
            ("needsPassword", self.password_needed),
            ("storesRejected", self.stores_rejected),
        ] {
            if seen {
                say(quirk, "seen");
            }
        }
    }

    fn capabilities(&self, bulk: usize, request_timeout: Duration) -> Capabilities {
        Capabilities {
            member_batch: super::MEMBER_BATCH,
            step_batch: bulk.max(1),
            members: self.observability(),
            visibility: if self.lags { Duration::from_mins(1) } else { Duration::from_secs(2) },
            delete: self.delete.unwrap_or(DeleteMeans::Hard),
            disable: true,
            create_groups: self.groups != Some(false),
            request_timeout,
        }
    }
}

fn word(value: Option<bool>, yes: &'static str, no: &'static str) -> &'static str {
    match value {
        Some(true) => yes,
        Some(false) => no,
        None => "not measured",
    }
}

fn change(patch: (bool, bool), measured: &BTreeMap<&'static str, bool>) -> &'static str {
    let works = |resource: &str| measured.get(resource) == Some(&true);
    match patch {
        (true, true) if works("Users") || works("Groups") => "PATCH",
        (true, true) => "PATCH, not measured",
        (true, false) if works("Users") => "PATCH of accounts, PUT of groups",
        (false, true) if works("Groups") => "PUT of accounts, PATCH of groups",
        _ => "PUT",
    }
}

fn members(members: Option<Members>) -> &'static str {
    match members {
        Some(Members::Listed) => "listed",
        Some(Members::ByRead) => "shown by read",
        Some(Members::Hidden) => "hidden",
        None => "not measured",
    }
}

fn delete(means: Option<DeleteMeans>) -> &'static str {
    match means {
        Some(DeleteMeans::Hard) => "deletes",
        Some(DeleteMeans::Deactivate) => "deactivates",
        Some(DeleteMeans::Denied) => "refused",
        None => "not measured",
    }
}
