use axum::http::request::Parts;
use serde_json::{Map, Value as Json, json};

use super::patch::{Refused, operation};
use super::query::{Filter, filter, matches, parameter};
use super::switches::Switches;
use crate::servers::TOKEN;

type Resource = Map<String, Json>;

/// What the server holds and how it behaves.
#[derive(Debug)]
pub struct Service {
    /// How it misbehaves.
    pub switches: Switches,
    /// Accounts, as stored.
    pub users: Vec<Resource>,
    /// Groups, as stored.
    pub groups: Vec<Resource>,
    /// `METHOD /path?query`, as they came.
    pub requests: Vec<String>,
    /// Headers `If-Match` that came.
    pub if_match: Vec<String>,
    /// The header `Authorization` that came last.
    pub authorization: String,
    /// How many requests were refused for it.
    pub refused: usize,
    /// Tokens that were given out; the last one is good.
    pub tokens: u64,
    made: u64,
}

/// An answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(status: u16, json: &Json) -> Self {
        Self { status, headers: Vec::new(), body: json.to_string() }
    }

    pub(super) fn refused((status, kind, detail): Refused) -> Self {
        let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
        let mut json = json!({"schemas": [schema], "status": status.to_string(), "detail": detail});
        if !kind.is_empty() {
            json["scimType"] = kind.into();
        }
        Self::json(status, &json)
    }
}

impl Service {
    pub(super) fn new(switches: Switches) -> Self {
        let (users, groups, requests, if_match) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self {
            switches,
            users,
            groups,
            requests,
            if_match,
            authorization: String::new(),
            refused: 0,
            tokens: 0,
            made: 0,
        }
    }

    /// Adds an account behind everybody's back; returns its id.
    pub fn add_user(&mut self, name: &str, active: bool) -> String {
        let user = json!({"schemas": [], "userName": name, "active": active});
        self.store("Users", user.as_object().expect("an object").clone())["id"].as_str().expect("an id").to_owned()
    }

    /// Adds a group behind everybody's back; returns its id.
    pub fn add_group(&mut self, name: &str, members: &[String]) -> String {
        let members: Vec<Json> = members.iter().map(|id| json!({"value": id})).collect();
        let group = json!({"schemas": [], "displayName": name, "members": members});
        self.store("Groups", group.as_object().expect("an object").clone())["id"].as_str().expect("an id").to_owned()
    }

    /// A stored resource.
    pub fn stored(&self, id: &str) -> Json {
        let found = self.users.iter().chain(&self.groups).find(|resource| resource["id"] == id);
        found.map_or(Json::Null, |resource| Json::Object(resource.clone()))
    }

    pub(super) fn handle(&mut self, parts: &Parts, body: &[u8]) -> Answer {
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default();
        let asked = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
        self.requests.push(format!("{} {asked}", parts.method));
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if let Some(status) = self.switches.tokens_refused.filter(|_| path == "/token") {
            return Answer::refused((status, "", "not now".to_owned()));
        }
        if path == "/token" {
            return self.token(header("authorization"), &String::from_utf8_lossy(body));
        }
        header("authorization").clone_into(&mut self.authorization);
        if !self.accepts(header("authorization")) {
            self.refused += 1;
            return Answer::refused((401, "", "who are you?".to_owned()));
        }
        if let Some((status, wait, body)) = self.switches.answer {
            let headers = wait.map(|wait| ("retry-after", wait.to_owned())).into_iter().collect();
            return Answer { status, headers, body: body.to_owned() };
        }
        if let Some(status) = self.switches.groups_refused.filter(|_| path == "/scim/Groups") {
            return Answer::refused((status, "", "not now".to_owned()));
        }
        if !header("if-match").is_empty() {
            self.if_match.push(header("if-match").to_owned());
        }
        let url = reqwest::Url::parse(&format!("http://x{path}")).expect("a path");
        let segments: Vec<String> = url
            .path_segments()
            .expect("segments")
            .map(|segment| parameter(&format!("x={segment}"), "x").expect("text"))
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let answer = match (parts.method.as_str(), segments.as_slice()) {
            ("GET", ["scim", "ServiceProviderConfig"]) => self.config(),
            ("GET", ["scim", "Me"]) => self.me(),
            ("POST", ["scim", "Bulk"]) => self.bulk(body),
            ("GET", ["scim", kind @ ("Users" | "Groups")]) => self.list(kind, query),
            ("POST", ["scim", kind @ ("Users" | "Groups")]) => self.create(kind, body),
            (method, ["scim", kind @ ("Users" | "Groups"), id]) => self.one(method, kind, id, header("if-match"), body),
            _ => Err((404, "", "no such endpoint".to_owned())),
        };
        answer.unwrap_or_else(Answer::refused)
    }

    fn accepts(&self, authorization: &str) -> bool {
        match (self.switches.basic, self.switches.tokens_last) {
            (Some(encoded), _) => authorization == format!("Basic {encoded}"),
            (None, Some(_)) => authorization == format!("Bearer issued-{}", self.tokens),
            (None, None) => {
                let is = |token: &str| authorization == format!("Bearer {token}");
                is(self.switches.token.unwrap_or(TOKEN)) || self.switches.also_token.is_some_and(is)
            }
        }
    }

    fn token(&mut self, authorization: &str, body: &str) -> Answer {
        // provost:canary-token-7f3a in base64.
        let client = self.switches.client.unwrap_or("cHJvdm9zdDpjYW5hcnktdG9rZW4tN2YzYQ==");
        let known = authorization == format!("Basic {client}");
        let asked = parameter(body, "grant_type").as_deref() == Some("client_credentials");
        if !known || !asked {
            return Answer::json(401, &json!({"error": "invalid_client"}));
        }
        self.tokens += 1;
        let token = format!("issued-{}", self.tokens);
        Answer::json(
            200,
            &json!({"access_token": token, "token_type": "Bearer", "expires_in": self.switches.tokens_last}),
        )
    }

    fn config(&self) -> Result<Answer, Refused> {
        if self.switches.no_config {
            return Err((404, "", "no such endpoint".to_owned()));
        }
        let on = &self.switches;
        Ok(Answer::json(
            200,
            &json!({"patch": {"supported": true}, "filter": {"supported": true, "maxResults": 1000},
                "pagination": {"cursor": on.cursor, "index": !on.cursor}, "bulk": {
                    "supported": on.bulk.is_some(), "maxOperations": on.bulk.unwrap_or(0), "maxPayloadSize": 1_048_576}}),
        ))
    }

    fn list(&mut self, kind: &str, query: &str) -> Result<Answer, Refused> {
        let (answer, next) = self.page(kind, query)?;
        if let (Some(next), Some(count)) = (next, self.switches.deleted_meanwhile) {
            self.all_mut(kind).drain(..count.min(next));
        }
        Ok(answer)
    }

    /// A page, and where the next one begins.
    fn page(&self, kind: &str, query: &str) -> Result<(Answer, Option<usize>), Refused> {
        let on = &self.switches;
        let filter = match parameter(query, "filter") {
            Some(text) if !on.filter_ignored => Some(self.filter(&text)?),
            _ => None,
        };
        let asks_for_inactive = filter.iter().flatten().any(|(path, _)| path == "active");
        let found: Vec<&Resource> = self
            .all(kind)
            .iter()
            .filter(|resource| filter.as_ref().is_none_or(|filter| matches(resource, filter)))
            .filter(|resource| {
                !(on.inactive_hidden
                    && filter.is_some()
                    && !asks_for_inactive
                    && resource.get("active") == Some(&json!(false)))
            })
            .collect();
        let number = |name: &str| parameter(query, name).and_then(|text| text.parse::<usize>().ok());
        let count = number("count").unwrap_or(100).min(on.page_limit.unwrap_or(usize::MAX));
        let mut answer =
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": found.len()});
        let count = count.max(on.smallest_page.unwrap_or(0));
        let (start, count) = if on.no_paging || on.no_paging_of == Some(kind) {
            (0, found.len())
        } else if on.cursor {
            let cursor = parameter(query, "cursor").ok_or((400, "invalidValue", "page by cursor".to_owned()))?;
            let start = if cursor.is_empty() {
                0
            } else {
                cursor.strip_prefix("c/=").and_then(|c| c.parse().ok()).ok_or((400, "invalidCursor", String::new()))?
            };
            if start + count < found.len() {
                answer["nextCursor"] = format!("c/={}", start + count).into();
            }
            (start, count)
        } else if parameter(query, "cursor").is_some() {
            return Err((501, "", "no cursors here".to_owned()));
        } else {
            (number("startIndex").filter(|_| !on.start_ignored).unwrap_or(1).max(1) - 1, count)
        };
        let page: Vec<Json> =
            found.iter().skip(start).take(count).map(|resource| self.shown(kind, resource, true)).collect();
        let next = Some(start + page.len()).filter(|next| *next < found.len());
        if on.sloppy {
            let page = if page.len() == 1 { page[0].clone() } else { page.into() };
            return Ok((Answer::json(200, &json!({"TotalResults": found.len().to_string(), "resources": page})), next));
        }
        answer["Resources"] = page.into();
        Ok((Answer::json(200, &answer), next))
    }

    fn filter(&self, text: &str) -> Result<Filter, Refused> {
        let on = &self.switches;
        let mut filter = filter(text).filter(|_| !on.filter_refused).ok_or((400, "invalidFilter", text.to_owned()))?;
        for (_, value) in filter.iter_mut().filter(|(_, value)| on.escapes_kept && value.is_string()) {
            let text = value.to_string();
            *value = text[1..text.len() - 1].into();
        }
        let spaces = filter.iter().any(|(_, value)| value.as_str().is_some_and(|value| value.contains(' ')));
        let members = filter.iter().any(|(path, _)| path == "members.value");
        if (on.no_spaces_in_filters && spaces) || (on.no_members_filter && members) {
            return Err((400, "invalidFilter", text.to_owned()));
        }
        Ok(filter)
    }

    pub(super) fn create(&mut self, kind: &str, body: &[u8]) -> Result<Answer, Refused> {
        let mut resource = object(body)?;
        if let Some(words) = self.switches.create_refused {
            return Err((400, "invalidValue", words.replace("{}", &self.authorization)));
        }
        if kind == "Users" && self.switches.needs_password && resource.get("password").is_none() {
            return Err((400, "invalidValue", "Password is required".to_owned()));
        }
        self.unique(kind, &resource, None)?;
        let asked = resource.clone();
        resource.remove("password");
        if kind == "Users" {
            let on = &self.switches;
            for lost in &on.lost_on_create {
                resource.remove(*lost);
            }
            if on.created_active {
                resource.insert("active".into(), true.into());
            }
            if on.names_folded {
                fold(&mut resource);
            }
        }
        if let Some(title) = resource.get("title").and_then(Json::as_str).filter(|_| self.switches.titles_in_capitals) {
            resource.insert("title".into(), title.to_uppercase().into());
        }
        let lies = kind == "Users" && !self.switches.lost_on_create.is_empty();
        let stored = self.store(kind, resource).clone();
        let mut shown = self.shown(kind, &stored, false);
        if lies {
            shown = Json::Object(asked);
            shown["id"] = stored["id"].clone();
        }
        let mut answer = Answer::json(if self.switches.sloppy { 200 } else { 201 }, &shown);
        answer
            .headers
            .push(("location", format!("http://x/scim/{kind}/{}", stored["id"].as_str().unwrap_or_default())));
        Ok(answer)
    }

    pub(super) fn one(
        &mut self,
        method: &str,
        kind: &str,
        id: &str,
        if_match: &str,
        body: &[u8],
    ) -> Result<Answer, Refused> {
        let at = self.all(kind).iter().position(|resource| resource["id"] == id);
        let at = at.ok_or((404, "", format!("no {id}")))?;
        let before = self.all(kind)[at].clone();
        if !if_match.is_empty() && (self.switches.version_stands_still || before["meta"]["version"] != if_match) {
            return Err((412, "", "another version".to_owned()));
        }
        match method {
            "GET"
                if ["userName", "displayName"].iter().any(|name| {
                    self.switches.protected.is_some_and(|protected| before.get(*name) == Some(&json!(protected)))
                }) =>
            {
                Err((403, "", "protected".to_owned()))
            }
            "GET" => Ok(Answer::json(200, &self.shown(kind, &before, false))),
            "PUT" => {
                let mut after = object(body)?;
                self.unique(kind, &after, Some(id))?;
                for kept in ["id", "meta"] {
                    after.insert(kept.into(), before[kept].clone());
                }
                if self.switches.put_keeps_members && kind == "Groups" {
                    after.insert("members".into(), before.get("members").cloned().unwrap_or_else(|| json!([])));
                }
                Ok(self.replace(kind, at, after))
            }
            "PATCH" if self.switches.patch_refused.is_some() => {
                Err((self.switches.patch_refused.unwrap_or_default(), "", "refused".to_owned()))
            }
            "PATCH" if self.switches.no_patch || self.switches.no_patch_of == Some(kind) => {
                Err((501, "", "no PATCH here".to_owned()))
            }
            "PATCH" => self.patch(kind, at, &before, body),
            "DELETE" if self.switches.delete_refused => Err((405, "", "no DELETE here".to_owned())),
            "DELETE" => {
                if kind == "Users" && self.switches.delete_deactivates {
                    self.users[at].insert("active".into(), false.into());
                } else {
                    self.all_mut(kind).remove(at);
                    self.forget(id);
                }
                Ok(Answer { status: 204, ..Answer::default() })
            }
            _ => Err((405, "", method.to_owned())),
        }
    }

    fn patch(&mut self, kind: &str, at: usize, before: &Resource, body: &[u8]) -> Result<Answer, Refused> {
        let members = before.get("members").and_then(Json::as_array).map_or(0, Vec::len);
        if self.switches.group_limit.is_some_and(|limit| members >= limit) {
            return Err((400, "tooMany", "the group is too large to PATCH".to_owned()));
        }
        let mut after = before.clone();
        let body = object(body)?;
        for one in
            body.get("Operations").and_then(Json::as_array).ok_or((400, "invalidSyntax", "Operations".to_owned()))?
        {
            operation(&mut after, one, &self.switches)?;
        }
        self.unique(kind, &after, before["id"].as_str())?;
        if self.switches.refused_is_stored && after.get("title") == Some(&json!("refused")) {
            self.replace(kind, at, after);
            return Err((400, "invalidValue", "title is refused".to_owned()));
        }
        if self.switches.names_folded {
            fold(&mut after);
        }
        let answer = self.replace(kind, at, after);
        Ok(if self.switches.sloppy { Answer { status: 204, ..Answer::default() } } else { answer })
    }

    fn replace(&mut self, kind: &str, at: usize, mut after: Resource) -> Answer {
        self.made += 1;
        if !self.switches.version_stands_still && after["meta"].get("version").is_some() {
            after["meta"]["version"] = format!("W/\"{}\"", self.made).into();
        }
        let answer = Answer::json(200, &self.shown(kind, &after, false));
        self.all_mut(kind)[at] = after;
        answer
    }

    fn store(&mut self, kind: &str, mut resource: Resource) -> &Resource {
        self.made += 1;
        resource.insert("id".into(), format!("{}-{}", kind.to_lowercase(), self.made).into());
        resource.insert("meta".into(), json!({"resourceType": kind.trim_end_matches('s')}));
        if !self.switches.no_versions {
            resource["meta"]["version"] = format!("W/\"{}\"", self.made).into();
        }
        self.all_mut(kind).push(resource);
        self.all(kind).last().expect("it was pushed")
    }

    pub(super) fn shown(&self, kind: &str, resource: &Resource, listed: bool) -> Json {
        let (on, mut shown) = (&self.switches, resource.clone());
        let members = resource.get("members").and_then(Json::as_array).map_or(0, Vec::len);
        let too_long = |limit: Option<usize>| limit.is_some_and(|limit| members >= limit);
        let left_out = too_long(on.members_left_out) || (listed && too_long(on.members_left_out_of_lists));
        if on.members_hidden || left_out || (on.members_not_listed && listed) {
            shown.remove("members");
        }
        if kind == "Users" && !on.no_groups_on_accounts {
            let groups: Vec<Json> = self
                .groups
                .iter()
                .filter(|group| holds(group, &resource["id"]))
                .map(|group| json!({"value": group["id"], "display": group["displayName"]}))
                .collect();
            shown.insert("groups".into(), groups.into());
        }
        if on.empty_left_out {
            shown.retain(|_, value| value != &json!([]));
        }
        if on.sloppy {
            if let Some(active) = shown.remove("active") {
                shown.insert("Active".into(), if active == json!(true) { "True".into() } else { "False".into() });
            }
            shown.remove("schemas");
            for name in ["userName", "emails", "members", "name"] {
                if let Some(value) = shown.remove(name) {
                    let value = match value {
                        Json::Array(items) if items.len() == 1 => items[0].clone(),
                        other => other,
                    };
                    shown.insert(name.to_uppercase(), value);
                }
            }
        }
        Json::Object(shown)
    }

    fn unique(&self, kind: &str, resource: &Resource, id: Option<&str>) -> Result<(), Refused> {
        if kind == "Groups" {
            return Ok(());
        }
        let name = resource.get("userName").and_then(Json::as_str).unwrap_or_default().to_lowercase();
        let taken = self.users.iter().any(|user| {
            user["id"].as_str() != id && user["userName"].as_str().is_some_and(|held| held.to_lowercase() == name)
        });
        if taken { Err((409, "uniqueness", "the userName is taken".to_owned())) } else { Ok(()) }
    }

    fn forget(&mut self, id: &str) {
        for group in &mut self.groups {
            if let Some(members) = group.get_mut("members").and_then(Json::as_array_mut) {
                members.retain(|member| member["value"] != id);
            }
        }
    }

    fn all(&self, kind: &str) -> &Vec<Resource> {
        if kind == "Users" { &self.users } else { &self.groups }
    }

    fn all_mut(&mut self, kind: &str) -> &mut Vec<Resource> {
        if kind == "Users" { &mut self.users } else { &mut self.groups }
    }
}

pub(super) fn object(body: &[u8]) -> Result<Resource, Refused> {
    serde_json::from_slice(body).map_err(|error| (400, "invalidSyntax", error.to_string()))
}

fn holds(group: &Resource, id: &Json) -> bool {
    group
        .get("members")
        .and_then(Json::as_array)
        .is_some_and(|members| members.iter().any(|member| &member["value"] == id))
}

fn fold(resource: &mut Resource) {
    if let Some(name) = resource.get("userName").and_then(Json::as_str).map(str::to_lowercase) {
        resource.insert("userName".into(), name.into());
    }
}
