//! Object stores of three kinds on loopback, each with one empty bucket, under one set of words: Azurite for Azure, an emulator of
//! Google Cloud Storage, s3s-fs for S3. Where one is not installed, its tests are skipped, loudly.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _};
use tempfile::TempDir;

use crate::live_servers::{LiveServer, installed, program, succeeds};
use crate::rematch::workspace;
use crate::s3_server::{BUCKET, S3Server, bad_network};

/// Of the emulator alone.
const ACCOUNT: &str = "tests";
const ACCOUNT_KEY: &str = "dGhlIGtleSBvZiBhIHN0b3JlIG9uIGxvb3BiYWNr";

/// A store that ends with the value.
pub(crate) struct CloudStore {
    /// The bucket's URL.
    root: &'static str,
    kind: Kind,
    _folder: Option<TempDir>,
}

enum Kind {
    S3(S3Server),
    Azure(LiveServer),
    Google(LiveServer, PathBuf),
}

impl CloudStore {
    /// Starts s3s-fs.
    pub(crate) fn s3() -> Option<Self> {
        Some(Self { root: "s3://bucket", kind: Kind::S3(S3Server::start()?), _folder: None })
    }

    /// Starts Azurite.
    pub(crate) fn azure() -> Option<Self> {
        let azurite = program("azurite", "azurite-blob", &[installed("azurite/node_modules/.bin")])?;
        let folder = tempfile::tempdir().expect("a folder");
        // The shell hands its environment on.
        let accounts = format!("AZURITE_ACCOUNTS={ACCOUNT}:{ACCOUNT_KEY}");
        let program = azurite.display().to_string();
        let arguments = [
            accounts.as_str(),
            program.as_str(),
            "--silent",
            "--disableTelemetry",
            "--inMemoryPersistence",
            "--skipApiVersionCheck",
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
            "{port}",
        ];
        let server = LiveServer::start(std::path::Path::new("env"), &arguments, folder, "TERM");
        let mut make = Command::new("node");
        make.arg(workspace().join("tests/live/azure_container.mjs"));
        make.args([&server.port().to_string(), ACCOUNT, ACCOUNT_KEY, BUCKET]);
        succeeds(make.output(), "the container");
        Some(Self { root: "az://bucket", kind: Kind::Azure(server), _folder: None })
    }

    /// Starts the emulator of Google Cloud Storage.
    pub(crate) fn google() -> Option<Self> {
        let python = program("gcs", "gcp-storage-emulator", &[installed("gcs/bin")])?.with_file_name("python");
        let script = workspace().join("tests/live/gcs_server.py").display().to_string();
        let server =
            LiveServer::start(&python, &[&script, "{port}", BUCKET], tempfile::tempdir().expect("a folder"), "TERM");
        let folder = tempfile::tempdir().expect("a folder");
        let account = service_account(&folder, "account.json", &server.url());
        Some(Self { root: "gs://bucket", kind: Kind::Google(server, account), _folder: Some(folder) })
    }

    /// Returns the bucket's URL.
    pub(crate) fn root(&self) -> &str {
        self.root
    }

    /// Returns the URL of a key.
    pub(crate) fn url(&self, key: &str) -> String {
        format!("{}/{key}", self.root)
    }

    /// Puts an object and returns its URL.
    pub(crate) fn put(&self, key: &str, content: impl AsRef<[u8]>) -> String {
        let (store, content) = (self.client(), content.as_ref().to_vec());
        let put = async { store.put(&Key::parse(key).expect("a key"), content.into()).await };
        runtime().block_on(put).expect("the object is put");
        self.url(key)
    }

    /// Returns the content of an object; `None` where it is not there.
    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let store = self.client();
        let get = async { store.get(&Key::parse(key).expect("a key")).await?.bytes().await };
        match runtime().block_on(get) {
            Ok(bytes) => Some(bytes.to_vec()),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => panic!("{key}: {error}"),
        }
    }

    /// Returns the keys below a prefix.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let (store, prefix) = (self.client(), Key::parse(prefix).expect("a prefix"));
        let list = async { futures_of(store.list(Some(&prefix))).await };
        let mut keys = runtime().block_on(list);
        keys.sort();
        keys
    }

    /// Returns the environment in which the store can be used.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        match &self.kind {
            Kind::S3(server) => server.environment(),
            Kind::Azure(server) => azure_environment(&server.url()),
            Kind::Google(_, account) => google_environment(account),
        }
    }

    /// Returns the environment in which the store can be used through a network as [`bad_network`] makes it.
    pub(crate) fn environment_of_bad_network(&self) -> Vec<(&'static str, String)> {
        match &self.kind {
            Kind::S3(server) => server.environment_of_bad_network(),
            Kind::Azure(server) => azure_environment(&bad_url(server)),
            Kind::Google(server, account) => {
                let folder = account.parent().expect("a folder");
                let account = folder.join("bad.json");
                std::fs::write(&account, account_text(&bad_url(server))).expect("written");
                google_environment(&account)
            }
        }
    }

    fn client(&self) -> Arc<dyn ObjectStore> {
        let options = ClientOptions::new().with_allow_http(true);
        match &self.kind {
            Kind::S3(server) => {
                let mut builder = AmazonS3Builder::new().with_bucket_name(BUCKET).with_allow_http(true);
                for (name, value) in server.environment() {
                    builder = builder.with_config(name.to_ascii_lowercase().parse().expect("a setting"), value);
                }
                Arc::new(builder.build().expect("a client"))
            }
            Kind::Azure(server) => {
                let builder = MicrosoftAzureBuilder::new().with_account(ACCOUNT).with_access_key(ACCOUNT_KEY);
                let builder = builder.with_endpoint(format!("{}/{ACCOUNT}", server.url()));
                Arc::new(builder.with_container_name(BUCKET).with_client_options(options).build().expect("a client"))
            }
            Kind::Google(server, _) => {
                let builder = GoogleCloudStorageBuilder::new().with_bucket_name(BUCKET);
                let builder = builder.with_service_account_key(account_text(&server.url()));
                Arc::new(builder.with_client_options(options).build().expect("a client"))
            }
        }
    }
}

async fn futures_of(
    mut listed: impl futures::Stream<Item = object_store::Result<object_store::ObjectMeta>> + Unpin,
) -> Vec<String> {
    let mut keys = Vec::new();
    while let Some(meta) = futures::StreamExt::next(&mut listed).await {
        keys.push(meta.expect("listed").location.to_string());
    }
    keys
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn bad_url(server: &LiveServer) -> String {
    format!("http://{}", bad_network(&format!("127.0.0.1:{}", server.port())))
}

fn azure_environment(url: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AZURE_STORAGE_USE_EMULATOR", "true".into()),
        ("AZURITE_BLOB_STORAGE_URL", url.into()),
        ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT.into()),
        ("AZURE_STORAGE_ACCOUNT_KEY", ACCOUNT_KEY.into()),
    ]
}

fn google_environment(account: &std::path::Path) -> Vec<(&'static str, String)> {
    vec![("GOOGLE_SERVICE_ACCOUNT", account.display().to_string()), ("GOOGLE_ALLOW_HTTP", "true".into())]
}

fn service_account(folder: &TempDir, name: &str, url: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, account_text(url)).expect("written");
    path
}

fn account_text(url: &str) -> String {
    serde_json::json!({
        "gcs_base_url": url, "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""
    })
    .to_string()
}
