use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(500);
/// kube's own grows to 30 s: blind for so long after a CRD has appeared or the API server has come back.
const LONGEST: Duration = Duration::from_secs(5);
/// Without a failure for so long, it starts again from the first wait.
const FORGET: Duration = Duration::from_secs(30);

/// How long to wait before the next attempt: doubling from half a second to five.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    failed: Option<Instant>,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: FIRST, failed: None }
    }

    pub(super) fn wait(&mut self) -> Duration {
        let now = Instant::now();
        if self.failed.is_none_or(|at| now > at + FORGET) {
            self.next = FIRST;
        }
        self.failed = Some(now);
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.wait())
    }
}

impl kube::runtime::utils::Backoff for Backoff {
    /// Called after every item, also after the `Init` that comes before a list that fails: not a reason to hurry.
    fn reset(&mut self) {}
}
