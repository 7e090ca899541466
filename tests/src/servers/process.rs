use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::free_port;

/// A server process; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    port: u16,
    base: &'static str,
}

impl Running {
    /// Starts a command with a free port as its last arguments, and waits until the port is open.
    pub(super) async fn start(name: &str, command: &Path, arguments: &[String], base: &'static str) -> Self {
        let port = free_port();
        let mut child = Command::new(command)
            .args(arguments)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {}: {error}", command.display()));
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            let ended = child.try_wait().expect("the process can be asked");
            assert!(ended.is_none(), "{name} ended at once: {ended:?}");
            assert!(began.elapsed() < Duration::from_mins(1), "{name} does not listen after a minute");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { child, port, base }
    }

    /// The base URL of its SCIM service.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.base)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The path of its base URL.
    pub fn base(&self) -> &'static str {
        self.base
    }

    /// Its process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }
}
