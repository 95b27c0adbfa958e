//! A worker, seen from the server: a child process that is told one order and answers in lines.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{mpsc, watch};

use crate::App;
use crate::platform::error::ApiError;
use crate::settings::WorkerLimits;
use crate::worker::{Limits, Message, Order, Task, WORKER_COMMAND};

/// How long a worker may take to end by itself once it was told to.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of what a worker writes to stderr that are kept for the log.
const LOG_BYTES: u64 = 64 << 10;

/// Starts workers for one organisation.
pub struct Worker {
    program: PathBuf,
    root: PathBuf,
    outbound_allow: Vec<String>,
    limits: WorkerLimits,
    time: Duration,
}

/// Why a worker returned nothing.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
    /// The order cannot be done, for a reason that lies in the order.
    #[error("{message}")]
    Failed {
        /// A stable identifier of the kind of failure.
        code: String,
        /// What is wrong.
        message: String,
    },
    /// It ran longer than it may.
    #[error("stopped after {} s, the limit", .limit.as_secs())]
    TooLong {
        /// How long it may run.
        limit: Duration,
    },
    /// The process ended without a word: a limit of memory or processor time, or a crash.
    #[error(
        "the process that did it ended without an answer ({status}): it took more memory or processor time than it may, or crashed on its input"
    )]
    Died {
        /// How it ended.
        status: String,
    },
    /// The server itself failed.
    #[error("the server failed")]
    Server(ApiError),
}

impl From<ApiError> for WorkerError {
    fn from(error: ApiError) -> Self {
        if error.status.is_server_error() {
            return Self::Server(error);
        }
        Self::Failed { code: error.code.to_owned(), message: error.message }
    }
}

impl WorkerError {
    pub(super) fn unknown_kind(kind: &str) -> Self {
        Self::Failed {
            code: "unknown_kind".to_owned(),
            message: format!("this version knows no jobs of kind `{kind}`"),
        }
    }

    /// Returns it as it is kept with a job.
    #[must_use]
    pub fn as_json(&self) -> Value {
        let code = match self {
            Self::Stopped => "cancelled",
            Self::Failed { code, .. } => code,
            Self::TooLong { .. } => "timeout",
            Self::Died { .. } => "worker_died",
            Self::Server(_) => "internal",
        };
        json!({ "code": code, "message": self.to_string() })
    }
}

impl From<WorkerError> for ApiError {
    /// For a request that waits for a worker: what is wrong with an order is wrong with the request.
    fn from(error: WorkerError) -> Self {
        use axum::http::StatusCode;
        match error {
            WorkerError::Failed { message, .. } => Self::bad_request(message),
            WorkerError::TooLong { .. } => Self::new(StatusCode::BAD_REQUEST, "timeout", error.to_string()),
            WorkerError::Died { .. } => Self::new(StatusCode::BAD_REQUEST, "worker_died", error.to_string()),
            WorkerError::Server(error) => error,
            WorkerError::Stopped => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server is stopping"),
        }
    }
}

impl Worker {
    /// Returns a worker with the limits of jobs.
    #[must_use]
    pub fn of_job(app: &App, organisation: &str) -> Self {
        Self::new(app, organisation, app.settings().worker.job_time)
    }

    /// Returns a worker with the limits of what a request waits for.
    #[must_use]
    pub fn of_request(app: &App, organisation: &str) -> Self {
        Self::new(app, organisation, app.settings().worker.request_time)
    }

    fn new(app: &App, organisation: &str, time: Duration) -> Self {
        let settings = app.settings();
        Self {
            program: settings.program.clone(),
            root: app.root_of(organisation),
            outbound_allow: settings.outbound_allow.clone(),
            limits: settings.worker,
            time,
        }
    }

    /// Does an order for which a request waits.
    ///
    /// # Errors
    ///
    /// Returns why there is no answer.
    pub async fn answer(&self, order: &Order) -> Result<Value, WorkerError> {
        let (_never, stopped) = watch::channel(false);
        let (heard, _nobody) = mpsc::channel(1);
        self.run(order, stopped, heard).await
    }

    /// Does an order; `heard` is told what happens meanwhile. Set `stopped` to end it. Dropped, the process is killed.
    ///
    /// # Errors
    ///
    /// Returns why there is no outcome.
    pub async fn run(
        &self,
        order: &Order,
        mut stopped: watch::Receiver<bool>,
        heard: mpsc::Sender<Message>,
    ) -> Result<Value, WorkerError> {
        let mut child = self.start(order).await?;
        let mut lines = lines(&mut child)?;
        let log = tokio::spawn(log_of(child.stderr.take()));
        let deadline = tokio::time::Instant::now() + self.time;
        let mut asked_to_stop = false;
        let mut ended = None;
        let patience = tokio::time::sleep(Duration::MAX.min(Duration::from_secs(86400 * 365)));
        tokio::pin!(patience);
        loop {
            tokio::select! {
                line = lines.next_line() => match line {
                    Ok(Some(line)) => match serde_json::from_str(&line) {
                        Ok(Message::Done(outcome)) => ended = Some(Ok(outcome)),
                        Ok(Message::Failed { code, message }) => ended = Some(Err(WorkerError::Failed { code, message })),
                        // Nobody may be listening.
                        Ok(message) => drop(heard.send(message).await),
                        Err(error) => tracing::warn!(%error, "a worker wrote what is no message"),
                    },
                    _ => break,
                },
                () = tokio::time::sleep_until(deadline) => {
                    let _ = child.kill().await;
                    return Err(WorkerError::TooLong { limit: self.time });
                }
                () = &mut patience => { let _ = child.kill().await; }
                () = wish(&mut stopped), if !asked_to_stop => {
                    asked_to_stop = true;
                    ask_to_stop(&child);
                    patience.as_mut().reset(tokio::time::Instant::now() + PATIENCE);
                }
            }
        }
        let status = child.wait().await.map_err(ApiError::internal)?;
        let log = log.await.unwrap_or_default();
        if !log.trim().is_empty() {
            tracing::info!(worker = %status, log = log.trim(), "a worker's stderr");
        }
        match ended {
            Some(Ok(outcome)) => Ok(outcome),
            _ if asked_to_stop => Err(WorkerError::Stopped),
            Some(Err(error)) => Err(error),
            None => Err(WorkerError::Died { status: status.to_string() }),
        }
    }

    async fn start(&self, order: &Order) -> Result<Child, WorkerError> {
        let task = Task {
            order: order.clone(),
            root: self.root.clone(),
            outbound_allow: self.outbound_allow.clone(),
            limits: Limits::of(&self.limits, self.time),
        };
        let mut command = Command::new(&self.program);
        command
            .arg(WORKER_COMMAND)
            .env_clear()
            .current_dir(&self.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(ApiError::internal)?;
        let told = serde_json::to_vec(&task).map_err(ApiError::internal)?;
        if let Some(mut stdin) = child.stdin.take() {
            // It may be dead already; its silence tells that.
            let _ = stdin.write_all(&told).await;
        }
        Ok(child)
    }
}

fn lines(child: &mut Child) -> Result<Lines<BufReader<ChildStdout>>, WorkerError> {
    let stdout = child.stdout.take().ok_or_else(|| ApiError::internal("a worker has no stdout"))?;
    Ok(BufReader::new(stdout).lines())
}

async fn log_of(stderr: Option<tokio::process::ChildStderr>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut kept = Vec::new();
    let _ = (&mut stderr).take(LOG_BYTES).read_to_end(&mut kept).await;
    // The rest is read and dropped: a full pipe would stop the worker.
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

/// Ends when it is wished that the worker ends.
async fn wish(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        // Nobody is left who could wish it.
        std::future::pending::<()>().await;
    }
}

fn ask_to_stop(child: &Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}
