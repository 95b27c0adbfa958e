//! A server that misbehaves as it is told: bytes on sockets, with no library that would put them right.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a test may ask about.
#[derive(Debug, Default)]
pub(in crate::replay::retrievers::http) struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    /// Bytes that the operating system took.
    written: AtomicUsize,
}

/// A server on loopback; it ends with the value.
pub(in crate::replay::retrievers::http) struct FaultServer {
    pub(in crate::replay::retrievers::http) address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection, seen from the server.
pub(in crate::replay::retrievers::http) struct Connection<S = TcpStream> {
    pub(in crate::replay::retrievers::http) stream: S,
    /// From 0.
    pub(in crate::replay::retrievers::http) number: usize,
    seen: Arc<Seen>,
    unread: Vec<u8>,
}

impl FaultServer {
    /// Starts a server that does `handle` with every connection.
    pub(in crate::replay::retrievers::http) async fn start<F>(handle: F) -> Self
    where
        F: Fn(Connection) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    {
        Self::start_on("127.0.0.1:0", handle).await.unwrap()
    }

    pub(in crate::replay::retrievers::http) async fn start_on<F>(address: &str, handle: F) -> std::io::Result<Self>
    where
        F: Fn(Connection) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let counted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let number = counted.connections.fetch_add(1, Ordering::SeqCst);
                let seen = Arc::clone(&counted);
                connections.spawn(handle(Connection { stream, number, seen, unread: Vec::new() }));
            }
        });
        Ok(Self { address, seen, task })
    }

    /// Starts a server that answers every request with these bytes.
    pub(in crate::replay::retrievers::http) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::start(move |mut connection| {
            let answer = Arc::clone(&answer);
            Box::pin(async move {
                while connection.read_request().await {
                    connection.write(&answer).await;
                }
            })
        })
        .await
    }

    pub(in crate::replay::retrievers::http) fn url(&self) -> String {
        format!("http://{}/search", self.address)
    }

    pub(in crate::replay::retrievers::http) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    pub(in crate::replay::retrievers::http) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(in crate::replay::retrievers::http) fn written(&self) -> usize {
        self.seen.written.load(Ordering::SeqCst)
    }
}

impl Connection {
    /// Returns the connection with TLS on it; `None` where the client does not go along.
    pub(in crate::replay::retrievers::http) async fn secured(
        self,
        acceptor: &TlsAcceptor,
    ) -> Option<Connection<TlsStream<TcpStream>>> {
        let Self { stream, number, seen, unread } = self;
        let stream = acceptor.accept(stream).await.ok()?;
        Some(Connection { stream, number, seen, unread })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Reads a request with its body and counts it; false at the end of the connection.
    pub(in crate::replay::retrievers::http) async fn read_request(&mut self) -> bool {
        loop {
            if let Some(length) = request_length(&self.unread).filter(|length| self.unread.len() >= *length) {
                self.unread.drain(..length);
                self.count_request();
                return true;
            }
            if !self.read_more().await {
                return false;
            }
        }
    }

    /// Reads `length` bytes; fewer at the end of the connection.
    pub(in crate::replay::retrievers::http) async fn read(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length && self.read_more().await {}
        self.unread.drain(..length.min(self.unread.len())).collect()
    }

    async fn read_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer).await {
            Ok(count) if count > 0 => self.unread.extend_from_slice(&buffer[..count]),
            _ => return false,
        }
        true
    }

    pub(in crate::replay::retrievers::http) fn count_request(&self) {
        self.seen.requests.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns the number of requests so far, of all connections.
    pub(in crate::replay::retrievers::http) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// Returns whether the other end still takes bytes.
    pub(in crate::replay::retrievers::http) async fn write(&mut self, bytes: &[u8]) -> bool {
        let written = self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok();
        if written {
            self.seen.written.fetch_add(bytes.len(), Ordering::SeqCst);
        }
        written
    }

    /// Keeps the connection open and silent.
    pub(in crate::replay::retrievers::http) async fn stall(&self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

/// The length of the request at the start of `bytes`, body included, once its head is complete.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    Some(head + length.unwrap_or(0))
}

/// A whole answer with its length.
pub(in crate::replay::retrievers::http) fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// A good answer with two hits.
pub(in crate::replay::retrievers::http) fn good() -> Vec<u8> {
    answer("200 OK", "content-type: application/json\r\n", GOOD)
}

pub(in crate::replay::retrievers::http) const GOOD: &str =
    r#"{"hits": [{"id": "a", "score": 2.5}, {"id": "b", "score": 1.5}]}"#;
