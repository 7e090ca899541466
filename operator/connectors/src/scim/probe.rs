//! What a target can do, measured by reading. ServiceProviderConfig is a hint only: it is wrong too often.

use provost_core::model::{CorrelationKey, Profile, Spent, TargetError, TargetId};
use reqwest::Method;
use serde_json::{Map, Value as Json};

use super::filter::Filter;
use super::learned::{Hint, Members};
use super::list::{has_no_list, refuses_filter};
use super::wire::{self, Resource};
use super::{ACCEPT, Scim, asked};
use crate::http::{Refusal, Request};

/// A name that nobody has.
const NOBODY: &str = "provost-probe-nobody-5b0c9d";

impl Scim {
    /// Measures the target. Sends nothing but GET.
    pub(crate) async fn probe(&self, spent: &mut Spent) -> Result<Profile, TargetError> {
        self.hints(spent).await?;
        // The first real proof: an account list that can be read.
        let users = self.sample("Users", None, 2, spent).await?;
        self.measure_filter(&users, spent).await?;
        self.measure_inactive(spent).await?;
        self.measure_groups(spent).await?;
        self.find_principal(spent).await?;
        Ok(self.profile())
    }

    /// What is known now.
    pub(super) fn profile(&self) -> Profile {
        let patch = (self.patches("Users"), self.patches("Groups"));
        let learned = self.learned();
        learned.profile(patch, self.paging, learned.bulk_operations(self.bulk), self.request_timeout)
    }

    /// The account that we log in as, where the service says it (`/Me`; RFC 7644, 3.11), or where basic credentials name
    /// one. A service without `/Me` answers 501 or 404; others answer what is no account.
    async fn find_principal(&self, spent: &mut Spent) -> Result<(), TargetError> {
        let request = Request::get(self.http.url(&["Me"])?).accept(ACCEPT).last();
        let said = match self.http.send(&request, spent).await {
            Ok(answer) => wire::resource(&answer.body).ok().filter(|me| me.get("userName").is_some()),
            Err(Refusal { status: Some(500 | 501), .. }) => None,
            Err(refusal) if matches!(refusal.status, Some(300..=400 | 402..=428 | 430..=499)) => None,
            Err(refusal) => return Err(asked(refusal, &Method::GET, &["Me"], "").into()),
        };
        let mut principal = said.and_then(|me| me.id());
        if principal.is_none()
            && let Some(name) = self.http.user()
        {
            let key = CorrelationKey { attribute: "userName".into(), value: name.into() };
            principal = self.find(&key, spent).await?.into_iter().next().map(|account| account.id);
        }
        if principal.is_some() {
            // Once known it stays known: an answer that leaves it out lifts no protection.
            self.learned().principal = principal;
        }
        Ok(())
    }

    async fn hints(&self, spent: &mut Spent) -> Result<(), TargetError> {
        let answer = match self.get(&["ServiceProviderConfig"], "", spent).await {
            Ok(answer) => answer,
            Err(refusal) => {
                return match refusal.error {
                    TargetError::NotFound | TargetError::Unsupported(_) | TargetError::Rejected { .. } => Ok(()),
                    error => Err(error),
                };
            }
        };
        if let Ok(config) = wire::resource(&answer.body) {
            self.learned().hint = hint(&config);
        }
        Ok(())
    }

    /// The first few that a filter finds, paged as the target pages.
    async fn sample(
        &self,
        kind: &str,
        filter: Option<&Filter>,
        count: usize,
        spent: &mut Spent,
    ) -> Result<Vec<Resource>, Refusal> {
        Ok(self.page(kind, filter, None, count, spent).await?.items)
    }

    /// Works: finds who is there and nobody else. An empty target proves nothing.
    async fn measure_filter(&self, users: &[Resource], spent: &mut Spent) -> Result<(), TargetError> {
        let Some(name) = users.first().and_then(|user| user.text("userName")) else { return Ok(()) };
        let mut works = true;
        for (value, expected) in [(NOBODY, false), (name.as_str(), true)] {
            match self.sample("Users", Some(&Filter::attribute("userName", value)), 2, spent).await {
                Ok(found) => works &= found.is_empty() != expected,
                // Of one value it says nothing: spaces are refused here and there.
                Err(refusal) if refuses_filter(&refusal) => works &= expected,
                Err(refusal) => return Err(refusal.into()),
            }
        }
        self.learned().filter = Some(works);
        Ok(())
    }

    /// Whether a search by name shows an account that is not active, if there is one to try it on.
    async fn measure_inactive(&self, spent: &mut Spent) -> Result<(), TargetError> {
        if self.learned().filter != Some(true) {
            return Ok(());
        }
        let found = match self.sample("Users", Some(&Filter::Is("active", false)), 1, spent).await {
            Ok(found) => found,
            Err(refusal) if refuses_filter(&refusal) => {
                self.learned().active_filter = Some(false);
                return Ok(());
            }
            Err(refusal) => return Err(refusal.into()),
        };
        let inactive = found.iter().find(|user| user.active() == Some(false));
        let Some((id, name)) = inactive.and_then(|user| Some((user.id()?, user.text("userName")?))) else {
            return Ok(());
        };
        self.learned().active_filter = Some(true);
        let shown = match self.sample("Users", Some(&Filter::attribute("userName", &name)), 2, spent).await {
            Ok(found) => found.iter().any(|user| user.id().as_ref() == Some(&id)),
            Err(refusal) if refuses_filter(&refusal) => return Ok(()),
            Err(refusal) => return Err(refusal.into()),
        };
        self.learned().inactive_hidden = Some(!shown);
        Ok(())
    }

    async fn measure_groups(&self, spent: &mut Spent) -> Result<(), TargetError> {
        let listed = match self.sample("Groups", None, 10, spent).await {
            Ok(listed) => listed,
            Err(refusal) if has_no_list(&refusal) => {
                self.learned().groups = Some(false);
                return Ok(());
            }
            Err(refusal) => return Err(refusal.into()),
        };
        self.learned().groups = Some(true);
        let groups = self.groups(&listed, spent).await?;
        let member = groups.iter().find_map(|group| Some((&group.id, group.members.as_ref()?.first()?)));
        if let Some((group, member)) = member {
            self.measure_members_filter(group, member, spent).await?;
        }
        Ok(())
    }

    /// Works: finds the group of a known member, and none for nobody.
    pub(super) async fn measure_members_filter(
        &self,
        group: &TargetId,
        member: &TargetId,
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        let mut works = true;
        for (id, expected) in [(NOBODY, false), (member.as_str(), true)] {
            let filter = Filter::equal("members.value", id);
            works &= match self.sample("Groups", Some(&filter), 100, spent).await {
                Ok(found) => found.iter().any(|found| found.id().as_ref() == Some(group)) == expected,
                Err(refusal) if refuses_filter(&refusal) => false,
                Err(refusal) => return Err(refusal.into()),
            };
        }
        self.learned().members_filter = Some(works);
        Ok(())
    }

    /// After a first membership of ours: whether, and where, it can be seen.
    pub(super) async fn measure_members(
        &self,
        group: &TargetId,
        member: &TargetId,
        spent: &mut Spent,
    ) -> Result<(), TargetError> {
        if self.learned().members.is_some() {
            return Ok(());
        }
        let Some(read) = self.resource("Groups", group, spent).await? else { return Ok(()) };
        let shown = |group: &Resource| group.members().is_some_and(|members| members.contains(member));
        let measured = if shown(&read) {
            let name = read.text("displayName").unwrap_or_default();
            let shown = |group: Resource| shown(&group).then_some(());
            match self.search("Groups", &Filter::attribute("displayName", &name), shown, spent).await {
                Ok(listed) if listed.is_empty() => Members::ByRead,
                Ok(_) => Members::Listed,
                Err(refusal) if refuses_filter(&refusal) => return Ok(()),
                Err(refusal) => return Err(refusal.into()),
            }
        } else {
            Members::Hidden
        };
        self.learned().members = Some(measured);
        self.measure_members_filter(group, member, spent).await
    }
}

fn hint(config: &Resource) -> Hint {
    let section = |name: &str| config.get(name).and_then(Json::as_object);
    let truth = |map: &Map<String, Json>, name: &str| wire::get(map, name).and_then(wire::truth);
    let number = |map: &Map<String, Json>, name: &str| {
        let number: usize = wire::get(map, name).and_then(wire::text)?.parse().ok()?;
        // Zero is what some say who set no limit.
        (number > 0).then_some(number)
    };
    Hint {
        patch: section("patch").and_then(|map| truth(map, "supported")),
        cursor: section("pagination").and_then(|map| truth(map, "cursor")),
        bulk: section("bulk").and_then(|map| truth(map, "supported")),
        bulk_operations: section("bulk").and_then(|map| number(map, "maxOperations")),
        bulk_payload: section("bulk").and_then(|map| number(map, "maxPayloadSize")),
    }
}
