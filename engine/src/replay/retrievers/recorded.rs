//! Plays back recorded rankings.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::error::ArrowError;

use crate::benchmark::spec::Missing;
use crate::load::LoadError;
use crate::load::recorded::{Recorded, RecordedAnswers, RecordedCursor, Recording};
use crate::replay::{ReplayError, RetrieveError, RetrieveErrorKind, Retrieved, Retriever};
use crate::rows::{Answers, lone_stage_column};
use crate::schema::{self, column};
use crate::session::{Hit, Ranking, Session};

/// The stage's kind.
const KIND: &str = "recorded";

/// Readers that are kept between chunks: as many as there are places of the recording that somebody reads on from.
const READERS: usize = 16;

/// Answers each session with the ranking that was recorded for it.
///
/// A recorded failure is a failure again. A session without a ranking is one too, unless [`Missing::Empty`] says that it
/// means an empty answer. Latencies are those that were recorded, for whoever reads the rankings; where there are none, there
/// is none: a look-up takes no time that says anything about the retriever. They are not compared.
#[derive(Debug)]
pub struct RecordedRetriever {
    retriever_id: String,
    /// The stage's name.
    stage: String,
    recording: Recording,
    missing: Missing,
    /// Readers that nobody uses now, each with the last session that it was asked for.
    readers: Mutex<Vec<(String, RecordedCursor)>>,
}

impl RecordedRetriever {
    /// Returns the stage `stage` of the retriever `retriever_id`, which answers from `recording`.
    #[must_use]
    pub fn new(retriever_id: &str, stage: &str, recording: Recording, missing: Missing) -> Self {
        let (retriever_id, stage) = (retriever_id.to_owned(), stage.to_owned());
        Self { retriever_id, stage, recording, missing, readers: Mutex::default() }
    }

    /// Answers a chunk of sessions as columns, which takes no copy of a hit. `sessions` ascend by id.
    pub(in crate::replay) fn answers(&self, sessions: &[Session], depth: usize) -> Result<Answers, ReplayError> {
        let retriever = || self.retriever_id.clone();
        let ids = StringArray::from_iter_values(sessions.iter().map(|session| &session.session_id));
        let recorded = self.recorded(&ids, depth);
        let recorded = recorded.map_err(|source| ReplayError::Load { retriever: retriever(), source })?;
        self.as_answers(ids, recorded).map_err(|source| ReplayError::Rows { retriever: retriever(), source })
    }

    /// Answers a chunk of sessions as rows.
    pub(in crate::replay) fn rankings(&self, sessions: &[Session], depth: usize) -> Result<Vec<Ranking>, ReplayError> {
        let rows_error = |source| ReplayError::Rows { retriever: self.retriever_id.clone(), source };
        self.answers(sessions, depth)?.to_rankings().map_err(rows_error)
    }

    /// Looks sessions up with the reader that stands the shortest way before them.
    fn recorded(&self, ids: &StringArray, depth: usize) -> Result<RecordedAnswers, LoadError> {
        let Some(first) = ids.iter().flatten().next() else { return self.recording.cursor().answers(ids, depth) };
        let mut reader = {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            let before = readers.iter().enumerate().filter(|(_, (last, _))| last.as_str() < first);
            let nearest = before.max_by(|(_, (one, _)), (_, (other, _))| one.cmp(other)).map(|(place, _)| place);
            nearest.map(|place| readers.swap_remove(place).1)
        }
        .unwrap_or_else(|| self.recording.cursor());
        let answers = reader.answers(ids, depth)?;
        let last = ids.iter().flatten().last().unwrap_or(first).to_owned();
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() == READERS {
            readers.remove(0);
        }
        readers.push((last, reader));
        Ok(answers)
    }

    fn as_answers(&self, ids: StringArray, recorded: RecordedAnswers) -> Result<Answers, ArrowError> {
        let RecordedAnswers { hits, states, latencies_ns } = recorded;
        let errors: Vec<Option<RetrieveError>> = states.iter().map(|state| self.error_of(state)).collect();
        let latency = |row: usize| latencies_ns.as_ref().filter(|all| all.is_valid(row)).map(|all| all.value(row));
        let stages = (0..ids.len()).map(|row| {
            let error = errors.get(row).and_then(Option::as_ref).map(|error| error.message.as_str());
            (latency(row).unwrap_or(0), i64::from(hits.value_length(row)), error)
        });
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(self.retriever_id.as_str(), ids.len()))),
            Arc::new(hits.clone()),
            Arc::new((0..ids.len()).map(latency).collect::<Int64Array>()),
            lone_stage_column(&self.stage, KIND, stages)?,
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
            (Recorded::Missing, Missing::Error) => {
                let message = "no ranking was recorded for this session";
                Some(RetrieveError::new(RetrieveErrorKind::NotRecorded, message))
            }
            (Recorded::Failed { kind, message }, _) => {
                let message = format!("recorded as failed with `{kind}`: {message}");
                Some(RetrieveError::new(RetrieveErrorKind::RecordedFailure, message))
            }
        }
    }
}

#[async_trait]
impl Retriever for RecordedRetriever {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Retrieved, RetrieveError> {
        let unreadable = |error: &LoadError| {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            RetrieveError::new(RetrieveErrorKind::Index, format!("{error}{cause}"))
        };
        let ids = StringArray::from(vec![session.session_id.as_str()]);
        let recorded = self.recorded(&ids, depth).map_err(|error| unreadable(&error))?;
        if let Some(error) = recorded.states.first().and_then(|state| self.error_of(state)) {
            return Err(error);
        }
        if recorded.hits.is_empty() {
            return Ok(Retrieved::default());
        }
        let elements = recorded.hits.value(0);
        let elements = elements.as_struct_opt();
        let items = elements.and_then(|hits| hits.column_by_name(column::ITEM_ID)?.as_string_opt::<i32>());
        let scores = elements.and_then(|hits| hits.column_by_name(column::SCORE)?.as_primitive_opt::<Float64Type>());
        let hits = items.into_iter().flatten().zip(scores.into_iter().flatten());
        let hits = hits.filter_map(|(item, score)| Some(Hit { item_id: item?.to_owned(), score })).collect();
        Ok(Retrieved { hits, ..Retrieved::default() })
    }
}
