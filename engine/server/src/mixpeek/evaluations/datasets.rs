//! Datasets in the database.

use rusqlite::{OptionalExtension, Row, params};

use super::model::{CreateDatasetRequest, DatasetListResponse, EvaluationDataset, GroundTruthQuery};
use crate::App;
use crate::mixpeek::listing::Listing;
use crate::mixpeek::page::{Begin, PageQuery};
use crate::platform::error::ApiError;
use crate::platform::identifier::new_id;
use crate::platform::page::{now_ms, rfc3339};

const COLUMNS: &str = "id, name, description, queries, metadata, created_at, namespace, organisation";

fn of_row(row: &Row<'_>) -> rusqlite::Result<EvaluationDataset> {
    let queries: String = row.get(3)?;
    let queries: Vec<GroundTruthQuery> = serde_json::from_str(&queries).unwrap_or_default();
    let metadata: Option<String> = row.get(4)?;
    let created_at = rfc3339(row.get(5)?);
    Ok(EvaluationDataset {
        dataset_id: row.get(0)?,
        dataset_name: row.get(1)?,
        description: row.get(2)?,
        query_count: queries.len() as u64,
        queries,
        metadata: metadata.and_then(|metadata| serde_json::from_str(&metadata).ok()),
        updated_at: created_at.clone(),
        created_at,
        namespace_id: row.get(6)?,
        internal_id: row.get(7)?,
    })
}

/// Keeps a dataset.
///
/// # Errors
///
/// Returns 422 for one that makes no sense, and 409 where the name is taken.
pub async fn put(
    app: &App,
    organisation: &str,
    namespace: &str,
    asked: CreateDatasetRequest,
) -> Result<EvaluationDataset, ApiError> {
    asked.check()?;
    let id = new_id("eds");
    let queries = serde_json::to_string(&asked.queries).map_err(ApiError::internal)?;
    let metadata = asked.metadata.as_ref().map(serde_json::to_string).transpose().map_err(ApiError::internal)?;
    let (owner, place, dataset) = (organisation.to_owned(), namespace.to_owned(), id.clone());
    app.database()
        .write(move |connection| {
            let sql = "INSERT INTO evaluation_datasets (id, organisation, namespace, name, description, queries, metadata, \
                       created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
            let (name, description) = (&asked.dataset_name, &asked.description);
            let made = connection
                .prepare_cached(sql)?
                .execute(params![dataset, owner, place, name, description, queries, metadata, now_ms()])?;
            if made == 0 {
                let message = format!("there is a dataset `{name}` already; give another `dataset_name`");
                return Err(ApiError::conflict(message).into());
            }
            Ok(())
        })
        .await?;
    get(app, organisation, namespace, &id).await
}

/// Returns a dataset by its identifier or name.
///
/// # Errors
///
/// Returns 404 when there is none.
pub async fn get(app: &App, organisation: &str, namespace: &str, wanted: &str) -> Result<EvaluationDataset, ApiError> {
    let keys = [organisation, namespace, wanted].map(ToOwned::to_owned);
    let sql = format!(
        "SELECT {COLUMNS} FROM evaluation_datasets WHERE organisation = ?1 AND namespace = ?2 AND (id = ?3 OR name = ?3) \
         ORDER BY id = ?3 DESC LIMIT 1"
    );
    let found = app
        .database()
        .read(move |connection| Ok(connection.prepare_cached(&sql)?.query_row(keys, of_row).optional()?))
        .await?;
    found.ok_or_else(|| ApiError::not_found("dataset", wanted))
}

/// Returns a page of the datasets of a namespace, oldest first.
///
/// # Errors
///
/// Returns 422 for a page that is none.
pub async fn list(
    app: &App,
    organisation: &str,
    namespace: &str,
    query: PageQuery,
) -> Result<DatasetListResponse, ApiError> {
    let window = query.window()?;
    let listing = Listing::of("evaluation_datasets", organisation, namespace);
    let listed = app
        .database()
        .read(move |connection| {
            listing.read(connection, COLUMNS, (&Begin::Offset(window.offset), window.size), true, of_row)
        })
        .await?;
    let total = listed.pagination.total.unwrap_or_default();
    Ok(DatasetListResponse { datasets: listed.entries, total, page: window.page(), page_size: window.size })
}
