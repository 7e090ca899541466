use serde_json::{Value, json};

/// An object of ours.
pub fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "provost.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A person with a name, an address and a department.
pub fn identity(name: &str, department: &str) -> Value {
    let mail = format!("{name}@acme.test");
    let spec = json!({
        "externalId": format!("E-{name}"), "displayName": name, "department": department, "title": "Analyst",
        "name": {"given": name, "family": "Test"}, "emails": [{"value": mail, "type": "work", "primary": true}],
    });
    object("Identity", name, &spec)
}

/// A Group.
pub fn group(name: &str, spec: &Value) -> Value {
    object("Group", name, spec)
}

/// An Allow for those that match; without entitlements, for the account alone.
pub fn policy(name: &str, rule: &str, application: &str, entitlements: &[&str]) -> Value {
    let mut grant = json!({"application": application});
    if !entitlements.is_empty() {
        grant["entitlements"] = json!(entitlements);
    }
    object("AccessPolicy", name, &json!({"match": rule, "grants": [grant]}))
}

/// A TargetApplication and the Secret that it names.
#[derive(Clone, Debug)]
pub struct Application {
    name: String,
    spec: Value,
}

impl Application {
    /// One that speaks SCIM to a URL as fast as it can, and has these entitlements, each a group of the same name.
    pub fn new(name: &str, url: &str, entitlements: &[&str]) -> Self {
        let entry =
            |name: &&str| json!({"name": name, "target": {"group": {"name": format!("{name} group"), "create": true}}});
        let auth = json!({"bearer": {"secretRef": {"name": name, "key": "token"}}});
        let spec = json!({
            "connector": {"scim": {"url": url, "allowInsecure": true, "auth": auth}},
            "sync": {"requestsPerSecond": 10000, "concurrency": 16, "settle": {"removals": "1s", "privilegedGrants": "1s"}},
            "entitlements": entitlements.iter().map(entry).collect::<Vec<_>>(),
        });
        Self { name: name.to_owned(), spec }
    }

    /// The same with a field of its spec set; a dot goes one level down.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        let mut place = &mut self.spec;
        for part in field.split('.') {
            place = &mut place[part];
        }
        *place = value;
        self
    }

    /// The manifest of the TargetApplication.
    pub fn manifest(&self) -> Value {
        object("TargetApplication", &self.name, &self.spec)
    }

    /// Its Secret with a token, which may go to these hosts.
    pub fn secret(&self, token: &str, hosts: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": {"token": token},
            "metadata": {"name": self.name, "annotations": {"provost.dev/allowed-hosts": hosts}},
        })
    }
}
