//! Groups and memberships. The whole hierarchy is listed, and members of the groups that the catalogue names.

use std::collections::BTreeSet;
use std::sync::Arc;

use provost_core::model::{
    Applied, EntitlementKind, Item, ObservedEntitlement, Page, PageToken, Spent, TargetError, TargetId,
};
use reqwest::Method;
use serde_json::json;

use super::accounts::created;
use super::wire::{Count, Group, Identified};
use super::{Keycloak, no_right, path};
use crate::http::Refusal;

/// Groups in one request.
const PAGE: usize = 200;
/// Groups handed over at once, and members after which a page is full.
const HANDED: usize = 50;
const MEMBERS_HANDED: usize = 10_000;
/// Members in one request.
const PAGE_OF_MEMBERS: usize = 1000;
/// How often they are listed from the beginning before the listing counts as incomplete.
const WALKS: usize = 3;
/// More groups than this are no directory that can be held.
const MOST: usize = 100_000;

/// The group attribute that carries our mark.
const GROUP_MARK: &str = "provost";

/// A listing of groups that is handed over in pages.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    serial: u64,
    total: u64,
    nodes: Arc<[Node]>,
}

#[derive(Clone, Debug)]
struct Node {
    id: TargetId,
    /// By the names from the top down.
    path: String,
    mark: Option<Arc<str>>,
}

impl Keycloak {
    pub(super) async fn observe_groups(
        &self,
        token: Option<&PageToken>,
        spent: &mut Spent,
    ) -> Result<Page, TargetError> {
        let (tree, at) = match token {
            None => (self.list_groups(spent).await?, 0),
            Some(token) => self.listed(token)?,
        };
        let (mut items, mut handed) = (Vec::new(), 0);
        for node in tree.nodes.iter().skip(at) {
            if items.len() == HANDED || handed >= MEMBERS_HANDED {
                break;
            }
            let members = if self.wants_members(node) { Some(self.members(&node.id, spent).await?) } else { None };
            handed += members.as_ref().map_or(0, Vec::len);
            items.push(Item::Entitlement(ObservedEntitlement {
                id: node.id.clone(),
                kind: EntitlementKind::Group,
                name: node.path.as_str().into(),
                mark: node.mark.clone(),
                members,
                groups: Vec::new(),
            }));
        }
        let reached = at + items.len();
        let next = (reached < tree.nodes.len()).then(|| PageToken(format!("{}:{reached}", tree.serial).into()));
        Ok(Page { items, total: Some(tree.total), next, profile: None, elsewhere: 0 })
    }

    /// A listing under way.
    fn listed(&self, token: &PageToken) -> Result<(Tree, usize), TargetError> {
        let parts = token.0.split_once(':').and_then(|(serial, at)| Some((serial.parse().ok()?, at.parse().ok()?)));
        let (serial, at): (u64, usize) =
            parts.ok_or_else(|| TargetError::Malformed("the page token is not ours".into()))?;
        let tree = self.known().tree.clone();
        if tree.serial != serial {
            return Err(TargetError::Transient("the rest of the listing is gone; it begins again".into()));
        }
        Ok((tree, at))
    }

    /// A group that the catalogue names, or named when its id was learned.
    fn wants_members(&self, node: &Node) -> bool {
        let Some(catalogue) = &self.settings.catalogue else { return true };
        let mut known = self.known();
        if catalogue.groups.contains(&node.path) {
            known.groups.insert(node.id.clone());
        }
        known.groups.contains(&node.id)
    }

    /// Every group, from the top down.
    async fn list_groups(&self, spent: &mut Spent) -> Result<Tree, TargetError> {
        let total: Count =
            self.get(&["groups", "count"], &[], spent).await.map_err(|refusal| no_right(refusal, "view-users"))?;
        let mut nodes: Vec<Node> = Vec::new();
        let mut open: Vec<(Option<String>, String)> = vec![(None, String::new())];
        while let Some((parent, above)) = open.pop() {
            let mut first = 0;
            loop {
                let page = self.page_of_groups(parent.as_deref(), None, first, spent).await?;
                let (got, last) = (page.len(), page.len() < PAGE);
                for group in page {
                    let path = path::join(&above, &group.name);
                    if group.sub_group_count != Some(0) {
                        open.push((Some(group.id.clone()), path.clone()));
                    }
                    let mark = mark(&group);
                    nodes.push(Node { id: TargetId::new(group.id), path, mark });
                }
                if nodes.len() > MOST {
                    return Err(TargetError::Malformed(format!("the realm has more than {MOST} groups").into()));
                }
                if last {
                    break;
                }
                first += got;
            }
        }
        if nodes.is_empty() {
            self.sight(spent).await?;
        }
        let mut known = self.known();
        let tree = Tree { serial: known.tree.serial + 1, total: total.count, nodes: nodes.into() };
        known.tree = tree.clone();
        Ok(tree)
    }

    async fn page_of_groups(
        &self,
        parent: Option<&str>,
        named: Option<&str>,
        first: usize,
        spent: &mut Spent,
    ) -> Result<Vec<Group>, TargetError> {
        let (first, max) = (first.to_string(), PAGE.to_string());
        let mut query = vec![("first", first.as_str()), ("max", max.as_str()), ("briefRepresentation", "false")];
        if let Some(named) = named {
            query.extend([("search", named), ("exact", "true"), ("populateHierarchy", "false")]);
        }
        let segments = match parent {
            Some(parent) => vec!["groups", parent, "children"],
            None => vec!["groups"],
        };
        match self.get(&segments, &query, spent).await {
            // Deleted since its parent was listed.
            Err(Refusal { error: TargetError::NotFound, .. }) => Ok(Vec::new()),
            other => other.map_err(|refusal| no_right(refusal, "view-users")),
        }
    }

    /// Who is in a group itself, each once.
    async fn members(&self, group: &TargetId, spent: &mut Spent) -> Result<Vec<TargetId>, TargetError> {
        self.everybody(&["groups", group.as_str(), "members"], spent).await.map_err(|refusal| match refusal.error {
            TargetError::NotFound => TargetError::Transient("a group went while it was listed".into()),
            _ => no_right(refusal, "view-users"),
        })
    }

    /// All users below a path, each once.
    pub(super) async fn everybody(&self, segments: &[&str], spent: &mut Spent) -> Result<Vec<TargetId>, Refusal> {
        for _ in 0..WALKS {
            if let Some(all) = self.one_walk(segments, spent).await? {
                return Ok(all);
            }
        }
        Err(TargetError::Transient("members came and went while they were listed".into()).into())
    }

    /// The same, once; `None`: who came or went meanwhile has moved the others over the edge of a page. Each page begins with the
    /// last one of the page before, which shows it.
    async fn one_walk(&self, segments: &[&str], spent: &mut Spent) -> Result<Option<Vec<TargetId>>, Refusal> {
        let mut all: Vec<TargetId> = Vec::new();
        loop {
            let (from, max) = (all.len().saturating_sub(1).to_string(), PAGE_OF_MEMBERS.to_string());
            let query = [("first", from.as_str()), ("max", max.as_str()), ("briefRepresentation", "true")];
            let page: Vec<Identified> = self.get(segments, &query, spent).await?;
            let more = page.len() >= PAGE_OF_MEMBERS;
            let mut page = page.into_iter().map(|user| TargetId::new(user.id));
            if !all.is_empty() && page.next().as_ref() != all.last() {
                return Ok(None);
            }
            all.extend(page);
            if !more {
                return Ok(Some(BTreeSet::from_iter(all).into_iter().collect()));
            }
        }
    }

    /// The group under a name, of which the parent (`None`: the top) is known.
    async fn child(&self, parent: Option<&str>, name: &str, spent: &mut Spent) -> Result<Option<Group>, TargetError> {
        let mut first = 0;
        loop {
            let found = self.page_of_groups(parent, Some(name), first, spent).await?;
            let (got, last) = (found.len(), found.len() < PAGE);
            // At the top the search goes through all that is below.
            let here = |group: &Group| group.name == name && (parent.is_some() || group.parent_id.is_none());
            let found = found.into_iter().find(here);
            if found.is_some() || last {
                return Ok(found);
            }
            first += got;
        }
    }

    /// The name of a group and its parent's id.
    async fn place(&self, path: &str, spent: &mut Spent) -> Result<(Option<String>, String), TargetError> {
        let names = path::split(path).ok_or_else(|| {
            rejected(format!("{path:?} is no group path: names joined by slashes, as in engineering/platform"))
        })?;
        let (mut parent, mut above) = (None, String::new());
        let mut names = names.into_iter().peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                return Ok((parent, name));
            }
            above = path::join(&above, &name);
            let found = self.child(parent.as_deref(), &name, spent).await?;
            let text = || {
                format!(
                    "its parent group {above} is not there; create it, or name it in the catalogue with create: true"
                )
            };
            parent = Some(found.ok_or_else(|| rejected(text()))?.id);
        }
        Err(TargetError::NotFound)
    }

    pub(super) async fn create_group(&self, name: &str, mark: &str, spent: &mut Spent) -> Result<Applied, TargetError> {
        let (parent, last) = self.place(name, spent).await?;
        let body = json!({"name": last, "attributes": {GROUP_MARK: [mark]}});
        let segments = match &parent {
            Some(parent) => vec!["groups", parent, "children"],
            None => vec!["groups"],
        };
        let id = match self.write(Method::POST, &segments, Some(&body), spent).await {
            Ok(answer) => created(&answer)?,
            Err(refusal) if matches!(refusal.status, Some(400 | 409)) => {
                match self.child(parent.as_deref(), &last, spent).await? {
                    Some(group) if self::mark(&group).as_deref() == Some(mark) => TargetId::new(group.id),
                    Some(_) => return Err(TargetError::Conflict),
                    None => return Err(self.refused(refusal)),
                }
            }
            Err(refusal) => return Err(self.refused(refusal)),
        };
        self.known().groups.insert(id.clone());
        Ok(Applied { id: Some(id), ..Applied::default() })
    }

    /// A new name in the same place: moving a group would change what its members inherit.
    pub(super) async fn rename_group(
        &self,
        id: &TargetId,
        name: &str,
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        let (parent, last) = self.place(name, spent).await?;
        let group = self.group(id, spent).await?.ok_or(TargetError::NotFound)?;
        if group.parent_id != parent {
            return Err(TargetError::Unsupported("a group is renamed in its place, and not moved".into()));
        }
        if group.name != last {
            let put = self.write(Method::PUT, &["groups", id.as_str()], Some(&json!({"name": last})), spent).await;
            put.map_err(|refusal| self.refused(refusal))?;
        }
        Ok(Applied::default())
    }

    /// Keycloak deletes what is below a group with it: only one that has nothing below goes.
    pub(super) async fn delete_group(&self, id: &TargetId, spent: &mut Spent) -> Result<Applied, TargetError> {
        let Some(group) = self.group(id, spent).await? else { return Ok(Applied::default()) };
        if group.sub_group_count != Some(0) {
            return Err(rejected("the group has groups below it, which would be deleted with it".to_owned()));
        }
        match self.write(Method::DELETE, &["groups", id.as_str()], None, spent).await {
            Ok(_) | Err(Refusal { error: TargetError::NotFound, .. }) => Ok(Applied::default()),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    async fn group(&self, id: &TargetId, spent: &mut Spent) -> Result<Option<Group>, TargetError> {
        match self.get(&["groups", id.as_str()], &[], spent).await {
            Ok(group) => Ok(Some(group)),
            Err(Refusal { error: TargetError::NotFound, .. }) => Ok(None),
            Err(refusal) => Err(no_right(refusal, "view-users")),
        }
    }

    /// Puts users into a group (PUT) or takes them out (DELETE), one request each; both can be repeated.
    pub(super) async fn set_members(
        &self,
        method: Method,
        group: &TargetId,
        members: &[TargetId],
        spent: &mut Spent,
    ) -> Result<Applied, TargetError> {
        for member in members {
            let segments = ["users", member.as_str(), "groups", group.as_str()];
            let answer = self.write(method.clone(), &segments, None, spent).await;
            answer.map_err(|refusal| self.refused(refusal))?;
        }
        Ok(Applied::default())
    }
}

fn mark(group: &Group) -> Option<Arc<str>> {
    group.attributes.as_ref()?.get(GROUP_MARK)?.first().map(|mark| mark.as_str().into())
}

fn rejected(reason: String) -> TargetError {
    TargetError::Rejected { field: None, reason: reason.into(), detail: "".into() }
}
