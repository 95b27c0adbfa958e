//! The place of the system's name resolution in the HTTP clients.

use std::net::SocketAddr;

use super::{Outbound, OutboundError};

/// Resolves names for connections to one port, and hands out checked addresses only.
///
/// A client of its own for each port: what is allowed depends on the port, and a resolver is not told it.
#[derive(Debug, Clone)]
pub(crate) struct PortResolver {
    outbound: Outbound,
    port: u16,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl PortResolver {
    pub(crate) fn new(outbound: Outbound, port: u16) -> Self {
        Self { outbound, port }
    }

    async fn checked(self, name: String) -> Result<std::vec::IntoIter<SocketAddr>, Failure> {
        let found = tokio::task::spawn_blocking(move || self.outbound.addresses(&name, self.port)).await?;
        Ok(found.map_err(|error: OutboundError| -> Failure { Box::new(error) })?.into_iter())
    }
}

impl reqwest::dns::Resolve for PortResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let checked = self.clone().checked(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(checked.await?) as reqwest::dns::Addrs) })
    }
}

impl reqwest_of_stores::dns::Resolve for PortResolver {
    fn resolve(&self, name: reqwest_of_stores::dns::Name) -> reqwest_of_stores::dns::Resolving {
        let checked = self.clone().checked(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(checked.await?) as reqwest_of_stores::dns::Addrs) })
    }
}

/// Returns the refusal behind an error of a client, however deep it lies.
pub(crate) fn refusal_behind<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a OutboundError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref::<OutboundError>() {
            return Some(refusal);
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
