//! `rematch plugin bench`.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use anyhow::anyhow;
use rematch_engine::score::native;
use rematch_engine::score::samples::{self, SampleCases};
use rematch_engine::score::wasm::{Measurement, WasmScorer};
use rematch_engine::score::{Case, ScoreOutcome};
use rematch_engine::session::ScoreState;
use serde::Serialize;

use super::inspect::metrics_in_words;
use super::loading::Loading;
use super::test::{load_seconds, median};
use super::{print, print_json};
use crate::exit::{Exit, Failure};
use crate::plugin_arguments::BenchArguments;
use crate::terminal::{paragraph, seconds, table, trimmed};

/// Relevant items of a generated session.
const RELEVANT: usize = 8;
/// The metric to compare with.
const METRIC: &str = "nDCG@10";
/// Rounds, of which the median counts.
const ROUNDS: usize = 7;
/// Sessions of each call.
const BATCHES: [usize; 3] = [1, 64, 1024];
/// Time that one variant may take in one round, seconds; a slow one gets fewer sessions.
const ROUND_SECONDS: f64 = 0.5;
/// Sessions by which it is found how slow a variant is.
const PROBE: usize = 64;

/// Times a component against a native metric over the same sessions.
pub(super) fn bench(arguments: &BenchArguments) -> Result<Exit, Failure> {
    let path = &arguments.file;
    let loading = Loading::with_made_up_items(&arguments.load)?;
    let (load_seconds, load_cached_seconds) = load_seconds(&loading, path)?;
    let samples = SampleCases::generated(arguments.sessions.get(), usize::from(arguments.hits.get()), RELEVANT);
    let cases = samples.cases();
    let mut variants = variants(&loading, path, &cases)?;
    let mut native_seconds = Vec::new();
    // In turns, so that what else the machine does meets all of them.
    for _ in 0..ROUNDS {
        native_seconds.push(time_native(&cases)?);
        for variant in &mut variants {
            variant.round(&cases)?;
        }
    }
    let native = median(&mut native_seconds);
    let figures = Figures {
        schema_version: 1,
        sessions: cases.len(),
        hits: arguments.hits.get(),
        native_metric: METRIC,
        native_seconds_per_session: native,
        load_seconds,
        load_cached_seconds,
        variants: variants.iter_mut().map(|variant| variant.figures(native)).collect(),
    };
    if arguments.json {
        print_json(&figures)?;
    } else {
        let scorer = variants.first().map(|variant| metrics_in_words(variant.scorer.description()));
        print(&text(&figures, &scorer.unwrap_or_default())?)?;
    }
    Ok(Exit::Done)
}

/// What was found; `--json` prints it.
#[derive(Serialize)]
struct Figures {
    schema_version: u32,
    sessions: usize,
    hits: u16,
    native_metric: &'static str,
    native_seconds_per_session: f64,
    /// Time to load the component where it has to be compiled, and where its code is in the cache.
    load_seconds: f64,
    load_cached_seconds: f64,
    variants: Vec<VariantFigures>,
}

/// One way of calling the component.
#[derive(Serialize)]
struct VariantFigures {
    batch: usize,
    reused_instance: bool,
    /// Sessions of a round.
    sessions: usize,
    /// All that a session costs, median of the rounds.
    seconds_per_session: f64,
    ratio_to_native: f64,
    /// The part of it that builds columns and reads results.
    columns_seconds_per_session: f64,
    /// Time to make an instance, for each call; 0 where instances are reused.
    instantiate_seconds_per_call: f64,
    fuel_per_session: f64,
}

struct Variant {
    batch: usize,
    reuse: bool,
    scorer: WasmScorer,
    sessions: usize,
    total: Vec<f64>,
    columns: Vec<f64>,
    instantiate: Vec<f64>,
    fuel: f64,
}

/// Returns every way to call the component, with as many sessions as it can do in a round.
fn variants(loading: &Loading, path: &Path, cases: &[Case<'_>]) -> Result<Vec<Variant>, Failure> {
    let reusable = loading.load(path)?.description().reusable;
    let mut variants = Vec::new();
    for reuse in [false, true] {
        for batch in BATCHES {
            // With one session a call, no instance is reused.
            if reuse && (!reusable || batch == 1) {
                continue;
            }
            let size = NonZeroUsize::new(batch).unwrap_or(NonZeroUsize::MIN);
            let scorer = loading.load_with_batch(path, size)?;
            let scorer = if reuse { scorer } else { scorer.without_reuse() };
            let mut variant = Variant {
                batch,
                reuse,
                scorer,
                sessions: cases.len().min(PROBE),
                total: Vec::new(),
                columns: Vec::new(),
                instantiate: Vec::new(),
                fuel: 0.0,
            };
            variant.round(cases)?;
            let possible = (ROUND_SECONDS / variant.total.pop().unwrap_or(1.0).max(1e-9)) as usize;
            variant.sessions = possible.clamp(variant.sessions, cases.len());
            variant.columns.clear();
            variant.instantiate.clear();
            variants.push(variant);
        }
    }
    Ok(variants)
}

impl Variant {
    fn round(&mut self, cases: &[Case<'_>]) -> Result<(), Failure> {
        let cases = cases.get(..self.sessions).unwrap_or(cases);
        let started = Instant::now();
        let measured = self.scorer.measure(cases)?;
        let total = started.elapsed().as_secs_f64();
        check(cases, &measured.outcomes)?;
        let Measurement { instantiate, call, calls, fuel, .. } = measured;
        let sessions = cases.len().max(1) as f64;
        self.total.push(total / sessions);
        self.columns.push((total - instantiate.as_secs_f64() - call.as_secs_f64()).max(0.0) / sessions);
        self.instantiate.push(instantiate.as_secs_f64() / calls.max(1) as f64);
        self.fuel = fuel as f64 / sessions;
        Ok(())
    }

    fn figures(&mut self, native: f64) -> VariantFigures {
        let seconds_per_session = median(&mut self.total);
        VariantFigures {
            batch: self.batch,
            reused_instance: self.reuse,
            sessions: self.sessions,
            seconds_per_session,
            ratio_to_native: seconds_per_session / native.max(f64::MIN_POSITIVE),
            columns_seconds_per_session: median(&mut self.columns),
            instantiate_seconds_per_call: median(&mut self.instantiate),
            fuel_per_session: self.fuel,
        }
    }
}

/// The time of an error is not the time of a score.
fn check(cases: &[Case<'_>], outcomes: &[ScoreOutcome]) -> Result<(), Failure> {
    let mut rows = cases.iter().zip(outcomes);
    let failed = rows.find(|(_, outcome)| outcome.state == ScoreState::Error);
    let Some((case, outcome)) = failed else { return Ok(()) };
    let error = anyhow!(
        "the component fails on generated session `{}`: {}; `rematch plugin test` says more",
        case.session.session_id,
        outcome.output
    );
    Err(Failure::new(Exit::Plugin, error))
}

fn time_native(cases: &[Case<'_>]) -> Result<f64, Failure> {
    let metrics = [METRIC.parse().map_err(|error| anyhow!("{error}"))?];
    let plan = samples::relevance_plan();
    let started = Instant::now();
    let mut evaluator = native::Evaluator::new(&metrics, &plan);
    let value = |case: &Case<'_>| {
        evaluator.evaluate(case.ranking.hits.iter().map(|hit| hit.item_id.as_str()), case.relevance).next()
    };
    let values: Vec<Option<Option<f64>>> = cases.iter().map(value).collect();
    let total = started.elapsed().as_secs_f64();
    drop(std::hint::black_box(values));
    Ok(total / cases.len().max(1) as f64)
}

fn text(figures: &Figures, scorer: &str) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    paragraph(&mut text, scorer, "")?;
    let sessions = format!(
        "{} generated sessions of {} hits, {RELEVANT} relevant; median of {ROUNDS} rounds in turns",
        figures.sessions, figures.hits
    );
    paragraph(&mut text, &sessions, "")?;
    let mut rows = table(&["", "a session", "to native", "columns", "an instance", "fuel"]);
    let native = figures.native_seconds_per_session;
    rows.add_row([
        format!("{} natively", figures.native_metric),
        seconds(native),
        "1.00".to_owned(),
        String::new(),
        String::new(),
        String::new(),
    ]);
    for variant in &figures.variants {
        let instance = if variant.reused_instance { "reused" } else { "fresh" };
        rows.add_row([
            format!("{instance}, batches of {}", variant.batch),
            seconds(variant.seconds_per_session),
            format!("{:.2}", variant.ratio_to_native),
            seconds(variant.columns_seconds_per_session),
            if variant.reused_instance { String::new() } else { seconds(variant.instantiate_seconds_per_call) },
            format!("{:.0}", variant.fuel_per_session),
        ]);
    }
    let loaded = format!(
        "to compile and load {}, from the cache {}",
        seconds(figures.load_seconds),
        seconds(figures.load_cached_seconds)
    );
    text.push('\n');
    text.push_str(&trimmed(&rows));
    text.push_str("\n\n");
    paragraph(&mut text, &loaded, "")?;
    if figures.variants.iter().any(|variant| variant.sessions < figures.sessions) {
        paragraph(&mut text, "a variant that is slow was timed on fewer sessions, which `--json` says", "")?;
    }
    Ok(text)
}
