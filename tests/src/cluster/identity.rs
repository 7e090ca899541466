//! Who speaks to the API server: kubeconfigs.

use std::fs;
use std::path::{Path, PathBuf};

/// What a kubeconfig says of the server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) url: String,
    pub(super) ca: PathBuf,
}

/// Writes a kubeconfig for a bearer token.
pub(super) fn kubeconfig(path: &Path, server: &Server, user: &str, token: &str, namespace: &str) {
    let text = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server.url, "certificate-authority": server.ca}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": user, "context": {"cluster": "test", "user": user, "namespace": namespace}}],
        "current-context": user,
    });
    fs::write(path, text.to_string()).expect("a kubeconfig");
}
