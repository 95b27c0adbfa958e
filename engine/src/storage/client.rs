//! One client per store, shared by the process; its settings come from the environment.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::guarded::GuardedConnector;
use super::location::{ObjectUrl, Scheme};
use super::object_error::explained;
use crate::outbound::Outbound;

/// Whom the stores' clients may connect to; everybody where nobody said.
static OUTBOUND: Mutex<Option<Outbound>> = Mutex::new(None);

static CLIENTS: Mutex<BTreeMap<String, Arc<dyn ObjectStore>>> = Mutex::new(BTreeMap::new());

/// A request is sent again after refused connections, broken replies, 429 and 5xx, for half a minute at most: long enough
/// for a store that asks to slow down, short enough that a wrong address is noticed.
fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2.0 };
    RetryConfig { backoff, max_retries: 8, retry_timeout: Duration::from_secs(30) }
}

/// Says whom this process may connect to when it reads and writes objects. Where that is not everybody, stores are read without
/// credentials, as public buckets are: those of the environment are not the stranger's who names the bucket.
pub fn connect_within(outbound: Outbound) {
    *OUTBOUND.lock().unwrap_or_else(PoisonError::into_inner) = Some(outbound);
    CLIENTS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// Makes a store of this process's memory known under a scheme and a bucket, such as `s3://memory`.
#[cfg(test)]
pub(crate) fn know(origin: &str, store: Arc<dyn ObjectStore>) {
    CLIENTS.lock().unwrap_or_else(PoisonError::into_inner).insert(origin.to_owned(), store);
}

/// Returns the client of the store in which the object lies.
pub(super) fn client(url: &ObjectUrl) -> io::Result<Arc<dyn ObjectStore>> {
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let origin = url.origin();
    if let Some(client) = clients.get(&origin) {
        return Ok(Arc::clone(client));
    }
    let outbound = OUTBOUND.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(Outbound::is_restricted);
    let client = match outbound {
        None => build(url, &origin),
        Some(outbound) => build_guarded(url, &origin, GuardedConnector::new(outbound)),
    };
    let client = client.map_err(|error| explained(url, error))?;
    clients.insert(origin, Arc::clone(&client));
    Ok(client)
}

fn build(url: &ObjectUrl, origin: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    Ok(match url.scheme {
        Scheme::S3 => {
            let builder = AmazonS3Builder::from_env().with_bucket_name(&url.authority);
            Arc::new(builder.with_retry(retries()).build()?)
        }
        Scheme::Google => {
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(&url.authority);
            Arc::new(builder.with_retry(retries()).build()?)
        }
        Scheme::Azure => {
            let builder = MicrosoftAzureBuilder::from_env();
            let builder = match url.authority.contains('@') {
                true => builder.with_url(origin),
                false => builder.with_container_name(&url.authority),
            };
            Arc::new(builder.with_retry(retries()).build()?)
        }
        Scheme::Http => {
            // Whoever writes `http://` means it.
            let options = ClientOptions::new().with_allow_http(true);
            Arc::new(HttpBuilder::new().with_url(origin).with_client_options(options).with_retry(retries()).build()?)
        }
    })
}

/// Returns the length of an object, asked for by a client of its own: the process's stays as it is.
#[cfg(test)]
pub(crate) fn head_within(outbound: Outbound, path: &std::path::Path) -> io::Result<u64> {
    use object_store::ObjectStoreExt as _;

    let location = super::Location::of(path)?;
    let Some(url) = location.object().cloned() else { return Err(io::Error::other("not a URL")) };
    let client = build_guarded(&url, &url.origin(), GuardedConnector::new(outbound));
    let (client, key) = (client.map_err(|error| explained(&url, error))?, url.store_key()?);
    let found = super::waiting::wait(async move { client.head(&key).await })?;
    Ok(found.map_err(|error| explained(&url, error))?.size)
}

/// A client of what anybody may read, that takes nothing from the environment.
fn build_guarded(
    url: &ObjectUrl,
    origin: &str,
    connector: GuardedConnector,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    Ok(match url.scheme {
        Scheme::S3 => {
            let builder = AmazonS3Builder::new().with_bucket_name(&url.authority).with_skip_signature(true);
            Arc::new(builder.with_http_connector(connector).with_retry(retries()).build()?)
        }
        Scheme::Google => {
            let builder = GoogleCloudStorageBuilder::new().with_bucket_name(&url.authority).with_skip_signature(true);
            Arc::new(builder.with_http_connector(connector).with_retry(retries()).build()?)
        }
        Scheme::Azure => {
            let builder = MicrosoftAzureBuilder::new().with_url(origin).with_skip_signature(true);
            Arc::new(builder.with_http_connector(connector).with_retry(retries()).build()?)
        }
        Scheme::Http => {
            let options = ClientOptions::new().with_allow_http(true);
            let builder = HttpBuilder::new().with_url(origin).with_client_options(options);
            Arc::new(builder.with_http_connector(connector).with_retry(retries()).build()?)
        }
    })
}
