//! What a component says of itself, checked.

use std::collections::BTreeSet;

use crate::sandbox::bindings::exports::rematch::scoring::guest;
use crate::sandbox::naming::{self, MAX_NAME};
use crate::score::ScoreMetric;

/// Most metrics of a component: each becomes a column of every report.
const MAX_METRICS: usize = 100;

/// What a component says of itself, for reports and listings.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Description {
    /// The component's name; never empty.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
    /// What the score means; may be empty.
    pub summary: String,
    /// JSON Schema of the parameters; may be empty.
    pub params_schema: String,
    /// The metrics; the first is the score, the others are sub-scores.
    pub metrics: Vec<ScoreMetric>,
    /// Whether an instance may be used for batch after batch.
    pub reusable: bool,
    /// Whether it sums up a run itself.
    pub aggregates: bool,
    /// The column groups that it asks for, by their names in the WIT.
    pub needs: Vec<String>,
    /// SHA-256 of the component file, in lower-case hex.
    pub sha256: String,
}

impl Description {
    /// Checks what a component said. The error says in words what is wrong.
    pub(super) fn of(raw: guest::Description, aggregates: bool, sha256: String) -> Result<Self, String> {
        naming::check(&raw.name, &raw.version)?;
        check_metrics(&raw.metrics)?;
        let needs = needs(raw.needs);
        Ok(Self {
            name: raw.name,
            version: raw.version,
            summary: raw.summary,
            params_schema: raw.params_schema,
            metrics: raw.metrics.into_iter().map(metric).collect(),
            reusable: raw.reusable,
            aggregates,
            needs,
            sha256,
        })
    }
}

fn metric(raw: guest::Metric) -> ScoreMetric {
    let guest::Metric { name, summary, higher_is_better, low, high } = raw;
    ScoreMetric { name, summary, higher_is_better, low, high }
}

fn check_metrics(metrics: &[guest::Metric]) -> Result<(), String> {
    if metrics.is_empty() {
        return Err("`describe` names no metric, expected at least one".to_owned());
    }
    if metrics.len() > MAX_METRICS {
        return Err(format!("`describe` names {} metrics, expected at most {MAX_METRICS}", metrics.len()));
    }
    let mut seen = BTreeSet::new();
    for metric in metrics {
        check_metric(metric)?;
        if !seen.insert(&metric.name) {
            return Err(format!("`describe` gives two metrics the name `{}`", metric.name));
        }
    }
    Ok(())
}

/// Names become columns of tables and keys of the report.
fn check_metric(metric: &guest::Metric) -> Result<(), String> {
    let name = &metric.name;
    let legal = |letter: char| letter.is_alphanumeric() || "-_.@()=".contains(letter);
    if name.is_empty() || name.chars().count() > MAX_NAME || !name.chars().all(legal) {
        let shown: String = name.chars().take(MAX_NAME).collect();
        return Err(format!(
            "`describe` names a metric {shown:?}, expected 1 to {MAX_NAME} letters, digits or characters of `-_.@()=`"
        ));
    }
    let bounds = [metric.low, metric.high];
    if bounds.iter().flatten().any(|bound| !bound.is_finite())
        || metric.low.zip(metric.high).is_some_and(|(low, high)| low > high)
    {
        let shown = |bound: Option<f64>| bound.map_or_else(|| "no bound".to_owned(), |bound| bound.to_string());
        let (low, high) = (shown(metric.low), shown(metric.high));
        return Err(format!(
            "`describe` gives metric `{name}` the range {low} to {high}, expected finite bounds, the lower one first"
        ));
    }
    Ok(())
}

fn needs(columns: guest::Columns) -> Vec<String> {
    let names = [
        (guest::Columns::JUDGED, "judged"),
        (guest::Columns::RELEVANCE, "relevance"),
        (guest::Columns::HITS, "hits"),
        (guest::Columns::HIT_SCORES, "hit-scores"),
        (guest::Columns::SHOWN, "shown"),
        (guest::Columns::INTERACTIONS, "interactions"),
        (guest::Columns::INTERACTION_DETAILS, "interaction-details"),
        (guest::Columns::SESSION_IDS, "session-ids"),
        (guest::Columns::TIMES, "times"),
        (guest::Columns::QUERIES, "queries"),
        (guest::Columns::QUERY_VECTORS, "query-vectors"),
        (guest::Columns::INPUTS, "inputs"),
        (guest::Columns::EXPECTED, "expected"),
        (guest::Columns::TAXONOMY, "taxonomy"),
        (guest::Columns::ITEM_IDS, "item-ids"),
        (guest::Columns::ITEM_FIELDS, "item-fields"),
    ];
    names.into_iter().filter(|(flag, _)| columns.contains(*flag)).map(|(_, name)| name.to_owned()).collect()
}
