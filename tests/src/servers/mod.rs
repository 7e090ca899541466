//! SCIM servers that nobody of this project wrote, each a process of its own on a random port of the loopback; and a
//! proxy that counts what goes through. Everything is stopped when it is dropped.

mod counting;
mod cutting;
mod keycloak;
mod process;
mod raw;
pub mod samba;
pub mod slapd;

use std::path::PathBuf;

use provost_connectors::{AnyTarget, Credentials, NetworkRules, Role, connect};
use provost_core::model::{Connector, ConnectorKind};
use serde_json::json;

pub use counting::Counting;
pub use cutting::Cutting;
pub use keycloak::{Keycloak, Realm, Said, connected_to};
pub use process::Running;
pub use raw::{Authority, Raw, Says};

/// The token that every server here asks for.
pub const TOKEN: &str = "canary-token-7f3a";

/// Every credential that a server of these tests asks for: nothing that the operator leaves anywhere holds one.
pub const CANARIES: [&str; 4] = [TOKEN, slapd::PASSWORD, slapd::ROOT_PASSWORD, samba::PASSWORD];

/// A SCIM server that can be started.
#[derive(Clone, Debug)]
pub struct Program {
    name: &'static str,
    path: PathBuf,
    arguments: Vec<String>,
    base: &'static str,
}

/// Where the tools that tests need are built: `$PROVOST_CACHE`, else `provost` in the user's cache.
pub fn cache() -> PathBuf {
    if let Some(cache) = std::env::var_os("PROVOST_CACHE") {
        return cache.into();
    }
    let user = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    user.unwrap_or_else(home).join("provost")
}

impl Program {
    /// scim2-server (Python).
    pub fn scim2_server() -> Self {
        Self {
            name: "scim2-server",
            path: cache().join("scim-venv/bin/scim2-server"),
            arguments: ["--bearer-token", TOKEN].map(str::to_owned).to_vec(),
            base: "/v2",
        }
    }

    /// SCIMMY (Node.js).
    pub fn scimmy() -> Self {
        let server = cache().join("scimmy/server.mjs");
        let arguments = vec![server.to_string_lossy().into_owned(), "--token".to_owned(), TOKEN.to_owned()];
        Self { name: "SCIMMY", path: server, arguments, base: "/scim/v2" }
    }

    /// The same, if it was built. Otherwise the test fails and says what to do.
    pub fn require(self) -> Self {
        assert!(
            self.path.exists(),
            "{} is not there: {} is missing; run `make setup` (or tests/tools/setup.sh), which builds it",
            self.name,
            self.path.display()
        );
        self
    }

    /// Starts it and waits until it answers.
    pub async fn start(self) -> Running {
        let command = if self.name == "SCIMMY" { PathBuf::from("node") } else { self.path };
        Running::start(self.name, &command, &self.arguments, self.base).await
    }
}

/// A connector's settings for a SCIM service on the loopback, with the token of [`TOKEN`].
pub fn connector(url: &str) -> Connector {
    let settings = json!({"scim": {"url": url, "auth": {"bearer": {"secretRef": {"name": "scim", "key": "token"}}}}});
    Connector { kind: ConnectorKind::Scim, fingerprint: format!("scim/{url}").into(), settings }
}

/// A connection to a SCIM service on the loopback.
pub async fn connected(url: &str) -> AnyTarget {
    connected_as(&connector(url)).await
}

/// A connection with these settings.
pub async fn connected_as(connector: &Connector) -> AnyTarget {
    let credentials = Credentials::default().with(Role::BearerToken, TOKEN.to_owned().into());
    connect(connector, credentials, &loopback()).await.expect("the settings are right")
}

/// Rules that let tests reach the loopback.
pub fn loopback() -> NetworkRules {
    NetworkRules { loopback: true, ..NetworkRules::default() }
}
