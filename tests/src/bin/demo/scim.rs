//! What a SCIM server says of itself, asked by HTTP as anybody could: the demo's evidence does not come from Provost.

use std::path::Path;

use serde_json::{Value, json};
use tests::cluster::Process;

/// A running SCIM server.
pub struct Server {
    pub name: &'static str,
    pub port: u16,
    token: String,
    _process: Process,
}

impl Server {
    /// Starts scim2-server on a free port of the loopback interface.
    pub fn start(name: &'static str, folder: &Path) -> Self {
        let program = tests::cluster::cache().join("scim-venv/bin/scim2-server");
        let token = format!("demo-token-of-{name}");
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let port = free.expect("a free port").port();
        let arguments = ["--hostname", "127.0.0.1", "--port", &port.to_string(), "--bearer-token", &token];
        let arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        let process = Process::start(&program, &arguments, &[], &folder.join(format!("{name}.log")));
        let server = Self { name, port, token, _process: process };
        tests::cluster::eventually("the SCIM server answers", || server.ask("GET", "/ServiceProviderConfig", None));
        server
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// One request; `None` if it is not answered as SCIM.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/v2{path}", self.port);
        let mut curl = std::process::Command::new("curl");
        curl.args(["--silent", "--max-time", "10", "-X", method, "-H", "Content-Type: application/scim+json"]);
        curl.args(["-H", &format!("Authorization: Bearer {}", self.token)]);
        if let Some(body) = body {
            curl.args(["--data", &body.to_string()]);
        }
        let output = curl.arg(url).output().ok()?;
        if output.stdout.is_empty() && output.status.success() {
            return Some(Value::Null);
        }
        serde_json::from_slice(&output.stdout).ok()
    }

    fn all(&self, kind: &str) -> Vec<Value> {
        let answer = self.ask("GET", &format!("/{kind}?count=1000"), None).unwrap_or_default();
        answer.get("Resources").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    pub fn users(&self) -> Vec<Value> {
        let mut users = self.all("Users");
        users.sort_by_key(|user| text(user, "userName").to_owned());
        users
    }

    pub fn user(&self, name: &str) -> Option<Value> {
        self.users().into_iter().find(|user| text(user, "userName") == name)
    }

    /// Whether an account is there and can be used.
    pub fn active(&self, name: &str) -> Option<bool> {
        let user = self.user(name)?;
        Some(user.get("active").and_then(Value::as_bool).unwrap_or(true))
    }

    pub fn how_many_active(&self) -> usize {
        self.users().iter().filter(|user| user.get("active").and_then(Value::as_bool).unwrap_or(true)).count()
    }

    /// The user names in a group, sorted; `None`: there is no such group.
    pub fn members(&self, group: &str) -> Option<Vec<String>> {
        let group = self.all("Groups").into_iter().find(|g| text(g, "displayName") == group)?;
        let users = self.users();
        let name = |member: &Value| {
            let id = text(member, "value");
            users
                .iter()
                .find(|user| text(user, "id") == id)
                .map_or(format!("?{id}"), |user| text(user, "userName").to_owned())
        };
        let members = group.get("members").and_then(Value::as_array);
        let mut names: Vec<String> = members.into_iter().flatten().map(name).collect();
        names.sort();
        Some(names)
    }

    pub fn groups(&self) -> Vec<String> {
        let mut names: Vec<String> = self.all("Groups").iter().map(|g| text(g, "displayName").to_owned()).collect();
        names.sort();
        names
    }

    /// Changes one attribute behind Provost's back.
    pub fn tamper(&self, user: &str, attribute: &str, value: &str) {
        let Some(user) = self.user(user) else { return };
        let patch = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": attribute, "value": value}],
        });
        let _ = self.ask("PATCH", &format!("/Users/{}", text(&user, "id")), Some(&patch));
    }
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The first e-mail address of an account.
pub fn email(user: &Value) -> &str {
    user.pointer("/emails/0/value").and_then(Value::as_str).unwrap_or_default()
}
