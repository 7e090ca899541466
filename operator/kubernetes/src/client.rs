//! The client: no hidden retries, every call under a timeout.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// How long one call may take. A call that hangs longer says nothing, and whoever made it tries again.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read or is not one.
    #[error("cannot use the kubeconfig{}: {source}; set KUBECONFIG or --kubeconfig to a file that kubectl accepts", .path.as_ref().map(|p| format!(" {p}")).unwrap_or_default())]
    Kubeconfig {
        /// The file, where one was named.
        path: Option<String>,
        /// What is wrong with it.
        source: Box<kube::config::KubeconfigError>,
    },
    /// Neither a kubeconfig nor the service account of a Pod.
    #[error("no cluster is configured: {0}; run in a Pod with a service account, or set KUBECONFIG")]
    Nothing(Box<kube::config::InferConfigError>),
    /// The configuration does not make a client (certificates, proxy).
    #[error("cannot make a Kubernetes client: {0}")]
    Client(Box<kube::Error>),
    /// The name of the API server has no address.
    #[error("the API server's host {host} has no address: {source}; correct the server's url, or this machine's DNS")]
    Unresolved {
        /// As the configuration names it.
        host: String,
        /// Why.
        source: std::io::Error,
    },
}

/// A client from a kubeconfig file, or, without one, from `KUBECONFIG`, `~/.kube/config` or the Pod's service account.
/// It connects when it is first used. `client.default_namespace()` is the Pod's or the context's namespace.
pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Client, ConnectError> {
    client(config(kubeconfig, context).await?)
}

/// A client of a configuration.
pub fn client(config: Config) -> Result<Client, ConnectError> {
    Client::try_from(config).map_err(|e| ConnectError::Client(Box::new(e)))
}

/// The addresses of the API server as they are now; never none.
pub async fn addresses(config: &Config) -> Result<Vec<IpAddr>, ConnectError> {
    let host = config.cluster_url.host().unwrap_or_default().trim_matches(['[', ']']);
    let unknown = |source| ConnectError::Unresolved { host: host.to_owned(), source };
    let found: Vec<IpAddr> =
        tokio::net::lookup_host((host, 0)).await.map_err(unknown)?.map(|address| address.ip()).collect();
    if found.is_empty() { Err(unknown(std::io::ErrorKind::NotFound.into())) } else { Ok(found) }
}

/// The configuration of [`connect`].
pub async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, ConnectError> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let broken = |source| ConnectError::Kubeconfig {
        path: kubeconfig.map(|p| p.display().to_string()),
        source: Box::new(source),
    };
    let mut config = match (kubeconfig, context) {
        (Some(path), _) => {
            let file = Kubeconfig::read_from(path).map_err(broken)?;
            Config::from_custom_kubeconfig(file, &options).await.map_err(broken)?
        }
        (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(broken)?,
        (None, None) => Config::infer().await.map_err(|e| ConnectError::Nothing(Box::new(e)))?,
    };
    config.connect_timeout = Some(Duration::from_secs(5));
    // A page of a list, or the next word of a watch (its bookmarks come every minute), takes less.
    config.read_timeout = Some(Duration::from_mins(2));
    config.reset_reader_on_write = true;
    // It would retry 429, 503 and 504 up to fifteen times, doubling to a thousand seconds, without telling.
    config.default_retry = false;
    Ok(config)
}

/// What time the API server's clock shows, to the second: the `Date` of an answer (RFC 9110, section 6.6.1).
pub async fn time(client: &Client) -> Result<Timestamp, CallError> {
    let unreadable = |text: String| CallError::Unreachable(format!("its time cannot be told: {text}"));
    let request = http::Request::get("/version").body(kube::client::Body::empty());
    let request = request.map_err(|error| unreadable(error.to_string()))?;
    let answer = call(client.send(request)).await?;
    let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
    let date = date.ok_or_else(|| unreadable("the answer has no Date".to_owned()))?;
    jiff::fmt::rfc2822::parse(date).map(|date| date.timestamp()).map_err(|error| unreadable(error.to_string()))
}

/// Why a call to the API server brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer in time.
    #[error("the API server did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// It answered with an error.
    #[error("the API server answered {code} {reason}: {message}")]
    Refused {
        /// The HTTP code.
        code: u16,
        /// `NotFound`, `Forbidden`, `Conflict`, ...
        reason: String,
        /// Its words; they name objects, never their content.
        message: String,
    },
    /// It could not be reached, or its answer could not be read.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
}

impl CallError {
    /// The HTTP code, where there was an answer.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

impl From<kube::Error> for CallError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                Self::Refused { code: status.code, reason: status.reason, message: status.message }
            }
            other => Self::Unreachable(chain(&other)),
        }
    }
}

/// An error with its causes: the outermost one alone says only "error trying to connect".
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// A call under [`CALL_TIMEOUT`].
pub(crate) async fn call<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
    call_within(CALL_TIMEOUT, request).await
}

/// A call under a timeout.
pub(crate) async fn call_within<T>(
    limit: Duration,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(limit, request).await {
        Ok(answer) => answer.map_err(CallError::from),
        Err(_) => Err(CallError::Timeout(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(url: &str) -> Result<Vec<IpAddr>, ConnectError> {
        addresses(&Config::new(url.parse().unwrap())).await
    }

    #[tokio::test]
    async fn the_api_server_has_the_addresses_that_its_url_means() {
        for (url, address) in [
            ("https://10.96.0.1", "10.96.0.1"),
            ("https://10.96.0.1:6443/prefix", "10.96.0.1"),
            ("https://[fd12::1]:6443", "fd12::1"),
        ] {
            assert_eq!(of(url).await.unwrap(), [address.parse::<IpAddr>().unwrap()], "{url}");
        }
        assert!(of("https://localhost:6443").await.unwrap().iter().all(IpAddr::is_loopback));
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_an_error_and_never_an_empty_list() {
        let error = of("https://nowhere.invalid").await.unwrap_err().to_string();
        assert!(error.contains("nowhere.invalid"), "{error}");
    }
}
