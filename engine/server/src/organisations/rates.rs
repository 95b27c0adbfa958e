//! Requests per second, of a token and of an organisation.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::StatusCode;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::Principal;
use crate::platform::error::ApiError;
use crate::settings::Rates;

/// Seconds of requests that may come at once.
const BURST_SECONDS: u32 = 10;

/// The limits of all tokens and organisations.
pub struct RateLimits {
    tokens: DefaultKeyedRateLimiter<String>,
    organisations: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
}

impl RateLimits {
    /// Returns limits of that many requests.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        let limiter = |per_second: u32| {
            let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
            RateLimiter::keyed(Quota::per_second(per_second).allow_burst(per_second.saturating_mul(BURST)))
        };
        Self {
            tokens: limiter(rates.per_token),
            organisations: limiter(rates.per_organisation),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// Returns 429 with the time after which the next one is allowed.
    pub fn check(&self, principal: &Principal) -> Result<(), ApiError> {
        let told = |whose: &str, until: governor::NotUntil<_>| {
            let wait: Duration = until.wait_time_from(self.clock.now());
            let message =
                format!("too many requests of this {whose}; the next is allowed in {} ms", wait.as_millis() + 1);
            let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
            error.retry_after = Some(wait);
            error
        };
        self.tokens.check_key(&principal.token).map_err(|until| told("token", until))?;
        self.organisations.check_key(&principal.organisation).map_err(|until| told("organisation", until))
    }
}

const BURST: NonZeroU32 = match NonZeroU32::new(BURST_SECONDS) {
    Some(burst) => burst,
    None => NonZeroU32::MIN,
};
