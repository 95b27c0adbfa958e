//! The summary on the terminal: the verdict, then what it rests on; at most 80 columns and 40 lines.

mod changes;
mod lists;

use std::collections::BTreeMap;
use std::fmt::Write;

use rematch_engine::benchmark::spec::OnScorerError;
use rematch_engine::compare::Untimed;
use rematch_engine::compare::gates::Judgement;
use rematch_engine::compare::outcome::{BenchmarkResult, MetricComparison, PipelineComparison, VerdictOutcome};
use rematch_engine::report::Report;
use rematch_engine::run::Finished;

use crate::dirt;
use crate::gatekeeper;
use crate::terminal::{WIDTH, counted, paragraph, table, trimmed, visible};

/// Lines that the summary may fill.
const HEIGHT: usize = 40;
/// Metrics listed per candidate; the rest is in the report.
const METRICS: usize = 8;
const NODES: usize = 4;
/// Fewer lines than this are no table.
const LEAST_TABLE: usize = 6;
const MISSING: &str = "-";
/// The measure that the scorers give together.
const SCENARIO: &str = rematch_engine::schema::column::SCENARIO_SCORE;

/// Returns the summary of a finished run.
pub(crate) fn render(finished: &Finished, judgement: &Judgement) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, finished, judgement);
    // Names and errors are what strangers wrote.
    text.lines().map(|line| visible(line) + "\n").collect()
}

/// What decides comes first and what failed is never cut: the tables of metrics get the lines that are left.
fn write_all(text: &mut String, finished: &Finished, judgement: &Judgement) -> std::fmt::Result {
    let report = &finished.report;
    if finished.already_finished {
        writeln!(text, "This run was finished before; nothing was done.")?;
    }
    paragraph(text, &report.comparison.recommendation, "")?;
    for difference in &report.run.differences {
        paragraph(text, &format!("! the runs differ: {difference}"), "  ")?;
    }
    let comparisons = &report.comparison.comparisons;
    let verdicts_of = |explained: bool| -> Result<String, std::fmt::Error> {
        let mut verdicts = String::new();
        for comparison in comparisons {
            verdict(&mut verdicts, comparison, judgement, explained)?;
        }
        Ok(verdicts)
    };
    let mut verdicts = verdicts_of(true)?;
    let mut end = String::new();
    writeln!(end, "{}", arm_table(report))?;
    let mut details = String::new();
    for result in &report.results {
        scorers(&mut details, report, result)?;
    }
    if let Some(stopping) = &report.comparison.stopping {
        paragraph(&mut details, &stopping.statement, "")?;
    }
    latency(&mut details, report)?;
    requests(&mut details, report)?;
    sample(&mut details, report)?;
    let mut about_lists = String::new();
    for comparison in comparisons {
        lists::lists(&mut about_lists, report, comparison)?;
    }
    lists::ties(&mut about_lists, report)?;
    lists::beyond_accuracy(&mut about_lists, report)?;
    let path = format!("{}\n", finished.directory.join("report.json").display());

    let lines = |parts: &[&str]| parts.iter().map(|part| part.lines().count()).sum::<usize>();
    if lines(&[text, &verdicts, &end, &details, &path]) + 2 > HEIGHT {
        verdicts = verdicts_of(false)?;
    }
    if lines(&[text, &verdicts, &end, &details, &path]) + 2 > HEIGHT {
        // Many candidates: one line each, and what is no verdict stands in the report.
        verdicts = comparisons.iter().map(|comparison| brief(report, comparison, judgement) + "\n").collect();
        details = "(the metrics of each candidate are in the report)\n".to_owned();
    }
    // The lists are told of where every metric has its line all the same.
    if lines(&[text, &verdicts, &end, &details, &about_lists, &path]) + METRICS + LEAST_TABLE <= HEIGHT {
        details.insert_str(0, &about_lists);
    }
    text.push_str(&verdicts);
    let each = HEIGHT.saturating_sub(lines(&[text, &end, &details, &path]) + 1) / comparisons.len().max(1);
    if each >= LEAST_TABLE {
        for comparison in comparisons {
            table_of(text, report, comparison, each)?;
        }
    } else {
        writeln!(text)?;
    }
    let room = HEIGHT.saturating_sub(lines(&[text, &details, &path]) + 1);
    let kept: Vec<&str> = end.lines().take(room).collect();
    writeln!(text, "{}", kept.join("\n"))?;
    text.push_str(&details);
    text.push_str(&path);
    Ok(())
}

/// One candidate in one line: the verdict, the difference and its p, and gates that do not hold.
fn brief(report: &Report, comparison: &PipelineComparison, judgement: &Judgement) -> String {
    let metric = &report.run.primary_metric;
    let outcome = match comparison.verdict.outcome {
        VerdictOutcome::Better => "better",
        VerdictOutcome::Worse => "worse",
        VerdictOutcome::Inconclusive => "inconclusive",
    };
    let exposure = &comparison.exposure;
    let by_clicks = exposure.common_support.as_ref().filter(|_| exposure.decides).zip(exposure.relative);
    let numbers = match by_clicks {
        Some((test, relative)) => {
            Some(format!(", by clicks {:+.1} % on common support, p {}", relative.estimate * 100.0, p_value(test)))
        }
        None if exposure.decides => Some(", no clicks on common support".to_owned()),
        None => {
            let test = comparison.metrics.get(metric);
            test.map(|test| format!(", {metric} {}, p {}", signed(test.delta), p_value(test)))
        }
    };
    let failed = gatekeeper::has_failed(judgement, &comparison.candidate_retriever_id);
    let gate = if failed { ", gate FAILED" } else { "" };
    let line = format!("{outcome}: `{}`{}{gate}", comparison.candidate_retriever_id, numbers.unwrap_or_default());
    line.chars().take(usize::from(WIDTH)).collect()
}

fn verdict(
    text: &mut String,
    comparison: &PipelineComparison,
    judgement: &Judgement,
    explained: bool,
) -> std::fmt::Result {
    paragraph(text, &comparison.verdict.sentence, "")?;
    if explained && !comparison.exposure.explanation.is_empty() {
        paragraph(text, &comparison.exposure.explanation, "  ")?;
    }
    for caution in &comparison.verdict.cautions {
        paragraph(text, &format!("! {caution}"), "  ")?;
    }
    if let Some(found) = &comparison.non_inferiority {
        paragraph(text, &found.sentence, "  ")?;
    }
    for (scorer, run) in &comparison.aggregates {
        let interval = run.ci95.map(|[low, high]| format!(", 95 % CI {low:+.4} to {high:+.4}")).unwrap_or_default();
        let p = run.p.map(|p| format!(", p = {p:.4}")).unwrap_or_default();
        let (old, new) = (number(run.baseline), number(run.candidate));
        paragraph(text, &format!("{scorer} of the run: {old} and {new}, {}{interval}{p}", signed(run.delta)), "  ")?;
    }
    gatekeeper::lines(text, judgement, &comparison.candidate_retriever_id, "  ")
}

/// One candidate's metrics, nodes and worst searches in at most `lines` lines.
fn table_of(text: &mut String, report: &Report, comparison: &PipelineComparison, lines: usize) -> std::fmt::Result {
    let several = report.comparison.comparisons.len() > 1;
    let mut below = String::new();
    taxonomy(&mut below, comparison)?;
    writeln!(text)?;
    let naive = comparison.exposure.decides;
    if several {
        writeln!(text, "{} against {}", comparison.candidate_retriever_id, report.comparison.baseline_retriever_id)?;
    }
    if naive {
        writeln!(text, "naive, not what decides: what was never shown counts nothing")?;
    }
    // Two blank lines and the table's header are not rows.
    let mut around = 3 + usize::from(several) + usize::from(naive) + below.lines().count();
    // What decides keeps its row.
    if let Some(line) = changes::lost_most(report, comparison).filter(|_| around + 1 < lines) {
        writeln!(below, "{line}")?;
        around += 1;
    }
    writeln!(text, "{}", metric_table(report, comparison, lines.saturating_sub(around).clamp(1, METRICS)))?;
    writeln!(text, "{below}")
}

fn metric_table(report: &Report, comparison: &PipelineComparison, most: usize) -> String {
    let mut table = table(&["metric", "baseline", "candidate", "delta", "95 % CI", "p", "n"]);
    for metric in by_importance(report).into_iter().take(most) {
        let Some(test) = comparison.metrics.get(metric) else { continue };
        table.add_row([
            metric.clone(),
            number(test.baseline_mean),
            number(test.candidate_mean),
            signed(test.delta),
            interval(test),
            p_value(test),
            test.n.to_string(),
        ]);
    }
    trimmed(&table)
}

/// What decides first, then what the users' own scorers say, then the metrics.
fn by_importance(report: &Report) -> Vec<&String> {
    let run = &report.run;
    let rank = |measure: &str| match run.scorer_of(measure) {
        _ if measure == run.primary_metric => 0,
        Some(scorer) if scorer.name == measure => 1,
        // With one scorer it says the same again.
        None if measure == SCENARIO => 2 + 3 * usize::from(run.scorers.len() == 1),
        Some(_) => 3,
        None => 4,
    };
    let mut measures: Vec<&String> = report.run.metrics.iter().collect();
    measures.sort_by_key(|measure| rank(measure));
    measures
}

fn interval(test: &MetricComparison) -> String {
    match (test.identical, test.ci95) {
        (true, _) => "identical".to_owned(),
        (false, Some([low, high])) => format!("{low:+.4} {high:+.4}"),
        (false, None) => MISSING.to_owned(),
    }
}

fn p_value(test: &MetricComparison) -> String {
    match test.p_adjusted.or(test.p) {
        Some(p) if p < 1e-4 => format!("{p:.0e}"),
        Some(p) => format!("{p:.4}"),
        None => MISSING.to_owned(),
    }
}

fn arm_table(report: &Report) -> String {
    let mut table = table(&["retriever", "answered", "failed", "mean click rank", "moved up", "moved down"]);
    for (index, result) in report.results.iter().enumerate() {
        let metrics = result.metrics.as_ref();
        // Moves are counted against the baseline, so it has none.
        let moves = metrics.filter(|_| index > 0);
        table.add_row([
            result.retriever_id.clone(),
            result.answered_sessions.to_string(),
            result.failed_sessions.to_string(),
            short(metrics.and_then(|metrics| metrics.mean_rank_clicked)),
            moves.map_or(MISSING.to_owned(), |metrics| metrics.items_promoted.to_string()),
            moves.map_or(MISSING.to_owned(), |metrics| metrics.items_demoted.to_string()),
        ]);
    }
    trimmed(&table)
}

fn taxonomy(text: &mut String, comparison: &PipelineComparison) -> std::fmt::Result {
    for (label, nodes) in [("wins", &comparison.taxonomy_wins), ("loses", &comparison.taxonomy_losses)] {
        if nodes.is_empty() {
            continue;
        }
        let shown: Vec<&str> = nodes.iter().take(NODES).map(String::as_str).collect();
        let more = nodes.len().saturating_sub(NODES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        paragraph(text, &format!("{label} in {}{more}", shown.join(", ")), "")?;
    }
    Ok(())
}

fn scorers(text: &mut String, report: &Report, result: &BenchmarkResult) -> std::fmt::Result {
    let Some(scenario) = &result.scenario_score else { return Ok(()) };
    let parts: Vec<String> = result
        .scorers
        .iter()
        .map(|(name, scorer)| {
            let policy = report.run.scorers.iter().find(|info| info.name == *name).map(|info| info.on_error);
            let policy = if policy == Some(OnScorerError::Zero) { "counted as 0" } else { "left out" };
            let errors = if scorer.error > 0 {
                format!(" ({}, {policy})", counted(scorer.error, "error"))
            } else {
                String::new()
            };
            let aggregate = scorer.aggregate.map(|score| format!(", of the run {score:.4}")).unwrap_or_default();
            format!("{name} {}{aggregate}{errors}", number(scorer.mean))
        })
        .collect();
    let first_errors = result.scorers.values().filter_map(|scorer| scorer.first_error.as_ref());
    let score = number(scenario.mean);
    paragraph(
        text,
        &format!(
            "{} scores {score} over {}: {}",
            result.retriever_id,
            counted(scenario.n, "scenario"),
            parts.join(", ")
        ),
        "",
    )?;
    for error in first_errors.take(1) {
        // One failure is enough here; it may be as long as a plugin likes.
        let short: String = error.chars().take(usize::from(WIDTH) * 2).collect();
        paragraph(text, &format!("! {short}"), "  ")?;
    }
    Ok(())
}

/// What a clock says, and of which retrievers it says nothing.
fn latency(text: &mut String, report: &Report) -> std::fmt::Result {
    let (mut timed, mut untimed) = (Vec::new(), BTreeMap::<Untimed, Vec<&str>>::new());
    for result in report.results.iter().filter(|result| result.answered_sessions > 0) {
        let id = result.retriever_id.as_str();
        match (result.latency.p50_ms, result.latency.p99_ms) {
            (None, None) => untimed.entry(Untimed::of(&result.stages)).or_default().push(id),
            (p50, p99) => timed.push(format!("{id} {} / {}", short(p50), short(p99))),
        }
    }
    if !timed.is_empty() {
        paragraph(text, &format!("latency p50 / p99 in ms: {}", timed.join(", ")), "")?;
    }
    if untimed.is_empty() {
        return Ok(());
    }
    // Apart: the line above differs from run to run, and with it where it breaks.
    let untimed: Vec<String> = untimed.iter().map(|(why, ids)| format!("{} ({why})", ids.join(", "))).collect();
    paragraph(text, &format!("no latency of {}", untimed.join(", ")), "")
}

/// What servers were asked, one paragraph for all stages; the report has the rest.
fn requests(text: &mut String, report: &Report) -> std::fmt::Result {
    let mut parts = Vec::new();
    for result in &report.results {
        for stage in &result.stages {
            let Some(asked) = &stage.requests else { continue };
            let mut part = format!("{} {} {}", result.retriever_id, stage.name, asked.requests);
            let mean = result.latency.stage_latencies.get(&stage.name);
            mean.into_iter().try_for_each(|mean| write!(part, " of {mean:.2} ms"))?;
            for (count, what) in [
                (asked.retries, "retries"),
                (asked.retries_over_budget, "retries over budget"),
                (asked.failures, "failed"),
                (asked.retry_after_waits, "waits asked for"),
                (asked.breaker_openings, "times given up"),
                (stage.cached, "more from the cache"),
            ] {
                if count > 0 {
                    write!(part, ", {count} {what}")?;
                }
            }
            parts.push(part);
        }
    }
    if parts.is_empty() { Ok(()) } else { paragraph(text, &format!("requests: {}", parts.join("; ")), "") }
}

fn sample(text: &mut String, report: &Report) -> std::fmt::Result {
    let selection = &report.run.selection;
    let saved = report.comparison.stopping.as_ref().map_or(0, |stopping| stopping.sessions_not_replayed);
    let lenders = &report.run.borrowed_from;
    let done = match lenders.is_empty() {
        true => "sessions replayed".to_owned(),
        false => format!("sessions judged, with the rankings of {}", lenders.join(", ")),
    };
    let mut line = format!("{} of {} {done}", selection.sampled.saturating_sub(saved), selection.loaded);
    for filter in selection.filters.iter().filter(|filter| filter.removed > 0) {
        let _ = write!(line, ", `{}` removed {}", filter.filter, filter.removed);
    }
    if let Some(dirty) = dirt::dirty(&selection.dirt) {
        let _ = write!(line, ", {dirty}");
    }
    for result in &report.results {
        for (kind, count) in &result.error_summary {
            let _ = write!(line, ", {} {kind} {count}", result.retriever_id);
        }
    }
    paragraph(text, &line, "")
}

fn number(value: Option<f64>) -> String {
    value.map_or(MISSING.to_owned(), |value| format!("{value:.4}"))
}

fn signed(value: Option<f64>) -> String {
    value.map_or(MISSING.to_owned(), |value| format!("{value:+.4}"))
}

fn short(value: Option<f64>) -> String {
    value.map_or(MISSING.to_owned(), |value| format!("{value:.2}"))
}
