//! Plays back recorded rankings.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::error::ArrowError;

use crate::benchmark::spec::Missing;
use crate::load::LoadError;
use crate::load::recorded::{Recorded, RecordedAnswers, RecordedCursor, Recording};
use crate::replay::{ReplayError, RetrieveError, RetrieveErrorKind, Retriever};
use crate::rows::{Answers, stage_column};
use crate::schema::{self, column};
use crate::session::{Hit, Session, StageRecord};

/// The stage's kind.
const KIND: &str = "recorded";

/// Answers each session with the ranking that was recorded for it.
///
/// A recorded failure is a failure again. A session without a ranking is one too, unless [`Missing::Empty`] says that it
/// means an empty answer. Latencies are those that were recorded, for whoever reads the rankings; where there are none, there
/// is none: a look-up takes no time that says anything about the retriever. They are not compared.
#[derive(Debug)]
pub struct RecordedRetriever {
    recording: Recording,
    missing: Missing,
    /// For sessions that are asked for one by one.
    cursor: Mutex<RecordedCursor>,
}

impl RecordedRetriever {
    /// Returns a retriever that answers from `recording`.
    #[must_use]
    pub fn new(recording: Recording, missing: Missing) -> Self {
        let cursor = Mutex::new(recording.cursor());
        Self { recording, missing, cursor }
    }

    /// Returns a reader of its own place, for going through chunks in order.
    pub(in crate::replay) fn cursor(&self) -> RecordedCursor {
        self.recording.cursor()
    }

    /// Answers a chunk of sessions as columns, which takes no copy of a hit. `sessions` ascend by id.
    pub(in crate::replay) fn answers(
        &self,
        cursor: &mut RecordedCursor,
        retriever_id: &str,
        sessions: &[Session],
        depth: usize,
    ) -> Result<Answers, ReplayError> {
        let load_error = |source| ReplayError::Load { retriever: retriever_id.to_owned(), source };
        let ids = StringArray::from_iter_values(sessions.iter().map(|session| &session.session_id));
        let recorded = cursor.answers(&ids, depth).map_err(load_error)?;
        let rows_error = |source| ReplayError::Rows { retriever: retriever_id.to_owned(), source };
        self.as_answers(ids, retriever_id, recorded).map_err(rows_error)
    }

    fn as_answers(
        &self,
        ids: StringArray,
        retriever_id: &str,
        recorded: RecordedAnswers,
    ) -> Result<Answers, ArrowError> {
        let RecordedAnswers { hits, states, latencies_ns } = recorded;
        let errors: Vec<Option<RetrieveError>> = states.iter().map(|state| self.error_of(state)).collect();
        let latency = |row: usize| latencies_ns.as_ref().filter(|all| all.is_valid(row)).map(|all| all.value(row));
        let stages = (0..ids.len()).map(|row| StageRecord {
            name: KIND.to_owned(),
            kind: KIND.to_owned(),
            latency_ns: latency(row).unwrap_or(0),
            hits: i64::from(hits.value_length(row)),
        });
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(retriever_id, ids.len()))),
            Arc::new(hits.clone()),
            Arc::new((0..ids.len()).map(latency).collect::<Int64Array>()),
            stage_column(stages.map(|stage| vec![stage]))?,
            Arc::new(errors.iter().map(|error| Some(error.as_ref()?.kind.as_str())).collect::<StringArray>()),
            Arc::new(errors.iter().map(|error| Some(error.as_ref()?.message.as_str())).collect::<StringArray>()),
        ];
        let columns = std::iter::once(Arc::new(ids) as ArrayRef).chain(columns).collect();
        Answers::open(RecordBatch::try_new(schema::RANKINGS.clone(), columns)?)
    }

    /// The failure that a state means.
    fn error_of(&self, state: &Recorded) -> Option<RetrieveError> {
        match (state, self.missing) {
            (Recorded::Found, _) | (Recorded::Missing, Missing::Empty) => None,
            (Recorded::Missing, Missing::Error) => Some(RetrieveError {
                kind: RetrieveErrorKind::NotRecorded,
                message: "no ranking was recorded for this session".to_owned(),
            }),
            (Recorded::Failed { kind, message }, _) => Some(RetrieveError {
                kind: RetrieveErrorKind::RecordedFailure,
                message: format!("recorded as failed with `{kind}`: {message}"),
            }),
        }
    }
}

#[async_trait]
impl Retriever for RecordedRetriever {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Vec<Hit>, RetrieveError> {
        let unreadable = |error: &LoadError| {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            RetrieveError { kind: RetrieveErrorKind::Index, message: format!("{error}{cause}") }
        };
        let ids = StringArray::from(vec![session.session_id.as_str()]);
        let mut cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let recorded = cursor.answers(&ids, depth).map_err(|error| unreadable(&error))?;
        if let Some(error) = recorded.states.first().and_then(|state| self.error_of(state)) {
            return Err(error);
        }
        if recorded.hits.is_empty() {
            return Ok(Vec::new());
        }
        let elements = recorded.hits.value(0);
        let elements = elements.as_struct_opt();
        let items = elements.and_then(|hits| hits.column_by_name(column::ITEM_ID)?.as_string_opt::<i32>());
        let scores = elements.and_then(|hits| hits.column_by_name(column::SCORE)?.as_primitive_opt::<Float64Type>());
        let hits = items.into_iter().flatten().zip(scores.into_iter().flatten());
        Ok(hits.filter_map(|(item, score)| Some(Hit { item_id: item?.to_owned(), score })).collect())
    }
}
