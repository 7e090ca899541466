//! Where questions about what was done go: to a running operator, through the API server's proxy or an address that was
//! forwarded, or to the file of a stopped one.

use std::path::PathBuf;

use http::Uri;
use provost_kubernetes::{access, client};
use provost_store::{Store, StoreError};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Failure;
use super::alive::Whereabouts;
use crate::inquiry::TOKEN_HEADER;

/// Who is asked.
#[derive(clap::Args, Clone, Debug)]
pub struct Where {
    /// Namespace. Default: all, which needs rights in all
    #[arg(long, short = 'n', global = true)]
    pub namespace: Option<String>,
    /// Read the ledger's file of an operator that is stopped, in place of asking one that runs
    #[arg(long, value_name = "FILE", global = true)]
    pub store: Option<PathBuf>,
    /// Where the operator is forwarded to, as in http://127.0.0.1:8080; --store goes before it. Default: through the API server's
    /// proxy
    #[arg(long, value_name = "URL", env = "PROVOST_SERVER", global = true)]
    server: Option<String>,
    #[command(flatten)]
    operator: Whereabouts,
    /// ServiceAccount in the operator's namespace to ask as; whoever may make a token of it may ask in its name. Default: the
    /// Service's name with -auditor, for orders and erasures with -steward
    #[arg(long, value_name = "NAME", global = true)]
    service_account: Option<String>,
    /// Kubeconfig file. Default: $KUBECONFIG or ~/.kube/config
    #[arg(long, global = true)]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, global = true)]
    context: Option<String>,
}

/// What to do where the operator is not in the namespace that was asked, or has another name there.
const ELSEWHERE: &str =
    "; name where the operator was installed with --operator-namespace, and its Service with --service";

/// The scope of a question, as the operator's address has it.
#[derive(Serialize)]
struct Scope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
}

impl Where {
    /// The file of a stopped operator, if one was named, to be read: it is left as it is.
    pub fn file(&self) -> Result<Option<Store>, Failure> {
        self.store.as_deref().map(Store::read).transpose().map_err(of_file)
    }

    /// The same to be changed.
    pub fn file_to_change(&self) -> Result<Option<Store>, Failure> {
        self.store.as_deref().map(Store::open_existing).transpose().map_err(of_file)
    }

    /// Where the operator is forwarded to; an empty variable says nothing.
    fn server(&self) -> Result<Option<Uri>, Failure> {
        self.server.as_deref().filter(|url| !url.is_empty()).map(of_server).transpose()
    }

    /// Asks the running operator.
    pub fn get<T: DeserializeOwned>(&self, path: &str, ask: &impl Serialize) -> Result<T, Failure> {
        let text = self.call(http::Method::GET, path, ask, Vec::new(), "auditor")?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Orders something of the running operator; its answer as text.
    pub fn post(&self, path: &str, body: &impl Serialize) -> Result<String, Failure> {
        let body = serde_json::to_vec(body)?;
        self.call(http::Method::POST, path, &(), body, "steward")
    }

    fn call(
        &self,
        method: http::Method,
        path: &str,
        ask: &impl Serialize,
        body: Vec<u8>,
        role: &str,
    ) -> Result<String, Failure> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let encoded = |value: &dyn Fn() -> Result<String, serde_urlencoded::ser::Error>| {
            value().map_err(|error| Failure::Said(error.to_string()))
        };
        let scope = Scope { namespace: self.namespace.as_deref() };
        let parts = [encoded(&|| serde_urlencoded::to_string(&scope))?, encoded(&|| serde_urlencoded::to_string(ask))?];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let query = format!("{path}?{}", parts.join("&"));
        let server = self.server()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.send(method, &query, body, (role, server)))
    }

    async fn send(
        &self,
        method: http::Method,
        query: &str,
        body: Vec<u8>,
        (role, server): (&str, Option<Uri>),
    ) -> Result<String, Failure> {
        let said = |error: &dyn std::fmt::Display| Failure::Said(error.to_string());
        let cluster =
            client::connect(self.kubeconfig.as_deref(), self.context.as_deref()).await.map_err(|e| said(&e))?;
        let account = self.service_account.clone().unwrap_or_else(|| format!("{}-{role}", self.operator.service));
        let token =
            access::token(cluster.clone(), &self.operator.operator_namespace, &account).await.map_err(|error| {
                let place = if error.code() == Some(404) { ELSEWHERE } else { "" };
                let of = &self.operator.operator_namespace;
                Failure::Said(format!("no token of the ServiceAccount {of}/{account}: {error}{place}"))
            })?;
        let (asked, path) = match server.clone() {
            None => {
                let (namespace, service) = (&self.operator.operator_namespace, &self.operator.service);
                (cluster, format!("/api/v1/namespaces/{namespace}/services/{service}:http/proxy{query}"))
            }
            // A token of our own audience, sent in the clear, opens nothing else; a forwarded port ends on this machine.
            Some(url) => (client::client(kube::Config::new(url)).map_err(|e| said(&e))?, query.to_owned()),
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(TOKEN_HEADER, token.expose_secret())
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|e| said(&e))?;
        asked.request_text(request).await.map_err(|error| match (error, &server) {
            (kube::Error::Api(status), server) => {
                // The proxy says so of the Service; the operator's own no has no such reason.
                let elsewhere = status.code == 404 && status.reason == "NotFound" && server.is_none();
                let place = if elsewhere { ELSEWHERE } else { "" };
                Failure::Said(format!("refused ({}): {}{place}", status.code, status.message.trim()))
            }
            (other, None) => Failure::Said(client::CallError::from(other).to_string()),
            (other, Some(url)) => Failure::Said(format!(
                "the operator cannot be reached at {url}, as --server or PROVOST_SERVER says: {}; is its port still forwarded?",
                client::chain(&other)
            )),
        })
    }
}

/// The address, if it is one: of what has no scheme the client makes a panic.
fn of_server(text: &str) -> Result<Uri, Failure> {
    let url = |text: &str| text.parse::<Uri>().ok().filter(is_address);
    url(text).ok_or_else(|| {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let meant = Some(format!("http://{rest}")).filter(|meant| url(meant).is_some());
        let remedy = meant.unwrap_or_else(|| "its address, as in http://127.0.0.1:8080".to_owned());
        Failure::Said(format!("--server (PROVOST_SERVER) {text} is no http or https URL with a host; write {remedy}"))
    })
}

fn is_address(url: &Uri) -> bool {
    let known = matches!(url.scheme_str(), Some("http" | "https"));
    // What is no port is none to the parser, which would be the port of the scheme.
    let port = url.authority().is_some_and(|all| url.port().is_some() || all.as_str().ends_with(all.host()));
    known && port && url.host().is_some_and(|host| !host.is_empty())
}

/// Why a file cannot be asked, and who can.
fn of_file(error: StoreError) -> Failure {
    Failure::Said(match error {
        StoreError::Locked(path) => format!(
            "{path}: an operator is using it; leave --store out to ask that one, through the API server's proxy or with --server, \
             or stop it first (scale its Deployment to 0)"
        ),
        StoreError::Missing(path) => format!("{path}: no ledger is there; name its file, provost.redb"),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use crate::cli::run;

    #[test]
    fn a_server_that_is_no_url_is_refused_before_anything_is_asked_with_what_to_write() {
        for (server, remedy) in [
            ("127.0.0.1:38001", "http://127.0.0.1:38001"),
            ("localhost:38001", "http://localhost:38001"),
            ("localhost", "http://localhost"),
            ("ftp://localhost:1", "http://localhost:1"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("http://", "its address, as in http://127.0.0.1:8080"),
            ("http://:8080", "its address, as in http://127.0.0.1:8080"),
            ("http://localhost:80800", "its address, as in http://127.0.0.1:8080"),
            ("/tmp/provost", "its address, as in http://127.0.0.1:8080"),
        ] {
            let arguments = ["provost", "held", "-n", "acme", "--kubeconfig", "/nowhere", "--server", server];
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let status = run(arguments.map(Into::into), false, &mut out, &mut err);
            let said = String::from_utf8(err).unwrap();
            let wanted = format!(
                "provost: --server (PROVOST_SERVER) {server} is no http or https URL with a host; write {remedy}\n"
            );
            assert_eq!((status, said), (2, wanted));
        }
        for server in ["http://127.0.0.1:8080", "https://provost.example/", "HTTP://[::1]:8080"] {
            assert!(super::of_server(server).is_ok(), "{server}");
        }
    }
}
