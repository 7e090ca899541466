use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Gate;
use crate::servers::{Counting, Program, Running, TOKEN};

/// What is asked for in one page: scim2-server serves as many.
const PAGE: usize = 500;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// scim2-server, behind a proxy that counts, behind a gate.
#[derive(Debug)]
pub struct Target {
    server: Running,
    counting: Counting,
    /// What the operator sees.
    pub gate: Gate,
    client: reqwest::Client,
}

/// An account at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The target's.
    pub id: String,
    /// The key of who owns it.
    pub external_id: String,
    /// Whether it can be used.
    pub active: bool,
    /// The title.
    pub title: String,
    /// The first e-mail address.
    pub email: String,
    /// The id of the manager's account.
    pub manager: String,
}

/// All that is at a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// By user name.
    pub accounts: BTreeMap<String, Account>,
    /// Group names, and the user names in them.
    pub groups: BTreeMap<String, BTreeSet<String>>,
}

impl Target {
    /// Starts it.
    pub async fn start() -> Self {
        let server = Program::scim2_server().require().start().await;
        let counting = Counting::before(&server).await;
        let gate = Gate::before(counting.address()).await;
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { server, counting, gate, client }
    }

    /// The base URL for the operator.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.gate.address(), self.server.base())
    }

    /// What the operator asked since the last call: method and path.
    pub fn requests(&self) -> Vec<(String, String)> {
        self.counting.take().into_iter().map(|(method, path)| (method.to_string(), path)).collect()
    }

    /// How many writes the operator has asked for since the last [`requests`](Self::requests).
    pub fn writes(&self) -> usize {
        self.counting.count(|method, _| method != "GET")
    }

    /// Everything that it has, asked behind the counter.
    ///
    /// # Panics
    /// If two accounts have one user name: no test may end so.
    pub async fn picture(&self) -> Picture {
        let mut picture = Picture::default();
        let mut names = BTreeMap::new();
        for user in self.all("Users").await {
            let name = text(&user, "userName");
            let account = Account {
                id: text(&user, "id"),
                external_id: text(&user, "externalId"),
                active: user["active"].as_bool().unwrap_or(true),
                title: text(&user, "title"),
                email: text(&user["emails"][0], "value"),
                manager: text(&user[ENTERPRISE]["manager"], "value"),
            };
            names.insert(account.id.clone(), name.clone());
            let twice = picture.accounts.insert(name.clone(), account);
            assert_eq!(twice, None, "two accounts have the user name {name}");
        }
        for group in self.all("Groups").await {
            let members = group["members"].as_array().cloned().unwrap_or_default();
            let ids: Vec<String> = members.iter().map(|member| text(member, "value")).collect();
            let members: BTreeSet<String> =
                ids.iter().map(|id| names.get(id).cloned().unwrap_or_else(|| format!("?{id}"))).collect();
            let name = text(&group, "displayName");
            assert_eq!(ids.len(), members.len(), "{name} has somebody twice: {ids:?}");
            let twice = picture.groups.insert(name.clone(), members);
            assert_eq!(twice, None, "two groups are named {name}");
        }
        picture
    }

    async fn all(&self, kind: &str) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        loop {
            let url = format!("{}/{kind}?startIndex={}&count={PAGE}", self.server.url(), found.len() + 1);
            let answer = self.client.get(url).bearer_auth(TOKEN).send().await.expect("it answers");
            let page: Value = answer.json().await.expect("JSON");
            let items = page["Resources"].as_array().cloned().unwrap_or_default();
            let total = page["totalResults"].as_u64().and_then(|total| usize::try_from(total).ok());
            let last = items.is_empty();
            found.extend(items);
            if last || total == Some(found.len()) {
                return found;
            }
        }
    }

    /// Makes an account behind the operator's back, and the counter.
    pub async fn create(&self, user_name: &str) {
        let user =
            serde_json::json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": user_name});
        let request = self.client.post(format!("{}/Users", self.server.url())).bearer_auth(TOKEN);
        let answer = request.header("content-type", "application/scim+json").body(user.to_string()).send().await;
        answer.expect("it answers").error_for_status().expect("it does so");
    }

    /// Sets an attribute of an account behind the operator's back, and the counter.
    pub async fn set(&self, user_name: &str, attribute: &str, value: &Value) {
        let id = self.picture().await.accounts[user_name].id.clone();
        let patch = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": attribute, "value": value}],
        });
        let request = self.client.patch(format!("{}/Users/{id}", self.server.url())).bearer_auth(TOKEN);
        let answer = request.header("content-type", "application/scim+json").body(patch.to_string()).send().await;
        answer.expect("it answers").error_for_status().expect("it does so");
    }
}

impl Picture {
    /// The user names of those who can use their account.
    pub fn active(&self) -> BTreeSet<String> {
        self.accounts.iter().filter(|(_, account)| account.active).map(|(name, _)| name.clone()).collect()
    }

    /// Who is in a group; nobody, if there is none.
    pub fn members(&self, group: &str) -> BTreeSet<String> {
        self.groups.get(group).cloned().unwrap_or_default()
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
