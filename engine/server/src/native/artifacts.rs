//! `/v1/runs/{id}/artifacts`: the files of a run.

use std::path::Path as FilePath;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use rematch_engine::store::layout;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use utoipa::ToSchema;

use super::problem::Refusals;
use super::runs::{directory, find};
use crate::App;
use crate::catalog::open_regular;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::Path;

/// Bytes that are read at once.
const CHUNK: u64 = 256 << 10;

const PARQUET: &str = "application/vnd.apache.parquet";
const JSON: &str = "application/json";

/// The files of a run directory that are for readers, and what they are.
const ARTIFACTS: [(&str, &str); 13] = [
    (layout::REPORT_JSON, JSON),
    (layout::REPORT_HTML, "text/html; charset=utf-8"),
    (layout::MANIFEST, JSON),
    (layout::SELECTION, JSON),
    (layout::SESSIONS, PARQUET),
    (layout::RANKINGS, PARQUET),
    (layout::SCENARIO_SCORES, PARQUET),
    (layout::COMPARISONS, PARQUET),
    (layout::TAXONOMY, PARQUET),
    (layout::JUDGE_NEXT, PARQUET),
    (layout::JUDGE_NEXT_CSV, "text/csv; charset=utf-8"),
    (layout::LOOKS, JSON),
    (layout::STOPPED, JSON),
];

/// A file of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Artifact {
    /// Its name.
    name: String,
    /// Its size, bytes.
    bytes: u64,
    /// What it is.
    content_type: String,
}

/// The files of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Artifacts {
    /// Those that are there so far.
    items: Vec<Artifact>,
}

/// List a run's files
///
/// Those that are there so far; all of them, once the run is completed.
#[utoipa::path(
    get, path = "/v1/runs/{id}/artifacts", operation_id = "list_artifacts", tag = "runs", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The files", body = Artifacts), Refusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<Json<Artifacts>, ApiError> {
    let run = directory(&app, &find(&app, &principal.organisation, &id).await?);
    let mut items = Vec::new();
    for (name, content_type) in ARTIFACTS {
        let found = tokio::fs::symlink_metadata(run.join(name)).await;
        if let Some(found) = found.ok().filter(std::fs::Metadata::is_file) {
            let (name, content_type) = (name.to_owned(), content_type.to_owned());
            items.push(Artifact { name, bytes: found.len(), content_type });
        }
    }
    Ok(Json(Artifacts { items }))
}

/// Get a file of a run
///
/// `report.json`, `report.html`, the Parquet tables. A `Range` of bytes may be asked for.
#[utoipa::path(
    get, path = "/v1/runs/{id}/artifacts/{name}", operation_id = "get_artifact", tag = "runs", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The run"), ("name" = String, Path, description = "The file's name")),
    responses(
        (status = 200, description = "The file", content(
            (Vec<u8> = "application/vnd.apache.parquet"),
            (serde_json::Value = "application/json"),
            (String = "text/html"),
            (String = "text/csv"),
        )),
        (status = 206, description = "The range that was asked for", content(
            (Vec<u8> = "application/vnd.apache.parquet"),
            (Vec<u8> = "application/json"),
            (String = "text/html"),
            (String = "text/csv"),
        )),
        (status = 416, description = "No such range", body = super::problem::Problem, content_type = "application/problem+json"),
        Refusals
    )
)]
pub(super) async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let run = directory(&app, &find(&app, &principal.organisation, &id).await?);
    let known = ARTIFACTS.into_iter().find(|(known, _)| *known == name);
    let (known, content_type) = known.ok_or_else(|| ApiError::not_found("artifact", &name))?;
    let path = run.join(known);
    if !tokio::fs::symlink_metadata(&path).await.is_ok_and(|found| found.is_file()) {
        return Err(ApiError::not_found("artifact", &name));
    }
    stream(&path, content_type, &headers).await
}

/// Sends a file, or the range of it that is asked for, piece by piece.
pub(super) async fn stream(path: &FilePath, content_type: &str, asked: &HeaderMap) -> Result<Response, ApiError> {
    let opened = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || open_regular(&opened)).await.map_err(ApiError::internal)?;
    let mut file = tokio::fs::File::from_std(opened.map_err(ApiError::internal)?);
    let bytes = file.metadata().await.map_err(ApiError::internal)?.len();
    let range = asked.get(header::RANGE).and_then(|range| range.to_str().ok());
    let (first, end, status) = match range.and_then(|range| ranged(range, bytes)) {
        None => (0, bytes, StatusCode::OK),
        Some(Ok((first, end))) => (first, end, StatusCode::PARTIAL_CONTENT),
        Some(Err(())) => {
            let message = format!("there are {bytes} bytes, and none of the range that was asked for");
            return Err(ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "no_such_range", message));
        }
    };
    file.seek(std::io::SeekFrom::Start(first)).await.map_err(ApiError::internal)?;
    let pieces = futures::stream::try_unfold((file, end - first), |(mut file, left)| async move {
        let mut piece = Vec::new();
        let read = (&mut file).take(left.min(CHUNK)).read_to_end(&mut piece).await? as u64;
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), (file, left - read))))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - first));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // What a tenant's data may have put into a page runs nowhere but in a sandbox of its own.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox allow-scripts"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::try_from(content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) = HeaderValue::try_from(format!("bytes {first}-{}/{bytes}", end - 1))
    {
        headers.insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

/// Returns the first byte and the end of the one range that is asked for; `None` where what is asked for is none that is
/// understood, which is answered by the whole.
fn ranged(asked: &str, bytes: u64) -> Option<Result<(u64, u64), ()>> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, end) = match (first.trim(), last.trim()) {
        ("", last) => (bytes.saturating_sub(number(last)?), bytes),
        (first, "") => (number(first)?, bytes),
        (first, last) => (number(first)?, number(last)?.saturating_add(1).min(bytes)),
    };
    Some(if first < end { Ok((first, end)) } else { Err(()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_end_and_refused_beyond_it() {
        for (asked, range) in [
            ("bytes=0-0", Some(Ok((0, 1)))),
            ("bytes=5-", Some(Ok((5, 10)))),
            ("bytes=-3", Some(Ok((7, 10)))),
            ("bytes=2-100", Some(Ok((2, 10)))),
            ("bytes=-100", Some(Ok((0, 10)))),
            ("bytes=10-", Some(Err(()))),
            ("bytes=5-4", Some(Err(()))),
            ("bytes=-0", Some(Err(()))),
            ("bytes=0-1,4-5", None),
            ("lines=0-1", None),
            ("bytes=a-b", None),
            ("bytes=0-18446744073709551615", Some(Ok((0, 10)))),
        ] {
            assert_eq!(ranged(asked, 10), range, "{asked}");
        }
        assert_eq!(ranged("bytes=0-", 0), Some(Err(())));
    }
}
