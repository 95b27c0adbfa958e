//! The listener: HTTP/1.1 and HTTP/2 with prior knowledge on one port, with a time limit for everything a client may
//! withhold.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt;

use super::answer::{Answer, PIECE_BYTES};
use super::auth::Peer;
use super::body::Paced;
use super::connection::{Activity, Watch, Watched};
use crate::native::with_one_segment;
use crate::settings::RequestLimits;

/// Streams of one HTTP/2 connection.
const STREAMS: u32 = 128;

/// Bytes of the headers of a request, names and values together.
const HEADER_BYTES: u32 = 16 << 10;

/// Streams that a client resets before we have looked at them, at once.
const RESET_UNSEEN: usize = 20;

/// Streams that we reset for a mistake of the client, on one connection.
const RESET_BY_US: usize = 256;

/// Bytes of the buffer for what a client of HTTP/1.1 sends: a header must fit into it.
const READ_BYTES: usize = 64 << 10;

/// Open files that are no connections: the database, workers' pipes, run directories.
const OTHER_FILES: u64 = 256;

/// Serves until `stop` ends; requests in flight are then answered, for as long as the limits allow.
pub async fn serve(listener: TcpListener, router: Router, limits: RequestLimits, stop: impl Future<Output = ()>) {
    let limits = RequestLimits { connections: connections(limits.connections), ..limits };
    let (told, closing) = watch::channel(false);
    let door =
        Door { builder: builder(limits), router, limits, slots: Arc::new(Semaphore::new(limits.connections)), closing };
    tokio::select! {
        () = door.accept(&listener) => {}
        () = stop => {}
    }
    drop((listener, door));
    let _ = told.send(true);
    tokio::select! {
        // Every connection holds a receiver.
        () = told.closed() => {}
        () = tokio::time::sleep(limits.shutdown) => tracing::warn!("requests were cut off at shutdown"),
    }
}

struct Door {
    builder: Builder<TokioExecutor>,
    router: Router,
    limits: RequestLimits,
    slots: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Door {
    async fn accept(&self, listener: &TcpListener) {
        loop {
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => self.admit(stream, Peer(peer.ip()), slot),
                // Out of files, or the client is gone: others may still be served.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: Peer, slot: OwnedSemaphorePermit) {
        let _ = stream.set_nodelay(true);
        let activity = Activity::new();
        let (router, limits, requests) = (self.router.clone(), self.limits, Arc::clone(&activity));
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            if let Some(uri) = with_one_segment(request.uri()) {
                *request.uri_mut() = uri;
            }
            let in_flight = requests.begin(request.version() == Version::HTTP_2);
            let answered = router.clone().oneshot(request.map(|body| Paced::new(body, limits.body_pause)));
            async move {
                let response = answered.await?;
                Ok::<_, Infallible>(response.map(|body| Answer::new(body, in_flight)))
            }
        });
        let socket = TokioIo::new(Watched { stream, activity: Arc::clone(&activity) });
        let connection = self.builder.serve_connection(socket, service).into_owned();
        let watch = Watch { activity, limits, slots: Arc::clone(&self.slots), closing: self.closing.clone() };
        tokio::spawn(async move {
            if let Err(error) = watch.attend(connection).await {
                tracing::debug!(%error, "a connection was cut off");
            }
            drop(slot);
        });
    }
}

fn builder(limits: RequestLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).keep_alive(true).max_buf_size(READ_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.idle / 3)
        .keep_alive_timeout(limits.header_read)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .max_pending_accept_reset_streams(RESET_UNSEEN)
        .max_local_error_reset_streams(RESET_BY_US)
        .max_send_buf_size(PIECE_BYTES);
    builder
}

/// Returns how many connections there may be: as many as is wished, and as the system's limit of open files leaves, which is
/// raised as far as it may be.
fn connections(wished: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let needed = (wished as u64).saturating_add(OTHER_FILES);
    let files = limit.maximum.map_or(needed, |most| most.min(needed)).max(limit.current.unwrap_or(u64::MAX));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: limit.maximum });
    let files = if raised.is_ok() { files } else { limit.current.unwrap_or(files) };
    let possible = usize::try_from(files.saturating_sub(OTHER_FILES).max(16)).unwrap_or(wished);
    if possible < wished {
        tracing::warn!(connections = possible, wished, "the limit of open files allows fewer connections");
    }
    wished.min(possible)
}
