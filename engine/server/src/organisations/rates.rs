//! Requests per second, of a token and of an organisation; refused tokens per second, of an address.

use std::net::{IpAddr, Ipv6Addr};
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
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl RateLimits {
    /// Returns limits of that many requests.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        let quota = |per_second: u32| {
            let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
            Quota::per_second(per_second).allow_burst(per_second.saturating_mul(BURST))
        };
        Self {
            tokens: RateLimiter::keyed(quota(rates.per_token)),
            organisations: RateLimiter::keyed(quota(rates.per_organisation)),
            addresses: RateLimiter::keyed(quota(rates.refused_per_address)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// Returns 429 with the time after which the next one is allowed.
    pub fn check(&self, principal: &Principal) -> Result<(), ApiError> {
        let told = |what, until: governor::NotUntil<_>| limited(what, until.wait_time_from(self.clock.now()));
        self.tokens.check_key(&principal.token).map_err(|until| told("requests of this token", until))?;
        let organisation = self.organisations.check_key(&principal.organisation);
        organisation.map_err(|until| told("requests of this organisation", until))
    }

    /// Counts a token that was refused. Addresses of IPv6 are counted by their network, which one machine has whole.
    ///
    /// # Errors
    ///
    /// Returns 429 with the time after which the next one is answered otherwise.
    pub fn refused(&self, address: IpAddr) -> Result<(), ApiError> {
        let counted = match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
            address @ IpAddr::V4(_) => address,
        };
        let counted = self.addresses.check_key(&counted);
        counted.map_err(|until| limited("refused tokens of this address", until.wait_time_from(self.clock.now())))
    }

    /// Forgets whoever has not asked for so long that nothing is counted any more.
    pub fn forget(&self) {
        self.tokens.retain_recent();
        self.tokens.shrink_to_fit();
        self.organisations.retain_recent();
        self.organisations.shrink_to_fit();
        self.addresses.retain_recent();
        self.addresses.shrink_to_fit();
    }
}

/// The bits of an address of IPv6 that say its network.
const NETWORK: u128 = !0 << 64;

fn limited(what: &str, wait: Duration) -> ApiError {
    let message = format!("too many {what}; the next is allowed in {} ms", wait.as_millis() + 1);
    let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
    error.retry_after = Some(wait);
    error
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
        let limits = RateLimits::new(Rates { per_token: 1, per_organisation: 100, ..Rates::default() });
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
        let limits = RateLimits::new(Rates { per_token: 100, per_organisation: 1, ..Rates::default() });
        let refused = (0..20).filter(|n| limits.check(&of("acme", &format!("tok_{n}"))).is_err()).count();
        assert_eq!(refused, 10);
        limits.check(&of("other", "tok_x")).unwrap();
    }

    #[test]
    fn refused_tokens_are_counted_by_address_and_of_ipv6_by_network() {
        let limits = RateLimits::new(Rates { refused_per_address: 1, ..Rates::default() });
        let refused = |address: &str| limits.refused(address.parse().unwrap());
        for _ in 0..BURST_SECONDS {
            refused("192.0.2.1").unwrap();
            refused("2001:db8::1").unwrap();
        }
        assert!(refused("192.0.2.1").unwrap_err().retry_after.is_some());
        assert!(refused("::ffff:192.0.2.1").is_err() && refused("2001:db8::2").is_err());
        assert!(refused("192.0.2.2").is_ok() && refused("2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn whoever_has_gone_is_forgotten() {
        let limits = RateLimits::new(Rates { per_token: 1_000_000, per_organisation: 1_000_000, ..Rates::default() });
        for n in 0..1000 {
            limits.check(&of("acme", &format!("tok_{n}"))).unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
        limits.forget();
        assert!(limits.tokens.len() < 1000);
    }
}
