//! Bodies of requests: how fast they must come, and how much of one is taken.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{BodyDataStream, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::error::ApiError;
use crate::App;

/// Bytes per second that a client brings at least, on average.
const LEAST_RATE: u64 = 1 << 10;

/// Bytes of a body that is too large which are read and dropped, so that its sender sees the answer and not a reset.
const DRAINED_BYTES: u64 = 16 << 20;

/// The client paused for too long, or trickles.
#[derive(Debug, thiserror::Error)]
#[error("the body did not come: nothing for {} s, or fewer than {LEAST_RATE} bytes per second", .pause.as_secs())]
pub struct Stalled {
    /// How long a pause may be.
    pub pause: Duration,
}

/// A body that ends with an error when its client pauses or trickles. Only the time in which somebody waits for it counts.
pub(super) struct Paced<B> {
    body: B,
    pause: Duration,
    received: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl<B> Paced<B> {
    pub(super) fn new(body: B, pause: Duration) -> Self {
        let timer = Box::pin(tokio::time::sleep(pause));
        Self { body, pause, received: 0, waited: Duration::ZERO, waiting_since: None, timer }
    }
}

impl<B> HttpBody for Paced<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.waited += this.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
            if let Some(Ok(frame)) = &frame {
                this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if this.waiting_since.is_none() {
            let now = Instant::now();
            this.waiting_since = Some(now);
            let allowed = this.pause + Duration::from_secs(this.received / LEAST_RATE);
            this.timer.as_mut().reset(now + this.pause.min(allowed.saturating_sub(this.waited)));
        }
        ready!(this.timer.as_mut().poll(context));
        Poll::Ready(Some(Err(Stalled { pause: this.pause }.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that is read piece by piece: an upload, whose limit is `upload_bytes` and not that of JSON bodies.
#[derive(Debug)]
pub struct Upload {
    chunks: BodyDataStream,
    announced: u64,
    received: u64,
    limit: u64,
}

impl FromRequest<App> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        Ok(Self::limited(request.into_body(), app.settings().limits.upload_bytes))
    }
}

impl Upload {
    /// Returns a body of which so many bytes are taken at most.
    #[must_use]
    pub fn limited(body: axum::body::Body, limit: u64) -> Self {
        let announced = body.size_hint().lower();
        Self { chunks: body.into_data_stream(), announced, received: 0, limit }
    }

    /// Returns the next piece, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns 413 beyond the limit, 408 when the client pauses or trickles, and 400 when the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        if self.announced > self.limit {
            return Err(self.too_large().await);
        }
        let Some(chunk) = self.chunks.next().await else { return Ok(None) };
        let chunk = chunk.map_err(|error| unread(&error))?;
        self.received += chunk.len() as u64;
        if self.received > self.limit { Err(self.too_large().await) } else { Ok(Some(chunk)) }
    }

    /// Returns the whole body.
    ///
    /// # Errors
    ///
    /// As [`Self::next`].
    pub async fn collect(mut self) -> Result<Bytes, ApiError> {
        let mut whole =
            BytesMut::with_capacity(usize::try_from(self.announced.min(self.limit).min(1 << 20)).unwrap_or(0));
        while let Some(chunk) = self.next().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Reads and drops what still comes, up to a limit: its sender then sees the answer and not a reset.
    pub async fn drain(&mut self) {
        let mut drained = 0;
        while drained < DRAINED_BYTES
            && let Some(Ok(chunk)) = self.chunks.next().await
        {
            drained += chunk.len() as u64;
        }
    }

    async fn too_large(&mut self) -> ApiError {
        self.drain().await;
        let message = format!("the body has more than {} bytes, the limit", self.limit);
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    }
}

/// Returns what a client is told whose body cannot be read to its end.
#[must_use]
pub fn unread(error: &axum::Error) -> ApiError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(stalled) = error.downcast_ref::<Stalled>() {
            return ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", stalled.to_string());
        }
        cause = error.source();
    }
    ApiError::bad_request(format!("the body cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::stream;

    use super::*;

    const PAUSE: Duration = Duration::from_millis(300);

    fn paced(chunks: usize, bytes: usize, between: Duration) -> Upload {
        let chunks = stream::iter(0..chunks).then(move |_| async move {
            tokio::time::sleep(between).await;
            Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; bytes]))
        });
        let body = Paced::new(Body::from_stream(chunks), PAUSE);
        Upload::limited(Body::new(body), 1 << 20)
    }

    #[tokio::test]
    async fn a_body_that_pauses_is_given_up_with_408() {
        let error = paced(2, 10, PAUSE * 20).collect().await.unwrap_err();
        assert_eq!((error.status, error.code), (StatusCode::REQUEST_TIMEOUT, "body_timeout"));
    }

    #[tokio::test]
    async fn a_body_that_trickles_is_given_up_and_a_slow_one_is_not() {
        let begun = Instant::now();
        let error = paced(1000, 1, PAUSE / 10).collect().await.unwrap_err();
        assert_eq!(error.status, StatusCode::REQUEST_TIMEOUT);
        assert!(begun.elapsed() < PAUSE * 200, "{:?}", begun.elapsed());
        // One that a busy machine holds up is a trickle too; that passes.
        let begun = Instant::now();
        loop {
            match paced(20, 4096, PAUSE / 10).collect().await {
                Ok(whole) => break assert_eq!(whole.len(), 20 * 4096),
                Err(error) => assert!(begun.elapsed() < PAUSE * 200, "{error:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused_whether_it_says_its_length_or_not() {
        let announced = Upload::limited(Body::from(vec![0; 11]), 10).collect().await.unwrap_err();
        let chunks = stream::iter([Ok::<_, std::io::Error>(vec![0; 6]), Ok(vec![0; 6])]);
        let streamed = Upload::limited(Body::from_stream(chunks), 10).collect().await.unwrap_err();
        for error in [announced, streamed] {
            assert_eq!((error.status, error.code), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"));
        }
        assert_eq!(Upload::limited(Body::from(vec![0; 10]), 10).collect().await.unwrap().len(), 10);
    }
}
