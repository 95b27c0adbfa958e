//! One table from errors to exit codes, and the one place that prints an error.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use rematch_engine::benchmark::Diagnostic;
use rematch_engine::cluster::ClusterError;
use rematch_engine::compare::CompareError;
use rematch_engine::compare::gates::GateError;
use rematch_engine::forecast::ForecastError;
use rematch_engine::load::LoadError;
use rematch_engine::replay::ReplayError;
use rematch_engine::replay::plugin::PluginError;
use rematch_engine::replay::transforms::TransformError;
use rematch_engine::run::rejudge::RejudgeError;
use rematch_engine::run::{RunError, Shard};
use rematch_engine::sandbox::{PackError, SandboxError};
use rematch_engine::score::ScoreError;
use rematch_engine::select::SelectError;
use rematch_engine::store::StoreError;
use rematch_engine::unit::UnitError;

use crate::signals;
use crate::terminal::visible_lines;

/// How a command ended; the number is the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, gates pass.
    Done = 0,
    /// A bug; or another program's numbers differ from ours, which is one.
    Internal = 1,
    /// The command line or the benchmark file is wrong.
    Usage = 2,
    /// An input cannot be read.
    Input = 3,
    /// Nothing is selected.
    NothingSelected = 4,
    /// An arm failed, as the report says, or the run could not be finished and can be resumed.
    Incomplete = 5,
    /// A plugin failed.
    Plugin = 6,
    /// A gate failed.
    GateFailed = 10,
    /// A gate is inconclusive, and set to fail then.
    GateInconclusive = 11,
    /// Interrupted; what is done is kept.
    Interrupted = 130,
}

/// An error with the exit code that it means.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    /// Returns a failure with that exit code.
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// Adds what to do about it.
    pub(crate) fn with_hint(self, hint: &str) -> Self {
        let Self { exit, error } = self;
        Self { exit, error: anyhow::anyhow!("{error:#}; {hint}") }
    }

    /// Returns the exit code.
    #[cfg(test)]
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:#}", self.error)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        Self { exit: code(&error), error }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Reports a panic as the bug that it is, but for those of decoders on damaged files, which become errors of their own.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if !rematch_engine::load::decoder_panics_are_caught() {
            // Nothing is left to do when stderr is gone.
            let _ = writeln!(std::io::stderr().lock(), "error: {panic}\n{REPORT_IT}");
        }
    }));
}

const REPORT_IT: &str = "  this is a bug in rematch; please report it with the command and this message";

/// Prints an error on stderr and returns the exit code.
pub(crate) fn report(result: Result<Exit, Failure>) -> ExitCode {
    let exit = result.unwrap_or_else(|failure| {
        // Nothing is left to do when stderr is gone.
        let _ = print(&failure.error, failure.exit);
        failure.exit
    });
    match exit {
        Exit::Interrupted => signals::exit_code().unwrap_or(exit.into()),
        exit => exit.into(),
    }
}

/// The most of an error that is shown, bytes.
const MAX_ERROR_BYTES: usize = 8_000;

/// Before the further lines of an error.
const INDENT: &str = "    ";

fn print(error: &anyhow::Error, exit: Exit) -> std::io::Result<()> {
    let mut stderr = std::io::stderr().lock();
    if let Some(diagnostic) = error.downcast_ref::<Diagnostic>() {
        let styled = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        return writeln!(stderr, "{}", diagnostic.render(styled));
    }
    // What a component or a file says stands in errors too.
    let shown =
        |text: &str| visible_lines(text.get(..text.floor_char_boundary(MAX_ERROR_BYTES)).unwrap_or(text), INDENT);
    let mut last = error.to_string();
    writeln!(stderr, "error: {}", shown(&last))?;
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        if !last.ends_with(&text) {
            writeln!(stderr, "  because: {}", shown(&text))?;
        }
        last = text;
    }
    if let Some(RunError::Interrupted { directory, shard } | RunError::RetrieverDead { directory, shard, .. }) =
        error.downcast_ref::<RunError>()
    {
        let shard = shard.map(|Shard { index, count }| format!(" --shard {index}/{count}")).unwrap_or_default();
        writeln!(stderr, "  to go on: rematch resume {}{shard}", shown(&directory.display().to_string()))?;
    }
    if exit == Exit::Internal {
        writeln!(stderr, "{REPORT_IT}")?;
    }
    Ok(())
}

/// A run that found no room goes on where it was when there is some.
const NO_ROOM: [std::io::ErrorKind; 3] =
    [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded, std::io::ErrorKind::FileTooLarge];

fn code(error: &anyhow::Error) -> Exit {
    let causes = || error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    if causes().any(|cause| NO_ROOM.contains(&cause.kind())) {
        return Exit::Incomplete;
    }
    if error.is::<Diagnostic>() {
        return Exit::Usage;
    }
    if let Some(error) = error.downcast_ref::<ForecastError>() {
        return code_of_forecast(error);
    }
    if let Some(error) = error.downcast_ref::<RejudgeError>() {
        return code_of_rejudge(error);
    }
    if error.is::<GateError>() {
        return Exit::Usage;
    }
    if let Some(error) = error.downcast_ref::<LoadError>() {
        return code_of_load(error);
    }
    if let Some(error) = error.downcast_ref::<ScoreError>() {
        return code_of_score(error);
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return code_of_store(error);
    }
    if let Some(error) = error.downcast_ref::<SandboxError>() {
        return code_of_sandbox(error);
    }
    if let Some(error) = error.downcast_ref::<ReplayError>() {
        return code_of_replay(error);
    }
    if let Some(error) = error.downcast_ref::<ClusterError>() {
        return code_of_cluster(error);
    }
    if error.is::<PackError>() {
        return Exit::Plugin;
    }
    match error.downcast_ref::<RunError>() {
        Some(error) => code_of_run(error),
        None => Exit::Internal,
    }
}

fn code_of_load(error: &LoadError) -> Exit {
    match error {
        // Whoever names the file may name another one.
        LoadError::Write { .. } => Exit::Usage,
        _ => Exit::Input,
    }
}

fn code_of_score(error: &ScoreError) -> Exit {
    match error {
        ScoreError::Sandbox(error) => code_of_sandbox(error),
        ScoreError::Read { .. } | ScoreError::Items(_) => Exit::Input,
        _ => Exit::Plugin,
    }
}

fn code_of_replay(error: &ReplayError) -> Exit {
    match error {
        ReplayError::Plugin { source, .. } => match source.as_ref() {
            PluginError::Sandbox(error) => code_of_sandbox(error),
            PluginError::Items { .. } => Exit::Input,
            _ => Exit::Plugin,
        },
        ReplayError::Transform { source, .. } => match source.as_ref() {
            TransformError::Expression { .. } => Exit::Usage,
            _ => Exit::Input,
        },
        ReplayError::Http { .. } | ReplayError::Postgres { .. } | ReplayError::Sql { .. } => Exit::Usage,
        _ => Exit::Input,
    }
}

fn code_of_sandbox(error: &SandboxError) -> Exit {
    match error {
        SandboxError::Host { .. } => Exit::Usage,
        SandboxError::Read { .. } => Exit::Input,
        _ => Exit::Plugin,
    }
}

fn code_of_run(error: &RunError) -> Exit {
    match error {
        RunError::Load(_) => Exit::Input,
        RunError::Replay(error) => code_of_replay(error),
        RunError::Select(error) => code_of_select(error),
        RunError::Score(error) | RunError::Compare(CompareError::Score(error)) => code_of_score(error),
        RunError::Compare(CompareError::Items(_)) => Exit::Input,
        RunError::Compare(CompareError::TooManyValues { .. } | CompareError::Gate(_)) => Exit::Usage,
        RunError::Rejudge(error) => code_of_rejudge(error),
        RunError::ScorerFailed { .. } => Exit::Plugin,
        RunError::Store(error) | RunError::Compare(CompareError::Store(error)) => code_of_store(error),
        RunError::Unit(error) => match error {
            UnitError::Store(error) => code_of_store(error),
            UnitError::Replay(error) => code_of_replay(error),
            UnitError::Score(error) => code_of_score(error),
            UnitError::NotLent { .. } => Exit::Input,
            _ => Exit::Internal,
        },
        RunError::OtherRun { .. } | RunError::NothingToMerge | RunError::ShardedStop => Exit::Usage,
        RunError::Missing { .. } | RunError::RetrieverDead { .. } => Exit::Incomplete,
        RunError::ClusterStop => Exit::Usage,
        RunError::Cluster(error) => code_of_cluster(error),
        RunError::Interrupted { .. } => Exit::Interrupted,
        _ => Exit::Internal,
    }
}

fn code_of_cluster(error: &ClusterError) -> Exit {
    match error {
        ClusterError::NotBuilt(_) | ClusterError::Setting(_) => Exit::Usage,
        ClusterError::Load(_) => Exit::Input,
        ClusterError::Store(error) => code_of_store(error),
        _ => Exit::Incomplete,
    }
}

fn code_of_select(error: &SelectError) -> Exit {
    match error {
        SelectError::Load(_) => Exit::Input,
        SelectError::Predicate { .. } => Exit::Usage,
        SelectError::Nothing { .. } => Exit::NothingSelected,
        SelectError::Store(error) => code_of_store(error),
        SelectError::Engine(_) => Exit::Input,
        SelectError::Memory { .. } | SelectError::Strata { .. } => Exit::Usage,
        SelectError::Scratch(_) => Exit::Incomplete,
        _ => Exit::Internal,
    }
}

fn code_of_forecast(error: &ForecastError) -> Exit {
    match error {
        ForecastError::Select(error) => code_of_select(error),
        ForecastError::Store(error) => code_of_store(error),
        ForecastError::Unfinished { .. } => Exit::Usage,
        _ => Exit::Incomplete,
    }
}

fn code_of_rejudge(error: &RejudgeError) -> Exit {
    match error {
        // What is read is an input here.
        RejudgeError::Store(StoreError::Io { .. } | StoreError::Table { .. } | StoreError::Json { .. }) => Exit::Input,
        RejudgeError::Store(error) => code_of_store(error),
        RejudgeError::Unfinished { .. } => Exit::Incomplete,
        RejudgeError::NothingInCommon => Exit::NothingSelected,
        _ => Exit::Usage,
    }
}

fn code_of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::AnotherRun { .. }
        | StoreError::OtherVersion { .. }
        | StoreError::NotARun { .. }
        | StoreError::NoRun { .. }
        | StoreError::Locked { .. } => Exit::Usage,
        StoreError::Io { .. }
        | StoreError::Write { .. }
        | StoreError::Table { .. }
        | StoreError::Json { .. }
        | StoreError::LeaseLost { .. }
        | StoreError::ChangedManifest { .. } => Exit::Incomplete,
        _ => Exit::Internal,
    }
}
