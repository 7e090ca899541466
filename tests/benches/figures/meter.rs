//! What a run took: time, and the processor time of this process and of the server's.

use std::time::{Duration, Instant};

/// What one side took.
#[derive(Default)]
pub struct Run {
    accounts: usize,
    time: Duration,
    /// Ticks of the processor: this process, the server's.
    own: u64,
    server: u64,
}

impl Run {
    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.accounts += other.accounts;
        self.time += other.time;
        self.own += other.own;
        self.server += other.server;
    }

    /// Accounts a second.
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn rate(&self) -> f64 {
        self.accounts as f64 / self.time.as_secs_f64()
    }

    /// Of what both use, this process's part.
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn cpu(&self) -> f64 {
        100.0 * self.own as f64 / (self.own + self.server).max(1) as f64
    }
}

/// User and system time of a process, in ticks (`man 5 proc`, fields 14 and 15 of `stat`).
fn ticks(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// Reads the clocks before and after.
pub struct Meter {
    server: String,
    start: Instant,
    own: u64,
    others: u64,
}

impl Meter {
    pub fn start(server: u32) -> Self {
        let server = server.to_string();
        Self { own: ticks("self"), others: ticks(&server), server, start: Instant::now() }
    }

    pub fn stop(&self, accounts: usize) -> Run {
        let time = self.start.elapsed();
        Run { accounts, time, own: ticks("self") - self.own, server: ticks(&self.server) - self.others }
    }
}
