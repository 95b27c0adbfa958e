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

    /// Forgets whoever has not asked for so long that nothing is counted any more.
    pub fn forget(&self) {
        self.tokens.retain_recent();
        self.tokens.shrink_to_fit();
        self.organisations.retain_recent();
        self.organisations.shrink_to_fit();
    }
}

const BURST: NonZeroU32 = match NonZeroU32::new(BURST_SECONDS) {
    Some(burst) => burst,
    None => NonZeroU32::MIN,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisations::Role;

    fn of(organisation: &str, token: &str) -> Principal {
        Principal { organisation: organisation.to_owned(), token: token.to_owned(), role: Role::Ci }
    }

    #[test]
    fn a_token_beyond_its_rate_is_told_when_to_come_again_and_its_neighbours_are_not() {
        let limits = RateLimits::new(Rates { per_token: 1, per_organisation: 100 });
        for _ in 0..BURST_SECONDS {
            limits.check(&of("acme", "tok_1")).unwrap();
        }
        let error = limits.check(&of("acme", "tok_1")).unwrap_err();
        assert_eq!(error.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(error.retry_after.unwrap() <= Duration::from_secs(1));
        limits.check(&of("acme", "tok_2")).unwrap();
    }

    #[test]
    fn tokens_of_an_organisation_share_its_rate() {
        let limits = RateLimits::new(Rates { per_token: 100, per_organisation: 1 });
        let refused = (0..20).filter(|n| limits.check(&of("acme", &format!("tok_{n}"))).is_err()).count();
        assert_eq!(refused, 10);
        limits.check(&of("other", "tok_x")).unwrap();
    }

    #[test]
    fn whoever_has_gone_is_forgotten() {
        let limits = RateLimits::new(Rates { per_token: 1_000_000, per_organisation: 1_000_000 });
        for n in 0..1000 {
            limits.check(&of("acme", &format!("tok_{n}"))).unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
        limits.forget();
        assert!(limits.tokens.len() < 1000);
    }
}
