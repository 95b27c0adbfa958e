//! `/v1/runs/{id}/rows`: the tables of a run, page by page.

use std::path::Path as FilePath;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use rematch_engine::store::TableReader;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::pages::limit;
use super::problem::Refusals;
use super::runs::{directory, find_finished};
use crate::App;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Path, Query};
use crate::worker::{TABLES, json_of};

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RowsQuery {
    /// `sessions`, `rankings`, `scenario_scores`, `comparisons`, `taxonomy` or `judge_next`.
    table: String,
    /// Rows of the page; 100 where it is not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Rows before it; 0 where it is not given.
    #[param(minimum = 0)]
    offset: Option<u64>,
    /// Names of the columns, with commas between them; all where it is not given.
    columns: Option<String>,
}

/// Rows of a table of a run. A run's tables do not change: pages do not either.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rows {
    /// The table.
    table: String,
    /// Its rows in all.
    total: u64,
    /// Rows before the first of these.
    offset: u64,
    /// An object per row.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Value>,
}

/// Page through a table of a run
///
/// Rows in the order of the table, as JSON objects.
#[utoipa::path(
    get, path = "/v1/runs/{id}/rows", operation_id = "list_rows", tag = "runs", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The run"), RowsQuery),
    responses((status = 200, description = "The rows", body = Rows), Refusals)
)]
pub(super) async fn page(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
    Query(query): Query<RowsQuery>,
) -> Result<Response, ApiError> {
    let limit = limit(query.limit)?;
    let run = directory(&app, &find_finished(&app, &principal.organisation, &id).await?);
    let known = TABLES.into_iter().find(|(table, _)| *table == query.table);
    let (table, file) = known.ok_or_else(|| {
        let names = TABLES.map(|(table, _)| table).join("`, `");
        ApiError::invalid(
            &["query", "table"],
            "enum",
            format!("`{}` is no table; expected one of `{names}`", query.table),
        )
    })?;
    let path = run.join(file);
    let columns = query.columns.map(|columns| columns.split(',').map(|name| name.trim().to_owned()).collect());
    let offset = query.offset.unwrap_or(0);
    let written = tokio::task::spawn_blocking(move || read(&path, table, columns, offset, limit));
    let body = written.await.map_err(ApiError::internal)??;
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Reads the row groups that hold the page, and no others.
fn read(
    path: &FilePath,
    table: &str,
    columns: Option<Vec<String>>,
    offset: u64,
    limit: usize,
) -> Result<Vec<u8>, ApiError> {
    if !path.is_file() {
        let mut error = ApiError::not_found("table", table);
        error.message =
            format!("this run has no table `{table}`; `output.formats` of its benchmark says which it writes");
        return Err(error);
    }
    let reader = TableReader::open(path).map_err(ApiError::internal)?;
    let names: Vec<&str> = reader.schema().fields().iter().map(|field| field.name().as_str()).collect();
    let roots: Vec<&str> = match &columns {
        None => names.clone(),
        Some(columns) => {
            if let Some(unknown) = columns.iter().find(|name| !names.contains(&name.as_str())) {
                let message = format!("`{table}` has no column `{unknown}`; it has `{}`", names.join("`, `"));
                return Err(ApiError::invalid(&["query", "columns"], "enum", message));
            }
            columns.iter().map(String::as_str).collect()
        }
    };
    let head = serde_json::json!({ "table": table, "total": reader.rows(), "offset": offset });
    let mut written = head.to_string().into_bytes();
    written.pop();
    written.extend_from_slice(b",\"rows\":[");
    let (mut skip, mut left) = (offset, limit as u64);
    let mut is_first = true;
    for group in 0..reader.groups() {
        let rows = reader.group_rows(group);
        if left == 0 {
            break;
        }
        if skip >= rows {
            skip -= rows;
            continue;
        }
        let batch = reader.group_columns(group, &roots).map_err(ApiError::internal)?;
        let taken = (rows - skip).min(left);
        let from = usize::try_from(skip).unwrap_or(usize::MAX).min(batch.num_rows());
        let count = usize::try_from(taken).unwrap_or(0).min(batch.num_rows() - from);
        let page = json_of(&batch.slice(from, count)).map_err(ApiError::internal)?;
        if page.len() > 2 {
            if !is_first {
                written.push(b',');
            }
            is_first = false;
            written.extend_from_slice(page.get(1..page.len() - 1).unwrap_or_default());
        }
        left -= taken;
        skip = 0;
    }
    written.extend_from_slice(b"]}");
    Ok(written)
}
