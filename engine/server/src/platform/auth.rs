//! Who asks, and what they may do.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};

use super::error::ApiError;
use crate::App;
use crate::catalog::check_rows;
use crate::organisations::{Principal, Role};

/// How often it is asked whether the token of an open stream holds: revocation is to end it within a second.
const ASKED_EVERY: Duration = Duration::from_millis(300);

/// The middleware of every route that needs a token: looks it up and hands on the [`Principal`].
pub async fn authenticate(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match principal(&app, request.headers(), Peer::of(&app, &request)).await {
        Ok(principal) => {
            tracing::Span::current().record("organisation", principal.organisation.as_str());
            let Some(_place) = app.requests().take(&principal.organisation) else { return crowded().into_response() };
            if brings(&request)
                && let Err(error) = check_rows(&app, &principal.organisation).await
            {
                request.extensions_mut().insert(Full(error));
            }
            request.extensions_mut().insert(principal.clone());
            let mut response = next.run(request).await;
            response.extensions_mut().insert(principal);
            response
        }
        Err(error) => error.into_response(),
    }
}

/// Why a request that writes is refused: the organisation keeps too much. Whoever reads, by whatever method, is not told.
#[derive(Debug, Clone)]
struct Full(ApiError);

/// Returns whether a request may leave more than there was: all that write do but those that remove or end something.
fn brings(request: &Request) -> bool {
    let brings = [Method::POST, Method::PUT, Method::PATCH].contains(request.method());
    brings && !request.uri().path().ends_with("/cancel")
}

/// Returns who holds the token of `Authorization: Bearer` or `X-API-Key`.
///
/// Returns 401, in the same words for a token that is malformed, unknown, revoked or expired, and 429 beyond the rate: that of
/// the token, or that of refused tokens of the address.
async fn principal(app: &App, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<Principal, ApiError> {
    let token = presented(headers).ok_or_else(unauthorized)?;
    let Some(principal) = app.tokens().look_up(token).await? else {
        // A good token is not asked where it comes from: behind a proxy everybody has one address.
        peer.map_or(Ok(()), |address| app.rates().refused(address))?;
        return Err(unauthorized());
    };
    app.rates().check(&principal)?;
    Ok(principal)
}

/// The address at the other end of a connection, an extension of every request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

impl Peer {
    /// Returns who asks: the other end, or, where that is a proxy that is trusted, whom the proxy names.
    fn of(app: &App, request: &Request) -> Option<IpAddr> {
        let Self(peer) = *request.extensions().get::<Self>()?;
        if !app.settings().trusted_proxies.contains(&peer.to_canonical()) {
            return Some(peer);
        }
        let named = request.headers().get_all("x-forwarded-for").iter().next_back();
        let named = named.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        Some(named.unwrap_or(peer))
    }
}

/// Ends a stream when the token with which it was asked for is revoked or expires, within a second, and when the server
/// stops: for answers that stay open, such as server-sent events.
pub fn while_the_token_holds<S: Stream>(
    app: &App,
    principal: &Principal,
    stream: S,
) -> impl Stream<Item = S::Item> + use<S> {
    let (tokens, principal, mut stopping) = (app.tokens().clone(), principal.clone(), app.stopping());
    stream.take_until(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(ASKED_EVERY) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
            // A database that does not answer says nothing for the token either.
            if !tokens.holds(&principal).await.unwrap_or(false) {
                return;
            }
        }
    })
}

/// Returns the one token that a request presents. One that presents two different ones is refused: whoever checks it in
/// front of us may have looked at the other.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearers = headers.get_all(header::AUTHORIZATION).iter().map(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    // Clients of published retrievers have a name of their own for the key.
    let keys = ["x-api-key", "x-public-api-key"].into_iter().flat_map(|name| headers.get_all(name).iter());
    let mut tokens = bearers.chain(keys.map(|value| value.to_str().ok().map(str::trim)));
    let first = tokens.next()??;
    tokens.all(|other| other == Some(first)).then_some(first)
}

fn crowded() -> ApiError {
    let message = "as many requests of this organisation are being answered as may at once; ask again soon";
    let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
    error.retry_after = Some(Duration::from_secs(1));
    error
}

fn unauthorized() -> ApiError {
    let message = "a valid token is needed, as `Authorization: Bearer TOKEN` or `X-API-Key: TOKEN`; \
                   `rematch token create` makes one";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

/// Whoever may read: every role.
#[derive(Debug, Clone)]
pub struct Reader(pub Principal);

/// Whoever may write: the roles `ci` and `admin`, while the organisation has room.
#[derive(Debug, Clone)]
pub struct Writer(pub Principal);

/// Whoever may administer the organisation; for requests that bring something, while it has room.
#[derive(Debug, Clone)]
pub struct Administrator(pub Principal);

fn allowed(parts: &Parts, needed: Role) -> Result<Principal, ApiError> {
    let principal = parts.extensions.get::<Principal>().cloned().ok_or_else(unauthorized)?;
    if principal.role < needed {
        let message = format!("this needs a token of role `{needed}`, and this one has `{}`", principal.role);
        return Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message));
    }
    Ok(principal)
}

/// As [`allowed`], and refuses what would bring something to an organisation that has no room.
fn with_room(parts: &Parts, needed: Role) -> Result<Principal, ApiError> {
    let principal = allowed(parts, needed)?;
    match parts.extensions.get::<Full>() {
        Some(Full(error)) => Err(error.clone()),
        None => Ok(principal),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        allowed(parts, Role::Runtime).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Writer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        with_room(parts, Role::Ci).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        with_room(parts, Role::Admin).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use futures::stream;

    use super::*;
    use crate::settings::Settings;

    /// Takes an endless stream until it ends, and counts what comes in `seen`.
    async fn drained(app: &App, principal: &Principal, seen: &AtomicUsize) {
        let ticks = stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(10)).await;
            seen.fetch_add(1, Ordering::SeqCst);
            Some(((), ()))
        });
        while_the_token_holds(app, principal, ticks).for_each(async |()| ()).await;
    }

    #[tokio::test]
    async fn an_open_stream_ends_within_a_second_of_its_tokens_revocation_and_when_the_server_stops() {
        let folder = tempfile::tempdir().unwrap();
        let app = App::open(Settings::new(folder.path().to_owned(), PathBuf::new())).unwrap();
        let issued = app.tokens().create("acme", "", Role::Runtime, None).await.unwrap();
        let principal = app.tokens().look_up(issued.text.reveal()).await.unwrap().unwrap();
        let seen = AtomicUsize::new(0);
        // Another process revokes it: this one's memory of it does not know.
        let key = folder.path().join("token.key");
        let elsewhere = crate::organisations::Tokens::open(app.database().clone(), &key).unwrap();
        let revoked = async {
            // Something has come, and it was asked whether the token holds.
            let begun = Instant::now();
            while seen.load(Ordering::SeqCst) <= 20 || begun.elapsed() < ASKED_EVERY * 3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            elsewhere.revoke(None, &issued.record.id).await.unwrap();
            Instant::now()
        };
        let ((), at) = tokio::join!(drained(&app, &principal, &seen), revoked);
        assert!(at.elapsed() < Duration::from_secs(40), "{:?}", at.elapsed());
        let second = app.tokens().create("acme", "", Role::Runtime, None).await.unwrap();
        let principal = app.tokens().look_up(second.text.reveal()).await.unwrap().unwrap();
        let stop = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            app.stop();
        };
        let begun = Instant::now();
        tokio::join!(drained(&app, &principal, &seen), stop);
        assert!(begun.elapsed() < Duration::from_secs(40));
    }

    #[tokio::test]
    async fn what_brings_something_is_refused_where_there_is_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let app = App::open(Settings::new(folder.path().to_owned(), PathBuf::new())).unwrap();
        let issued = app.tokens().create("acme", "", Role::Admin, None).await.unwrap();
        let principal = app.tokens().look_up(issued.text.reveal()).await.unwrap().unwrap();
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        parts.extensions.insert(principal);
        assert!(Administrator::from_request_parts(&mut parts, &()).await.is_ok());
        parts.extensions.insert(Full(ApiError::conflict("full")));
        assert!(Administrator::from_request_parts(&mut parts, &()).await.is_err());
        assert!(Writer::from_request_parts(&mut parts, &()).await.is_err());
        assert!(Reader::from_request_parts(&mut parts, &()).await.is_ok());
    }

    #[test]
    fn a_token_is_read_from_either_header_and_two_different_ones_from_none() {
        let of = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            presented(&headers).map(ToOwned::to_owned)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("authorization", "Bearer a")]).as_deref(), Some("a"));
        assert_eq!(of(&[("authorization", "bearer  a ")]).as_deref(), Some("a"));
        assert_eq!(of(&[("x-api-key", "a")]).as_deref(), Some("a"));
        assert_eq!(of(&[("authorization", "Bearer a"), ("x-api-key", "a")]).as_deref(), Some("a"));
        assert_eq!(of(&[("authorization", "Bearer a"), ("x-api-key", "b")]), None);
        assert_eq!(of(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]), None);
        assert_eq!(of(&[("authorization", "Basic a"), ("x-api-key", "a")]), None);
        assert_eq!(of(&[("authorization", "Bearer")]), None);
    }
}
