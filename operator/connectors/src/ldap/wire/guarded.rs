//! A socket into which nothing goes any more once this process may not write. What was asked for waits in the process before it
//! comes here, and a process that was stopped meanwhile would send it when it goes on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::Permit;

/// A socket with its permit, asked before each time that bytes go into it.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    socket: S,
    permit: Permit,
}

impl<S> Guarded<S> {
    pub(super) fn new(socket: S, permit: &Permit) -> Self {
        Self { socket, permit: permit.clone() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.permit.holds() {
            return Poll::Ready(Err(io::Error::other("this process may not write any more")));
        }
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn nothing_goes_out_once_the_permit_is_withdrawn() {
        let may = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&may);
        let permit = Permit::new(move || asked.load(Ordering::Relaxed));
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut ours = Guarded::new(ours, &permit);
        ours.write_all(b"before").await.unwrap();
        may.store(false, Ordering::Relaxed);
        assert!(ours.write_all(b"after").await.is_err());
        drop(ours);
        let mut heard = String::new();
        theirs.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "before");
    }
}
