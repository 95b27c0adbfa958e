//! `rematch plugin inspect`.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use rematch_engine::benchmark::Limits;
use rematch_engine::replay::plugin::StageDescription;
use rematch_engine::score::ScoreMetric;
use rematch_engine::score::wasm::{Description, Inspection, Kind, Provision, inspect as read};
use serde::Serialize;

use super::loading::{Loading, unusable_because_of_parameters};
use super::{print, print_json};
use crate::exit::{Exit, Failure};
use crate::plugin_arguments::{LoadArguments, PluginInspectArguments, WasiName};
use crate::terminal::{bytes, paragraph, visible, visible_within};

/// Characters of a stranger's text that are shown.
const MAX_TEXT: usize = 400;

/// Entries of a stranger's list that are shown.
const MAX_ENTRIES: usize = 40;

/// Says what a component is, imports and would be allowed.
pub(super) fn inspect(arguments: &PluginInspectArguments) -> Result<Exit, Failure> {
    let content = read_within_limit(&arguments.file)?;
    let inspection = read(&content).map_err(|error| {
        let error = anyhow::Error::from(error).context(format!("cannot inspect `{}`", arguments.file.display()));
        Failure::new(Exit::Input, error)
    })?;
    let run = match inspection.kind {
        Kind::Component if !arguments.no_run => Some(describe(&arguments.file, &arguments.params, &inspection)?),
        _ => None,
    };
    let limits = Limits::default();
    let exit = match &run {
        Some(Err(_)) => Exit::Plugin,
        _ => Exit::Done,
    };
    if arguments.json {
        let (description, refused) = match run {
            Some(Ok(description)) => (Some(description), None),
            Some(Err(reason)) => (None, Some(reason)),
            None => (None, None),
        };
        print_json(&Found { schema_version: 1, inspection: &inspection, description, refused, limits })?;
    } else {
        print(&text(&arguments.file, &inspection, run.as_ref(), &limits)?)?;
    }
    Ok(exit)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Found<'a> {
    schema_version: u32,
    inspection: &'a Inspection,
    description: Option<Described>,
    /// Why the component cannot be used.
    refused: Option<String>,
    limits: Limits,
}

/// What a component says of itself.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Described {
    Scorer(Description),
    Stage(StageDescription),
}

/// Reads a file that is not larger than a component may be.
fn read_within_limit(path: &Path) -> Result<Vec<u8>, Failure> {
    let most = Limits::default().component_bytes;
    let unreadable = |error: anyhow::Error| Failure::new(Exit::Input, error);
    let cannot = || format!("cannot read `{}`", path.display());
    let size = std::fs::metadata(path).with_context(cannot).map_err(unreadable)?.len();
    if size > most {
        let error =
            anyhow::anyhow!("`{}` has {size} bytes, more than the {most} that a component may have", path.display());
        return Err(unreadable(error));
    }
    std::fs::read(path).with_context(cannot).map_err(unreadable)
}

/// Asks the component what it is. What it imports of WASI gets stand-ins, which can do no harm.
fn describe(path: &Path, params: &str, inspection: &Inspection) -> Result<Result<Described, String>, Failure> {
    let wasi = if imports_wasi(inspection) { WasiName::Inert } else { WasiName::Refuse };
    let loading = Loading::with_made_up_items(&LoadArguments::plain(params, wasi))?.with_log()?;
    match loading.describe_stage(path, &inspection.exports) {
        Ok(Some(stage)) => return Ok(Ok(Described::Stage(stage))),
        Ok(None) => {}
        Err(error) => return Ok(Err(in_full(&error))),
    }
    let loaded = loading.load(path);
    Ok(loaded.map(|scorer| Described::Scorer(scorer.description().clone())).map_err(|error| {
        let hint = if unusable_because_of_parameters(&error) { "; `--params JSON` gives it others" } else { "" };
        format!("{error}{hint}")
    }))
}

/// Returns a component with what it says of itself.
///
/// # Errors
///
/// Returns an error when it cannot be read, or cannot be used as a scorer.
pub(super) fn describe_to_publish(path: &Path, params: &str) -> Result<(Vec<u8>, Description), Failure> {
    let content = read_within_limit(path)?;
    let inspection = read(&content).map_err(|error| Failure::new(Exit::Input, error))?;
    match describe(path, params, &inspection)? {
        Ok(Described::Scorer(description)) => Ok((content, description)),
        Ok(Described::Stage(stage)) => {
            let reason = format!("`{}` is a {}, and a registry takes scorers only", stage.name, stage.world);
            Err(Failure::new(Exit::Plugin, anyhow::anyhow!("{reason}")))
        }
        Err(reason) => Err(Failure::new(Exit::Plugin, anyhow::anyhow!("{reason}"))),
    }
}

/// Returns whether the component gets stand-ins for WASI only where the benchmark says so.
pub(super) fn imports_wasi(inspection: &Inspection) -> bool {
    inspection.imports.iter().any(|import| import.provision == Provision::InertWasi)
}

fn text(
    path: &Path,
    inspection: &Inspection,
    run: Option<&Result<Described, String>>,
    limits: &Limits,
) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let kind = match inspection.kind {
        Kind::Component => "a component",
        Kind::CoreModule => "a core module",
    };
    writeln!(text, "{}: {kind}, {} ({})", path.display(), bytes(inspection.bytes), inspection.bytes)?;
    writeln!(text, "sha256   {}", inspection.sha256)?;
    if inspection.kind == Kind::CoreModule {
        paragraph(&mut text, "a benchmark takes components only; `rematch plugin pack` makes one of it", "  ")?;
    }
    imports(&mut text, inspection)?;
    list(&mut text, "exports", inspection.exports.iter().map(|name| visible_within(name, MAX_TEXT)))?;
    let producers = inspection.producers.iter().map(|(kind, name)| format!("{kind}: {name}"));
    list(&mut text, "made by", producers.map(|line| visible_within(&line, MAX_TEXT)))?;
    match run {
        Some(Ok(Described::Scorer(description))) => described(&mut text, description)?,
        Some(Ok(Described::Stage(stage))) => stage_described(&mut text, stage)?,
        Some(Err(reason)) => {
            let lines: Vec<String> = reason.lines().map(visible).collect();
            paragraph(&mut text, &format!("refused: {}", visible_within(&lines.join(" "), 2 * MAX_TEXT)), "")?;
        }
        None => {}
    }
    allowed(&mut text, limits)?;
    Ok(text)
}

fn imports(text: &mut String, inspection: &Inspection) -> std::fmt::Result {
    if inspection.imports.is_empty() {
        return writeln!(text, "imports  nothing");
    }
    list(
        text,
        "imports",
        inspection.imports.iter().map(|import| {
            let provided = match import.provision {
                Provision::Log => "messages for people",
                Provision::InertWasi if inspection.kind == Kind::CoreModule => "a stand-in without effect, by `pack`",
                Provision::InertWasi => "refused; with `wasi = \"inert\"` a stand-in without effect",
                Provision::Types => "names of types",
                Provision::Refused => "REFUSED: nobody provides it",
            };
            format!("{} ({provided})", visible_within(&import.name, MAX_TEXT))
        }),
    )
}

/// Writes a list with its label before the first line.
fn list(text: &mut String, label: &str, entries: impl ExactSizeIterator<Item = String>) -> std::fmt::Result {
    const INDENT: &str = "         ";
    let more = entries.len().saturating_sub(MAX_ENTRIES);
    let mut lines = String::new();
    for entry in entries.take(MAX_ENTRIES) {
        paragraph(&mut lines, &entry, INDENT)?;
    }
    if more > 0 {
        writeln!(lines, "{INDENT}and {more} more")?;
    }
    // The label takes the place of the first indentation.
    let rest = lines.strip_prefix(INDENT).unwrap_or(&lines);
    if rest.is_empty() { Ok(()) } else { write!(text, "{label:<9}{rest}") }
}

fn described(text: &mut String, description: &Description) -> std::fmt::Result {
    let Description { name, version, summary, params_schema, reusable, aggregates, needs, .. } = description;
    writeln!(text)?;
    paragraph(text, &format!("{} {}", visible_within(name, MAX_TEXT), visible_within(version, MAX_TEXT)), "")?;
    if !summary.is_empty() {
        paragraph(text, &visible_within(summary, 2 * MAX_TEXT), "  ")?;
    }
    for (index, metric) in description.metrics.iter().take(MAX_ENTRIES).enumerate() {
        let role = if index == 0 { "score" } else { "sub-score" };
        paragraph(text, &format!("{role} `{}`: {}", metric.name, range_in_words(metric)), "  ")?;
        if !metric.summary.is_empty() {
            paragraph(text, &visible_within(&metric.summary, MAX_TEXT), "    ")?;
        }
    }
    let needs = if needs.is_empty() { "nothing".to_owned() } else { needs.join(", ") };
    paragraph(text, &format!("reads {needs}"), "  ")?;
    let instance = if *reusable { "an instance serves batch after batch" } else { "every batch gets a fresh instance" };
    paragraph(text, instance, "  ")?;
    if *aggregates {
        paragraph(text, "sums up a run itself", "  ")?;
    }
    if !params_schema.is_empty() {
        paragraph(text, &format!("parameters {}", visible_within(&compact(params_schema), 2 * MAX_TEXT)), "  ")?;
    }
    Ok(())
}

fn stage_described(text: &mut String, stage: &StageDescription) -> std::fmt::Result {
    let StageDescription { world, name, version, summary, params_schema, reusable, needs, .. } = stage;
    writeln!(text)?;
    paragraph(text, &format!("{} {}", visible_within(name, MAX_TEXT), visible_within(version, MAX_TEXT)), "")?;
    if !summary.is_empty() {
        paragraph(text, &visible_within(summary, 2 * MAX_TEXT), "  ")?;
    }
    paragraph(text, &stage_in_words(world), "  ")?;
    let needs = if needs.is_empty() { "nothing".to_owned() } else { needs.join(", ") };
    paragraph(text, &format!("reads {needs}"), "  ")?;
    let instance = if *reusable { "an instance serves batch after batch" } else { "every batch gets a fresh instance" };
    paragraph(text, instance, "  ")?;
    if !params_schema.is_empty() {
        paragraph(text, &format!("parameters {}", visible_within(&compact(params_schema), 2 * MAX_TEXT)), "  ")?;
    }
    Ok(())
}

/// Says where a stage of that world stands in a benchmark.
pub(super) fn stage_in_words(world: &str) -> String {
    match world {
        "reranker" => "a stage `rerank`: orders the hits of earlier stages anew".to_owned(),
        _ => "a stage `plugin`: answers searches over a corpus".to_owned(),
    }
}

/// Returns an error with its sources in one line.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// JSON without its layout; other text as it is.
fn compact(json: &str) -> String {
    serde_json::from_str::<serde_json::Value>(json).map_or_else(|_| json.to_owned(), |value| value.to_string())
}

fn allowed(text: &mut String, limits: &Limits) -> std::fmt::Result {
    writeln!(text, "\nlimits, each with its key under `limits` of a scorer in the benchmark:")?;
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let rows = [
        ("component-mib", mebibytes(limits.component_bytes), "size of the file"),
        ("compile-seconds", format!("{} s", limits.compile_seconds), "CPU time of the compiler"),
        ("compile-memory-mib", mebibytes(limits.compile_memory_bytes), "memory of the compiler"),
        ("memory-mib", mebibytes(limits.memory_bytes), "memory of an instance"),
        ("fuel-per-session", limits.fuel_per_session.to_string(), "instructions, about"),
        ("fuel-per-call", limits.fuel_base.to_string(), "instructions of each call beside"),
        ("deadline-ms", format!("{} ms", limits.deadline_ms), "time of a call, as a backstop"),
        ("output-kib", format!("{} KiB", limits.output_bytes >> 10), "what a call hands back"),
        ("log-kib", format!("{} KiB", limits.log_bytes >> 10), "messages of a call"),
        ("table-elements", limits.table_elements.to_string(), "elements of all tables"),
        ("instances", limits.instances.to_string(), "core instances of a component"),
    ];
    for (key, value, meaning) in rows {
        writeln!(text, "  {key:<19}{value:>12}  {meaning}")?;
    }
    Ok(())
}

/// Returns what the component imports, in one sentence.
pub(super) fn imports_in_words(inspection: &Inspection) -> String {
    if inspection.imports.is_empty() {
        return "imports nothing".to_owned();
    }
    let names: Vec<String> =
        inspection.imports.iter().take(MAX_ENTRIES).map(|import| visible_within(&import.name, MAX_TEXT)).collect();
    let wasi = if imports_wasi(inspection) { "; a benchmark must say `wasi = \"inert\"`" } else { "" };
    format!("imports {}{wasi}", names.join(", "))
}

/// Returns what the component scores, in one sentence.
pub(super) fn metrics_in_words(description: &Description) -> String {
    let metrics: Vec<String> = description
        .metrics
        .iter()
        .take(MAX_ENTRIES)
        .map(|metric| format!("`{}` ({})", metric.name, range_in_words(metric)))
        .collect();
    let plugin = format!("{} {}", visible_within(&description.name, MAX_TEXT), visible(&description.version));
    format!("{}: {}", plugin.trim_end(), metrics.join(", "))
}

fn range_in_words(metric: &ScoreMetric) -> String {
    let direction = if metric.higher_is_better { "higher is better" } else { "lower is better" };
    match (metric.low, metric.high) {
        (Some(low), Some(high)) => format!("{low} to {high}, {direction}"),
        (Some(low), None) => format!("at least {low}, {direction}"),
        (None, Some(high)) => format!("at most {high}, {direction}"),
        (None, None) => direction.to_owned(),
    }
}
