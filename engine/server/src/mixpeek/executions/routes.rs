//! Routes of executions.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{
    ExecuteRetrieverRequest, ExecuteRetrieverResponse, ExecutionDetail, ListExecutionsRequest, ListExecutionsResponse,
    PageMethod, PagePart,
};
use super::running::{Filters, Page, Search};
use super::{store, stream};
use crate::App;
use crate::catalog::check_rows;
use crate::catalog::retrievers::RetrieverRecord;
use crate::filters::{Condition, Predicate};
use crate::mixpeek::page::ListQuery;
use crate::mixpeek::refusal::Refusals;
use crate::mixpeek::retrievers::model::RetrieverBody;
use crate::mixpeek::retrievers::store as retrievers;
use crate::mixpeek::scope::{Namespace, NamespaceHeader};
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path, Query};

/// Documents of a page where nothing is said.
const PAGE: u32 = 10;

/// Most documents of a page.
const LARGEST_PAGE: u32 = 500;

/// Documents down to which pages lead.
const DEEPEST: u64 = 10_000;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(execute)).routes(routes!(list)).routes(routes!(get))
}

/// Asks a retriever.
///
/// What it answers is kept as an execution, which interactions refer to. With `stream`, the answer is a stream of the events
/// `stage_start`, `stage_complete` or `stage_error` for each stage as it begins and ends, and `execution_complete` or
/// `execution_error` at the end. An execution that takes longer than the retriever's `budget_limits` allow is stopped, and
/// failed.
#[utoipa::path(
    post,
    path = "/v1/retrievers/{retriever_id}/execute",
    operation_id = "execute_retriever",
    security(("token" = ["read"])),
    params(NamespaceHeader, ("retriever_id" = String, Path, description = "The retriever")),
    request_body = ExecuteRetrieverRequest,
    responses(
        (status = 200, description = "What it answered", content(
            (ExecuteRetrieverResponse = "application/json"),
            (String = "text/event-stream")
        )),
        Refusals
    )
)]
async fn execute(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
    Json(asked): Json<ExecuteRetrieverRequest>,
) -> Result<Response, ApiError> {
    // Whoever reads may ask, but what is answered is kept.
    check_rows(&app, &principal.organisation).await?;
    let retriever = retrievers::get(&app, &principal.organisation, &namespace, &id).await?;
    let body: RetrieverBody = serde_json::from_value(retriever.body.clone()).unwrap_or_default();
    let page = page(&asked)?;
    let inputs = with_defaults(&body, asked.inputs.clone().unwrap_or_default())?;
    let filters = asked.filters.filter(|filters| !filters.is_empty()).map(checked).transpose()?;
    let RetrieverRecord { section, .. } = retriever;
    let (organisation, retriever) = (principal.organisation.clone(), id);
    let search =
        Search::new(app.clone(), (organisation, namespace, retriever), (section, body), (inputs, filters), page);
    if asked.stream.unwrap_or_default() {
        return Ok(stream::stream(&app, &principal, search));
    }
    Ok(axum::Json(search.make(None).await?).into_response())
}

/// Reads filters; whatever an operator does not take is told before anything is asked.
fn checked(written: Map<String, Value>) -> Result<Filters, ApiError> {
    let condition = Condition::parse(&written)?;
    Predicate::of(&condition)?;
    Ok(Filters { written, condition })
}

/// Lists the executions of a retriever, oldest first.
#[utoipa::path(
    post,
    path = "/v1/retrievers/{retriever_id}/executions/list",
    operation_id = "list_executions_retrievers",
    security(("token" = ["read"])),
    params(NamespaceHeader, ListQuery, ("retriever_id" = String, Path, description = "The retriever")),
    request_body = Option<ListExecutionsRequest>,
    responses((status = 200, description = "A page of them", body = ListExecutionsResponse), Refusals)
)]
async fn list(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
    Json(asked): Json<ListExecutionsRequest>,
) -> Result<axum::Json<ListExecutionsResponse>, ApiError> {
    retrievers::get(&app, &principal.organisation, &namespace, &id).await?;
    store::list(&app, &principal.organisation, &namespace, &id, &asked, &query).await.map(axum::Json)
}

/// Returns an execution.
#[utoipa::path(
    get,
    path = "/v1/retrievers/{retriever_id}/executions/{execution_id}",
    operation_id = "get_execution_retrievers",
    security(("token" = ["read"])),
    params(
        NamespaceHeader,
        ("retriever_id" = String, Path, description = "The retriever"),
        ("execution_id" = String, Path, description = "The execution")
    ),
    responses((status = 200, description = "The execution", body = ExecutionDetail), Refusals)
)]
async fn get(
    State(app): State<App>,
    Reader(principal): Reader,
    Namespace(namespace): Namespace,
    Path((retriever, id)): Path<(String, String)>,
) -> Result<axum::Json<ExecutionDetail>, ApiError> {
    let found = store::get(&app, &principal.organisation, &namespace, (&retriever, &id)).await?;
    Ok(axum::Json(found.into_detail()))
}

fn page(asked: &ExecuteRetrieverRequest) -> Result<Page, ApiError> {
    let part = asked.pagination.clone().unwrap_or_default();
    let by_number = part.page_size.is_some() || part.page_number.is_some();
    let method = part.method.unwrap_or(if by_number { PageMethod::Offset } else { PageMethod::default() });
    let size = part.page_size.or(part.limit).or(asked.limit).unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&size) {
        let message = format!("{size} documents are asked for; expected 1 to {LARGEST_PAGE}");
        return Err(ApiError::invalid(&["body", "limit"], "out_of_range", message));
    }
    let offset = match method {
        PageMethod::Offset => {
            let number = part.page_number.unwrap_or(1);
            let before = number.checked_sub(1).ok_or_else(|| {
                ApiError::invalid(&["body", "pagination", "page_number"], "greater_than_equal", "pages count from 1")
            })?;
            u64::from(before) * u64::from(size)
        }
        _ => cursor(&part)?,
    };
    if offset + u64::from(size) > DEEPEST {
        let message = format!("the page ends after more than {DEEPEST} documents");
        return Err(ApiError::invalid(&["body", "pagination"], "out_of_range", message));
    }
    Ok(Page { method, offset, size })
}

fn cursor(part: &PagePart) -> Result<u64, ApiError> {
    let after = part.after.as_ref().and_then(|after| after.get("cursor")).and_then(Value::as_str);
    let Some(text) = part.cursor.as_deref().or(part.scroll_id.as_deref()).or(after) else { return Ok(0) };
    let number = text.strip_prefix("offset:").and_then(|number| number.parse::<u32>().ok());
    number
        .map(u64::from)
        .ok_or_else(|| ApiError::bad_request("the cursor is none of ours; expected the one of the page before"))
}

/// Fills in what the retriever's input schema says of inputs that were not given.
fn with_defaults(body: &RetrieverBody, mut inputs: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    for (name, field) in body.input_schema.clone().unwrap_or_default() {
        if inputs.get(&name).is_some_and(|value| !value.is_null()) {
            continue;
        }
        match field.default {
            Some(value) => {
                inputs.insert(name, value);
            }
            None if field.required.unwrap_or_default() => {
                let message = format!("the retriever needs the input `{name}`");
                return Err(ApiError::invalid(&["body", "inputs", &name], "missing", message));
            }
            None => {}
        }
    }
    Ok(inputs)
}
