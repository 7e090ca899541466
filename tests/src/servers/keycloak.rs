//! Keycloak, the real distribution: one server for a test binary, realms of their own for its tests.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use provost_connectors::{AnyTarget, Credentials, Role, connect};
use provost_core::model::{Connector, ConnectorKind};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{TOKEN, cache, loopback};
use crate::cluster::{Process, Sweeper};
use crate::free_port;

/// The heap is bounded; what makes code fast in the long run only makes the start slow.
const JAVA: [&str; 7] = [
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
];

/// The server's own administrator, as setup.sh made it.
const ADMIN: &str = "admin";

/// A Keycloak server with a data folder of its own.
#[derive(Debug)]
pub struct Keycloak {
    process: Process,
    port: u16,
    folder: TempDir,
    /// The shared one is a static, which is never dropped.
    _sweeper: Sweeper,
}

impl Keycloak {
    /// The one server of this test binary.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Keycloak> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts one; about 12 s.
    ///
    /// # Panics
    /// If it was not built, or does not come up.
    pub fn start() -> Self {
        let built = cache().join("keycloak");
        assert!(
            built.join("server").exists(),
            "Keycloak is not there: {} is missing; run `make setup` (or tests/tools/setup.sh keycloak), which prepares it",
            built.display()
        );
        let folder = tempfile::Builder::new().prefix("provost-keycloak-").tempdir().expect("a temporary folder");
        let home = folder.path().to_owned();
        for part in ["lib", "conf", "providers", "themes"] {
            symlink(built.join("server").join(part), home.join(part)).expect("a link");
        }
        fs::create_dir_all(home.join("data/h2")).expect("a folder");
        let database = "data/h2/keycloakdb.mv.db";
        fs::copy(built.join(database), home.join(database)).expect("a copy of the database");
        let port = free_port();
        let process = Process::start(Path::new("java"), &arguments(&home, port), &[], &home.join("keycloak.log"));
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(process.runs(), "Keycloak ended at once:\n{}", process.tail());
            assert!(began.elapsed() < Duration::from_mins(3), "Keycloak is not up after 3 min:\n{}", process.tail());
            std::thread::sleep(Duration::from_millis(50));
        }
        let sweeper = Sweeper::of(folder.path());
        Self { process, port, folder, _sweeper: sweeper }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The last of what it has said.
    pub fn tail(&self) -> String {
        self.process.tail()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new realm, whose user profile has these attributes besides what every user has, and no rules for names; with
    /// `None` the profile stays as Keycloak makes it.
    pub async fn realm(&self, name: &str, attributes: Option<&[&str]>) -> Realm<'_> {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let realm = Realm { server: self, name: name.to_owned(), client, token: Mutex::default() };
        let new = json!({"realm": name, "enabled": true, "editUsernameAllowed": true});
        realm.at(Method::POST, "/admin/realms", Some(&new)).await;
        if let Some(attributes) = attributes {
            let mut profile = realm.get("/users/profile").await;
            for attribute in profile["attributes"].as_array_mut().expect("attributes") {
                attribute["validations"] = json!({});
            }
            for name in attributes {
                let everybody = json!({"view": ["admin"], "edit": ["admin"]});
                let declared = json!({"name": name, "multivalued": *name == "shifts", "permissions": everybody});
                profile["attributes"].as_array_mut().expect("attributes").push(declared);
            }
            realm.ask(Method::PUT, "/users/profile", Some(&profile)).await;
        }
        realm
    }
}

fn arguments(home: &Path, port: u16) -> Vec<String> {
    let home = home.display();
    let mut all: Vec<String> = JAVA.iter().map(|&option| option.to_owned()).collect();
    all.extend([
        format!("-Dkc.home.dir={home}"),
        format!("-Djboss.server.config.dir={home}/conf"),
        "-cp".to_owned(),
        format!("{home}/lib/quarkus-run.jar"),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint".to_owned(),
    ]);
    let options = ["start", "--optimized", "--http-enabled=true", "--http-host=127.0.0.1", "--hostname-strict=false"];
    all.extend(options.map(str::to_owned));
    all.push(format!("--http-port={port}"));
    all
}

/// A realm of a server, seen and edited by the server's own administrator.
#[derive(Debug)]
pub struct Realm<'a> {
    server: &'a Keycloak,
    name: String,
    client: reqwest::Client,
    token: Mutex<Option<(Instant, String)>>,
}

/// An answer: status, body, Location.
#[derive(Debug)]
pub struct Said {
    /// The HTTP status.
    pub status: u16,
    /// The body; null where there is none.
    pub body: Value,
    /// The last part of Location: the id of what was created.
    pub id: String,
}

impl Realm<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    async fn token(&self) -> String {
        let known = self.token.lock().expect("no test panicked with it").clone();
        // It lasts a minute.
        if let Some((at, token)) = known.filter(|(at, _)| at.elapsed() < Duration::from_secs(30)) {
            let _ = at;
            return token;
        }
        let url = format!("{}/realms/master/protocol/openid-connect/token", self.server.url());
        let form = format!("grant_type=password&client_id=admin-cli&username={ADMIN}&password={ADMIN}");
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer: Value = request.send().await.expect("it answers").json().await.expect("JSON");
        let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned();
        *self.token.lock().expect("no test panicked with it") = Some((Instant::now(), token.clone()));
        token
    }

    /// A request to any path of the server.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn at(&self, method: Method, path: &str, body: Option<&Value>) -> Said {
        let said = self.said(&method, path, body).await;
        assert!((200..300).contains(&said.status), "{method} {path}: {} {}", said.status, said.body);
        said
    }

    async fn said(&self, method: &Method, path: &str, body: Option<&Value>) -> Said {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.server.url()));
        request = request.bearer_auth(self.token().await);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.expect("it answers");
        let status = answer.status().as_u16();
        let location = answer.headers().get("location").and_then(|l| l.to_str().ok()).unwrap_or_default().to_owned();
        let id = location.rsplit('/').next().unwrap_or_default().to_owned();
        let text = answer.text().await.expect("a body");
        Said { status, body: serde_json::from_str(&text).unwrap_or_default(), id }
    }

    /// A request below the realm.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Said {
        self.at(method, &format!("/admin/realms/{}{path}", self.name), body).await
    }

    /// What is at a path of the realm.
    pub async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None).await.body
    }

    /// A client of this realm with a service account that has these roles of realm-management. Its secret is [`TOKEN`].
    pub async fn client(&self, id: &str, roles: &[&str]) {
        let new = json!({
            "clientId": id, "secret": TOKEN, "serviceAccountsEnabled": true, "publicClient": false,
            "standardFlowEnabled": false,
        });
        let client = self.ask(Method::POST, "/clients", Some(&new)).await.id;
        let account = self.get(&format!("/clients/{client}/service-account-user")).await;
        let found = self.get("/clients?clientId=realm-management").await;
        let management = text(&found[0], "id");
        let all = self.get(&format!("/clients/{management}/roles")).await;
        let wanted = |role: &&Value| roles.contains(&role["name"].as_str().unwrap_or_default());
        let given: Vec<&Value> = all.as_array().expect("roles").iter().filter(wanted).collect();
        assert_eq!(given.len(), roles.len(), "{roles:?}");
        let path = format!("/users/{}/role-mappings/clients/{management}", text(&account, "id"));
        self.ask(Method::POST, &path, Some(&json!(given))).await;
    }

    /// Makes a user that has a password, its own name, and logs in with it; its id.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn logged_in(&self, mut user: Value) -> String {
        let name = text(&user, "username");
        user["enabled"] = true.into();
        user["credentials"] = json!([{"type": "password", "value": name, "temporary": false}]);
        let id = self.ask(Method::POST, "/users", Some(&user)).await.id;
        let url = format!("{}/realms/{}/protocol/openid-connect/token", self.server.url(), self.name);
        let form = format!("grant_type=password&client_id=admin-cli&username={name}&password={name}");
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = request.send().await.expect("it answers");
        assert!(answer.status().is_success(), "{name} cannot log in: {:?}", answer.text().await);
        assert_ne!(self.sessions(&id).await, 0);
        id
    }

    /// How many sessions a user has.
    pub async fn sessions(&self, id: &str) -> usize {
        self.get(&format!("/users/{id}/sessions")).await.as_array().map_or(0, Vec::len)
    }

    /// A user by name, or null.
    pub async fn user(&self, name: &str) -> Value {
        let found = self.get(&format!("/users?username={name}&exact=true&briefRepresentation=false")).await;
        found[0].clone()
    }

    /// All user names.
    pub async fn users(&self) -> Vec<Value> {
        self.get("/users?first=0&max=10000&briefRepresentation=false").await.as_array().cloned().unwrap_or_default()
    }

    /// The id of a group by the names from the top down.
    ///
    /// # Panics
    /// If there is none.
    pub async fn group(&self, path: &str) -> String {
        self.find_group(path).await.unwrap_or_else(|| panic!("there is no group {path}"))
    }

    /// The same; `None`: there is none.
    pub async fn find_group(&self, path: &str) -> Option<String> {
        let path = format!("/admin/realms/{}/group-by-path/{path}", self.name);
        let said = self.said(&Method::GET, &path, None).await;
        (said.status == 200).then(|| text(&said.body, "id"))
    }

    /// Makes a group below another one (by path; empty: at the top); its id.
    pub async fn make_group(&self, parent: &str, name: &str) -> String {
        let body = json!({"name": name});
        if parent.is_empty() {
            return self.ask(Method::POST, "/groups", Some(&body)).await.id;
        }
        let parent = self.group(parent).await;
        self.ask(Method::POST, &format!("/groups/{parent}/children"), Some(&body)).await.id
    }

    /// The sorted user names in a group; nobody, if there is none.
    pub async fn members(&self, path: &str) -> Vec<String> {
        let Some(group) = self.find_group(path).await else { return Vec::new() };
        self.names(&format!("/groups/{group}/members?first=0&max=10000&briefRepresentation=true")).await
    }

    /// The sorted names of those who have a role themselves; one of a client as `CLIENT/ROLE`.
    pub async fn holders(&self, role: &str) -> Vec<String> {
        let place = match role.split_once('/') {
            None => format!("/roles/{role}"),
            Some((client, role)) => {
                let found = self.get(&format!("/clients?clientId={client}")).await;
                format!("/clients/{}/roles/{role}", text(&found[0], "id"))
            }
        };
        self.names(&format!("{place}/users?first=0&max=10000")).await
    }

    async fn names(&self, path: &str) -> Vec<String> {
        let found = self.get(path).await;
        let mut names: Vec<String> =
            found.as_array().into_iter().flatten().map(|user| text(user, "username")).collect();
        names.sort();
        names
    }

    /// Makes a role of the realm, or of a client as `CLIENT/ROLE`, which is made with it.
    pub async fn make_role(&self, role: &str) {
        let place = match role.split_once('/') {
            None => "/roles".to_owned(),
            Some((client, _)) => {
                let id = self.ask(Method::POST, "/clients", Some(&json!({"clientId": client}))).await.id;
                format!("/clients/{id}/roles")
            }
        };
        let name = role.rsplit('/').next().unwrap_or(role);
        self.ask(Method::POST, &place, Some(&json!({"name": name}))).await;
    }

    /// A connector's settings for this realm, as this client.
    pub fn connector(&self, client: &str, url: &str) -> Connector {
        let settings = json!({"keycloak": {
            "url": url, "realm": self.name, "markAttribute": "employeeId", "requiredActions": ["UPDATE_PASSWORD"],
            "auth": {"clientId": client, "clientSecretRef": {"name": "sso", "key": "secret"}},
        }});
        Connector {
            kind: ConnectorKind::Keycloak,
            fingerprint: format!("keycloak {url} {}", self.name).into(),
            settings,
        }
    }

    /// A connection to this realm, as this client.
    pub async fn connected(&self, client: &str) -> AnyTarget {
        connected_to(&self.connector(client, &self.server.url()), TOKEN).await
    }
}

/// A connection with these settings and this secret.
pub async fn connected_to(connector: &Connector, secret: &str) -> AnyTarget {
    let credentials = Credentials::default().with(Role::ClientSecret, secret.to_owned().into());
    connect(connector, credentials, &loopback()).await.expect("the settings are right")
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
