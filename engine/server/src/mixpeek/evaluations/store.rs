//! Evaluations in the database, and where their jobs stand.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::job::{Evaluated, EvaluationJob, RetrieverEvaluation};
use super::model::{EvaluationListResponse, EvaluationQuery, EvaluationRecord, EvaluationStatus};
use crate::App;
use crate::jobs::NewJob;
use crate::mixpeek::page::PageQuery;
use crate::platform::error::ApiError;
use crate::platform::identifier::new_id;
use crate::platform::page::{now_ms, rfc3339};

/// Where an evaluation stands follows from its job alone.
const STATUS: &str = "CASE j.state WHEN 'completed' THEN 'completed' WHEN 'queued' THEN 'pending' \
    WHEN 'running' THEN 'in_progress' ELSE 'failed' END";

const FROM: &str = "retriever_evaluations AS v JOIN jobs AS j ON j.id = v.id AND j.organisation = v.organisation";

const COLUMNS: &str = "v.id, v.retriever, v.dataset, v.dataset_name, v.namespace, v.organisation, j.request, j.created_at, \
    j.started_at, j.ended_at, j.failure, j.outcome, j.state";

/// What an evaluation is about.
#[derive(Debug, Clone)]
pub struct NewEvaluation {
    /// The retriever.
    pub retriever: String,
    /// The dataset's name.
    pub dataset_name: String,
    /// What is asked of its job.
    pub job: EvaluationJob,
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<EvaluationRecord> {
    fn json<T: serde::de::DeserializeOwned>(text: Option<String>) -> Option<T> {
        text.and_then(|text| serde_json::from_str(&text).ok())
    }
    let asked: Option<EvaluationJob> = json(row.get(6)?);
    let asked = asked.ok_or(rusqlite::Error::InvalidQuery)?;
    let status: String = row.get(13)?;
    let status = EvaluationStatus::ALL.into_iter().find(|known| known.name() == status);
    let failure: Option<serde_json::Value> = json(row.get(10)?);
    let message = failure.and_then(|failure| Some(failure.get("message")?.as_str()?.to_owned()));
    let was_cancelled = row.get::<_, String>(12)? == "cancelled";
    let evaluated: Option<Evaluated> = json(row.get(11)?);
    let (created, started, ended): (i64, Option<i64>, Option<i64>) = (row.get(7)?, row.get(8)?, row.get(9)?);
    let skipped = |evaluated: &Evaluated| evaluated.queries.iter().filter(|query| query.error.is_some()).count() as u64;
    let total = evaluated.as_ref().map(|evaluated| evaluated.queries.len() as u64);
    let skipped = evaluated.as_ref().map(skipped);
    Ok(EvaluationRecord {
        evaluation_id: row.get(0)?,
        retriever_id: row.get(1)?,
        dataset_id: row.get(2)?,
        dataset_name: row.get(3)?,
        namespace_id: row.get(4)?,
        internal_id: row.get(5)?,
        config: asked.config,
        status: status.unwrap_or(EvaluationStatus::Failed),
        created_at: rfc3339(created),
        updated_at: rfc3339(ended.or(started).unwrap_or(created)),
        completed_at: ended.map(rfc3339),
        query_count: asked.query_count,
        overall_metrics: evaluated.as_ref().map(|evaluated| evaluated.overall.clone()),
        metrics_by_k: evaluated.as_ref().map(|evaluated| evaluated.by_cutoff.clone()),
        total_queries: total,
        evaluated_queries: total.zip(skipped).map(|(total, skipped)| total - skipped),
        skipped_queries: skipped,
        error_message: message.or_else(|| was_cancelled.then(|| "cancelled".to_owned())),
        verdict: evaluated.as_ref().and_then(|evaluated| evaluated.verdict.clone()),
        query_results: evaluated.map(|evaluated| evaluated.queries),
        baseline_evaluation_id: asked.baseline,
        weight_set_id: None,
    })
}

/// Begins an evaluation, which runs when its turn comes.
///
/// # Errors
///
/// Returns 429 when the organisation has too many jobs that wait or run.
pub async fn create(app: &App, organisation: &str, new: NewEvaluation) -> Result<EvaluationRecord, ApiError> {
    let id = new_id("eval");
    let request = serde_json::to_value(&new.job).map_err(ApiError::internal)?;
    let job = NewJob { id: id.clone(), kind: RetrieverEvaluation::NAME, request };
    let (row, owner, evaluation) = (new.clone(), organisation.to_owned(), id.clone());
    let write = move |connection: &Connection| {
        let sql = "INSERT INTO retriever_evaluations (id, organisation, namespace, retriever, dataset, dataset_name, \
                   created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let NewEvaluation { retriever, dataset_name, job } = row;
        let values = params![evaluation, owner, job.namespace, retriever, job.dataset, dataset_name, now_ms()];
        connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    };
    app.jobs().submit_with(organisation, job, write).await?;
    get(app, organisation, &new.job.namespace, (&new.retriever, &id)).await
}

/// Returns an evaluation of a retriever.
///
/// # Errors
///
/// Returns 404 when there is none of that identifier.
pub async fn get(
    app: &App,
    organisation: &str,
    namespace: &str,
    (retriever, id): (&str, &str),
) -> Result<EvaluationRecord, ApiError> {
    let keys = [id, organisation, namespace, retriever].map(ToOwned::to_owned);
    let sql = format!(
        "SELECT {COLUMNS}, {STATUS} FROM {FROM} \
         WHERE v.id = ?1 AND v.organisation = ?2 AND v.namespace = ?3 AND v.retriever = ?4"
    );
    let found = app
        .database()
        .read(move |connection| Ok(connection.prepare_cached(&sql)?.query_row(keys, of_row).optional()?))
        .await?;
    found.ok_or_else(|| ApiError::not_found("evaluation", id))
}

/// Returns an evaluation of any retriever of a namespace.
///
/// # Errors
///
/// Returns 404 when there is none of that identifier.
pub async fn find(app: &App, organisation: &str, namespace: &str, id: &str) -> Result<EvaluationRecord, ApiError> {
    let keys = [id, organisation, namespace].map(ToOwned::to_owned);
    let sql =
        format!("SELECT {COLUMNS}, {STATUS} FROM {FROM} WHERE v.id = ?1 AND v.organisation = ?2 AND v.namespace = ?3");
    let found = app
        .database()
        .read(move |connection| Ok(connection.prepare_cached(&sql)?.query_row(keys, of_row).optional()?))
        .await?;
    found.ok_or_else(|| ApiError::not_found("evaluation", id))
}

/// Returns what an evaluation of an organisation found; `None` where it is not completed.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn outcome(app: &App, organisation: &str, id: &str) -> Result<Option<Evaluated>, ApiError> {
    let job = app.jobs().get(organisation, id).await?.filter(|job| job.kind == RetrieverEvaluation::NAME);
    job.and_then(|job| job.outcome).map(serde_json::from_value).transpose().map_err(ApiError::internal)
}

/// Returns a page of the evaluations of a retriever, oldest first.
///
/// # Errors
///
/// Returns 422 for a page that is none.
pub async fn list(
    app: &App,
    organisation: &str,
    namespace: &str,
    retriever: &str,
    query: &EvaluationQuery,
) -> Result<EvaluationListResponse, ApiError> {
    let window = PageQuery { page: query.page, page_size: query.page_size }.window()?;
    let keys = [organisation, namespace, retriever].map(ToOwned::to_owned);
    let (status, dataset) = (query.status.map(EvaluationStatus::name), query.dataset_name.clone());
    let conditions = format!(
        "FROM {FROM} WHERE v.organisation = ?1 AND v.namespace = ?2 AND v.retriever = ?3 \
         AND (?4 IS NULL OR {STATUS} = ?4) AND (?5 IS NULL OR v.dataset_name = ?5)"
    );
    app.database()
        .read(move |connection| {
            let [organisation, namespace, retriever] = keys;
            let total = connection
                .prepare_cached(&format!("SELECT count(*) {conditions}"))?
                .query_row(params![organisation, namespace, retriever, status, dataset], |row| row.get(0))?;
            let offset = i64::try_from(window.offset).unwrap_or(i64::MAX);
            let mut statement = connection
                .prepare_cached(&format!("SELECT {COLUMNS}, {STATUS} {conditions} ORDER BY v.id LIMIT ?6 OFFSET ?7"))?;
            let values = params![organisation, namespace, retriever, status, dataset, window.size, offset];
            let evaluations = statement.query_map(values, of_row)?.collect::<Result<_, _>>()?;
            Ok(EvaluationListResponse { evaluations, total, page: window.page(), page_size: window.size })
        })
        .await
}
