//! `/v1/runs/{id}/rows`: the tables of a run, page by page.

use std::path::Path as FilePath;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::pages::limit;
use super::problem::Refusals;
use super::runs::{directory, find_finished};
use crate::App;
use crate::catalog::{is_regular, open_regular};
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Path, Query};
use crate::worker::{TABLES, json_of};

/// Bytes of an answer.
const MOST_BYTES: usize = 16 << 20;

/// Rows that are decoded at once.
const ROWS_AT_ONCE: usize = 64;

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

/// Reads the rows of the page out of the row groups that hold them: of no other rows is more decoded than must be.
fn read(
    path: &FilePath,
    table: &str,
    columns: Option<Vec<String>>,
    offset: u64,
    limit: usize,
) -> Result<Vec<u8>, ApiError> {
    if !is_regular(path) {
        let mut error = ApiError::not_found("table", table);
        error.message =
            format!("this run has no table `{table}`; `output.formats` of its benchmark says which it writes");
        return Err(error);
    }
    let file = open_regular(path).map_err(ApiError::internal)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(ApiError::internal)?;
    let names: Vec<&str> = reader.schema().fields().iter().map(|field| field.name().as_str()).collect();
    if let Some(unknown) = columns.iter().flatten().find(|name| !names.contains(&name.as_str())) {
        let message = format!("`{table}` has no column `{unknown}`; it has `{}`", names.join("`, `"));
        return Err(ApiError::invalid(&["query", "columns"], "enum", message));
    }
    let parquet = reader.parquet_schema();
    let mask = match &columns {
        None => ProjectionMask::all(),
        Some(columns) => {
            let fields = parquet.root_schema().get_fields().iter().enumerate();
            let kept = fields.filter(|(_, field)| columns.iter().any(|name| name == field.name()));
            ProjectionMask::roots(parquet, kept.map(|(root, _)| root))
        }
    };
    let sizes: Vec<u64> =
        reader.metadata().row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).collect();
    let head = serde_json::json!({ "table": table, "total": sizes.iter().sum::<u64>(), "offset": offset });
    let mut written = head.to_string().into_bytes();
    written.pop();
    written.extend_from_slice(b",\"rows\":[");
    let (groups, skipped) = held_by(&sizes, offset, limit as u64);
    let pieces = reader
        .with_row_groups(groups)
        .with_projection(mask)
        .with_offset(skipped)
        .with_limit(limit)
        .with_batch_size(limit.min(ROWS_AT_ONCE))
        .build()
        .map_err(ApiError::internal)?;
    let mut is_first = true;
    for batch in pieces {
        let batch = batch.map_err(ApiError::internal)?;
        let page = json_of(&batch).map_err(ApiError::internal)?;
        let rows = page.get(1..page.len().saturating_sub(1)).unwrap_or_default();
        if written.len().saturating_add(rows.len()) > MOST_BYTES {
            return Err(too_large());
        }
        if !rows.is_empty() {
            if !is_first {
                written.push(b',');
            }
            is_first = false;
            written.extend_from_slice(rows);
        }
    }
    written.extend_from_slice(b"]}");
    Ok(written)
}

/// Returns the row groups, of these numbers of rows, that hold a page, and how many rows of the first of them come before it.
fn held_by(sizes: &[u64], offset: u64, limit: u64) -> (Vec<usize>, usize) {
    let end = offset.saturating_add(limit);
    let (mut groups, mut skipped, mut first) = (Vec::new(), 0, 0_u64);
    for (group, rows) in sizes.iter().enumerate() {
        let last = first.saturating_add(*rows);
        if last > offset && first < end {
            if groups.is_empty() {
                skipped = usize::try_from(offset - first).unwrap_or(usize::MAX);
            }
            groups.push(group);
        }
        first = last;
    }
    (groups, skipped)
}

fn too_large() -> ApiError {
    let message = format!(
        "these rows have more than {} MiB; ask for fewer `columns`, or for fewer rows by `limit`",
        MOST_BYTES >> 20
    );
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "answer_too_large", message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
    use datafusion::parquet::arrow::ArrowWriter;
    use datafusion::parquet::file::properties::WriterProperties;

    use super::*;

    /// A table of 25 rows in groups of ten, of which each has a text of `width` letters.
    fn table(folder: &FilePath, width: usize) -> std::path::PathBuf {
        let number = Arc::new(Int64Array::from_iter_values(0..25)) as _;
        let text = Arc::new(StringArray::from_iter_values((0..25).map(|_| "x".repeat(width)))) as _;
        let batch = RecordBatch::try_from_iter([("number", number), ("text", text)]).unwrap();
        let path = folder.join("rows.parquet");
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    #[test]
    fn a_page_is_the_same_wherever_row_groups_begin() {
        let folder = tempfile::tempdir().unwrap();
        let path = table(folder.path(), 1);
        for offset in 0..27 {
            for limit in [1, 4, 10, 11, 30] {
                let columns = Some(vec!["number".to_owned()]);
                let page: Value = serde_json::from_slice(&read(&path, "t", columns, offset, limit).unwrap()).unwrap();
                let expected: Vec<Value> =
                    (offset..25).take(limit).map(|n| serde_json::json!({ "number": n })).collect();
                assert_eq!(
                    (&page["rows"], &page["total"]),
                    (&Value::from(expected), &Value::from(25)),
                    "{offset} {limit}"
                );
            }
        }
        let beyond = read(&path, "t", None, u64::MAX, 1000).unwrap();
        assert!(beyond.ends_with(b"\"rows\":[]}"));
    }

    #[test]
    fn rows_that_are_too_large_together_are_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = table(folder.path(), 1 << 20);
        let refused = read(&path, "t", None, 0, 25).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (422, "answer_too_large"));
        assert!(refused.message.contains("`columns`") && refused.message.contains("`limit`"));
        assert!(
            read(&path, "t", None, 0, 3).is_ok() && read(&path, "t", Some(vec!["number".to_owned()]), 0, 25).is_ok()
        );
    }
}
