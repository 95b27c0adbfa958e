//! Why finished runs cannot be judged anew.

use std::path::PathBuf;

use crate::store::StoreError;

/// Why finished runs cannot be judged anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RejudgeError {
    /// A run cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run is not finished.
    #[error("run `{run}` is not finished; `rematch resume {run}` finishes it", run = run.display())]
    Unfinished {
        /// Its directory.
        run: PathBuf,
    },
    /// A value is to be set that is not read.
    #[error(
        "`--set {given}` changes nothing: nothing is replayed, finished rankings are judged anew; what can be set is `{}`",
        judging.join("`, `")
    )]
    NotJudging {
        /// The override.
        given: String,
        /// The keys that are read.
        judging: Vec<&'static str>,
    },
    /// More hits are asked for than there are.
    #[error(
        "the benchmark keeps {asked} hits per ranking, run `{run}` has {kept}; set `depth` to {kept} or less \
         (`--set depth={kept}`), or replay with `rematch run`",
        run = run.display()
    )]
    Depth {
        /// The run's directory.
        run: PathBuf,
        /// Hits asked for.
        asked: usize,
        /// Hits that there are.
        kept: usize,
    },
    /// A metric looks deeper than the rankings go.
    #[error(
        "`{what}` looks deeper than the {kept} hits that every run keeps; give a benchmark file with lower cutoffs \
         (`--benchmark FILE`)"
    )]
    Cutoff {
        /// The metric or setting.
        what: String,
        /// Hits that there are.
        kept: usize,
    },
    /// Fewer than two runs.
    #[error("{found} run is given, expected two or more; `rematch rescore` judges one by other settings")]
    TooFew {
        /// Runs given.
        found: usize,
    },
    /// One run is given twice.
    #[error("run `{run}` is given twice, expected different runs", run = run.display())]
    Twice {
        /// Its directory.
        run: PathBuf,
    },
    /// A run that stopped early.
    #[error(
        "run `{run}` stopped when it was decided: it has rankings of a random part of its sample only, in an order of its \
         own; `rematch rescore` can judge it anew, to compare it replay it without `stop-when-decided`",
        run = run.display()
    )]
    StoppedEarly {
        /// Its directory.
        run: PathBuf,
    },
    /// The sample is not sorted by session id.
    #[error("the sample of run `{run}` is not sorted by session id: `{after}` stands before `{id}`; the run can only be rescored", run = run.display())]
    Unsorted {
        /// Its directory.
        run: PathBuf,
        /// A session.
        id: String,
        /// The one before it.
        after: String,
    },
    /// Runs that should not be compared.
    #[error("the runs differ: {}; `--allow-different` compares them all the same, and says so in the report", differences.join("; "))]
    Different {
        /// Each difference in words.
        differences: Vec<String>,
    },
    /// A session that means something else in another run.
    #[error(
        "session `{session}` has another `{field}` in run `{other}` than in run `{first}`: the runs do not speak of the same \
         searches, and cannot be compared",
        first = first.display(),
        other = other.display()
    )]
    OtherSession {
        /// The session.
        session: String,
        /// What differs.
        field: &'static str,
        /// A run's directory.
        first: PathBuf,
        /// Another run's directory.
        other: PathBuf,
    },
    /// No session is in every run.
    #[error("no session is in every run; compare runs over the same sessions")]
    NothingInCommon,
    /// All runs have one and the same retriever.
    #[error(
        "there is nothing to compare: the only retriever of all runs is `{retriever}`, with the same pipeline everywhere"
    )]
    OneRetriever {
        /// Its id.
        retriever: String,
    },
    /// The baseline is not there.
    #[error("there is no retriever `{asked}`, expected one of `{}`", known.join("`, `"))]
    NoBaseline {
        /// What was asked for.
        asked: String,
        /// What there is, as `run:retriever`.
        known: Vec<String>,
    },
}
