use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A relay in front of a server, on the same address: it breaks off what the server says as if the server had been stopped there.
#[derive(Debug)]
pub struct Cutting {
    address: SocketAddr,
    /// What may still come, in bytes.
    left: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

impl Cutting {
    /// In front of what listens there; everything goes through.
    pub async fn at(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((to.ip(), 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let shared = Arc::clone(&left);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, to, Arc::clone(&shared)));
            }
        });
        Self { address, left, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server stops once it has said so much more, in the middle of whatever that is.
    pub fn stop_after(&self, bytes: i64) {
        self.left.store(bytes, Ordering::SeqCst);
    }

    /// It is back.
    pub fn go_on(&self) {
        self.left.store(i64::MAX, Ordering::SeqCst);
    }
}

impl Drop for Cutting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends with the first of both that ends.
async fn relay(client: TcpStream, to: SocketAddr, left: Arc<AtomicI64>) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(to).await?.into_split();
    let down = async {
        let mut buffer = vec![0; 4096];
        loop {
            let read = from_server.read(&mut buffer).await?;
            let had = left.fetch_sub(i64::try_from(read).unwrap_or(i64::MAX), Ordering::SeqCst);
            let may = usize::try_from(had.max(0)).unwrap_or(usize::MAX).min(read);
            to_client.write_all(buffer.get(..may).unwrap_or_default()).await?;
            if read == 0 || may < read {
                return Ok(());
            }
        }
    };
    tokio::select! {
        ended = down => ended,
        sent = tokio::io::copy(&mut from_client, &mut to_server) => sent.map(|_| ()),
    }
}
