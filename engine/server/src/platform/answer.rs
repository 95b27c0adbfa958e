//! The body of an answer on its way to the client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::connection::{Activity, InFlight};

/// Bytes of a piece. As long as the last piece is not taken the request is in flight, and its client is held to the limits.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// An answer's body, whose request is in flight until it is sent or given up. It is handed over in small pieces, and notes
/// when a piece lies there that the client makes no room for.
pub(super) struct Answer<B> {
    body: B,
    /// What is left of a large piece.
    rest: Bytes,
    in_flight: InFlight,
}

impl<B: Body> Answer<B> {
    pub(super) fn new(body: B, mut in_flight: InFlight) -> Self {
        // An empty body is never asked for.
        in_flight.is_complete = body.is_end_stream();
        Self { body, rest: Bytes::new(), in_flight }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let (activity, number) = (Arc::clone(&this.in_flight.activity), this.in_flight.number);
        // Whoever asks for more has taken what was there.
        activity.offers(number, false);
        let polled = if this.rest.is_empty() {
            let noted = Waker::from(Arc::new(Noted {
                activity: Arc::clone(&activity),
                number,
                client: context.waker().clone(),
            }));
            Pin::new(&mut this.body).poll_frame(&mut Context::from_waker(&noted))
        } else {
            Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.rest)))))
        };
        let polled = polled.map(|frame| frame.map(|frame| frame.map(|frame| this.first_of(frame))));
        match &polled {
            Poll::Ready(Some(Ok(_))) => activity.offers(number, true),
            Poll::Ready(None) => this.in_flight.is_complete = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        this.in_flight.is_complete |= this.is_end_stream();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

impl<B> Answer<B> {
    /// Keeps back what is more than a piece.
    fn first_of(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        frame.map_data(|mut data| {
            if data.len() > PIECE_BYTES {
                self.rest = data.split_off(PIECE_BYTES);
            }
            data
        })
    }
}

/// Notes that there may be a piece again, and wakes who waits for it.
struct Noted {
    activity: Arc<Activity>,
    number: u64,
    client: Waker,
}

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.activity.offers(self.number, true);
        self.client.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body as AnyBody;
    use axum::body::to_bytes;

    use super::*;

    #[test]
    fn an_answer_without_a_body_is_complete_and_one_with_is_not_yet() {
        let activity = Activity::new();
        assert!(Answer::new(AnyBody::empty(), activity.begin(true)).in_flight.is_complete);
        assert!(!Answer::new(AnyBody::from("x"), activity.begin(true)).in_flight.is_complete);
    }

    #[tokio::test]
    async fn a_large_body_comes_in_pieces_and_whole() {
        let whole: Vec<u8> = (0..5 * PIECE_BYTES + 7).map(|index| (index % 251) as u8).collect();
        let activity = Activity::new();
        let answer = || Answer::new(AnyBody::from(whole.clone()), activity.begin(true));
        assert_eq!(to_bytes(AnyBody::new(answer()), usize::MAX).await.unwrap(), whole);
        let (mut answer, mut left) = (answer(), whole.len());
        while !answer.is_end_stream() {
            assert_eq!(answer.size_hint().exact(), Some(left as u64));
            let frame = std::future::poll_fn(|context| Pin::new(&mut answer).poll_frame(context)).await;
            let piece = frame.unwrap().unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE_BYTES);
            left -= piece.len();
            assert_eq!(answer.in_flight.is_complete, left == 0);
        }
        assert_eq!(left, 0);
    }
}
