//! A SCIM server of our own, strict by default, with a switch for each way in which real ones were seen to misbehave.
//! It judges nothing: that other people's servers are understood is shown by `servers`.

mod bulk;
pub mod client;
mod patch;
mod query;
mod service;
mod switches;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use service::Service;
pub use switches::Switches;

/// A running server; stopped when dropped.
#[derive(Debug)]
pub struct Misbehaving {
    address: SocketAddr,
    service: Arc<Mutex<Service>>,
    task: JoinHandle<()>,
}

impl Misbehaving {
    /// Starts it on a random port.
    pub async fn start(switches: Switches) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let service = Arc::new(Mutex::new(Service::new(switches)));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&service));
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { address, service, task }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}/scim", self.address)
    }

    /// Where tokens are fetched.
    pub fn token_url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// To look at it, or to edit it behind the operator's back.
    pub fn with<T>(&self, act: impl FnOnce(&mut Service) -> T) -> T {
        act(&mut self.service.lock().expect("no test panicked with it"))
    }

    /// The requests since the last call: `METHOD /path?query`.
    pub fn take(&self) -> Vec<String> {
        self.with(|service| std::mem::take(&mut service.requests))
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(service): State<Arc<Mutex<Service>>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let answer = service.lock().expect("no test panicked with it").handle(&parts, &body);
    let mut response = Response::builder().status(answer.status).header("content-type", "application/scim+json");
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    response.body(answer.body.into()).expect("an answer")
}
