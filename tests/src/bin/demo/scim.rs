//! A SCIM server, asked by HTTP as anybody could.

use std::path::Path;

use serde_json::{Value, json};
use tests::cluster::Process;

use crate::server::{Account, Server};

/// scim2-server.
pub struct Scim {
    name: &'static str,
    port: u16,
    token: String,
    _process: Process,
}

impl Scim {
    /// Starts it on a free port of the loopback interface.
    pub fn start(name: &'static str, folder: &Path) -> Self {
        let program = tests::cluster::cache().join("scim-venv/bin/scim2-server");
        let token = format!("demo-token-of-{name}");
        let port = tests::free_port();
        let arguments = ["--hostname", "127.0.0.1", "--port", &port.to_string(), "--bearer-token", &token];
        let arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        let process = Process::start(&program, &arguments, &[], &folder.join(format!("{name}.log")));
        let server = Self { name, port, token, _process: process };
        tests::cluster::eventually("the SCIM server answers", || server.ask("GET", "/ServiceProviderConfig", None));
        server
    }

    /// One request; `None` if it is not answered as SCIM.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Value> {
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
}

impl Server for Scim {
    fn application(&self) -> &'static str {
        self.name
    }

    fn put_into(&self, manifests: String) -> String {
        let url = format!("url: https://{}.acme.test/v2", self.name);
        let here = format!("url: http://127.0.0.1:{}/v2\n      allowInsecure: true", self.port);
        let manifests = manifests.replace(&url, &here).replace(&format!("{}.acme.test", self.name), "127.0.0.1");
        // Secrets are in the order of the servers.
        manifests.replacen("change-me", &self.token, 1)
    }

    fn accounts(&self) -> Vec<Account> {
        let account = |user: &Value| Account {
            id: text(user, "id").to_owned(),
            user_name: text(user, "userName").to_owned(),
            email: user.pointer("/emails/0/value").and_then(Value::as_str).unwrap_or_default().to_owned(),
            title: text(user, "title").to_owned(),
            active: user.get("active").and_then(Value::as_bool).unwrap_or(true),
        };
        let mut accounts: Vec<Account> = self.all("Users").iter().map(account).collect();
        accounts.sort_by(|one, other| one.user_name.cmp(&other.user_name));
        accounts
    }

    fn members(&self, group: &str) -> Vec<String> {
        let Some(group) = self.all("Groups").into_iter().find(|g| text(g, "displayName") == group) else {
            return Vec::new();
        };
        let users = self.all("Users");
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
        names
    }

    fn groups(&self) -> Vec<String> {
        let mut names: Vec<String> = self.all("Groups").iter().map(|g| text(g, "displayName").to_owned()).collect();
        names.sort();
        names
    }

    fn tamper(&self, user_name: &str, title: &str) {
        let users = self.all("Users");
        let Some(user) = users.iter().find(|user| text(user, "userName") == user_name) else { return };
        let patch = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "title", "value": title}],
        });
        let _ = self.ask("PATCH", &format!("/Users/{}", text(user, "id")), Some(&patch));
    }

    fn how_to_ask(&self) -> String {
        format!("curl -s -H 'Authorization: Bearer {}' \\\n  http://127.0.0.1:{}/v2/Users", self.token, self.port)
    }
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
