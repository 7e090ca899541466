//! A connection: whoever asks writes by themselves, and one task hands out the answers. What a server sends is taken whole and within
//! bounds; what cannot be read ends the connection, and nothing else.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::ber::{self, refused};
use super::error::Broken;
use super::message::{Answer, Control, Request, head};

/// What is read at once.
const CHUNK: usize = 32 * 1024;
/// Bytes of all messages that answer one request: no page comes near it.
const MOST: usize = 256 * 1024 * 1024;

/// What carries it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Stream for S {}

type Socket = Box<dyn Stream>;

/// One connection, on which requests do not wait for each other. It is closed once nobody has it any more.
#[derive(Clone, Debug)]
pub(crate) struct Client(Arc<Line>);

#[derive(Debug)]
struct Line {
    writing: Arc<tokio::sync::Mutex<Option<WriteHalf<Socket>>>>,
    waiting: Arc<Mutex<Waiting>>,
    reader: AbortHandle,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Who waits for answers.
#[derive(Debug, Default)]
struct Waiting {
    last: u32,
    asked: HashMap<u32, Asked>,
    /// No answer comes any more.
    ended: bool,
}

#[derive(Debug)]
struct Asked {
    /// What has come of the answer.
    messages: Vec<Bytes>,
    bytes: usize,
    done: oneshot::Sender<Vec<Bytes>>,
}

fn locked(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of one who waits: it is free when they go.
struct Place<'a> {
    waiting: &'a Mutex<Waiting>,
    id: u32,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        locked(self.waiting).asked.remove(&self.id);
    }
}

impl Client {
    /// Over what is connected, and encrypted where it has to be.
    pub(super) fn over(stream: impl Stream + 'static) -> Self {
        let (from, to) = split(Box::new(stream) as Socket);
        let socket = Arc::new(tokio::sync::Mutex::new(Some(to)));
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let ends = Ends(Arc::clone(&waiting));
        let closes = Arc::clone(&socket);
        let reader = tokio::spawn(async move {
            match hand_out(from, &ends.0).await {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::warn!(%error, "connection to a directory ended");
                }
                ended => tracing::debug!(?ended, "connection to a directory ended"),
            }
            drop(ends);
            closes.lock().await.take();
        });
        Self(Arc::new(Line { writing: socket, waiting, reader: reader.abort_handle() }))
    }

    /// Whether nothing can be asked any more.
    pub(super) fn is_closed(&self) -> bool {
        locked(&self.0.waiting).ended || self.0.writing.try_lock().is_ok_and(|socket| socket.is_none())
    }

    /// Asks, and waits so long at most for the whole answer.
    pub(super) async fn ask(
        &self,
        request: &Request<'_>,
        controls: &[Control],
        most: Duration,
    ) -> Result<Answer, Broken> {
        let (place, answer) = self.place()?;
        let message = request.message(place.id, controls);
        let asking = async {
            self.send(&message).await.map_err(|error| Broken::Off(Some(error.kind())))?;
            answer.await.map_err(|_| Broken::Off(None))
        };
        let messages = tokio::time::timeout(most, asking).await.map_err(|_| Broken::Late)??;
        let fits = |answer: &Answer| answer.kind == request.answered_by();
        Answer::read(&messages).filter(fits).ok_or(Broken::Unreadable)
    }

    fn place(&self) -> Result<(Place<'_>, oneshot::Receiver<Vec<Bytes>>), Broken> {
        let (done, answer) = oneshot::channel();
        let mut waiting = locked(&self.0.waiting);
        if waiting.ended {
            return Err(Broken::Off(None));
        }
        // Numbers come again after billions of requests; 0 is the server's own.
        loop {
            waiting.last = if waiting.last >= i32::MAX.unsigned_abs() { 1 } else { waiting.last + 1 };
            if !waiting.asked.contains_key(&waiting.last) {
                break;
            }
        }
        let id = waiting.last;
        waiting.asked.insert(id, Asked { messages: Vec::new(), bytes: 0, done });
        Ok((Place { waiting: &self.0.waiting, id }, answer))
    }

    async fn send(&self, message: &[u8]) -> io::Result<()> {
        let mut writing = self.0.writing.lock().await;
        // Where it fails or is given up halfway, it stays away: whatever came next would be read as its rest.
        let mut socket = writing.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let sent = async {
            socket.write_all(message).await?;
            socket.flush().await
        };
        if let Err(error) = sent.await {
            self.0.reader.abort();
            return Err(error);
        }
        *writing = Some(socket);
        Ok(())
    }
}

/// Whoever waits is told when the answers end, however they do.
struct Ends(Arc<Mutex<Waiting>>);

impl Drop for Ends {
    fn drop(&mut self) {
        let mut waiting = locked(&self.0);
        waiting.ended = true;
        waiting.asked.clear();
    }
}

async fn hand_out(mut from: ReadHalf<Socket>, waiting: &Mutex<Waiting>) -> io::Result<()> {
    let mut held = BytesMut::new();
    loop {
        held.reserve(CHUNK);
        if from.read_buf(&mut held).await? == 0 {
            return Ok(());
        }
        while let Some(length) = ber::message(&held)? {
            let message = held.split_to(length).freeze();
            let (id, last) = head(&message).ok_or_else(|| refused("it is not made of what a message is"))?;
            if id == 0 {
                // The server's own word before it closes (RFC 4511, 4.4.1): nothing is to be asked any more.
                return Err(io::Error::other("the server ends the connection"));
            }
            let mut waiting = locked(waiting);
            // It may be that nobody waits for it any more.
            let Some(mut asked) = waiting.asked.remove(&id) else { continue };
            asked.bytes += message.len();
            if asked.bytes > MOST {
                return Err(refused("an answer has no end"));
            }
            asked.messages.push(message);
            if last {
                // Who waited may have gone.
                drop(asked.done.send(asked.messages));
            } else {
                waiting.asked.insert(id, asked);
            }
        }
    }
}
