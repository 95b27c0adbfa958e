//! The connections of the stores' clients where not everybody may be connected to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use reqwest_of_stores::Client;
use reqwest_of_stores::redirect::Policy;

use crate::outbound::{Outbound, OutboundError, PortResolver, refusal_behind};

/// Longer than any healthy connection takes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// As the stores' clients have it by themselves.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Makes clients that connect to checked addresses, follow no redirects and ask no proxies.
#[derive(Debug)]
pub(super) struct GuardedConnector(Outbound);

impl GuardedConnector {
    pub(super) fn new(outbound: Outbound) -> Self {
        Self(outbound)
    }
}

impl HttpConnector for GuardedConnector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(GuardedService { outbound: self.0.clone(), by_port: Mutex::default() }))
    }
}

#[derive(Debug)]
struct GuardedService {
    outbound: Outbound,
    /// What is allowed depends on the port, which a resolver is not told.
    by_port: Mutex<BTreeMap<u16, Client>>,
}

impl GuardedService {
    fn client(&self, port: u16) -> Result<Client, HttpError> {
        let mut by_port = self.by_port.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = by_port.get(&port) {
            return Ok(client.clone());
        }
        let made = Client::builder()
            .user_agent(concat!("rematch/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // What is decompressed has another length than the store says.
            .no_gzip()
            .dns_resolver(Arc::new(PortResolver::new(self.outbound.clone(), port)))
            .build();
        let made = made.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        by_port.insert(port, made.clone());
        Ok(made)
    }
}

/// A refusal stays one however often it is asked.
fn refused(error: OutboundError) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

#[async_trait]
impl HttpService for GuardedService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let port = self.outbound.check_text(&request.uri().to_string()).map_err(refused)?;
        let answered = self.client(port)?.call(request).await;
        answered.map_err(|error| match refusal_behind(&error) {
            None | Some(OutboundError::Unresolved { .. }) => error,
            Some(refusal) => refused(refusal.clone()),
        })
    }
}
