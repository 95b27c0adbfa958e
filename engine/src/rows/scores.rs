//! Rows of the `scores` table.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::error::ArrowError;

use super::fields::{Lists, Numbers, Text, column as named, field, list_of_structs, required_texts};
use crate::schema::{self, column};
use crate::session::{ScoreRow, ScoreState, ScorerResult};

/// Returns the scores of a batch that has the schema [`schema::scores`] of `measures`.
///
/// # Errors
///
/// Returns an error when a column is missing, has another type, or is null where the schema forbids it.
pub fn scores_from_batch(batch: &RecordBatch, measures: &[String]) -> Result<Vec<ScoreRow>, ArrowError> {
    let text = |name| Text::of(named(batch, name)?, name);
    let number = |name| Numbers::<Float64Type>::of(named(batch, name)?, name);
    let session_id = text(column::SESSION_ID)?;
    let retriever_id = text(column::RETRIEVER_ID)?;
    let values = measures.iter().map(|measure| number(measure)).collect::<Result<Vec<_>, _>>()?;
    let scorers = Lists::of(named(batch, column::SCORERS)?, column::SCORERS)?;
    let scorer = scorers.structs(column::SCORERS)?;
    let name = Text::of(field(scorer, column::NAME)?, column::NAME)?;
    let value = Numbers::<Float64Type>::of(field(scorer, column::VALUE)?, column::VALUE)?;
    let output = Text::of(field(scorer, column::OUTPUT)?, column::OUTPUT)?;
    let state = Text::of(field(scorer, column::STATE)?, column::STATE)?;
    let scenario_score = number(column::SCENARIO_SCORE)?;

    let mut rows = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut results = Vec::new();
        for index in scorers.range(row) {
            let written = state.required(index, column::STATE)?;
            let state = ScoreState::parse(&written)
                .ok_or_else(|| ArrowError::InvalidArgumentError(format!("unknown scorer state `{written}`")))?;
            results.push(ScorerResult {
                name: name.required(index, column::NAME)?,
                value: value.get(index),
                output: output.get(index).unwrap_or_default(),
                state,
            });
        }
        rows.push(ScoreRow {
            session_id: session_id.required(row, column::SESSION_ID)?,
            retriever_id: retriever_id.required(row, column::RETRIEVER_ID)?,
            measures: values.iter().map(|column| column.get(row)).collect(),
            scorers: results,
            scenario_score: scenario_score.get(row),
        });
    }
    Ok(rows)
}

/// Returns `rows` as a batch of the schema [`schema::scores`] of `measures`.
///
/// # Errors
///
/// Returns an error when a row has another number of measures.
pub fn scores_to_batch(rows: &[ScoreRow], measures: &[String]) -> Result<RecordBatch, ArrowError> {
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.session_id))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.retriever_id))),
    ];
    for index in 0..measures.len() {
        let values: Float64Array = rows.iter().map(|row| row.measures.get(index).copied().flatten()).collect();
        columns.push(Arc::new(values));
    }
    columns.push(scorers_column(rows.iter().map(|row| row.scorers.as_slice()))?);
    columns.push(Arc::new(rows.iter().map(|row| row.scenario_score).collect::<Float64Array>()));
    RecordBatch::try_new(schema::scores(measures), columns)
}

/// Returns the column of the scorers' results, one list per session.
pub(super) fn scorers_column<'a>(
    rows: impl Iterator<Item = &'a [ScorerResult]> + Clone,
) -> Result<ArrayRef, ArrowError> {
    let results = || rows.clone().flatten();
    let columns: Vec<ArrayRef> = vec![
        required_texts(results().map(|result| result.name.as_str())),
        Arc::new(results().map(|result| result.value).collect::<Float64Array>()),
        required_texts(results().map(|result| result.output.as_str())),
        required_texts(results().map(|result| result.state.as_str())),
    ];
    list_of_structs(schema::scorer_fields(), columns, rows.map(<[ScorerResult]>::len))
}
