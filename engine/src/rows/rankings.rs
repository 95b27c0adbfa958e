//! Rows of the `rankings` table.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{Float64Type, Int64Type};
use datafusion::arrow::error::ArrowError;

use super::fields::{Lists, Numbers, Text, column as named, field, list_of_structs, required_texts};
use crate::schema::{self, column};
use crate::session::{Hit, Ranking, StageRecord, StageState};

/// Returns the rankings of a batch that has the schema [`schema::RANKINGS`].
///
/// # Errors
///
/// Returns an error when a column is missing, has another type, or is null where the schema forbids it.
pub fn rankings_from_batch(batch: &RecordBatch) -> Result<Vec<Ranking>, ArrowError> {
    let text = |name| Text::of(named(batch, name)?, name);
    let session_id = text(column::SESSION_ID)?;
    let retriever_id = text(column::RETRIEVER_ID)?;
    let hits = Lists::of(named(batch, column::HITS)?, column::HITS)?;
    let hit = hits.structs(column::HITS)?;
    let item_id = Text::of(field(hit, column::ITEM_ID)?, column::ITEM_ID)?;
    let score = Numbers::<Float64Type>::of(field(hit, column::SCORE)?, column::SCORE)?;
    let latency = Numbers::<Int64Type>::of(named(batch, column::LATENCY_NS)?, column::LATENCY_NS)?;
    let stages = Lists::of(named(batch, column::STAGES)?, column::STAGES)?;
    let stage = stages.structs(column::STAGES)?;
    let stage_name = Text::of(field(stage, column::NAME)?, column::NAME)?;
    let stage_kind = Text::of(field(stage, column::KIND)?, column::KIND)?;
    let stage_latency = Numbers::<Int64Type>::of(field(stage, column::LATENCY_NS)?, column::LATENCY_NS)?;
    let stage_hits = Numbers::<Int64Type>::of(field(stage, column::HITS)?, column::HITS)?;
    let stage_attempts = Numbers::<Int64Type>::of(field(stage, column::ATTEMPTS)?, column::ATTEMPTS)?;
    let stage_state = Text::of(field(stage, column::STATE)?, column::STATE)?;
    let stage_error = Text::of(field(stage, column::ERROR)?, column::ERROR)?;
    let stage_recall = Numbers::<Float64Type>::of(field(stage, column::RECALL)?, column::RECALL)?;
    let error_kind = text(column::ERROR_KIND)?;
    let error = text(column::ERROR)?;

    let mut rankings = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut row_hits = Vec::new();
        for index in hits.range(row) {
            row_hits.push(Hit { item_id: item_id.required(index, column::ITEM_ID)?, score: score.get(index) });
        }
        let mut row_stages = Vec::new();
        for index in stages.range(row) {
            row_stages.push(StageRecord {
                name: stage_name.required(index, column::NAME)?,
                kind: stage_kind.required(index, column::KIND)?,
                latency_ns: stage_latency.get(index).unwrap_or_default(),
                hits: stage_hits.get(index).unwrap_or_default(),
                attempts: stage_attempts.get(index).unwrap_or_default(),
                state: state_of(&stage_state.required(index, column::STATE)?)?,
                error: stage_error.get(index),
                recall: stage_recall.get(index),
            });
        }
        rankings.push(Ranking {
            session_id: session_id.required(row, column::SESSION_ID)?,
            retriever_id: retriever_id.required(row, column::RETRIEVER_ID)?,
            hits: row_hits,
            latency_ns: latency.get(row).unwrap_or_default(),
            stages: row_stages,
            error_kind: error_kind.get(row),
            error: error.get(row),
        });
    }
    Ok(rankings)
}

/// Returns `rankings` as a batch of the schema [`schema::RANKINGS`].
///
/// # Errors
///
/// Returns an error when the batch would exceed Arrow's 2^31 list elements.
pub fn rankings_to_batch(rankings: &[Ranking]) -> Result<RecordBatch, ArrowError> {
    let hits = || rankings.iter().flat_map(|ranking| &ranking.hits);
    let hit_columns: Vec<ArrayRef> = vec![
        required_texts(hits().map(|hit| hit.item_id.as_str())),
        Arc::new(hits().map(|hit| hit.score).collect::<Float64Array>()),
    ];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rankings.iter().map(|ranking| &ranking.session_id))),
        Arc::new(StringArray::from_iter_values(rankings.iter().map(|ranking| &ranking.retriever_id))),
        list_of_structs(schema::hit_fields(), hit_columns, rankings.iter().map(|ranking| ranking.hits.len()))?,
        Arc::new(Int64Array::from_iter_values(rankings.iter().map(|ranking| ranking.latency_ns))),
        stage_column(rankings.iter().map(|ranking| &ranking.stages))?,
        Arc::new(rankings.iter().map(|ranking| ranking.error_kind.as_deref()).collect::<StringArray>()),
        Arc::new(rankings.iter().map(|ranking| ranking.error.as_deref()).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema::RANKINGS.clone(), columns)
}

/// Returns the column `stages`, with one list of records per session.
///
/// # Errors
///
/// Returns an error when there are more records than Arrow can count (2^31).
fn stage_column(rows: impl Iterator<Item = impl AsRef<[StageRecord]>>) -> Result<ArrayRef, ArrowError> {
    let (mut names, mut kinds) = (StringBuilder::new(), StringBuilder::new());
    let (mut latencies, mut hits, mut attempts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut states, mut errors) = (StringBuilder::new(), StringBuilder::new());
    let (mut recalls, mut lengths) = (Vec::new(), Vec::new());
    for row in rows {
        for stage in row.as_ref() {
            names.append_value(&stage.name);
            kinds.append_value(&stage.kind);
            latencies.push(stage.latency_ns);
            hits.push(stage.hits);
            attempts.push(stage.attempts);
            states.append_value(stage.state.as_str());
            errors.append_option(stage.error.as_deref());
            recalls.push(stage.recall);
        }
        lengths.push(row.as_ref().len());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(names.finish()),
        Arc::new(kinds.finish()),
        Arc::new(Int64Array::from(latencies)),
        Arc::new(Int64Array::from(hits)),
        Arc::new(Int64Array::from(attempts)),
        Arc::new(states.finish()),
        Arc::new(errors.finish()),
        Arc::new(Float64Array::from(recalls)),
    ];
    list_of_structs(schema::stage_fields(), columns, lengths.into_iter())
}

/// Returns the column `stages` of sessions that went through one stage each, given what differs: its latency, the number of its
/// hits, and its failure in words.
///
/// # Errors
///
/// Returns an error when there are more sessions than Arrow can count (2^31).
pub fn lone_stage_column<'a>(
    name: &str,
    kind: &str,
    rows: impl ExactSizeIterator<Item = (i64, i64, Option<&'a str>)>,
) -> Result<ArrayRef, ArrowError> {
    let count = rows.len();
    let (mut latencies, mut hits) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut states, mut errors) = (StringBuilder::new(), StringBuilder::new());
    for (latency, hit_count, error) in rows {
        latencies.push(latency);
        hits.push(hit_count);
        states.append_value(if error.is_some() { StageState::Failed } else { StageState::Ok }.as_str());
        errors.append_option(error);
    }
    let repeated =
        |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, count))) };
    let columns: Vec<ArrayRef> = vec![
        repeated(name),
        repeated(kind),
        Arc::new(Int64Array::from(latencies)),
        Arc::new(Int64Array::from(hits)),
        Arc::new(Int64Array::from(vec![0; count])),
        Arc::new(states.finish()),
        Arc::new(errors.finish()),
        Arc::new(Float64Array::new_null(count)),
    ];
    list_of_structs(schema::stage_fields(), columns, std::iter::repeat_n(1, count))
}

fn state_of(name: &str) -> Result<StageState, ArrowError> {
    let unknown = || ArrowError::InvalidArgumentError(format!("`{}` has an unknown value `{name}`", column::STATE));
    StageState::parse(name).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_stages_are_the_column_of_their_records() {
        let rows = [(7, 100, None), (0, 0, Some("not there")), (-1, 3, None)];
        let records = rows.map(|(latency_ns, hits, error)| {
            let state = error.map_or(StageState::Ok, |_| StageState::Failed);
            let (name, kind, error) = ("source".to_owned(), "recorded".to_owned(), error.map(str::to_owned));
            [StageRecord { name, kind, latency_ns, hits, attempts: 0, state, error, recall: None }]
        });
        let slow = stage_column(records.iter()).expect("a column");
        assert_eq!(&lone_stage_column("source", "recorded", rows.into_iter()).expect("a column"), &slow);
        let none = lone_stage_column("source", "recorded", std::iter::empty::<(i64, i64, Option<&str>)>());
        assert_eq!(none.expect("a column").len(), 0);
    }
}
