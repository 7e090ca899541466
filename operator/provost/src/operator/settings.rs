use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use provost_kubernetes::watch::Scope;
use tracing_subscriber::EnvFilter;

/// How `provost operator` runs.
#[derive(clap::Args, Clone, Debug)]
pub struct Settings {
    /// Namespaces to watch; may be repeated or separated by commas. Default: all
    #[arg(long = "namespace", short = 'n', env = "PROVOST_NAMESPACES", value_delimiter = ',')]
    pub namespace: Vec<String>,
    /// Folder of the ledger; must survive restarts
    #[arg(long, env = "PROVOST_DATA", default_value = "/var/lib/provost")]
    pub data: PathBuf,
    /// Days that journal entries are kept
    #[arg(long, env = "PROVOST_JOURNAL_DAYS", default_value_t = 400)]
    pub journal_days: u32,
    /// MiB of journal entries that are kept; a quarter is reserved to entries about leavers
    #[arg(long, env = "PROVOST_JOURNAL_MIB", default_value_t = 1024)]
    pub journal_mib: u64,
    /// Where health and metrics are served
    #[arg(long, env = "PROVOST_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Namespace of the Lease. Default: the Pod's own, or the context's
    #[arg(long, env = "PROVOST_LEASE_NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of the Lease
    #[arg(long, env = "PROVOST_LEASE_NAME", default_value = "provost")]
    pub lease_name: String,
    /// Seconds until another process may take over from one that is silent
    #[arg(long, env = "PROVOST_LEASE_SECONDS", default_value_t = 30)]
    pub lease_seconds: u64,
    /// Name of this process in the Lease. Default: the Pod's or host's name and the process id
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// How log lines are written
    #[arg(long, env = "PROVOST_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// What is logged, as in "info" or "provost=debug,warn"
    #[arg(long, env = "PROVOST_LOG", default_value = "info")]
    pub log: String,
    /// Allow targets on the operator's own loopback addresses (demos and tests)
    #[arg(long, env = "PROVOST_ALLOW_LOOPBACK")]
    pub allow_loopback: bool,
    /// Refuse targets on private addresses
    #[arg(long, env = "PROVOST_REFUSE_PRIVATE")]
    pub refuse_private: bool,
    /// Allow the connector `fake`, which keeps accounts in memory alone (demos and tests)
    #[arg(long, env = "PROVOST_ALLOW_FAKE")]
    pub allow_fake: bool,
    /// Kubeconfig file. Default: $KUBECONFIG, ~/.kube/config or the Pod's service account
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long)]
    pub context: Option<String>,
}

/// How log lines are written.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum LogFormat {
    /// One JSON object a line
    Json,
    /// For people
    Text,
}

impl Settings {
    /// Sets up logging; a second call changes nothing.
    pub fn log(&self) {
        let filter = EnvFilter::try_new(&self.log).unwrap_or_else(|_| EnvFilter::new("info"));
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        let _ = match self.log_format {
            LogFormat::Json => builder.json().flatten_event(true).try_init(),
            LogFormat::Text => builder.with_target(false).try_init(),
        };
    }

    /// Which namespaces: these, or all.
    pub fn scope(&self) -> Scope {
        if self.namespace.is_empty() {
            Scope::All
        } else {
            Scope::Named(self.namespace.iter().map(|name| name.as_str().into()).collect())
        }
    }

    /// How long a silent leader keeps the Lease.
    pub fn lease_duration(&self) -> Duration {
        Duration::from_secs(self.lease_seconds.max(5))
    }

    /// How long a request to a target may take: what this process has begun is over before another one can lead.
    pub fn request_at_most(&self) -> Duration {
        self.lease_duration() * 3 / 5
    }

    /// This process's name in the Lease.
    pub fn instance(&self) -> String {
        let host =
            self.pod_name.clone().or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_else(|| "provost".to_owned());
        format!("{host}-{}", std::process::id())
    }
}
