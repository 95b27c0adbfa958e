//! Asks an endpoint once, and makes of its answer a stage that reads it.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::{HitPaths, TimingPath, propose_hits, propose_timings};
use crate::benchmark::stages::http::{HttpPlan, HttpSpec, Preset, ScoreDirection, TimingSpec, TimingUnit};
use crate::benchmark::stages::http_presets::PRESETS;
use crate::benchmark::stages::{StageKind, StageKindSpec, StageSpec};
use crate::benchmark::{Diagnostic, Plan, SpecSource};
use crate::replay::remote::Secrets;
use crate::replay::retrievers::http::{Extraction, RawAnswer, ask_once};
use crate::replay::{RetrieveError, RetrieveErrorKind};
use crate::session::{Hit, Session};

/// What an endpoint answered to one search, and how it can be read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probed {
    /// Method and URL, without the query string.
    pub request: String,
    /// The status.
    pub status: u16,
    /// The answer's media type, where it says one.
    pub content_type: Option<String>,
    /// Size of the answer, decoded.
    pub bytes: usize,
    /// Time until its last byte, nanoseconds.
    pub latency_ns: i64,
    /// What the server tells of its parts in the header `Server-Timing`: name and nanoseconds.
    pub server_timing: Vec<(String, i64)>,
    /// The answer; `None` where it is no JSON.
    pub answer: Option<Value>,
    /// The beginning of an answer that is no JSON.
    pub text: String,
    /// Where the hits seem to stand.
    pub hits: Option<HitPaths>,
    /// Which numbers seem to be spans of time.
    pub timings: Vec<TimingPath>,
    /// The presets that find the same hits in this answer.
    pub resembles: Vec<Preset>,
    /// What the stage below reads from this answer.
    pub read: Vec<Hit>,
    /// Why it reads nothing.
    pub unread: Option<String>,
    /// The retriever with the stage, as it stands in a benchmark file; `None` where nothing could be read, and where the status is
    /// that of an error.
    pub stage: Option<String>,
}

/// Why an endpoint cannot be probed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The stage makes no sense.
    #[error(transparent)]
    Stage(#[from] Diagnostic),
    /// The stage cannot be written as TOML.
    #[error("the stage cannot be written down: {0}")]
    Write(#[from] toml::ser::Error),
    /// No answer came.
    #[error("{}", source.message)]
    Ask {
        /// The failure.
        #[source]
        source: RetrieveError,
    },
}

/// Characters of an answer that is no JSON.
const SHOWN: usize = 2_000;
/// Stands where `ids` must stand before they are known; no answer has it.
const UNKNOWN: &str = "$['not known yet'][*]";

/// Sends one search to an endpoint and says how to read its answer. What `spec` says of the answer is kept; what it
/// leaves out is proposed.
///
/// # Errors
///
/// Returns an error where `spec` is no stage, or no answer came. An answer of any status is one.
pub async fn probe(spec: &HttpSpec, session: &Session, depth: usize, secrets: &Secrets) -> Result<Probed, ProbeError> {
    let mut asked = spec.clone();
    if asked.ids.is_none() && asked.preset == Preset::Generic {
        asked.ids = Some(UNKNOWN.to_owned());
    }
    let plan = resolve(&asked)?;
    let raw = ask_once(&plan, session, depth, secrets).await.map_err(|source| ProbeError::Ask { source })?;
    let answer = raw.json();
    let mut probed = described(&raw, answer.clone());
    // What refuses a search is no answer to it, whatever lists stand in it.
    let Some(answer) = answer.filter(|_| (200..300).contains(&raw.status)) else { return Ok(probed) };
    probed.hits = propose_hits(&answer);
    probed.timings = propose_timings(&answer, raw.latency);
    probed.resembles = PRESETS.into_iter().filter(|preset| reads_the_same(*preset, &plan, &probed, &answer)).collect();
    let proposed = proposed(spec, &plan, &probed, &answer, depth);
    if proposed.ids.is_none() && proposed.preset == Preset::Generic {
        return Ok(probed);
    }
    match resolve(&proposed).map(|plan| read(&plan, &answer, depth)) {
        Ok(Ok(hits)) => probed.read = hits,
        Ok(Err(words)) => probed.unread = Some(words),
        Err(diagnostic) => probed.unread = Some(diagnostic.to_string()),
    }
    probed.stage = Some(written(&proposed)?);
    Ok(probed)
}

fn described(raw: &RawAnswer, answer: Option<Value>) -> Probed {
    let text = match &answer {
        Some(_) => String::new(),
        None => String::from_utf8_lossy(&raw.body).chars().take(SHOWN).collect(),
    };
    Probed {
        request: raw.request.clone(),
        status: raw.status,
        content_type: raw.content_type.clone(),
        bytes: raw.body.len(),
        latency_ns: i64::try_from(raw.latency.as_nanos()).unwrap_or(i64::MAX),
        server_timing: raw.server_timing.iter().map(|timing| (timing.name.clone(), timing.latency_ns)).collect(),
        answer,
        text,
        hits: None,
        timings: Vec::new(),
        resembles: Vec::new(),
        read: Vec::new(),
        unread: None,
        stage: None,
    }
}

fn read(plan: &HttpPlan, answer: &Value, depth: usize) -> Result<Vec<Hit>, String> {
    let extraction = Extraction::compile(plan).map_err(|error| error.to_string())?;
    match extraction.error(answer) {
        Some(said) => Err(format!("the answer is an error: {said}")),
        None => extraction.hits(answer, depth),
    }
}

/// Whether a preset's paths find the proposed hits, with their scores.
fn reads_the_same(preset: Preset, plan: &HttpPlan, probed: &Probed, answer: &Value) -> bool {
    let defaults = crate::benchmark::stages::http_presets::preset_defaults(preset);
    let (Some(hits), Some(ids), Some(scores)) = (&probed.hits, defaults.ids, defaults.scores) else { return false };
    let plan = HttpPlan {
        ids: ids.to_owned(),
        scores: Some(scores.to_owned()),
        score_direction: defaults.score_direction,
        error: defaults.error.map(str::to_owned),
        ..plan.clone()
    };
    read(&plan, answer, usize::MAX)
        .is_ok_and(|found| found.iter().map(|hit| hit.item_id.as_str()).eq(hits.found_ids.iter().map(String::as_str)))
}

/// Returns the stage with what it leaves out filled in from the proposals.
fn proposed(spec: &HttpSpec, plan: &HttpPlan, probed: &Probed, answer: &Value, depth: usize) -> HttpSpec {
    let mut stage = spec.clone();
    let is_read = read(plan, answer, depth).is_ok();
    if spec.ids.is_some() || is_read {
        return stage;
    }
    if let Some(hits) = &probed.hits {
        stage.ids = Some(hits.ids.clone());
        stage.scores = spec.scores.clone().or_else(|| Some(hits.scores.clone().unwrap_or_default()));
        stage.scores = stage.scores.filter(|scores| !scores.is_empty() || spec.preset != Preset::Generic);
        let direction = if hits.lower_is_better { ScoreDirection::Lower } else { ScoreDirection::Higher };
        let needed = direction != plan.score_direction && hits.scores.is_some();
        stage.score_direction = spec.score_direction.or(needed.then_some(direction));
        for timing in &probed.timings {
            let unit = unit(timing.unit);
            stage.timings.entry(timing.name.clone()).or_insert(TimingSpec { path: timing.path.clone(), unit });
        }
    }
    stage
}

fn unit(name: &str) -> TimingUnit {
    match name {
        "ns" => TimingUnit::Nanoseconds,
        "us" => TimingUnit::Microseconds,
        "s" => TimingUnit::Seconds,
        _ => TimingUnit::Milliseconds,
    }
}

/// A retriever as it stands in a benchmark file.
#[derive(Serialize)]
struct Written<'a> {
    retriever: [Retriever<'a>; 1],
}

#[derive(Serialize)]
struct Retriever<'a> {
    id: &'a str,
    stages: [StageSpec; 1],
}

const ID: &str = "probed";

fn written(spec: &HttpSpec) -> Result<String, toml::ser::Error> {
    let stage =
        StageSpec { name: None, on_error: None, depth: None, kind: StageKindSpec::Http(Box::new(spec.clone())) };
    toml::to_string_pretty(&Written { retriever: [Retriever { id: ID, stages: [stage] }] })
}

/// A benchmark around the stage.
const AROUND: &str = "\
name = \"probe\"
baseline = \"probed\"
candidates = [\"other\"]

[sessions]
path = \"none.jsonl\"

[[retriever]]
id = \"other\"
stages = [{ kind = \"shown\" }]

";

/// Returns what the stage would do in a benchmark.
fn resolve(spec: &HttpSpec) -> Result<HttpPlan, ProbeError> {
    let text = format!("{AROUND}{}", written(spec)?);
    let plan = Plan::resolve(&SpecSource::of(Path::new("the stage"), &text, &[])?)?;
    let stage = plan.pipelines.into_iter().next().and_then(|pipeline| pipeline.stages.into_iter().next());
    match stage.map(|stage| stage.does) {
        Some(StageKind::Http(plan)) => Ok(*plan),
        _ => Err(ProbeError::Ask {
            source: RetrieveError::new(RetrieveErrorKind::Internal, "the stage became another one"),
        }),
    }
}
