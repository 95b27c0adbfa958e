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

use super::location::{ObjectUrl, Scheme};
use super::object_error::explained;

static CLIENTS: Mutex<BTreeMap<String, Arc<dyn ObjectStore>>> = Mutex::new(BTreeMap::new());

/// A request is sent again after refused connections, broken replies, 429 and 5xx, for half a minute at most: long enough
/// for a store that asks to slow down, short enough that a wrong address is noticed.
fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2.0 };
    RetryConfig { backoff, max_retries: 8, retry_timeout: Duration::from_secs(30) }
}

/// Returns the client of the store in which the object lies.
pub(super) fn client(url: &ObjectUrl) -> io::Result<Arc<dyn ObjectStore>> {
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let origin = url.origin();
    if let Some(client) = clients.get(&origin) {
        return Ok(Arc::clone(client));
    }
    let client = build(url, &origin).map_err(|error| explained(url, error))?;
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
