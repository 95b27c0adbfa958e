//! Benchmarks in the database, and where their jobs stand.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use super::job::{BenchmarkJob, RetrieverBenchmark};
use super::model::{BenchmarkListResponse, BenchmarkQuery, BenchmarkResponse, BenchmarkStatus};
use super::results::Results;
use crate::App;
use crate::jobs::NewJob;
use crate::mixpeek::page::PageQuery;
use crate::platform::error::ApiError;
use crate::platform::identifier::new_id;
use crate::platform::page::{now_ms, rfc3339};

/// Where a benchmark stands follows from its job alone. While a worker prepares a job, its phase is still `pending`.
const STATUS: &str = "CASE WHEN j.state = 'completed' THEN 'completed' \
    WHEN j.state IN ('failed', 'cancelled') THEN 'failed' \
    WHEN j.state = 'queued' THEN 'pending' \
    WHEN j.phase = 'replaying' THEN 'replaying' \
    WHEN j.phase IN ('computing_metrics', 'completed') THEN 'computing_metrics' \
    ELSE 'building_sessions' END";

const FROM: &str = "retriever_benchmarks AS b JOIN jobs AS j ON j.id = b.id AND j.organisation = b.organisation";

const COLUMNS: &str = "b.id, j.request, j.state, j.created_at, j.started_at, j.ended_at, j.failure, j.outcome";

fn of_row(row: &Row<'_>) -> rusqlite::Result<BenchmarkResponse> {
    fn json<T: serde::de::DeserializeOwned>(text: Option<String>) -> Option<T> {
        text.and_then(|text| serde_json::from_str(&text).ok())
    }
    let asked: Option<BenchmarkJob> = json(row.get(1)?);
    let asked = asked.ok_or(rusqlite::Error::InvalidQuery)?;
    let was_cancelled = row.get::<_, String>(2)? == "cancelled";
    let status: String = row.get(8)?;
    let status = BenchmarkStatus::ALL.into_iter().find(|known| known.name() == status);
    let failure: Option<serde_json::Value> = json(row.get(6)?);
    let message = failure.and_then(|failure| Some(failure.get("message")?.as_str()?.to_owned()));
    let results: Option<Results> = json(row.get(7)?);
    let (results, comparison, exclusions) = match results {
        Some(Results { results, comparison, exclusions }) => (Some(results), Some(comparison), Some(exclusions)),
        None => (None, None, None),
    };
    let mut retrievers = asked.retriever_ids.into_iter();
    Ok(BenchmarkResponse {
        benchmark_id: row.get(0)?,
        benchmark_name: asked.name,
        baseline_retriever_id: retrievers.next().unwrap_or_default(),
        candidate_retriever_ids: retrievers.collect(),
        session_filter: asked.filter,
        session_count: asked.session_count,
        status: status.unwrap_or(BenchmarkStatus::Failed),
        results,
        comparison,
        created_at: rfc3339(row.get(3)?),
        started_at: row.get::<_, Option<i64>>(4)?.map(rfc3339),
        completed_at: row.get::<_, Option<i64>>(5)?.map(rfc3339),
        error_message: message.or_else(|| was_cancelled.then(|| "cancelled".to_owned())),
        exclusions,
    })
}

/// Creates a benchmark, which runs when its turn comes.
///
/// # Errors
///
/// Returns 429 when the organisation has too many jobs that wait or run.
pub async fn create(app: &App, organisation: &str, asked: BenchmarkJob) -> Result<BenchmarkResponse, ApiError> {
    let id = new_id("bench");
    let request = serde_json::to_value(&asked).map_err(ApiError::internal)?;
    let job = NewJob { id: id.clone(), kind: RetrieverBenchmark::NAME, request };
    let (benchmark, owner, namespace) = (id.clone(), organisation.to_owned(), asked.namespace.clone());
    let retrievers = json!(asked.retriever_ids).to_string();
    let write = move |connection: &Connection| {
        let sql = "INSERT INTO retriever_benchmarks (id, organisation, namespace, retrievers, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        connection.prepare_cached(sql)?.execute(params![benchmark, owner, namespace, retrievers, now_ms()])?;
        Ok(())
    };
    app.jobs().submit_with(organisation, job, write).await?;
    get(app, organisation, &asked.namespace, &id).await
}

/// Returns a benchmark.
///
/// # Errors
///
/// Returns 404 when there is none of that identifier.
pub async fn get(app: &App, organisation: &str, namespace: &str, id: &str) -> Result<BenchmarkResponse, ApiError> {
    let keys = [id, organisation, namespace].map(ToOwned::to_owned);
    let sql =
        format!("SELECT {COLUMNS}, {STATUS} FROM {FROM} WHERE b.id = ?1 AND b.organisation = ?2 AND b.namespace = ?3");
    let found = app
        .database()
        .read(move |connection| Ok(connection.prepare_cached(&sql)?.query_row(keys, of_row).optional()?))
        .await?;
    found.ok_or_else(|| ApiError::not_found("benchmark", id))
}

/// Returns a page of the benchmarks of a namespace, oldest first.
///
/// # Errors
///
/// Returns 422 for a page that is none.
pub async fn list(
    app: &App,
    organisation: &str,
    namespace: &str,
    query: &BenchmarkQuery,
) -> Result<BenchmarkListResponse, ApiError> {
    let window = PageQuery { page: query.page, page_size: query.page_size }.window()?;
    let (organisation, namespace) = (organisation.to_owned(), namespace.to_owned());
    let (retriever, status) = (query.retriever_id.clone(), query.status.map(BenchmarkStatus::name));
    let conditions = format!(
        "FROM {FROM} WHERE b.organisation = ?1 AND b.namespace = ?2 AND (?4 IS NULL OR {STATUS} = ?4) \
         AND (?3 IS NULL OR EXISTS (SELECT 1 FROM json_each(b.retrievers) WHERE value = ?3))"
    );
    app.database()
        .read(move |connection| {
            let total = connection
                .prepare_cached(&format!("SELECT count(*) {conditions}"))?
                .query_row(params![organisation, namespace, retriever, status], |row| row.get(0))?;
            let offset = i64::try_from(window.offset).unwrap_or(i64::MAX);
            let mut statement = connection
                .prepare_cached(&format!("SELECT {COLUMNS}, {STATUS} {conditions} ORDER BY b.id LIMIT ?5 OFFSET ?6"))?;
            let rows = statement
                .query_map(params![organisation, namespace, retriever, status, window.size, offset], of_row)?;
            let benchmarks = rows.collect::<Result<_, _>>()?;
            Ok(BenchmarkListResponse { benchmarks, total, page: window.page(), page_size: window.size })
        })
        .await
}

/// Removes a benchmark and its results, in one transaction with its job; one that runs is cancelled, and what it has written
/// goes when it has ended.
///
/// # Errors
///
/// Returns 404 when there is none of that identifier.
pub async fn remove(app: &App, organisation: &str, namespace: &str, id: &str) -> Result<(), ApiError> {
    let (benchmark, owner, namespace) = (id.to_owned(), organisation.to_owned(), namespace.to_owned());
    let forget = move |connection: &Connection| {
        let sql = "DELETE FROM retriever_benchmarks WHERE id = ?1 AND organisation = ?2 AND namespace = ?3";
        match connection.prepare_cached(sql)?.execute([&benchmark, &owner, &namespace])? {
            0 => Err(ApiError::not_found("benchmark", &benchmark).into()),
            _ => Ok(()),
        }
    };
    app.jobs().discard(organisation, id, forget).await
}
