//! Routes of executions.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{
    ExecuteRetrieverRequest, ExecuteRetrieverResponse, ExecutionDetail, ExecutionPage, ExecutionStatistics,
    FoundDocument, ListExecutionsRequest, ListExecutionsResponse, PageMethod, PagePart, StageStatistics,
};
use super::store::ExecutionRecord;
use super::{search, store, stream};
use crate::App;
use crate::catalog::retrievers::RetrieverRecord;
use crate::mixpeek::filters::{Condition, OfCorpus, wrong};
use crate::mixpeek::inputs::search_inputs;
use crate::mixpeek::page::ListQuery;
use crate::mixpeek::refusal::Refusals;
use crate::mixpeek::retrievers::model::RetrieverBody;
use crate::mixpeek::retrievers::stages::corpora_of;
use crate::mixpeek::retrievers::store as retrievers;
use crate::mixpeek::scope::{Namespace, NamespaceHeader};
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path, Query};
use crate::platform::identifier::new_id;
use crate::platform::page::now_ms;
use crate::worker::{SearchOutcome, SearchedStage};

/// Documents of a page where nothing is said.
const PAGE: u32 = 10;

/// Most documents of a page.
const LARGEST_PAGE: u32 = 500;

/// Documents down to which pages lead.
const DEEPEST: u64 = 10_000;

/// Documents that a retriever is asked for where filters take out some of them.
const FILTERED: usize = 1000;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(execute)).routes(routes!(list)).routes(routes!(get))
}

/// Asks a retriever.
///
/// What it answers is kept as an execution, which interactions refer to. With `stream`, the answer is a stream of the events
/// `stage_start`, `stage_complete` or `stage_error` for each stage, and `execution_complete` or `execution_error` at the end.
#[utoipa::path(
    post,
    path = "/v1/retrievers/{retriever_id}/execute",
    operation_id = "execute_retriever",
    tag = "retrievers",
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
    let retriever = retrievers::get(&app, &principal.organisation, &namespace, &id).await?;
    let page = page(&asked)?;
    let inputs = with_defaults(&retriever, asked.inputs.clone().unwrap_or_default())?;
    let filters = asked.filters.filter(|filters| !filters.is_empty());
    let (section, least) = match &filters {
        Some(filters) => (filtered(&retriever, filters)?, FILTERED),
        None => (retriever.section, 1),
    };
    let (organisation, retriever) = (principal.organisation, id);
    let search = Search { app, organisation, namespace, retriever, section, least, inputs, filters, page };
    if asked.stream.unwrap_or_default() {
        return Ok(stream::stream(search.make()));
    }
    Ok(axum::Json(search.make().await?).into_response())
}

/// Lists the executions of a retriever, oldest first.
#[utoipa::path(
    post,
    path = "/v1/retrievers/{retriever_id}/executions/list",
    operation_id = "list_executions_retrievers",
    tag = "retrievers",
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
    tag = "retrievers",
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

/// The page of documents that is asked for.
#[derive(Debug, Clone, Copy)]
struct Page {
    method: PageMethod,
    offset: u64,
    size: u32,
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
fn with_defaults(retriever: &RetrieverRecord, mut inputs: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let body: RetrieverBody = serde_json::from_value(retriever.body.clone()).unwrap_or_default();
    for (name, field) in body.input_schema.unwrap_or_default() {
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

/// Returns the retriever's section with a stage more that takes out what the filters exclude.
fn filtered(retriever: &RetrieverRecord, filters: &Map<String, Value>) -> Result<Value, ApiError> {
    let mut section = retriever.section.clone();
    let predicate = Condition::parse(filters)?.to_sql(&mut OfCorpus)?;
    let corpora: Vec<String> = corpora_of(&section).into_iter().collect();
    let [corpus] = corpora.as_slice() else {
        let message = format!("filters need a retriever of one corpus, and this one has {}", corpora.len());
        return Err(wrong(message));
    };
    if let Some(Value::Array(stages)) = section.get_mut("stages") {
        let name = format!("filters of the search, after {}", stages.len());
        stages.push(json!({ "kind": "filter", "name": name, "corpus": corpus, "where": predicate }));
    }
    Ok(section)
}

/// A search that can be made.
struct Search {
    app: App,
    organisation: String,
    namespace: String,
    retriever: String,
    section: Value,
    /// The least number of documents that are asked for.
    least: usize,
    inputs: Map<String, Value>,
    filters: Option<Map<String, Value>>,
    page: Page,
}

impl Search {
    async fn make(self) -> Result<ExecuteRetrieverResponse, ApiError> {
        let created_at = now_ms();
        // One more than the page has tells whether there is another page.
        let depth = usize::try_from(self.page.offset + u64::from(self.page.size) + 1).unwrap_or(usize::MAX);
        let depth = NonZeroUsize::new(depth.max(self.least)).unwrap_or(NonZeroUsize::MIN);
        let asked = search_inputs(&self.inputs);
        let found = search::find(&self.app, &self.organisation, self.section, asked, depth).await?;
        let statistics = statistics(&found);
        let (documents, pagination) = paged(&found, self.page);
        let execution = ExecutionRecord {
            id: new_id("exec"),
            retriever: self.retriever,
            inputs: self.inputs,
            filters: self.filters,
            offset: self.page.offset,
            documents,
            statistics,
            error: found.failure.map(|(kind, message)| format!("{kind}: {message}")),
            created_at,
            completed_at: now_ms(),
        };
        store::put(&self.app, &self.organisation, &self.namespace, execution.clone()).await?;
        Ok(ExecuteRetrieverResponse {
            status: execution.status().to_owned(),
            retriever_id: execution.retriever,
            execution_id: execution.id,
            results: execution.documents.clone(),
            documents: execution.documents,
            pagination,
            stage_statistics: execution.statistics,
            error: execution.error,
        })
    }
}

fn paged(found: &SearchOutcome, page: Page) -> (Vec<FoundDocument>, ExecutionPage) {
    let before = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let document = |hit: &crate::worker::FoundHit| FoundDocument { document_id: hit.item_id.clone(), score: hit.score };
    let documents: Vec<FoundDocument> = found.hits.iter().skip(before).take(page.size as usize).map(document).collect();
    let end = page.offset + u64::from(page.size);
    let has_next = found.hits.len() as u64 > end;
    let (limit, returned, total) = (page.size, documents.len() as u64, found.hits.len() as u64);
    let next = has_next.then(|| format!("offset:{end}"));
    let pagination = match page.method {
        PageMethod::Offset => {
            let page_number = page.offset / u64::from(page.size) + 1;
            ExecutionPage::Offset { page_size: limit, page_number, returned, total, has_next }
        }
        PageMethod::Cursor => ExecutionPage::Cursor { limit, returned, total, cursor: next, has_next },
        PageMethod::Scroll => ExecutionPage::Scroll { limit, returned, total, scroll_id: next, has_next },
        PageMethod::Keyset => {
            let after = next.map(|next| Map::from_iter([("cursor".to_owned(), Value::from(next))]));
            ExecutionPage::Keyset { limit, returned, total, after, has_next }
        }
    };
    (documents, pagination)
}

fn statistics(found: &SearchOutcome) -> ExecutionStatistics {
    let stages: BTreeMap<String, StageStatistics> = found
        .stages
        .iter()
        .enumerate()
        .map(|(position, stage)| (stage.name.clone(), of_stage(stage, position)))
        .collect();
    ExecutionStatistics { stages, total_time_ms: milliseconds(found.latency_ns), credits_used: 0.0 }
}

fn of_stage(stage: &SearchedStage, position: usize) -> StageStatistics {
    let (entered, left) = (stage.entered as u64, stage.left as u64);
    let efficiency = if position == 0 || entered == 0 { 1.0 } else { left as f64 / entered as f64 };
    let mut metadata = Map::new();
    metadata.insert("kind".to_owned(), Value::from(stage.kind.as_str()));
    metadata.insert("state".to_owned(), Value::from(stage.state.as_str()));
    metadata.insert("position".to_owned(), Value::from(position));
    StageStatistics {
        input_count: entered,
        output_count: left,
        duration_ms: milliseconds(stage.latency_ns),
        efficiency,
        error: stage.problem.clone(),
        metadata: Some(metadata),
    }
}

fn milliseconds(nanoseconds: i64) -> f64 {
    nanoseconds.max(0) as f64 / 1e6
}
