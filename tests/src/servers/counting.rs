use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Running;

/// A proxy in front of a server: says which requests went through.
#[derive(Debug)]
pub struct Counting {
    address: SocketAddr,
    base: &'static str,
    seen: Arc<Mutex<Vec<(Method, String)>>>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Proxy {
    to: SocketAddr,
    client: reqwest::Client,
    seen: Arc<Mutex<Vec<(Method, String)>>>,
}

impl Counting {
    /// In front of a server.
    pub async fn before(server: &Running) -> Self {
        Self::at(server.address(), server.base()).await
    }

    /// In front of what listens at an address, with a base path.
    pub async fn at(to: SocketAddr, base: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Mutex::new(Vec::new()));
        // No connection is kept: a server may close it at the moment at which it is used again.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
        let proxy = Proxy { to, client, seen: Arc::clone(&seen) };
        let router = Router::new().fallback(forward).with_state(proxy);
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { address, base, seen, task }
    }

    /// The base URL through the proxy.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.base)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests went through since the last [`take`](Self::take) of which this is so.
    pub fn count(&self, so: impl Fn(&Method, &str) -> bool) -> usize {
        let seen = self.seen.lock().expect("no test panicked with it");
        seen.iter().filter(|(method, path)| so(method, path)).count()
    }

    /// What went through since the last call: methods and paths, queries included.
    pub fn take(&self) -> Vec<(Method, String)> {
        std::mem::take(&mut self.seen.lock().expect("no test panicked with it"))
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(State(proxy): State<Proxy>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    proxy.seen.lock().expect("no test panicked with it").push((parts.method.clone(), path.clone()));
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let mut headers = parts.headers;
    headers.remove("host");
    let sent = proxy.client.request(parts.method, format!("http://{}{path}", proxy.to)).headers(headers).body(body);
    let answer = match sent.send().await {
        Ok(answer) => answer,
        Err(error) => {
            let said = format!("the proxy of this test: {error:?}").into();
            return Response::builder().status(StatusCode::BAD_GATEWAY).body(said).expect("an answer");
        }
    };
    let mut back = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "content-length" && name != "transfer-encoding" && name != "connection" {
            back = back.header(name, value);
        }
    }
    back.body(answer.bytes().await.expect("a body").into()).expect("an answer")
}
