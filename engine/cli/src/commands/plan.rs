//! `rematch plan`: what a run would do, before it does it.

use std::fmt::Write;
use std::num::NonZeroUsize;

use rematch_engine::benchmark::spec::SampleStrategy;
use rematch_engine::benchmark::{Plan, SpecSource};
use rematch_engine::forecast::{
    self, Conditions, DetectableEffect, DurationForecast, Forecast, Proportion, RetrieverForecast,
};
use rematch_engine::run;

use super::{print, print_json};
use crate::dirt;
use crate::exit::{Exit, Failure};
use crate::plan_arguments::PlanArguments;
use crate::terminal::{bytes, counted, paragraph, seconds, table, trimmed, visible};

/// Strata that are listed; the rest is counted.
const STRATA: usize = 8;
const MISSING: &str = "-";

/// Says what a run would do.
pub(crate) fn plan(arguments: &PlanArguments) -> Result<Exit, Failure> {
    let source = SpecSource::read(&arguments.benchmark, &arguments.overrides)?;
    let plan = Plan::resolve(&source)?;
    super::validate::check_predicate(&plan, &source)?;
    plan.check_inputs(&source).map_err(|missing| Failure::new(Exit::Input, missing))?;
    run::look(&plan)?;
    let conditions = Conditions {
        memory_bytes: arguments.memory_limit / 2,
        threads: arguments.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN),
        power: Proportion::new(arguments.power.unwrap_or(plan.statistics.power))?,
        earlier: arguments.from.clone(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let forecast = runtime.block_on(forecast::forecast(&plan, &conditions))?;
    if arguments.json {
        print_json(&forecast)?;
    } else {
        print(&text(&plan, &forecast))?;
    }
    Ok(Exit::Done)
}

fn text(plan: &Plan, forecast: &Forecast) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, plan, forecast);
    text.lines().map(|line| visible(line) + "\n").collect()
}

fn write_all(text: &mut String, plan: &Plan, forecast: &Forecast) -> std::fmt::Result {
    paragraph(text, &format!("Plan of `{}`; no retriever was asked", forecast.name), "")?;
    writeln!(text)?;
    sessions(text, plan, forecast)?;
    let units = &forecast.units;
    let work = format!(
        "{}: {} of up to {}, {}",
        counted(units.units, "work unit"),
        counted(units.chunks, "chunk"),
        counted(units.sessions_per_unit, "session"),
        counted(forecast.retrievers.len() as u64, "retriever")
    );
    writeln!(text)?;
    paragraph(text, &work, "")?;
    writeln!(text)?;
    writeln!(text, "{}", retrievers(&forecast.retrievers))?;
    for retriever in &forecast.retrievers {
        details(text, retriever)?;
    }
    writeln!(text)?;
    paragraph(text, &format!("time: {}", duration(&forecast.duration)), "")?;
    paragraph(text, &format!("disk: about {} ({})", bytes(forecast.disk.bytes), forecast.disk.basis), "")?;
    paragraph(text, &effect(&forecast.effect), "")?;
    if let Some(stopping) = &forecast.stopping {
        paragraph(text, &format!("stopping: {stopping}"), "")?;
    }
    match &forecast.earlier_run {
        Some(run) => {
            let (directory, day) = (run.directory.display(), run.completed_at.get(..10).unwrap_or_default());
            let sessions = counted(run.sampled, "session");
            paragraph(text, &format!("earlier run: {directory}, of {day}, {sessions}"), "")
        }
        None => paragraph(text, "earlier run: none", ""),
    }
}

fn sessions(text: &mut String, plan: &Plan, forecast: &Forecast) -> std::fmt::Result {
    let selection = &forecast.selection;
    let mut left = selection.loaded;
    let mut funnel = table(&["sessions", "removed", "left"]);
    funnel.add_row(["loaded".to_owned(), MISSING.to_owned(), left.to_string()]);
    for filter in &selection.filters {
        left = left.saturating_sub(filter.removed);
        funnel.add_row([filter.filter.clone(), filter.removed.to_string(), left.to_string()]);
    }
    let name = match &plan.sample {
        Some(sample) => match sample.strategy {
            SampleStrategy::Random => format!("random sample, seed {}", sample.seed),
            SampleStrategy::Recent => "the most recent".to_owned(),
            SampleStrategy::Stratified => format!("sample stratified by {}, seed {}", sample.by, sample.seed),
        },
        None => "all of them are replayed".to_owned(),
    };
    let removed = selection.eligible.saturating_sub(selection.sampled);
    funnel.add_row([name, removed.to_string(), selection.sampled.to_string()]);
    writeln!(text, "{}", trimmed(&funnel))?;
    for said in [dirt::dirty(&selection.dirt), dirt::noted(&selection.dirt)].into_iter().flatten() {
        paragraph(text, &said, "")?;
    }
    if selection.strata.is_empty() {
        return Ok(());
    }
    writeln!(text)?;
    let mut strata = table(&["stratum", "eligible", "sampled"]);
    for stratum in selection.strata.iter().take(STRATA) {
        strata.add_row([stratum.name.clone(), stratum.eligible.to_string(), stratum.sampled.to_string()]);
    }
    writeln!(text, "{}", trimmed(&strata))?;
    let rest = selection.strata.get(STRATA..).unwrap_or_default();
    if !rest.is_empty() {
        let sampled: u64 = rest.iter().map(|stratum| stratum.sampled).sum();
        writeln!(text, "and {} more strata with {sampled} sampled sessions", rest.len())?;
    }
    Ok(())
}

fn retrievers(retrievers: &[RetrieverForecast]) -> String {
    let mut table = table(&["retriever", "requests", "with retries", "at once", "per second", "time"]);
    for retriever in retrievers {
        let asks = !retriever.stages.is_empty();
        let of_server = |value: String| if asks { value } else { MISSING.to_owned() };
        table.add_row([
            retriever.id.clone(),
            of_server(retriever.requests.to_string()),
            of_server(format!("<= {}", retriever.requests_at_most)),
            of_server(retriever.concurrency.to_string()),
            retriever.rate.map_or(MISSING.to_owned(), |rate| rate.to_string()),
            retriever.duration.seconds.map_or("not known".to_owned(), time),
        ]);
    }
    trimmed(&table)
}

fn details(text: &mut String, retriever: &RetrieverForecast) -> std::fmt::Result {
    paragraph(text, &format!("{}: {}", retriever.id, retriever.duration.basis), "  ")?;
    for stage in &retriever.stages {
        let said = match &stage.shared_with {
            Some(other) => format!("`{}` ({}) takes the answers of `{other}`", stage.stage, stage.kind),
            None if stage.warm_up > 0 => {
                format!(
                    "`{}` ({}): {} requests after {} to warm up",
                    stage.stage, stage.kind, stage.requests, stage.warm_up
                )
            }
            None => format!("`{}` ({}): {} requests", stage.stage, stage.kind, stage.requests),
        };
        paragraph(text, &said, "    ")?;
    }
    if retriever.cache {
        paragraph(text, "answers that are kept from earlier runs are not asked for again", "    ")?;
    }
    Ok(())
}

fn duration(duration: &DurationForecast) -> String {
    let at_most = match duration.seconds_at_most {
        Some(most) => format!(", at most {} if every request takes its whole time-out", time(most)),
        None => String::new(),
    };
    match duration.seconds {
        Some(expected) => format!("about {}{at_most} ({})", time(expected), duration.basis),
        None => format!("not known{at_most} ({})", duration.basis),
    }
}

/// A span of time in words, hours and minutes where they say more.
fn time(span: f64) -> String {
    if span < 120.0 {
        return seconds(span);
    }
    let minutes = (span / 60.0).round();
    match minutes < 120.0 {
        true => format!("{minutes} min"),
        false => format!("{:.1} h", span / 3600.0),
    }
}

fn effect(effect: &DetectableEffect) -> String {
    let clusters = match (effect.clusters, &effect.cluster_by) {
        (Some(clusters), Some(by)) if clusters < effect.sessions => format!(", {clusters} clusters by {by}"),
        _ => String::new(),
    };
    let size = match (effect.delta, effect.relative, effect.standard_deviations) {
        (Some(delta), Some(share), _) => format!("{delta:.4} ({:.1} % of the baseline)", share * 100.0),
        (Some(delta), None, _) => format!("{delta:.4}"),
        (None, _, Some(deviations)) => format!("{deviations:.4} standard deviations of the paired differences"),
        (None, _, None) => "nothing: two pairs are needed at least".to_owned(),
    };
    let (sessions, metric, power, basis) =
        (counted(effect.sessions, "pair"), &effect.metric, effect.power * 100.0, &effect.basis);
    format!("effect: {sessions}{clusters} find a difference of {size} in {metric} with {power:.0} % power ({basis})")
}
