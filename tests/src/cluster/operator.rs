use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::plane::Cluster;
use super::process::Process;
use super::tools::{Output, eventually};

/// Where its chart puts it in tests.
pub const NAMESPACE: &str = "provost-system";

/// The operator as a process of its own, with the rights of the chart's ServiceAccount and nothing more.
#[derive(Debug)]
pub struct Operator {
    process: Process,
}

impl Operator {
    /// Installs its chart (without its Pod running anywhere) and says the kubeconfig of its ServiceAccount.
    ///
    /// # Panics
    /// If helm refuses.
    pub fn install(cluster: &Cluster, release_namespace: &str, namespaces: &[&str]) -> PathBuf {
        let chart = super::repository().join("charts/provost");
        let chart = chart.to_string_lossy();
        let set = format!("namespaces={{{}}}", namespaces.join(","));
        let mut arguments =
            vec!["upgrade", "--install", "provost", &chart, "-n", release_namespace, "--create-namespace"];
        if !namespaces.is_empty() {
            arguments.extend(["--set", &set]);
        }
        cluster.helm(&arguments).ok();
        cluster.service_account(release_namespace, "provost")
    }

    /// Starts the operator that was built (`PROVOST_BIN`, else beside the tests) with its ledger in `data`.
    ///
    /// # Panics
    /// If it was not built.
    pub fn start(
        cluster: &Cluster,
        kubeconfig: &Path,
        release_namespace: &str,
        data: &Path,
        arguments: &[&str],
    ) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let log = cluster.folder().join(format!("operator-{}.log", STARTED.fetch_add(1, Ordering::Relaxed)));
        let fixed = [
            "operator",
            "--listen=127.0.0.1:0",
            "--lease-seconds=5",
            "--log-format=json",
            "--allow-loopback",
            "--allow-fake",
        ];
        let mut all: Vec<String> = fixed.map(str::to_owned).to_vec();
        all.push(format!("--data={}", data.display()));
        all.push(format!("--kubeconfig={}", kubeconfig.display()));
        all.push(format!("--lease-namespace={release_namespace}"));
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        Self { process: Process::start(&binary(), &all, &[], &log) }
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The address of health and metrics, from the log.
    ///
    /// # Panics
    /// If it never says one.
    pub fn address(&self) -> String {
        eventually("the operator says where it serves health", || {
            assert!(self.process.runs(), "the operator has ended:\n{}", self.process.tail());
            self.process.log().lines().find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).ok()?;
                line.get("address").and_then(serde_json::Value::as_str).map(str::to_owned)
            })
        })
    }

    /// Waits until `/readyz` says ok.
    ///
    /// # Panics
    /// If it never does; the text has what it waits for.
    pub fn ready(&self) {
        let address = self.address();
        let mut last = String::new();
        let began = std::time::Instant::now();
        loop {
            let (code, text) = get(&address, "/readyz");
            if code == 200 {
                return;
            }
            last = if text.is_empty() { last } else { text };
            assert!(began.elapsed().as_secs() < 60, "never ready: {last}\n{}", self.process.tail());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// What a path of the health server says: code and text; 0 if nobody answers.
    pub fn get(&self, path: &str) -> (u16, String) {
        get(&self.address(), path)
    }

    /// Status writes since its start, whatever became of them: `provost_status_writes_total`.
    pub fn status_writes(&self) -> u64 {
        let (code, metrics) = self.get("/metrics");
        assert_eq!(code, 200, "{metrics}");
        let lines = metrics.lines().filter(|line| line.starts_with("provost_status_writes_total{"));
        let counts: Vec<u64> = lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
        assert!(!counts.is_empty(), "no status was ever written, or the metric is gone:\n{metrics}");
        counts.iter().sum()
    }

    /// The command line asks it something, as administrator: the program that runs, with its address.
    pub fn asked(&self, cluster: &Cluster, release_namespace: &str, arguments: &[&str]) -> Output {
        let mut command = std::process::Command::new(binary());
        command.args(arguments).env("KUBECONFIG", cluster.kubeconfig());
        command.env("PROVOST_SERVER", format!("http://{}", self.address()));
        command.arg(format!("--operator-namespace={release_namespace}"));
        Output::of(command, None)
    }

    /// Asks it to end, as the kubelet does, and says its exit status.
    pub fn stop(self) -> Option<i32> {
        self.process.terminate()
    }

    /// Kills it, as an out-of-memory killer does.
    pub fn kill(self) {
        self.process.kill();
    }
}

/// A GET by hand: no TLS, one request, the connection closed after it.
fn get(address: &str, path: &str) -> (u16, String) {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = std::net::TcpStream::connect(address) else { return (0, String::new()) };
    let _ = stream.set_read_timeout(Some(std::time::Duration::from_secs(10)));
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    if stream.write_all(request.as_bytes()).is_err() || stream.read_to_string(&mut answer).is_err() {
        return (0, String::new());
    }
    let code = answer.split_whitespace().nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (code, body)
}

/// The program that was built: `PROVOST_BIN`, else beside the tests.
///
/// # Panics
/// If it was not built.
pub fn binary() -> PathBuf {
    if let Ok(given) = std::env::var("PROVOST_BIN") {
        return given.into();
    }
    // target/debug/deps/TEST or target/debug/BIN
    let this = std::env::current_exe().expect("this program");
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join("provost")).find(|path| path.exists());
    found.expect("the operator; `cargo build -p provost` makes it")
}
