//! The names of the files of a run directory.

use std::path::PathBuf;

/// The resolved plan, versions and hashes: the run's identity.
pub const MANIFEST: &str = "manifest.json";
/// The plan with the places of its inputs, as they were when the run began: what `resume` goes by. No part of the run's
/// identity.
pub const PLAN: &str = "plan.json";
/// The benchmark as it was written, so that `rescore --set` can set a value of it anew. No part of the run's identity.
pub const BENCHMARK: &str = "benchmark.json";
/// Is there while the sessions that failed are tried again: the report does not say what the parts say.
pub const RETRYING: &str = "retrying.json";
/// Held by the process that works in the directory.
pub const LOCK: &str = ".lock";
/// In an object store: folder of the leases by which one process at a time works in the directory.
pub const LEASES: &str = "lock";
/// What servers were asked, by retriever and stage, over the processes that worked on the run. A run that asks none has no
/// such file.
pub const REQUESTS: &str = "requests.json";
/// What the shards of a run asked that were merged into it, by shard: one that is merged again takes its own place, so that it
/// counts once.
pub const REQUESTS_OF_SHARDS: &str = "requests-of-shards.json";
/// Folder of what executors of a cluster asked, one file for each time that one opened the run. It is counted with what stands
/// in [`REQUESTS`].
pub const ASKED: &str = "asked";
/// The report.
pub const REPORT_JSON: &str = "report.json";
/// The report for people.
pub const REPORT_HTML: &str = "report.html";
/// How many chunks of the sample a run replayed that stopped when it was decided; such a run has no file of this name before.
pub const STOPPED: &str = "stopped.json";
/// What the looks of such a run came to.
pub const LOOKS: &str = "looks.json";
/// The sample, sorted by session id; a row group is a chunk. In a run that stops when it is decided, chunks are random batches of
/// users, and each is sorted.
pub const SESSIONS: &str = "sessions.parquet";
/// Every ranking.
pub const RANKINGS: &str = "rankings.parquet";
/// Every score.
pub const SCENARIO_SCORES: &str = "scenario_scores.parquet";
/// One row per candidate and metric.
pub const COMPARISONS: &str = "comparisons.parquet";
/// One row per taxonomy node, retriever and metric.
pub const TAXONOMY: &str = "taxonomy.parquet";
/// What to judge next: one row per candidate, session and item.
pub const JUDGE_NEXT: &str = "judge_next.parquet";
/// The same as text.
pub const JUDGE_NEXT_CSV: &str = "judge_next.csv";
/// How the sample was drawn.
pub const SELECTION: &str = "selection.json";
/// Inputs that had to be converted; removed when the sample is drawn.
pub const LOADED: &str = "loaded.parquet";
/// The plan as the executors of a cluster read it.
pub const SHIPPED: &str = "cluster.json";
/// Folder of what the executors of a cluster read, by content.
pub const INPUTS: &str = "inputs";
/// Folder of the sums that executors of a cluster made; removed when the run is compared.
pub const SUMS: &str = "sums";
/// What the sums depend on; they are of no use without it.
pub const SUMS_ASKED: &str = "sums/asked.json.gz";
/// Folder of the parts.
pub const PARTS: &str = "parts";

/// Returns the name of what a work unit writes ([`crate::schema::part`]): pipeline and chunk count from 0.
#[must_use]
pub fn part(pipeline: usize, chunk: usize) -> PathBuf {
    PathBuf::from(PARTS).join(format!("{pipeline:03}-{chunk:06}.parquet"))
}

/// Returns the name of a piece of a round of sums; both count from 0.
#[must_use]
pub fn sums(round: usize, piece: usize) -> PathBuf {
    PathBuf::from(SUMS).join(format!("{round}-{piece:06}.json.gz"))
}

/// Returns round and piece of a file name of sums.
#[must_use]
pub fn piece_of_sums(name: &str) -> Option<(usize, usize)> {
    let (round, piece) = name.strip_suffix(".json.gz")?.split_once('-')?;
    let (round, piece) = (round.parse().ok()?, piece.parse().ok()?);
    (sums(round, piece).file_name()? == name).then_some((round, piece))
}

/// Returns the name of the sessions of a range of chunks that were dealt out by user or visit.
#[must_use]
pub fn dealt_sessions(range: usize) -> PathBuf {
    PathBuf::from(SUMS).join(format!("dealt-{range:06}.parquet"))
}

/// Returns the name of what a pipeline made of them.
#[must_use]
pub fn dealt_arm(range: usize, pipeline: usize) -> PathBuf {
    PathBuf::from(SUMS).join(format!("dealt-{range:06}-{pipeline:03}.parquet"))
}
