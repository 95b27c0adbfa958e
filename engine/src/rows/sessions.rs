//! Rows of the `sessions` table.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, Float32Array, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt32Array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{Float32Type, Float64Type, TimestampMillisecondType, UInt32Type};
use datafusion::arrow::error::ArrowError;

use super::fields::{Lists, Numbers, Text, column as named, field, list_of, list_of_structs, required_texts};
use crate::schema::{self, column};
use crate::session::{Interaction, Judgment, Session, ShownItem};

/// Returns the sessions of a batch that has the schema [`schema::SESSIONS`].
///
/// # Errors
///
/// Returns an error when a column is missing, has another type, or is null where the schema forbids it.
pub fn sessions_from_batch(batch: &RecordBatch) -> Result<Vec<Session>, ArrowError> {
    let text = |name| Text::of(named(batch, name)?, name);
    let session_id = text(column::SESSION_ID)?;
    let visit_id = text(column::VISIT_ID)?;
    let user_id = text(column::USER_ID)?;
    let timestamp = Numbers::<TimestampMillisecondType>::of(named(batch, column::TIMESTAMP)?, column::TIMESTAMP)?;
    let retriever_id = text(column::RETRIEVER_ID)?;
    let query = text(column::QUERY)?;
    let query_vector = Lists::of(named(batch, column::QUERY_VECTOR)?, column::QUERY_VECTOR)?;
    let vector_values = query_vector.elements().as_primitive_opt::<Float32Type>();
    let inputs = text(column::INPUTS)?;
    let taxonomy = Lists::of(named(batch, column::TAXONOMY)?, column::TAXONOMY)?;
    let nodes = Text::of(taxonomy.elements(), column::TAXONOMY)?;
    let shown = ShownColumn::of(batch)?;
    let interactions = InteractionColumn::of(batch)?;
    let judgments = JudgmentColumn::of(batch)?;
    let expected = text(column::EXPECTED)?;

    let mut sessions = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let vector = (!query_vector.is_null(row))
            .then_some(vector_values)
            .flatten()
            .map(|values| query_vector.range(row).map(|index| values.value(index)).collect());
        sessions.push(Session {
            session_id: session_id.required(row, column::SESSION_ID)?,
            visit_id: visit_id.get(row),
            user_id: user_id.get(row),
            timestamp: timestamp.get(row),
            retriever_id: retriever_id.get(row),
            query: query.get(row),
            query_vector: vector,
            inputs: inputs.get(row),
            taxonomy: taxonomy.range(row).filter_map(|index| nodes.get(index)).collect(),
            shown: shown.row(row)?,
            interactions: interactions.row(row)?,
            judgments: judgments.row(row)?,
            expected: expected.get(row),
        });
    }
    Ok(sessions)
}

struct ShownColumn<'a> {
    lists: Lists<'a>,
    item_id: Text<'a>,
    score: Numbers<'a, Float64Type>,
    propensity: Numbers<'a, Float64Type>,
}

impl<'a> ShownColumn<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let lists = Lists::of(named(batch, column::SHOWN)?, column::SHOWN)?;
        let structs = lists.structs(column::SHOWN)?;
        Ok(Self {
            item_id: Text::of(field(structs, column::ITEM_ID)?, column::ITEM_ID)?,
            score: Numbers::of(field(structs, column::SCORE)?, column::SCORE)?,
            propensity: Numbers::of(field(structs, column::PROPENSITY)?, column::PROPENSITY)?,
            lists,
        })
    }

    fn row(&self, row: usize) -> Result<Vec<ShownItem>, ArrowError> {
        let item = |index| {
            Ok(ShownItem {
                item_id: self.item_id.required(index, column::ITEM_ID)?,
                score: self.score.get(index),
                propensity: self.propensity.get(index),
            })
        };
        self.lists.range(row).map(item).collect()
    }
}

struct InteractionColumn<'a> {
    lists: Lists<'a>,
    item_id: Text<'a>,
    kind: Text<'a>,
    position: Numbers<'a, UInt32Type>,
    timestamp: Numbers<'a, TimestampMillisecondType>,
    value: Numbers<'a, Float64Type>,
}

impl<'a> InteractionColumn<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let lists = Lists::of(named(batch, column::INTERACTIONS)?, column::INTERACTIONS)?;
        let structs = lists.structs(column::INTERACTIONS)?;
        Ok(Self {
            item_id: Text::of(field(structs, column::ITEM_ID)?, column::ITEM_ID)?,
            kind: Text::of(field(structs, column::KIND)?, column::KIND)?,
            position: Numbers::of(field(structs, column::POSITION)?, column::POSITION)?,
            timestamp: Numbers::of(field(structs, column::TIMESTAMP)?, column::TIMESTAMP)?,
            value: Numbers::of(field(structs, column::VALUE)?, column::VALUE)?,
            lists,
        })
    }

    fn row(&self, row: usize) -> Result<Vec<Interaction>, ArrowError> {
        let interaction = |index| {
            Ok(Interaction {
                item_id: self.item_id.required(index, column::ITEM_ID)?,
                kind: self.kind.required(index, column::KIND)?,
                position: self.position.get(index),
                timestamp: self.timestamp.get(index),
                value: self.value.get(index),
            })
        };
        self.lists.range(row).map(interaction).collect()
    }
}

struct JudgmentColumn<'a> {
    lists: Lists<'a>,
    item_id: Text<'a>,
    grade: Numbers<'a, Float32Type>,
}

impl<'a> JudgmentColumn<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let lists = Lists::of(named(batch, column::JUDGMENTS)?, column::JUDGMENTS)?;
        let structs = lists.structs(column::JUDGMENTS)?;
        Ok(Self {
            item_id: Text::of(field(structs, column::ITEM_ID)?, column::ITEM_ID)?,
            grade: Numbers::of(field(structs, column::GRADE)?, column::GRADE)?,
            lists,
        })
    }

    fn row(&self, row: usize) -> Result<Vec<Judgment>, ArrowError> {
        let judgment = |index| {
            let grade = self.grade.get(index).ok_or_else(|| {
                ArrowError::InvalidArgumentError(format!(
                    "column `{}` has a null grade in row {}",
                    column::JUDGMENTS,
                    row + 1
                ))
            })?;
            Ok(Judgment { item_id: self.item_id.required(index, column::ITEM_ID)?, grade })
        };
        self.lists.range(row).map(judgment).collect()
    }
}

/// Returns `sessions` as a batch of the schema [`schema::SESSIONS`].
///
/// # Errors
///
/// Returns an error when the batch would exceed Arrow's 2^31 list elements.
pub fn sessions_to_batch(sessions: &[Session]) -> Result<RecordBatch, ArrowError> {
    let columns = vec![
        required_texts(sessions.iter().map(|session| session.session_id.as_str())),
        texts(sessions.iter().map(|session| session.visit_id.as_deref())),
        texts(sessions.iter().map(|session| session.user_id.as_deref())),
        timestamps(sessions.iter().map(|session| session.timestamp)),
        texts(sessions.iter().map(|session| session.retriever_id.as_deref())),
        texts(sessions.iter().map(|session| session.query.as_deref())),
        query_vectors(sessions)?,
        texts(sessions.iter().map(|session| session.inputs.as_deref())),
        list_of(
            required_texts(sessions.iter().flat_map(|session| &session.taxonomy).map(String::as_str)),
            sessions.iter().map(|session| session.taxonomy.len()),
            None,
        )?,
        shown(sessions)?,
        interactions(sessions)?,
        judgments(sessions)?,
        texts(sessions.iter().map(|session| session.expected.as_deref())),
    ];
    RecordBatch::try_new(schema::SESSIONS.clone(), columns)
}

/// Returns so many sessions without anything, not even ids.
///
/// # Errors
///
/// Returns the errors of [`sessions_to_batch`].
pub(crate) fn blank_sessions(count: usize) -> Result<RecordBatch, ArrowError> {
    sessions_to_batch(&vec![Session::default(); count])
}

/// Returns `blank` sessions with these ids and judgments, as documents and grades; each has the next `lengths` of them.
///
/// # Errors
///
/// Returns an error when there are not as many ids and lengths as sessions, or not as many judgments as lengths say.
pub(crate) fn judged_sessions<'a>(
    blank: &RecordBatch,
    ids: impl Iterator<Item = &'a str> + Clone,
    judged: impl Iterator<Item = (&'a str, f32)> + Clone,
    lengths: impl Iterator<Item = usize>,
) -> Result<RecordBatch, ArrowError> {
    let (ids, judgments) = (required_texts(ids), judgment_lists(judged, lengths)?);
    let columns = blank.schema_ref().fields().iter().zip(blank.columns());
    let columns = columns.map(|(field, column)| match field.name().as_str() {
        column::SESSION_ID => Arc::clone(&ids),
        column::JUDGMENTS => Arc::clone(&judgments),
        _ => Arc::clone(column),
    });
    RecordBatch::try_new(blank.schema(), columns.collect())
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn timestamps(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

fn query_vectors(sessions: &[Session]) -> Result<ArrayRef, ArrowError> {
    let vectors = || sessions.iter().map(|session| session.query_vector.as_deref());
    let values: Float32Array = vectors().flatten().flatten().copied().map(Some).collect();
    let nulls: NullBuffer = vectors().map(|vector| vector.is_some()).collect::<Vec<bool>>().into();
    list_of(Arc::new(values), vectors().map(|vector| vector.map_or(0, <[f32]>::len)), Some(nulls))
}

fn shown(sessions: &[Session]) -> Result<ArrayRef, ArrowError> {
    let items = || sessions.iter().flat_map(|session| &session.shown);
    let columns: Vec<ArrayRef> = vec![
        required_texts(items().map(|item| item.item_id.as_str())),
        Arc::new(items().map(|item| item.score).collect::<Float64Array>()),
        Arc::new(items().map(|item| item.propensity).collect::<Float64Array>()),
    ];
    list_of_structs(schema::shown_fields(), columns, sessions.iter().map(|session| session.shown.len()))
}

fn interactions(sessions: &[Session]) -> Result<ArrayRef, ArrowError> {
    let acts = || sessions.iter().flat_map(|session| &session.interactions);
    let columns: Vec<ArrayRef> = vec![
        required_texts(acts().map(|act| act.item_id.as_str())),
        required_texts(acts().map(|act| act.kind.as_str())),
        Arc::new(acts().map(|act| act.position).collect::<UInt32Array>()),
        timestamps(acts().map(|act| act.timestamp)),
        Arc::new(acts().map(|act| act.value).collect::<Float64Array>()),
    ];
    list_of_structs(schema::interaction_fields(), columns, sessions.iter().map(|session| session.interactions.len()))
}

fn judgments(sessions: &[Session]) -> Result<ArrayRef, ArrowError> {
    let judged = sessions.iter().flat_map(|session| &session.judgments);
    let judged = judged.map(|judgment| (judgment.item_id.as_str(), judgment.grade));
    judgment_lists(judged, sessions.iter().map(|session| session.judgments.len()))
}

fn judgment_lists<'a>(
    judged: impl Iterator<Item = (&'a str, f32)> + Clone,
    lengths: impl Iterator<Item = usize>,
) -> Result<ArrayRef, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        required_texts(judged.clone().map(|(item, _)| item)),
        Arc::new(Float32Array::from(judged.map(|(_, grade)| grade).collect::<Vec<_>>())),
    ];
    list_of_structs(schema::judgment_fields(), columns, lengths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_survive_the_way_to_arrow_and_back() {
        let sessions = vec![
            Session {
                session_id: "s1".into(),
                visit_id: Some("v".into()),
                timestamp: Some(1_767_225_600_000),
                query: Some("kettle".into()),
                query_vector: Some(vec![0.5, -1.0]),
                taxonomy: vec!["home/kitchen".into(), "gifts".into()],
                shown: vec![ShownItem { item_id: "a".into(), score: Some(1.5), propensity: None }],
                interactions: vec![Interaction {
                    item_id: "a".into(),
                    kind: "click".into(),
                    position: Some(1),
                    timestamp: None,
                    value: Some(2.5),
                }],
                judgments: vec![Judgment { item_id: "a".into(), grade: -1.0 }],
                ..Session::default()
            },
            Session { session_id: "s2".into(), ..Session::default() },
        ];
        let batch = sessions_to_batch(&sessions).expect("a batch");
        assert_eq!(sessions_from_batch(&batch).expect("rows"), sessions);
        assert_eq!(sessions_from_batch(&batch.slice(1, 1)).expect("rows"), sessions[1..]);
    }
}
