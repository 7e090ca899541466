use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A door in front of a server, always at the same address. Shut, connections are refused and open ones are cut, as if
/// the server were gone; what the server knows it keeps.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    to: SocketAddr,
    open: Mutex<Option<JoinHandle<()>>>,
}

impl Gate {
    /// An open one.
    pub async fn before(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let open = Mutex::new(Some(tokio::spawn(serve(listener, to))));
        Self { address, to, open }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses and cuts connections, until it is opened.
    pub async fn shut(&self) {
        let task = self.open.lock().expect("no test panicked with it").take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }

    /// Lets connections through again.
    pub async fn open(&self) {
        let listener = TcpListener::bind(self.address).await.expect("its port is still free");
        let task = tokio::spawn(serve(listener, self.to));
        *self.open.lock().expect("no test panicked with it") = Some(task);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(task) = self.open.lock().ok().and_then(|mut open| open.take()) {
            task.abort();
        }
    }
}

/// Ends with its connections when it is aborted.
async fn serve(listener: TcpListener, to: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        connections.spawn(async move {
            let Ok(mut far) = TcpStream::connect(to).await else { return };
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
