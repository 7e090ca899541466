//! Whether this process still leads, as it did when it began: asked before each write, and while one is under way.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use provost_connectors::Permit;
use provost_kubernetes::lease::Leadership;
use tokio::time::Instant;

/// The lead with which this process began. One that is lost and won again is another one: others may have written between.
#[derive(Clone, Debug)]
pub struct Leading {
    leadership: Leadership,
    epoch: u64,
}

impl Leading {
    /// Of a process that leads with this epoch.
    pub fn new(leadership: Leadership, epoch: u64) -> Self {
        Self { leadership, epoch }
    }

    /// The epoch of the Lease.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The Lease as it stands, for writers to the API server.
    pub fn leadership(&self) -> &Leadership {
        &self.leadership
    }

    /// Whether it still leads.
    pub fn is_so(&self) -> bool {
        self.leadership.epoch() == Some(self.epoch)
    }

    /// For connectors: asked when a request is about to go into the socket.
    pub fn permit(&self) -> Permit {
        let leading = self.clone();
        Permit::new(move || leading.is_so())
    }

    /// How long it leads for certain; zero if it does not.
    pub fn remaining(&self) -> Duration {
        if self.is_so() { self.leadership.remaining() } else { Duration::ZERO }
    }

    /// Runs a write as long as it leads, and not longer than `time`. `None`: it was given up.
    ///
    /// The time is looked at before the write goes on, not beside it: a process that was stopped finds the answer to one
    /// request and the end of its time at once, and must not send the next one.
    pub fn within<F: Future>(&self, time: Duration, write: F) -> impl Future<Output = Option<F::Output>> {
        let until = Instant::now() + time;
        Within { leading: self.clone(), until, over: Box::pin(tokio::time::sleep_until(until)), write: Box::pin(write) }
    }
}

struct Within<F> {
    leading: Leading,
    until: Instant,
    over: Pin<Box<tokio::time::Sleep>>,
    write: Pin<Box<F>>,
}

impl<F: Future> Future for Within<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if Instant::now() >= self.until || !self.leading.is_so() || self.over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        self.write.as_mut().poll(cx).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Requests that are sent one after the other, each when the answer to the one before is there.
    async fn requests(sent: &AtomicUsize, answers: &mut tokio::sync::mpsc::UnboundedReceiver<()>) {
        loop {
            sent.fetch_add(1, Ordering::Relaxed);
            answers.recv().await;
        }
    }

    #[tokio::test]
    async fn no_request_follows_an_answer_that_is_there_when_the_time_is_over() {
        let leading = Leading::new(Leadership::always(), 1);
        let (sent, (answer, mut answers)) = (AtomicUsize::new(0), tokio::sync::mpsc::unbounded_channel());
        let mut write = Box::pin(leading.within(Duration::from_millis(200), requests(&sent, &mut answers)));
        assert!(poll_once(write.as_mut()).await.is_none());
        answer.send(()).unwrap();
        assert!(poll_once(write.as_mut()).await.is_none());
        assert_eq!(sent.load(Ordering::Relaxed), 2, "it goes on while there is time");
        // As after SIGSTOP and SIGCONT: an answer and the end of the time are there at once.
        std::thread::sleep(Duration::from_millis(250));
        answer.send(()).unwrap();
        assert_eq!(poll_once(write.as_mut()).await, Some(None));
        assert_eq!(sent.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn another_epoch_is_another_lead() {
        let leading = Leading::new(Leadership::always(), 2);
        assert_eq!((leading.is_so(), leading.remaining()), (false, Duration::ZERO));
        assert_eq!(leading.within(Duration::from_secs(9), async { "written" }).await, None);
    }

    /// Polls once; `None`: not ready.
    async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            Poll::Ready(match future.as_mut().poll(cx) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            })
        })
        .await
    }
}
