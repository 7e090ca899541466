//! Whether a write may still be sent, asked at the last moment there is.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Asked before each request that writes, and again by the connection's own task when it goes into the socket: between the two a
/// process may have been stopped for long.
#[derive(Clone, Default)]
pub struct Permit(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Permit {
    /// What `may` says at the moment.
    pub fn new(may: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(may)))
    }

    /// Whether a write may be sent now.
    pub fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|may| may())
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Permit").field(&self.0.is_some()).finish()
    }
}

impl PartialEq for Permit {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }
}

impl Eq for Permit {}

/// There is no permit any more: what was not sent yet is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process may not write any more")]
pub(super) struct Withdrawn;

/// The body of a write, which goes out only while it may. With HTTP/1.1 its head waits for it in the same buffer, and the
/// connection asks for both in one go; where there is no body, `is_end_stream` is what it asks before it writes the head.
pub(super) struct Permitted {
    bytes: Option<Bytes>,
    permit: Permit,
}

impl Permitted {
    pub fn new(bytes: Option<&Arc<[u8]>>, permit: &Permit) -> Self {
        Self { bytes: bytes.map(|bytes| Bytes::copy_from_slice(bytes)), permit: permit.clone() }
    }
}

impl Body for Permitted {
    type Data = Bytes;
    type Error = Withdrawn;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Withdrawn>>> {
        if !self.permit.holds() {
            return Poll::Ready(Some(Err(Withdrawn)));
        }
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && self.permit.holds()
    }

    /// Without bytes nothing is said: of a body of no bytes, the head would go out alone.
    fn size_hint(&self) -> SizeHint {
        self.bytes.as_ref().map_or_else(SizeHint::new, |bytes| SizeHint::with_exact(bytes.len() as u64))
    }
}
