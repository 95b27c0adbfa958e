//! A worker, seen from the server: a child process that is told one order and answers in lines.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rematch_engine::benchmark::ClusterAddress;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::Instrument;

use super::death::Death;
use super::process::{LINE_BYTES, Process};
use super::seats::{Seat, Seats};
use crate::App;
use crate::catalog::secrets;
use crate::platform::error::ApiError;
use crate::settings::WorkerLimits;
use crate::worker::{Handed, INTERRUPTED, Limits, Message, Order, Task};

/// How long a worker may take to end by itself once it was told to.
const PATIENCE: Duration = Duration::from_secs(5);

/// The shortest time between two words of a worker about its progress that are passed on; workers themselves wait longer.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Other words of a worker that are passed on. A run says a dozen; a worker that was taken over must not fill the database.
const MOST_WORDS: u32 = 1000;

/// Bytes of a message that is no answer; longer ones are dropped, and longer reasons of failures cut.
const WORD_BYTES: usize = 8 << 10;

/// Bytes of a message that tells of a stage, or of sessions.
const TOLD_BYTES: usize = 1 << 20;

/// Messages that tell of sessions; no order has more sessions than that.
const MOST_TOLD: u32 = 50_000;

/// Bytes of a worker's stderr that stand in the log.
const LOG_BYTES: usize = 2 << 10;

/// Starts workers for one organisation.
pub struct Worker {
    program: PathBuf,
    root: PathBuf,
    outbound_allow: Vec<String>,
    cluster: Option<ClusterAddress>,
    limits: WorkerLimits,
    time: Duration,
    organisation: String,
    /// Who knows the organisation's secrets.
    app: Option<App>,
    /// Where a request takes its seat; jobs have none.
    seats: Option<Arc<Seats>>,
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
    /// The process was ended from outside: another attempt may fare better.
    #[error("the process that did it ended without an answer: {death}")]
    Died {
        /// How it ended.
        death: Death,
    },
    /// The process ended without an answer, and would again: a limit of memory or processor time, or a crash.
    #[error("the process that did it ended without an answer: {death}")]
    Broke {
        /// How it ended.
        death: Death,
    },
    /// The server itself failed, or has too much to do.
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

impl From<Death> for WorkerError {
    fn from(death: Death) -> Self {
        if death.may_pass() { Self::Died { death } } else { Self::Broke { death } }
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
            Self::Died { death } | Self::Broke { death } => death.code(),
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
            WorkerError::Died { ref death } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, death.code(), error.to_string())
            }
            WorkerError::Broke { ref death } => Self::new(StatusCode::BAD_REQUEST, death.code(), error.to_string()),
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
        let seats = Some(Arc::clone(app.seats()));
        Self { seats, ..Self::new(app, organisation, app.settings().worker.request_time) }
    }

    fn new(app: &App, organisation: &str, time: Duration) -> Self {
        let settings = app.settings();
        Self {
            program: settings.program.clone(),
            root: app.root_of(organisation),
            outbound_allow: settings.outbound_allow.clone(),
            cluster: settings.cluster.clone(),
            limits: settings.worker,
            time,
            organisation: organisation.to_owned(),
            app: Some(app.clone()),
            seats: None,
        }
    }

    /// Does an order for which a request waits, when the server has room for it.
    ///
    /// # Errors
    ///
    /// Returns why there is no answer; [`WorkerError::Server`] with 429 when too many requests wait for workers.
    pub async fn answer(&self, order: &Order) -> Result<Value, WorkerError> {
        // Without a receiver nothing waits for room.
        let (heard, _) = mpsc::channel(1);
        self.answer_telling(order, heard).await
    }

    /// Does an order as [`Self::answer`] does; `heard` is told what happens meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Self::answer`].
    pub async fn answer_telling(&self, order: &Order, heard: mpsc::Sender<Message>) -> Result<Value, WorkerError> {
        let span = tracing::info_span!("worker", order = order.name(), otel.name = format!("worker {}", order.name()));
        self.answered(order, heard).instrument(span).await
    }

    async fn answered(&self, order: &Order, heard: mpsc::Sender<Message>) -> Result<Value, WorkerError> {
        let _seat = self.seat().await?;
        let (_never, stopped) = watch::channel(false);
        self.run(order, stopped, heard).await
    }

    /// Returns a worker that has so much time at most.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { time: self.time.min(time), ..self }
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
        let limits = Limits::of(&self.limits, self.time);
        let started = Process::start(&self.program, &self.root, order.temporary_files().as_deref());
        let mut process = started.map_err(ApiError::internal)?;
        let mut deadline = Instant::now() + self.time;
        let told = self.told(order, limits).await?;
        let mut ended = None;
        let mut patience = None;
        let mut ration = Ration::default();
        if tokio::time::timeout_at(deadline, process.tell(&told)).await.is_err() {
            return Err(self.too_long(process).await);
        }
        loop {
            let until = patience.unwrap_or(deadline).min(deadline);
            tokio::select! {
                line = process.next_line() => match line {
                    Ok(Some(line)) => match serde_json::from_slice(&line) {
                        Ok(Message::Done(outcome)) => ended = Some(Ok(outcome)),
                        Ok(Message::Failed { code, message }) => {
                            ended = Some(Err(WorkerError::Failed { code, message: beginning(message) }));
                        }
                        // Nobody may be listening.
                        Ok(message) if ration.allows(&message, line.len()) => drop(heard.send(message).await),
                        Ok(_) => {}
                        Err(error) => ration.complain(&error),
                    },
                    Ok(None) => break,
                    Err(_) => {
                        end(process).await?;
                        return Err(Death::Answer { limit_bytes: LINE_BYTES }.into());
                    }
                },
                () = tokio::time::sleep_until(until) => {
                    if patience.is_none() && ended.is_none() {
                        return Err(self.too_long(process).await);
                    }
                    break;
                }
                () = wish(&mut stopped), if patience.is_none() => {
                    process.ask_to_stop();
                    patience = Some(Instant::now() + PATIENCE);
                }
            }
            if ended.is_some() {
                // Who has said the last word goes.
                deadline = deadline.min(Instant::now() + PATIENCE);
            }
        }
        let (status, log) = end(process).await?;
        match ended {
            Some(Ok(outcome)) => Ok(outcome),
            _ if patience.is_some() => Err(WorkerError::Stopped),
            // Nobody here told it to stop.
            Some(Err(WorkerError::Failed { code, .. })) if code == INTERRUPTED => {
                Err(Death::Taken { how: "it was told to stop".to_owned() }.into())
            }
            Some(Err(error)) => Err(error),
            None => {
                tracing::warn!(worker = %status, log = shown(&log), "a worker died");
                Err(Death::of(status, &log, &limits).into())
            }
        }
    }

    /// A request waits for a seat half as long as for its worker.
    async fn seat(&self) -> Result<Option<Seat>, WorkerError> {
        match &self.seats {
            Some(seats) => seats.take(&self.organisation, self.time / 2).await.map(Some).map_err(WorkerError::Server),
            None => Ok(None),
        }
    }

    async fn told(&self, order: &Order, limits: Limits) -> Result<Vec<u8>, WorkerError> {
        let secrets = match &self.app {
            Some(app) if order.asks_retrievers() => secrets::all(app, &self.organisation).await?,
            _ => BTreeMap::new(),
        };
        let task = Task {
            order: order.clone(),
            root: self.root.clone(),
            outbound_allow: self.outbound_allow.clone(),
            cluster: self.cluster.clone(),
            secrets: Handed(secrets),
            limits,
            server: std::process::id(),
        };
        Ok(serde_json::to_vec(&task).map_err(ApiError::internal)?)
    }

    async fn too_long(&self, process: Process) -> WorkerError {
        match end(process).await {
            Ok(_) => WorkerError::TooLong { limit: self.time },
            Err(error) => error,
        }
    }
}

/// Returns the beginning of what a worker said on stderr: a tenant's data may have put anything into it.
fn shown(log: &str) -> &str {
    let log = log.trim();
    log.get(..log.floor_char_boundary(LOG_BYTES)).unwrap_or_default()
}

/// Ends a process, and passes on what it said on stderr.
async fn end(process: Process) -> Result<(std::process::ExitStatus, String), WorkerError> {
    let (status, log) = process.end().await.map_err(ApiError::internal)?;
    if !log.trim().is_empty() {
        tracing::debug!(worker = %status, log = shown(&log), "a worker's stderr");
    }
    Ok((status, log))
}

/// Returns the beginning of a reason: it is kept in the database.
fn beginning(mut message: String) -> String {
    message.truncate(message.floor_char_boundary(WORD_BYTES));
    message
}

/// What of a worker's words is passed on.
#[derive(Default)]
struct Ration {
    progress: Option<Instant>,
    words: u32,
    told: u32,
    complained: bool,
}

impl Ration {
    /// Returns whether a message of so many bytes is passed on.
    fn allows(&mut self, message: &Message, bytes: usize) -> bool {
        let is_long = matches!(message, Message::StageEnded { .. } | Message::Scored { .. });
        if bytes > if is_long { TOLD_BYTES } else { WORD_BYTES } {
            return false;
        }
        if matches!(message, Message::Scored { .. }) {
            self.told = self.told.saturating_add(1);
            return self.told <= MOST_TOLD;
        }
        if let Message::Progress { done, total, .. } = message
            && done < total
        {
            let is_early = self.progress.is_some_and(|last| last.elapsed() < PROGRESS_EVERY);
            if !is_early {
                self.progress = Some(Instant::now());
            }
            return !is_early;
        }
        self.words = self.words.saturating_add(1);
        self.words <= MOST_WORDS
    }

    fn complain(&mut self, error: &serde_json::Error) {
        if !self.complained {
            tracing::warn!(%error, "a worker wrote what is no message");
        }
        self.complained = true;
    }
}

/// Ends when it is wished that the worker ends.
async fn wish(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        // Nobody is left who could wish it.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::script;
    use super::*;
    use crate::worker::RunOrder;

    /// Does an order by a worker that is a script, and returns what was heard.
    async fn outcome_of(text: &str, time: Duration) -> (Result<Value, WorkerError>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("worker.sh");
        script::write(&program, &format!("#!/bin/sh\n{text}\n"));
        let root = folder.path().to_owned();
        let worker = Worker {
            program,
            root,
            outbound_allow: Vec::new(),
            cluster: None,
            limits: WorkerLimits::default(),
            time,
            organisation: "acme".to_owned(),
            app: None,
            seats: None,
        };
        let order =
            Order::Run(RunOrder { benchmark: "b".into(), overrides: Vec::new(), out: "o".into(), retry_errors: false });
        let (_never, stopped) = watch::channel(false);
        let (heard, mut messages) = mpsc::channel(64);
        let count = async {
            let mut count = 0;
            while messages.recv().await.is_some() {
                count += 1;
            }
            count
        };
        tokio::join!(worker.run(&order, stopped, heard), count)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn each_end_of_a_worker_is_an_error_of_its_own_and_none_is_waited_for() {
        let failed = |error: &Result<Value, WorkerError>| error.as_ref().unwrap_err().as_json()["code"].clone();
        let (done, _) = outcome_of(r#"cat >/dev/null; echo '{"done":{"x":1}}'"#, LONG).await;
        assert_eq!(done.unwrap(), json!({ "x": 1 }));
        let cases = [
            (r#"echo '{"failed":{"code":"wrong","message":"m"}}'"#, "wrong"),
            ("echo nonsense", "worker_crashed"),
            ("kill -KILL $$", "worker_died"),
            (r#"echo '{"failed":{"code":"interrupted","message":"m"}}'"#, "worker_died"),
            ("kill -XCPU $$", "cpu_limit"),
            ("kill -XFSZ $$", "file_limit"),
            ("kill -SEGV $$", "worker_crashed"),
            ("echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$", "memory_limit"),
            ("yes | tr -d '\\n'", "answer_limit"),
        ];
        for (script, code) in cases {
            let (outcome, _) = outcome_of(script, LONG).await;
            assert_eq!(failed(&outcome), code, "{script}: {outcome:?}");
        }
        let (outcome, _) = outcome_of("sleep 60", Duration::from_millis(200)).await;
        assert_eq!(failed(&outcome), "timeout");
        // It says its last word and stays.
        let begun = Instant::now();
        let (outcome, _) = outcome_of(r#"echo '{"done":1}'; sleep 60"#, LONG).await;
        assert_eq!(outcome.unwrap(), json!(1));
        assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_flood_of_messages_reaches_nobody() {
        let flood = r#"yes '{"phase":"replaying"}' | head -n 20000; echo '{"done":1}'"#;
        let (outcome, heard) = outcome_of(flood, LONG).await;
        assert_eq!((outcome.unwrap(), heard), (json!(1), MOST_WORDS as usize));
        let progress = r#"yes '{"progress":{"retriever_id":"a","done":1,"total":9,"failed":0}}' | head -n 20000; echo '{"done":1}'"#;
        let begun = Instant::now();
        let (outcome, heard) = outcome_of(progress, LONG).await;
        let most = begun.elapsed().as_millis() / PROGRESS_EVERY.as_millis() + 2;
        assert!(outcome.is_ok() && (heard as u128) <= most, "{heard} of {most}");
        let long = r#"printf '{"phase":"'; yes x | head -n 10000 | tr -d '\n'; echo '"}'; echo '{"done":1}'"#;
        let (outcome, heard) = outcome_of(long, LONG).await;
        assert_eq!((outcome.unwrap(), heard), (json!(1), 0));
    }

    #[test]
    fn a_long_reason_is_cut_between_letters() {
        let cut = beginning("\u{e9}".repeat(WORD_BYTES));
        assert!(cut.len() <= WORD_BYTES && cut.len() > WORD_BYTES - 2);
        let log = format!(" {}", "\u{e9}".repeat(LOG_BYTES));
        assert!(shown(&log).len() <= LOG_BYTES && shown(&log).len() > LOG_BYTES - 2);
    }
}
