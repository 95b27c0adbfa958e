//! What an operator sets. Every default stands here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use rematch_engine::benchmark::ClusterAddress;

/// Where the server listens, where its data lies, and what it allows.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of all data: the database, uploads, run directories.
    pub data: PathBuf,
    /// The address and port.
    pub address: SocketAddr,
    /// Where figures for Prometheus are served, by a server that is built with them; nowhere where `None`.
    pub figures: Option<SocketAddr>,
    /// Limits of connections and requests.
    pub limits: RequestLimits,
    /// Requests per second.
    pub rates: Rates,
    /// Limits of the child processes.
    pub worker: WorkerLimits,
    /// Limits of the queue.
    pub queue: QueueLimits,
    /// The most that one organisation may keep, bytes: files, components, the folders of its jobs, what is on its way, and
    /// its rows in the database.
    pub storage_bytes: u64,
    /// Addresses of proxies: the last `X-Forwarded-For` of what they send says who asks.
    pub trusted_proxies: Vec<IpAddr>,
    /// Hosts that HTTP retrievers may ask although they are private or local: `host`, `host:port`, an address or a range
    /// in CIDR notation, each optionally with `:port`.
    pub outbound_allow: Vec<String>,
    /// The cluster that does the work units of runs; their workers where `None`.
    pub cluster: Option<ClusterAddress>,
    /// Runs shell, Python and command scorers of scenarios in child processes. Off, they are refused.
    pub allow_native_scorers: bool,
    /// This program, which is started again as a worker.
    pub program: PathBuf,
}

impl Settings {
    /// Returns the defaults for data in that folder and workers of that program: port 7700 of this machine only.
    #[must_use]
    pub fn new(data: PathBuf, program: PathBuf) -> Self {
        Self {
            data,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 7700)),
            figures: None,
            limits: RequestLimits::default(),
            rates: Rates::default(),
            worker: WorkerLimits::default(),
            queue: QueueLimits::default(),
            storage_bytes: 100 << 30,
            trusted_proxies: Vec::new(),
            outbound_allow: Vec::new(),
            cluster: None,
            allow_native_scorers: false,
            program,
        }
    }
}

/// Limits of connections and requests.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// How long a client may take for the header of a request.
    pub header_read: Duration,
    /// How long a client may pause while it sends a body.
    pub body_pause: Duration,
    /// How long a connection may lie idle, and a client may take nothing of an answer.
    pub idle: Duration,
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// Bytes of a JSON body.
    pub body_bytes: usize,
    /// Bytes of an uploaded file.
    pub upload_bytes: u64,
    /// Levels of nesting of a JSON body.
    pub json_depth: usize,
    /// How long requests in flight may take after the server was told to stop.
    pub shutdown: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(10),
            body_pause: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            connections: 10_000,
            body_bytes: 8 << 20,
            upload_bytes: 8 << 30,
            json_depth: 64,
            shutdown: Duration::from_secs(10),
        }
    }
}

/// Requests per second, with bursts of as many as ten seconds bring.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Of one token.
    pub per_token: u32,
    /// Of all tokens of an organisation together.
    pub per_organisation: u32,
    /// Tokens that are refused, of one address.
    pub refused_per_address: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { per_token: 200, per_organisation: 1000, refused_per_address: 10 }
    }
}

/// Limits of one child process.
#[derive(Debug, Clone, Copy)]
pub struct WorkerLimits {
    /// Memory that it may write to, bytes.
    pub memory_bytes: u64,
    /// Processor time of a job, all threads together.
    pub job_cpu: Duration,
    /// Time of a job on the clock.
    pub job_time: Duration,
    /// Time on the clock of what a request waits for: a query, a look into a file.
    pub request_time: Duration,
    /// Bytes of one file that it writes.
    pub file_bytes: u64,
    /// Open files.
    pub open_files: u64,
}

impl Default for WorkerLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 4 << 30,
            job_cpu: Duration::from_secs(4 * 3600),
            job_time: Duration::from_secs(6 * 3600),
            request_time: Duration::from_secs(30),
            file_bytes: 64 << 30,
            open_files: 1024,
        }
    }
}

/// Limits of the queue of jobs.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// Jobs that run at once.
    pub workers: NonZeroUsize,
    /// Jobs of one organisation that wait or run.
    pub per_organisation: usize,
    /// How often a job is begun anew after its worker died or the server was stopped.
    pub attempts: u32,
}

impl Default for QueueLimits {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { workers, per_organisation: 1000, attempts: 3 }
    }
}
