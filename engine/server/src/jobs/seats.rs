//! How many workers do at once what requests wait for.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::organisations::Shares;
use crate::platform::error::ApiError;

/// Seats for workers of requests. Jobs have a limit of their own.
pub struct Seats {
    all: Arc<Semaphore>,
    shares: Shares,
}

/// A seat, as long as it is held.
pub(super) struct Seat {
    _own: OwnedSemaphorePermit,
    _any: OwnedSemaphorePermit,
}

impl Default for Seats {
    /// Two for each processor, and at least four; no organisation has more than half of them.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::new(cores.saturating_mul(2).max(4))
    }
}

impl Seats {
    fn new(all: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), shares: Shares::new((all / 2).max(2)) }
    }

    /// Returns a seat once there is one.
    ///
    /// # Errors
    ///
    /// Returns 429 when there was none for as long as `patience`.
    pub(super) async fn take(&self, organisation: &str, patience: Duration) -> Result<Seat, ApiError> {
        // The own one first: who waits for that one takes no seat from others.
        let taken = async {
            let own = self.shares.of(organisation).acquire_owned().await.map_err(ApiError::internal)?;
            let any = Arc::clone(&self.all).acquire_owned().await.map_err(ApiError::internal)?;
            Ok(Seat { _own: own, _any: any })
        };
        tokio::time::timeout(patience, taken).await.unwrap_or_else(|_| Err(busy()))
    }

    /// Forgets organisations that have nothing at the moment.
    pub(crate) fn forget(&self) {
        self.shares.forget();
    }
}

fn busy() -> ApiError {
    let message = "too many requests that need a process of their own are being answered; ask again soon";
    let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", message);
    error.retry_after = Some(Duration::from_secs(1));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn an_organisation_waits_for_its_own_half_and_all_for_the_whole() {
        let seats = Seats::new(4);
        let first = seats.take("a", SHORT).await.unwrap();
        let _second = seats.take("a", SHORT).await.unwrap();
        let refused = seats.take("a", SHORT).await.err().unwrap();
        assert_eq!(
            (refused.status.as_u16(), refused.code, refused.retry_after),
            (429, "busy", Some(Duration::from_secs(1)))
        );
        let _third = seats.take("b", SHORT).await.unwrap();
        let _fourth = seats.take("b", SHORT).await.unwrap();
        assert!(seats.take("c", SHORT).await.is_err());
        let freed = async {
            tokio::time::sleep(SHORT).await;
            drop(first);
        };
        let (waited, ()) = tokio::join!(seats.take("c", Duration::from_secs(20)), freed);
        assert!(waited.is_ok());
    }
}
