//! A realm of Keycloak, the real distribution, asked and edited through its Admin REST API as its own administrator.

use reqwest::Method;
use serde_json::{Value, json};
use tests::servers::{Keycloak, Realm as Seen, TOKEN};
use tokio::runtime::Runtime;

use crate::scim::text;
use crate::server::{Account, Server};

/// The example's groups, and its roles.
const GROUPS: [&str; 4] = ["engineering", "engineering/platform", "role auditor", "role grafana/admin"];

pub struct Realm {
    seen: Seen<'static>,
    runtime: Runtime,
}

impl Realm {
    /// What examples/12-keycloak says that a realm must have.
    pub fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let seen = runtime.block_on(async {
            let realm = Keycloak::shared().realm("acme", Some(&["employeeId", "department", "title"])).await;
            realm.client("provost", &["manage-users", "view-realm", "view-clients"]).await;
            realm.make_role("auditor").await;
            realm.make_role("grafana/admin").await;
            realm
        });
        Self { seen, runtime }
    }
}

impl Server for Realm {
    fn application(&self) -> &'static str {
        "sso"
    }

    fn said(&self) -> &'static str {
        "realm"
    }

    fn put_into(&self, manifests: String) -> String {
        let here = format!("url: {}\n      allowInsecure: true", Keycloak::shared().url());
        manifests
            .replace("url: https://sso.acme.test", &here)
            .replace("sso.acme.test", "127.0.0.1")
            .replace("change-me", TOKEN)
    }

    fn accounts(&self) -> Vec<Account> {
        let account = |user: &Value| Account {
            id: text(user, "id").to_owned(),
            user_name: text(user, "username").to_owned(),
            email: text(user, "email").to_owned(),
            title: user.pointer("/attributes/title/0").and_then(Value::as_str).unwrap_or_default().to_owned(),
            active: user.get("enabled").and_then(Value::as_bool).unwrap_or_default(),
        };
        let mut accounts: Vec<Account> = self.runtime.block_on(self.seen.users()).iter().map(account).collect();
        accounts.sort_by(|one, other| one.user_name.cmp(&other.user_name));
        accounts
    }

    fn groups(&self) -> Vec<String> {
        GROUPS.map(str::to_owned).to_vec()
    }

    fn members(&self, group: &str) -> Vec<String> {
        self.runtime.block_on(async {
            match group.strip_prefix("role ") {
                Some(role) => self.seen.holders(role).await,
                None => self.seen.members(group).await,
            }
        })
    }

    fn tamper(&self, user_name: &str, title: &str) {
        self.runtime.block_on(async {
            let mut user = self.seen.user(user_name).await;
            let path = format!("/users/{}", text(&user, "id"));
            if let Some(attributes) = user.get_mut("attributes").and_then(Value::as_object_mut) {
                attributes.insert("title".to_owned(), json!([title]));
            }
            self.seen.ask(Method::PUT, &path, Some(&user)).await;
        });
    }

    fn shown(&self, user_name: &str) -> String {
        let user = self.runtime.block_on(self.seen.user(user_name));
        let mut lines = vec![format!("$ curl .../admin/realms/acme/users?username={user_name}&exact=true")];
        for field in ["id", "username", "email", "enabled", "attributes", "requiredActions"] {
            // With spaces, at which the line can be broken.
            let value = user.get(field).unwrap_or(&Value::Null).to_string().replace(",\"", ", \"");
            lines.push(format!("{field}: {value}"));
        }
        let held: Vec<&str> =
            GROUPS.into_iter().filter(|group| self.members(group).iter().any(|m| m == user_name)).collect();
        lines.push(format!("groups and roles: {}", if held.is_empty() { "none".to_owned() } else { held.join(", ") }));
        lines.join("\n")
    }

    fn how_to_ask(&self) -> String {
        format!(
            "# in a browser, as admin with the password admin:\n# {}/admin/master/console/#/acme/users",
            Keycloak::shared().url()
        )
    }
}
