//! One connection: what its client does, and how long it may do nothing.
//!
//! hyper limits the time of an HTTP/1 header only, and cannot tell an idle connection from one that withholds a header; before
//! the first 24 bytes, and in HTTP/2, it limits nothing. So the socket, the requests and the watch share an [`Activity`].

use std::collections::BTreeMap;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Body;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior};

use crate::settings::RequestLimits;

/// How often a connection is looked at; so much later than the limits say it ends.
const TICK: Duration = Duration::from_secs(1);

/// The patience with silent clients while nearly all connections are taken.
const PATIENCE_OF_A_CROWD: Duration = Duration::from_secs(1);

/// Requests of one connection that its client may give up within [`GIVING_UP`]. A browser gives up some when a page is left;
/// who gives up more lets us work for nothing.
const MOST_GIVEN_UP: u32 = 200;

/// The time in which requests that are given up are counted.
const GIVING_UP: Duration = Duration::from_secs(10);

/// What goes on in a connection.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// Rung when the connection is to be looked at before the next tick.
    alarm: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests whose answers are not complete.
    in_flight: usize,
    /// Whether a whole header has come yet.
    served: bool,
    http2: bool,
    /// When the connection was accepted, or the last answer was complete.
    waiting_since: Instant,
    /// When the first byte came after that.
    begun_at: Option<Instant>,
    /// Since when the client has not taken anything of an answer.
    blocked_since: Option<Instant>,
    /// Since when the client has not made room for a piece of an answer that is there, by the number of each answer in
    /// flight: HTTP/2 has windows of its own, which the socket knows nothing of.
    offered: BTreeMap<u64, Option<Instant>>,
    /// The number of the next answer.
    next_answer: u64,
    /// Requests that the client gave up since then.
    given_up: (u32, Instant),
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        let waiting_since = Instant::now();
        let state = State {
            in_flight: 0,
            served: false,
            http2: false,
            waiting_since,
            begun_at: None,
            blocked_since: None,
            offered: BTreeMap::new(),
            next_answer: 0,
            given_up: (0, waiting_since),
        };
        Arc::new(Self { state: Mutex::new(state), alarm: Notify::new() })
    }

    /// Notes that a whole header came; the request is in flight until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, http2: bool) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.served = true;
        state.http2 = http2;
        state.next_answer += 1;
        let number = state.next_answer;
        state.offered.insert(number, None);
        InFlight { activity: Arc::clone(self), number, is_complete: false }
    }

    /// Returns what the client does too slowly, where it does.
    fn overdue(&self, now: Instant, limits: &RequestLimits, crowded: bool) -> Option<&'static str> {
        let state = self.state();
        let longer = |since: Instant, limit| now.saturating_duration_since(since) > limit;
        let patience = |limit: Duration| if crowded { limit.min(PATIENCE_OF_A_CROWD) } else { limit };
        if state.blocked_since.is_some_and(|since| longer(since, limits.idle)) {
            return Some("takes no answer");
        }
        if state.http2 && state.offered.values().flatten().any(|since| longer(*since, limits.idle)) {
            return Some("makes no room for an answer");
        }
        if state.given_up.0 > MOST_GIVEN_UP {
            return Some("gives up too many requests");
        }
        if state.in_flight > 0 {
            return None;
        }
        match (state.served, state.begun_at) {
            (false, _) => longer(state.waiting_since, patience(limits.header_read)).then_some("sends no request"),
            // In HTTP/2 bytes come without a request too.
            (true, Some(begun)) if !state.http2 => {
                longer(begun, patience(limits.header_read)).then_some("does not end its header")
            }
            (true, _) => longer(state.waiting_since, patience(limits.idle)).then_some("is idle"),
        }
    }

    fn received(&self, now: Instant) {
        let mut state = self.state();
        if state.in_flight == 0 && state.begun_at.is_none() {
            state.begun_at = Some(now);
        }
    }

    fn wrote(&self, now: Instant, taken: bool) {
        let mut state = self.state();
        state.blocked_since = if taken { None } else { state.blocked_since.or(Some(now)) };
    }

    /// Notes that a piece of an answer is there, or that there is none just now.
    pub(super) fn offers(&self, answer: u64, is_there: bool) {
        // Who is woken late may speak of an answer that is over.
        if let Some(since) = self.state().offered.get_mut(&answer) {
            *since = if is_there { since.or_else(|| Some(Instant::now())) } else { None };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) activity: Arc<Activity>,
    /// The number of its answer.
    pub(super) number: u64,
    /// Whether the whole answer was handed over.
    pub(super) is_complete: bool,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.activity.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.waiting_since = now;
        state.begun_at = None;
        state.offered.remove(&self.number);
        // In HTTP/1.1 a body of a known length is never asked for its end, and who gives up closes the connection.
        if state.http2 && !self.is_complete {
            let (count, since) = state.given_up;
            let is_over = now.saturating_duration_since(since) > GIVING_UP;
            state.given_up = if is_over { (1, now) } else { (count + 1, since) };
            if state.given_up.0 > MOST_GIVEN_UP {
                self.activity.alarm.notify_one();
            }
        }
    }
}

/// A socket that notes what it reads and writes.
pub(super) struct Watched {
    pub(super) stream: TcpStream,
    pub(super) activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.received(Instant::now());
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.wrote(Instant::now(), written.is_ready());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.activity.wrote(Instant::now(), written.is_ready());
        written
    }
}

/// What a connection is held to.
pub(super) struct Watch {
    pub(super) activity: Arc<Activity>,
    pub(super) limits: RequestLimits,
    pub(super) slots: Arc<Semaphore>,
    /// Set when the server stops.
    pub(super) closing: watch::Receiver<bool>,
}

impl Watch {
    /// Serves a connection until it ends, its client is too slow, or the server stops and it is answered.
    ///
    /// # Errors
    ///
    /// Returns why the connection broke.
    pub(super) async fn attend<S, B>(
        self,
        connection: Connection<'static, TokioIo<Watched>, S, TokioExecutor>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        S: hyper::service::Service<
                hyper::Request<hyper::body::Incoming>,
                Response = hyper::Response<B>,
                Error = std::convert::Infallible,
            >,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Self { activity, limits, slots, mut closing } = self;
        // Few slots are left: who keeps one without a use has to leave sooner then.
        let is_crowded = || slots.available_permits().saturating_mul(10) < limits.connections;
        let mut connection = pin!(connection);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut warned = false;
        let mut told = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => return ended,
                () = activity.alarm.notified() => return Err("the client gives up too many requests".into()),
                _ = tick.tick() => match activity.overdue(Instant::now(), &limits, is_crowded()) {
                    None => warned = false,
                    Some(what) if warned => return Err(format!("the client {what}").into()),
                    Some(_) => {
                        // A farewell first, where the protocol has one; a request that comes meanwhile is answered.
                        connection.as_mut().graceful_shutdown();
                        warned = true;
                    }
                },
                _ = closing.wait_for(|closing| *closing), if !told => {
                    connection.as_mut().graceful_shutdown();
                    told = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> RequestLimits {
        RequestLimits {
            header_read: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            ..RequestLimits::default()
        }
    }

    fn after(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_connection_without_a_request_is_overdue_after_the_header_limit() {
        let activity = Activity::new();
        assert_eq!(activity.overdue(after(9), &limits(), false), None);
        assert_eq!(activity.overdue(after(9), &limits(), true), Some("sends no request"), "others want to come in");
        activity.received(after(9));
        assert_eq!(activity.overdue(after(11), &limits(), false), Some("sends no request"), "a byte buys no time");
    }

    #[test]
    fn an_answered_connection_may_lie_idle_but_not_withhold_the_rest_of_a_header() {
        let activity = Activity::new();
        let request = activity.begin(false);
        assert_eq!(activity.overdue(after(3600), &limits(), true), None, "a request is in flight");
        drop(request);
        assert_eq!(activity.overdue(after(70), &limits(), false), None);
        assert_eq!(activity.overdue(after(77), &limits(), false), Some("is idle"));
        activity.received(after(50));
        assert_eq!(activity.overdue(after(59), &limits(), false), None);
        assert_eq!(activity.overdue(after(62), &limits(), false), Some("does not end its header"));
    }

    #[test]
    fn pings_of_http2_begin_no_header() {
        let activity = Activity::new();
        drop(activity.begin(true));
        activity.received(after(0));
        assert_eq!(activity.overdue(after(60), &limits(), false), None);
    }

    #[test]
    fn a_client_that_takes_no_answer_is_overdue_although_its_request_is_in_flight() {
        let activity = Activity::new();
        let _request = activity.begin(false);
        activity.wrote(after(0), false);
        activity.wrote(after(70), false);
        assert_eq!(activity.overdue(after(76), &limits(), false), Some("takes no answer"));
        activity.wrote(after(76), true);
        assert_eq!(activity.overdue(after(77), &limits(), false), None);
    }

    #[test]
    fn a_client_of_http2_that_makes_no_room_is_overdue_and_one_that_waits_for_us_is_not() {
        let activity = Activity::new();
        let request = activity.begin(true);
        activity.offers(request.number, true);
        assert_eq!(activity.overdue(after(70), &limits(), false), None);
        assert_eq!(activity.overdue(after(76), &limits(), false), Some("makes no room for an answer"));
        activity.offers(request.number, false);
        assert_eq!(activity.overdue(after(3600), &limits(), false), None, "there is nothing that it could take");
        let (number, _other) = (request.number, activity.begin(true));
        drop(request);
        activity.offers(number, true);
        assert_eq!(activity.overdue(after(3600), &limits(), false), None, "that answer is over");
    }

    #[test]
    fn whoever_gives_up_request_after_request_is_overdue_at_once() {
        let activity = Activity::new();
        for _ in 0..MOST_GIVEN_UP {
            drop(activity.begin(true));
            let mut answered = activity.begin(true);
            answered.is_complete = true;
        }
        assert_eq!(activity.overdue(after(0), &limits(), false), None);
        drop(activity.begin(true));
        assert_eq!(activity.overdue(after(0), &limits(), false), Some("gives up too many requests"));
        let activity = Activity::new();
        for _ in 0..=MOST_GIVEN_UP {
            drop(activity.begin(false));
        }
        assert_eq!(activity.overdue(after(0), &limits(), false), None, "HTTP/1.1 has no streams");
    }
}
