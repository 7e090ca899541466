//! SCIM services that cost little: accounts and groups in this process's memory, found by their place. They note when a
//! request about an account came, so that latency is measured where it counts.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response, Uri};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;

/// An account was written.
pub struct Written {
    /// When its request came.
    pub at: Instant,
    /// The user name.
    pub who: String,
    /// Whether it can be used now.
    pub active: bool,
}

/// One service.
pub struct Shelf {
    address: SocketAddr,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    users: Vec<Map<String, Value>>,
    /// Places of accounts by user name, in small letters.
    names: HashMap<String, usize>,
    groups: Vec<(Value, BTreeMap<String, Value>)>,
    lists: usize,
}

type Asked = (Arc<Mutex<Held>>, UnboundedSender<Written>);

impl Shelf {
    /// Starts an empty one.
    pub async fn start(written: UnboundedSender<Written>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let held = Arc::<Mutex<Held>>::default();
        let router = Router::new().fallback(answer).with_state((Arc::clone(&held), written));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, held }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}/scim", self.address)
    }

    /// Accounts that are there.
    pub fn accounts(&self) -> usize {
        self.held.lock().unwrap().users.len()
    }

    /// Memberships that are there.
    pub fn memberships(&self) -> usize {
        self.held.lock().unwrap().groups.iter().map(|(_, members)| members.len()).sum()
    }

    /// Pages of lists that were asked for since the last call.
    pub fn lists(&self) -> usize {
        std::mem::take(&mut self.held.lock().unwrap().lists)
    }
}

async fn answer(State((held, written)): State<Asked>, request: Request) -> Response<Body> {
    let at = Instant::now();
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (status, answer) = held.lock().unwrap().handle(at, &parts.method, &parts.uri, body, &written);
    let answer = if answer.is_null() { Body::empty() } else { answer.to_string().into() };
    Response::builder().status(status).header("content-type", "application/scim+json").body(answer).unwrap()
}

impl Held {
    fn handle(
        &mut self,
        at: Instant,
        method: &Method,
        uri: &Uri,
        body: Value,
        written: &UnboundedSender<Written>,
    ) -> (u16, Value) {
        let path: Vec<&str> = uri.path().trim_start_matches("/scim/").split('/').collect();
        match (method.as_str(), path.as_slice()) {
            ("GET", ["ServiceProviderConfig"]) => (
                200,
                json!({"patch": {"supported": true}, "filter": {"supported": true, "maxResults": 1000}, "bulk": {"supported": false}}),
            ),
            ("GET", [kind @ ("Users" | "Groups")]) => (200, self.list(kind, uri.query().unwrap_or_default())),
            ("POST", ["Users"]) => self.create(body),
            ("POST", ["Groups"]) => {
                let id = format!("g{}", self.groups.len());
                self.groups.push((json!({"id": id, "displayName": body["displayName"]}), BTreeMap::new()));
                (201, self.group(self.groups.len() - 1))
            }
            ("GET", [_, id]) => match (id.as_bytes()[0], place(id)) {
                (b'u', at) if at < self.users.len() => (200, self.users[at].clone().into()),
                (b'g', at) if at < self.groups.len() => (200, self.group(at)),
                _ => (404, Value::Null),
            },
            ("PATCH", ["Users", id]) => {
                let user = &mut self.users[place(id)];
                patch(user, &body);
                let who = user["userName"].as_str().unwrap().to_owned();
                let active = user["active"] == true;
                let answer = user.clone().into();
                let _ = written.send(Written { at, who, active });
                (200, answer)
            }
            ("PATCH", ["Groups", id]) => {
                self.members(place(id), &body);
                (204, Value::Null)
            }
            _ => (404, Value::Null),
        }
    }

    fn create(&mut self, body: Value) -> (u16, Value) {
        let Value::Object(mut user) = body else { return (400, Value::Null) };
        let name = user["userName"].as_str().unwrap_or_default().to_lowercase();
        if self.names.contains_key(&name) {
            return (409, json!({"scimType": "uniqueness", "detail": "the userName is taken"}));
        }
        self.names.insert(name, self.users.len());
        user.insert("id".into(), format!("u{}", self.users.len()).into());
        self.users.push(user.clone());
        (201, user.into())
    }

    fn group(&self, at: usize) -> Value {
        let (mut group, members) = (self.groups[at].0.clone(), &self.groups[at].1);
        group["members"] = members.values().cloned().collect();
        group
    }

    fn members(&mut self, at: usize, body: &Value) {
        let members = &mut self.groups[at].1;
        for operation in body["Operations"].as_array().into_iter().flatten() {
            let listed = operation["value"].as_array().into_iter().flatten();
            if operation["op"] == "add" {
                members.extend(listed.map(|member| (member["value"].as_str().unwrap().to_owned(), member.clone())));
            } else if let Some(id) = operation["path"].as_str().and_then(|path| path.split('"').nth(1)) {
                members.remove(id);
            }
        }
    }

    fn list(&mut self, kind: &str, query: &str) -> Value {
        self.lists += 1;
        let query = reqwest::Url::parse(&format!("http://shelf/?{query}")).unwrap();
        let asked: HashMap<_, _> = query.query_pairs().collect();
        let number = |name: &str, missing| asked.get(name).and_then(|text| text.parse().ok()).unwrap_or(missing);
        let (start, count) = (number("startIndex", 1_usize).max(1) - 1, number("count", 100).min(1000));
        let found: Vec<usize> = match (kind, asked.get("filter")) {
            ("Users", None) => (0..self.users.len()).collect(),
            ("Users", Some(filter)) => self.filtered(filter),
            (_, None) => (0..self.groups.len()).collect(),
            (_, Some(filter)) => {
                let name = filter.split('"').nth(1).unwrap_or_default();
                (0..self.groups.len()).filter(|at| self.groups[*at].0["displayName"] == name).collect()
            }
        };
        let page = found.iter().skip(start).take(count);
        let page: Vec<Value> = if kind == "Users" {
            page.map(|at| self.users[*at].clone().into()).collect()
        } else {
            page.map(|at| self.group(*at)).collect()
        };
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": found.len(),
            "startIndex": start + 1, "itemsPerPage": page.len(), "Resources": page})
    }

    /// Of what the connector asks: equality of one attribute.
    fn filtered(&self, filter: &str) -> Vec<usize> {
        let attribute = filter.split(' ').next().unwrap_or_default();
        let value = filter.split('"').nth(1).unwrap_or_default();
        if attribute == "userName" {
            return self.names.get(&value.to_lowercase()).copied().into_iter().collect();
        }
        let wanted = if filter.ends_with("false") { Value::Bool(false) } else { value.into() };
        (0..self.users.len()).filter(|at| self.users[*at].get(attribute) == Some(&wanted)).collect()
    }
}

fn place(id: &str) -> usize {
    id.get(1..).and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

/// RFC 7644, 3.5.2, for attributes that are named whole.
fn patch(user: &mut Map<String, Value>, body: &Value) {
    for operation in body["Operations"].as_array().into_iter().flatten() {
        match (operation["path"].as_str(), &operation["value"]) {
            (None, Value::Object(values)) => user.extend(values.clone()),
            (Some(path), value) => drop(user.insert(path.to_owned(), value.clone())),
            _ => {}
        }
    }
}
