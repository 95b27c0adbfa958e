//! Executions in the database.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value};

use super::model::{
    ExecutionDetail, ExecutionStatistics, ExecutionSummary, ExecutionsPage, FoundDocument, ListExecutionsRequest,
    ListExecutionsResponse,
};
use crate::App;
use crate::mixpeek::inputs::query_text;
use crate::mixpeek::listing::{Fields, Listing};
use crate::mixpeek::page::{Begin, ListQuery};
use crate::platform::error::ApiError;
use crate::platform::page::rfc3339;

/// An execution.
#[derive(Debug, Clone)]
pub struct ExecutionRecord {
    /// Its identifier.
    pub id: String,
    /// The retriever.
    pub retriever: String,
    /// What was asked.
    pub inputs: Map<String, Value>,
    /// What was filtered by.
    pub filters: Option<Map<String, Value>>,
    /// Documents before the first one that was returned.
    pub offset: u64,
    /// What was returned.
    pub documents: Vec<FoundDocument>,
    /// What the stages did.
    pub statistics: ExecutionStatistics,
    /// Why it failed.
    pub error: Option<String>,
    /// When it began, milliseconds since 1970.
    pub created_at: i64,
    /// When it ended.
    pub completed_at: i64,
}

const COLUMNS: &str = "id, retriever, inputs, documents, statistics, error, created_at, completed_at, filters, \
    page_offset";

const FIELDS: Fields = Fields {
    plain: &[("execution_id", "id"), ("status", "status")],
    times: &[("created_at", "created_at"), ("completed_at", "completed_at")],
    objects: &[("inputs", "inputs", "$")],
};

impl ExecutionRecord {
    /// Returns `completed` or `failed`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.error.is_none() { "completed" } else { "failed" }
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        fn json<T: serde::de::DeserializeOwned + Default>(text: String) -> T {
            serde_json::from_str(&text).unwrap_or_default()
        }
        Ok(Self {
            id: row.get(0)?,
            retriever: row.get(1)?,
            inputs: json(row.get(2)?),
            documents: json(row.get(3)?),
            statistics: json(row.get(4)?),
            error: row.get(5)?,
            created_at: row.get(6)?,
            completed_at: row.get(7)?,
            filters: row.get::<_, Option<String>>(8)?.map(json),
            offset: row.get(9)?,
        })
    }

    /// Returns it as it is shown.
    #[must_use]
    pub fn into_detail(self) -> ExecutionDetail {
        let stages = self.statistics.stages.len() as u64;
        ExecutionDetail {
            status: self.status().to_owned(),
            retriever_id: self.retriever,
            execution_id: self.id,
            inputs: self.inputs,
            total_returned: self.documents.len() as u64,
            results: self.documents.clone(),
            documents: self.documents,
            stage_statistics: self.statistics,
            error: self.error,
            created_at: rfc3339(self.created_at),
            completed_at: rfc3339(self.completed_at),
            stages_completed: stages,
            total_stages: stages,
            documents_retained: true,
        }
    }

    fn into_summary(self) -> ExecutionSummary {
        let first = self.statistics.stages.values().find(|stage| stage.input_count == 0);
        ExecutionSummary {
            status: self.status().to_owned(),
            query_summary: query_text(&self.inputs).map(ToOwned::to_owned),
            execution_id: self.id,
            created_at: rfc3339(self.created_at),
            completed_at: rfc3339(self.completed_at),
            duration_ms: self.statistics.total_time_ms,
            credits_used: 0.0,
            total_processed: first.map_or(0, |stage| stage.output_count),
            total_returned: self.documents.len() as u64,
        }
    }
}

/// Keeps an execution.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn put(app: &App, organisation: &str, namespace: &str, execution: ExecutionRecord) -> Result<(), ApiError> {
    let (organisation, namespace) = (organisation.to_owned(), namespace.to_owned());
    let documents = serde_json::to_string(&execution.documents).map_err(ApiError::internal)?;
    let statistics = serde_json::to_string(&execution.statistics).map_err(ApiError::internal)?;
    app.database()
        .write(move |connection| {
            let sql = "INSERT INTO executions (id, organisation, namespace, retriever, status, inputs, documents, \
                       statistics, error, created_at, completed_at, filters, page_offset) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
            connection.prepare_cached(sql)?.execute(params![
                execution.id,
                organisation,
                namespace,
                execution.retriever,
                execution.status(),
                Value::Object(execution.inputs.clone()).to_string(),
                documents,
                statistics,
                execution.error,
                execution.created_at,
                execution.completed_at,
                execution.filters.clone().map(|filters| Value::Object(filters).to_string()),
                execution.offset
            ])?;
            Ok(())
        })
        .await
}

/// Returns an execution of a retriever.
///
/// # Errors
///
/// Returns 404 when there is none of that identifier.
pub async fn get(
    app: &App,
    organisation: &str,
    namespace: &str,
    (retriever, id): (&str, &str),
) -> Result<ExecutionRecord, ApiError> {
    let keys = [id, organisation, namespace, retriever].map(ToOwned::to_owned);
    let found = app
        .database()
        .read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM executions WHERE id = ?1 AND organisation = ?2 AND namespace = ?3 AND retriever = ?4"
            );
            Ok(connection.prepare_cached(&sql)?.query_row(keys, ExecutionRecord::of).optional()?)
        })
        .await?;
    found.ok_or_else(|| ApiError::not_found("execution", id))
}

/// Returns a page of the executions of a retriever.
///
/// # Errors
///
/// Returns 422 for a filter over other fields than there are.
pub async fn list(
    app: &App,
    organisation: &str,
    namespace: &str,
    retriever: &str,
    asked: &ListExecutionsRequest,
    query: &ListQuery,
) -> Result<ListExecutionsResponse, ApiError> {
    let (begin, size) = query.part()?;
    let listing = Listing::of("executions", organisation, namespace)
        .given("retriever = ?", Some(retriever))
        .given("status = ?", asked.status.as_deref())
        .filtered(asked.filters.as_ref(), &FIELDS)?;
    let (listed, begin) = app
        .database()
        .read(move |connection| {
            let listed = listing.read(connection, COLUMNS, (&begin, size), true, ExecutionRecord::of)?;
            Ok((listed, begin))
        })
        .await?;
    let offset = match begin {
        Begin::Offset(offset) => offset,
        Begin::After(_) => 0,
    };
    let total = listed.pagination.total.unwrap_or_default();
    let has_next = listed.pagination.next_cursor.is_some();
    let results = listed.entries.into_iter().map(ExecutionRecord::into_summary).collect();
    Ok(ListExecutionsResponse { results, pagination: ExecutionsPage { total, limit: size, offset, has_next } })
}
