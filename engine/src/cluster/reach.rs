//! Whether a cluster is there for this build.

use super::ClusterError;
use crate::benchmark::ClusterAddress;

/// Checks that this build knows clusters.
///
/// # Errors
///
/// Returns [`ClusterError::NotBuilt`] where it does not.
pub fn check_built(address: &ClusterAddress) -> Result<(), ClusterError> {
    match cfg!(feature = "cluster") {
        true => Ok(()),
        false => Err(ClusterError::NotBuilt(address.clone())),
    }
}

/// Returns once the scheduler answers.
///
/// # Errors
///
/// Returns an error when it does not for some seconds, and where this build knows no clusters.
#[cfg(feature = "cluster")]
pub async fn reach(address: &ClusterAddress) -> Result<(), ClusterError> {
    super::ClusterDriver::reach(address).await
}

/// Says that this build knows no clusters.
///
/// # Errors
///
/// Returns [`ClusterError::NotBuilt`].
#[cfg(not(feature = "cluster"))]
#[expect(clippy::unused_async, reason = "the other build waits here")]
pub async fn reach(address: &ClusterAddress) -> Result<(), ClusterError> {
    check_built(address)
}
