//! The server as a whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use bytes::Bytes;
use rematch_engine::cluster::{self, ClusterError};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use crate::catalog::Ledger;
use crate::catalog::secrets::Vault;
use crate::database::{Database, DatabaseError};
use crate::jobs::{Jobs, Kinds, Seats, remove_leftovers};
use crate::organisations::{RateLimits, Shares, Tokens};
use crate::platform::error::ApiError;
use crate::platform::frame::{Family, frame};
use crate::platform::{auth, docs, health, listen, openapi};
use crate::settings::Settings;
use crate::{catalog, database, mixpeek, native, organisations, runloop};

/// The families that write errors in a shape of their own, wherever below their paths these come from: a handler, a missing
/// token, a path or a method that no route has.
const FAMILIES: &[Family] = &[
    Family { prefixes: &mixpeek::PREFIXES, shape: mixpeek::refusal::shape },
    Family { prefixes: &runloop::PREFIXES, shape: runloop::errors::body },
];

/// How often limits of requests forget whoever has gone.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Requests of an organisation that are answered at once.
const REQUESTS_AT_ONCE: usize = 256;

/// Streams of events of an organisation that are open at once.
const STREAMS_AT_ONCE: usize = 128;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder of the data cannot be used.
    #[error("cannot use the data directory `{path}`: {source}; `--data` names another")]
    Data {
        /// The folder.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The page of the documentation cannot be made, which is a bug.
    #[error("cannot make the page of the documentation: {0}")]
    Docs(#[from] minijinja::Error),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// This build knows no clusters.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {source}; `--listen` names another address")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What every handler is handed: settings, database, tokens, jobs.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    settings: Settings,
    database: Database,
    tokens: Tokens,
    rates: RateLimits,
    jobs: Jobs,
    seats: Arc<Seats>,
    requests: Shares,
    streams: Shares,
    ledger: Ledger,
    vault: Vault,
    stopping: watch::Sender<bool>,
}

impl App {
    /// Opens the data directory, which is made where it is not there.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder or the database in it cannot be used.
    pub fn open(mut settings: Settings) -> Result<Self, StartError> {
        let path = settings.data.display().to_string();
        let failed = |source| StartError::Data { path: path.clone(), source };
        database::make_folder(&folder_of_organisations(&settings.data)).map_err(failed)?;
        // Workers work in another folder than this process: what they are told must be absolute, and no link.
        settings.data = settings.data.canonicalize().map_err(failed)?;
        remove_leftovers(&folder_of_organisations(&settings.data));
        let database = Database::open(&settings.data.join("rematch.db"))?;
        let tokens = Tokens::open(database.clone(), &settings.data.join("token.key")).map_err(failed)?;
        let vault = Vault::open(&database, &settings.data.join("secrets.key")).map_err(failed)?;
        let jobs = Jobs::new(database.clone(), settings.queue, folder_of_organisations(&settings.data), kinds());
        let rates = RateLimits::new(settings.rates);
        let stopping = watch::channel(false).0;
        let (requests, streams) = (Shares::new(REQUESTS_AT_ONCE), Shares::new(STREAMS_AT_ONCE));
        let (seats, ledger) = Default::default();
        let parts =
            Parts { settings, database, tokens, rates, jobs, seats, requests, streams, ledger, vault, stopping };
        Ok(Self(Arc::new(parts)))
    }

    /// Returns what the operator set.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Returns the database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Returns the tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Returns the limits of requests per second.
    #[must_use]
    pub fn rates(&self) -> &RateLimits {
        &self.0.rates
    }

    /// Returns the queue.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// Returns the seats for workers of requests.
    #[must_use]
    pub fn seats(&self) -> &Arc<Seats> {
        &self.0.seats
    }

    /// Returns how many requests of an organisation are answered at once.
    #[must_use]
    pub fn requests(&self) -> &Shares {
        &self.0.requests
    }

    /// Returns how many streams of events of an organisation are open at once.
    #[must_use]
    pub fn streams(&self) -> &Shares {
        &self.0.streams
    }

    /// Returns what encrypts secrets.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// Returns what organisations use that is on its way.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Returns the folder of an organisation: `files/`, `jobs/` and `cache/` lie in it, and its workers see nothing else.
    #[must_use]
    pub fn root_of(&self, organisation: &str) -> PathBuf {
        folder_of_organisations(&self.0.settings.data).join(organisation)
    }

    /// Returns what becomes true when the server stops: whatever streams without an end ends then.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stopping.subscribe()
    }

    /// Says that the server stops: streams end, and no job is begun any more.
    pub(crate) fn stop(&self) {
        self.0.jobs.begin_no_more();
        self.0.stopping.send_replace(true);
    }

    /// Returns every route, and the document that describes them.
    ///
    /// # Errors
    ///
    /// Returns an error when the page of the documentation cannot be made.
    pub fn router(&self) -> Result<(Router, Value), StartError> {
        let (guarded, document) = OpenApiRouter::with_openapi(openapi::Document::openapi())
            .merge(organisations::routes())
            .merge(native::routes())
            .merge(mixpeek::routes())
            .merge(runloop::routes(self))
            .split_for_parts();
        let guarded = guarded.layer(from_fn_with_state(self.clone(), auth::authenticate));
        let document = openapi::finished(&document);
        let page = docs::page(&document)?;
        let served = Bytes::from(document.to_string());
        let open = Router::new()
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/openapi.json", get(async move || openapi::serve(&served)))
            .route("/docs", get(async move || docs::serve(&page)))
            .route("/docs/style.css", get(docs::style));
        let router = open
            .merge(guarded)
            .fallback(async |uri: axum::http::Uri| ApiError::not_found("route", uri.path()))
            .layer(DefaultBodyLimit::max(self.settings().limits.body_bytes))
            .layer(from_fn_with_state(FAMILIES, frame))
            .with_state(self.clone());
        Ok((router, document))
    }
}

fn folder_of_organisations(data: &Path) -> PathBuf {
    data.join("organisations")
}

/// What the queue can do.
fn kinds() -> Kinds {
    Kinds::default()
        .with(native::RunKind)
        .with(native::RejudgeKind)
        .with(mixpeek::benchmarks::job::RetrieverBenchmark)
        .with(mixpeek::evaluations::job::RetrieverEvaluation)
        .with(runloop::Scoring)
}

/// Serves until `stop` ends.
///
/// # Errors
///
/// Returns an error when the data cannot be used or the address cannot be listened at.
pub async fn start(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), StartError> {
    let (address, limits) = (settings.address, settings.limits);
    settings.cluster.as_ref().map_or(Ok(()), cluster::check_built)?;
    let _lock = database::lock(&settings.data)?;
    let app = App::open(settings)?;
    if let Err(error) = catalog::sweep(&app).await {
        tracing::warn!(code = error.code, "what was left over cannot be looked for");
    }
    let (router, _) = app.router()?;
    let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
    #[cfg(feature = "prometheus")]
    let figures = serve_figures(&app, limits).await?;
    let worker = tokio::spawn(app.jobs().clone().work(app.clone()));
    let forgetter = tokio::spawn(forget(app.clone()));
    let looker = tokio::spawn(look_for_cluster(app.clone()));
    greet(&app, listener.local_addr().unwrap_or(address)).await;
    let told = async {
        stop.await;
        tracing::info!("stopping: requests in flight are answered");
        app.stop();
    };
    listen::serve(listener, router, limits, told).await;
    app.jobs().close().await;
    worker.abort();
    forgetter.abort();
    looker.abort();
    #[cfg(feature = "prometheus")]
    figures.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Serves figures where the operator says, and nowhere else: they are no tenant's.
#[cfg(feature = "prometheus")]
async fn serve_figures(
    app: &App,
    limits: crate::settings::RequestLimits,
) -> Result<tokio::task::JoinHandle<()>, StartError> {
    let Some(address) = app.settings().figures else { return Ok(tokio::spawn(async {})) };
    let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
    let mut stopping = app.stopping();
    let stop = async move {
        // The end of the sender is the end of the server too.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    tracing::info!(%address, "figures are served at /metrics");
    let limits = crate::settings::RequestLimits { connections: 16, ..limits };
    Ok(tokio::spawn(listen::serve(listener, crate::platform::figures::router(app.clone()), limits, stop)))
}

/// Says where the server listens, and what is needed to use it.
async fn greet(app: &App, address: std::net::SocketAddr) {
    let data = app.settings().data.display();
    tracing::info!(%address, docs = format!("http://{address}/docs"), %data, "listening");
    if matches!(app.tokens().any().await, Ok(false)) {
        let command = format!("rematch token create ORGANISATION --data {data}");
        tracing::warn!(command, "there is no token yet; this command makes one");
    }
    if !address.ip().is_loopback() {
        tracing::warn!("tokens travel unencrypted: put a proxy that speaks TLS in front of this server");
    }
}

/// Says whether the cluster is there. It may come later: only runs need it.
async fn look_for_cluster(app: App) {
    let Some(address) = &app.settings().cluster else { return };
    match cluster::reach(address).await {
        Ok(()) => {
            tracing::info!(cluster = %address, "runs are done on the cluster; its executors must see the data directory")
        }
        Err(error) => tracing::warn!(cluster = %address, %error, "runs will fail until the cluster is there"),
    }
}

async fn forget(app: App) {
    loop {
        tokio::time::sleep(FORGET_EVERY).await;
        app.rates().forget();
        app.seats().forget();
        app.requests().forget();
        app.streams().forget();
        app.ledger().forget();
    }
}
