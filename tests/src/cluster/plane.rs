use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, Once, OnceLock, PoisonError};
use std::time::Instant;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use tempfile::TempDir;

use super::identity::{self, Server};
use super::process::{Process, Sweeper};
use super::tools::{Output, eventually, tool};
use crate::free_port;

/// How often a start is tried again because another process took the port meanwhile.
const STARTS: usize = 3;

/// What a control plane has besides etcd and the API server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// kube-controller-manager, for garbage collection and the deletion of namespaces.
    pub controllers: bool,
}

/// A control plane.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    kubeconfig: PathBuf,
    running: Option<Mutex<Running>>,
    /// In most tests the control plane is a static, which is never dropped. Last: what writes to the folder has ended then.
    _sweeper: Option<Sweeper>,
}

#[derive(Debug)]
struct Running {
    server: Server,
    // Dropped in this order: the API server takes 20 s to end when etcd went first.
    controllers: Option<Process>,
    api: Option<Process>,
    etcd: Option<Process>,
    ports: (u16, u16),
}

impl Cluster {
    /// The one control plane of this test binary: its tests share it, each in namespaces of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Options { controllers: true }))
    }

    /// The one control plane of this test binary, with the resources installed by their chart.
    pub fn with_crds() -> &'static Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| Self::shared().install_crds());
        Self::shared()
    }

    /// Starts one of its own, for a test that breaks it. Takes about four seconds.
    ///
    /// # Panics
    /// If it does not come up; the text has the last lines of the logs.
    pub fn start(options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("provost-cluster-").tempdir().expect("a temporary folder");
        if let Ok(given) = std::env::var("PROVOST_TEST_KUBECONFIG") {
            return Self { folder, kubeconfig: given.into(), running: None, _sweeper: None };
        }
        let dir = folder.path();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        fs::write(dir.join("sa.key"), key.serialize_pem()).expect("the key");
        fs::write(dir.join("sa.pub"), key.public_key_pem()).expect("the public key");
        fs::write(dir.join("tokens.csv"), "admin-token,admin,admin,\"system:masters\"\n").expect("the tokens");
        let kubeconfig = dir.join("admin.kubeconfig");
        let mut last = String::new();
        // Not of one start: where that fails, the next one is in the same folder.
        let sweeper = Sweeper::of(dir);
        for _ in 0..STARTS {
            match Running::start(dir, &kubeconfig) {
                Ok(mut running) => {
                    if options.controllers {
                        running.controllers = Some(controllers(dir, &kubeconfig));
                    }
                    let running = Some(Mutex::new(running));
                    return Self { folder, kubeconfig, running, _sweeper: Some(sweeper) };
                }
                Err(error) => last = error,
            }
        }
        panic!("the control plane did not come up: {last}");
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A folder for what a test writes; it goes with the control plane.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// kubectl as administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        self.run("kubectl", &self.kubeconfig, arguments, None)
    }

    /// kubectl as somebody else.
    pub fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str]) -> Output {
        self.run("kubectl", kubeconfig, arguments, None)
    }

    /// `kubectl apply` of manifests, as administrator.
    pub fn apply(&self, manifests: &str) -> Output {
        self.run("kubectl", &self.kubeconfig, &["apply", "-f", "-"], Some(manifests))
    }

    /// kubectl with something to read, as administrator.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> Output {
        self.run("kubectl", &self.kubeconfig, arguments, Some(input))
    }

    /// helm as administrator.
    pub fn helm(&self, arguments: &[&str]) -> Output {
        self.run("helm", &self.kubeconfig, arguments, None)
    }

    fn run(&self, program: &str, kubeconfig: &Path, arguments: &[&str], input: Option<&str>) -> Output {
        let mut command = Command::new(tool(program));
        command.args(arguments).env("KUBECONFIG", kubeconfig);
        // Neither the developer's plugins nor anybody's cache has a say.
        command.env("HOME", self.folder.path()).env("KUBECACHEDIR", self.folder.path().join("kubectl"));
        for name in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env(name, self.folder.path().join(name));
        }
        Output::of(command, input)
    }

    /// Installs the resources by their chart and waits until they are served.
    ///
    /// # Panics
    /// If helm or the API server refuses.
    pub fn install_crds(&self) {
        let chart = super::repository().join("charts/provost-crds");
        let chart = chart.to_string_lossy();
        self.helm(&["upgrade", "--install", "provost-crds", &chart, "-n", "default"]).ok();
        self.crds_established();
    }

    /// Waits until all four resources are served.
    ///
    /// # Panics
    /// If they never are.
    pub fn crds_established(&self) {
        let names = ["identities", "groups", "accesspolicies", "targetapplications"];
        let names: Vec<String> = names.iter().map(|plural| format!("crd/{plural}.provost.dev")).collect();
        let mut arguments = vec!["wait", "--for=condition=Established", "--timeout=60s"];
        arguments.extend(names.iter().map(String::as_str));
        self.kubectl(&arguments).ok();
    }

    /// Makes a namespace.
    ///
    /// # Panics
    /// If it exists.
    pub fn namespace(&self, name: &str) {
        self.kubectl(&["create", "namespace", name]).ok();
    }

    /// A kubeconfig with a fresh token (TokenRequest, one day) of a ServiceAccount: what a Pod of it could do.
    ///
    /// # Panics
    /// If there is no such ServiceAccount, or with a cluster that was not started here.
    pub fn service_account(&self, namespace: &str, name: &str) -> PathBuf {
        let token = self.kubectl(&["create", "token", name, "-n", namespace, "--duration=24h"]).ok();
        let path = self.folder.path().join(format!("{namespace}-{name}.kubeconfig"));
        let server = self.server();
        identity::kubeconfig(&path, &server, name, token.trim(), namespace);
        path
    }

    fn server(&self) -> Server {
        if let Some(running) = &self.running {
            return running.lock().unwrap_or_else(PoisonError::into_inner).server.clone();
        }
        let config = self.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]).json();
        let cluster = config.pointer("/clusters/0/cluster").expect("a cluster in the kubeconfig");
        let url = cluster.get("server").and_then(serde_json::Value::as_str).expect("its server").to_owned();
        let ca = self.folder.path().join("ca.crt");
        let data = cluster.get("certificate-authority-data").and_then(serde_json::Value::as_str).unwrap_or_default();
        let mut decode = Command::new("base64");
        decode.arg("-d");
        fs::write(&ca, Output::of(decode, Some(data)).ok()).expect("the CA");
        Server { url, ca }
    }

    /// Kills the API server (SIGKILL). [`start_api`](Self::start_api) brings it back, on the same port.
    pub fn kill_api(&self) {
        self.with_running(|_, running| drop(running.api.take()));
    }

    /// Brings the API server back and waits until it is ready.
    ///
    /// # Panics
    /// If it does not come back.
    pub fn start_api(&self) {
        self.with_running(|dir, running| {
            running.api = Some(api(dir, running.ports));
            let ready = eventually("the API server is back", || {
                is_ready(&self.kubeconfig).then_some(true).or_else(|| gone(running).map(|_| false))
            });
            assert!(ready, "{}", running.api.as_ref().map(Process::tail).unwrap_or_default());
        });
    }

    /// Stops etcd where it stands, or lets it go on: the API server takes nothing meanwhile.
    pub fn freeze_etcd(&self, frozen: bool) {
        self.with_running(|_, running| running.etcd.iter().for_each(|etcd| etcd.freeze(frozen)));
    }

    fn with_running<T>(&self, act: impl FnOnce(&Path, &mut Running) -> T) -> T {
        let running = self.running.as_ref().expect("a control plane that was started here");
        act(self.folder.path(), &mut running.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Running {
    fn start(dir: &Path, kubeconfig: &Path) -> Result<Self, String> {
        let ports = (free_port(), free_port());
        let _ = fs::remove_dir_all(dir.join("etcd"));
        let server =
            Server { url: format!("https://127.0.0.1:{}", ports.1), ca: dir.join("certs").join("apiserver.crt") };
        identity::kubeconfig(kubeconfig, &server, "admin", "admin-token", "default");
        let (etcd, api) = (etcd(dir, ports), api(dir, ports));
        let mut running = Self { server, controllers: None, api: Some(api), etcd: Some(etcd), ports };
        let began = Instant::now();
        loop {
            if let Some(log) = gone(&running) {
                return Err(log);
            }
            if is_ready(kubeconfig) {
                return Ok(running);
            }
            if began.elapsed().as_secs() > 90 {
                let log = running.api.take().map(|api| api.tail()).unwrap_or_default();
                return Err(format!("not ready after 90 s\n{log}"));
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

/// The last words of a part that has ended.
fn gone(running: &Running) -> Option<String> {
    [&running.etcd, &running.api].into_iter().flatten().find(|part| !part.runs()).map(Process::tail)
}

fn is_ready(kubeconfig: &Path) -> bool {
    let mut command = Command::new(tool("kubectl"));
    command.args(["get", "--raw", "/readyz", "--request-timeout=2s"]).env("KUBECONFIG", kubeconfig);
    kubeconfig.with_file_name("certs").join("apiserver.crt").exists() && Output::of(command, None).success
}

fn start(dir: &Path, name: &str, arguments: &[String]) -> Process {
    Process::start(&tool(name), arguments, &[], &dir.join(format!("{name}.log")))
}

fn etcd(dir: &Path, (etcd_port, _): (u16, u16)) -> Process {
    let url = format!("http://127.0.0.1:{etcd_port}");
    let arguments = vec![
        format!("--data-dir={}", dir.join("etcd").display()),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=error".to_owned(),
    ];
    start(dir, "etcd", &arguments)
}

fn api(dir: &Path, (etcd_port, api_port): (u16, u16)) -> Process {
    let arguments = vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        format!("--cert-dir={}", dir.join("certs").display()),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={api_port}"),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", dir.join("sa.pub").display()),
        format!("--service-account-signing-key-file={}", dir.join("sa.key").display()),
        "--authorization-mode=RBAC".to_owned(),
        format!("--token-auth-file={}", dir.join("tokens.csv").display()),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        // It reads everything again every five minutes to compare; of no use here.
        "--feature-gates=DetectCacheInconsistency=false".to_owned(),
    ];
    start(dir, "kube-apiserver", &arguments)
}

fn controllers(dir: &Path, kubeconfig: &Path) -> Process {
    let kubeconfig = kubeconfig.display();
    let arguments = vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        "--secure-port=0".to_owned(),
        "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller".to_owned(),
    ];
    start(dir, "kube-controller-manager", &arguments)
}
