//! Executions on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A search to make.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct ExecuteRetrieverRequest {
    /// The inputs. The query's text is `query`, `text`, `q` or `query_text`, or the only text among them; its vector is
    /// `query_vector`, `vector` or `embedding`.
    pub inputs: Option<Map<String, Value>>,
    /// Which documents may be found: `AND`, `OR` and `NOT` of conditions `{field, operator, value}` over the fields of the
    /// documents of all collections of the retriever. Operators: `eq`, `ne`, `gt`, `lt`, `gte`, `lte`, `in`, `nin`, `contains`,
    /// `starts_with`, `ends_with`, `regex`, `exists`, `is_null`, `text`, `phrase`, `words`, `geo_radius`, `geo_bounding_box` and
    /// `geo_polygon`. The documents are filtered before any other stage sees them, whatever their rank: a source is asked for
    /// more until enough pass, for a million documents at most (for ten thousand, where it is another server).
    pub filters: Option<Map<String, Value>>,
    /// The page: `{"method": "cursor", "limit", "cursor"}`, which it is where nothing is said, or `{"method": "offset",
    /// "page_size", "page_number"}`; `scroll` and `keyset` likewise.
    pub pagination: Option<PagePart>,
    /// Documents of the page, where `pagination` does not say.
    #[schema(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Whether the answer is a stream of events.
    pub stream: Option<bool>,
}

/// A page of documents.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct PagePart {
    /// How pages are named.
    pub method: Option<PageMethod>,
    /// Documents of a page, by number.
    #[schema(minimum = 1, maximum = 500)]
    pub page_size: Option<u32>,
    /// The page, from 1.
    #[schema(minimum = 1)]
    pub page_number: Option<u32>,
    /// Documents of a page, by cursor.
    #[schema(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// `cursor` of the page before.
    pub cursor: Option<String>,
    /// `scroll_id` of the page before.
    pub scroll_id: Option<String>,
    /// `after` of the page before.
    pub after: Option<Map<String, Value>>,
}

/// How pages are named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PageMethod {
    /// By number.
    Offset,
    /// By cursor.
    #[default]
    Cursor,
    /// By cursor.
    Scroll,
    /// By cursor.
    Keyset,
}

/// A document that was found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FoundDocument {
    /// Which one.
    pub document_id: String,
    /// Its score; `null` where the retriever gives none.
    pub score: Option<f64>,
    /// The collection in which it stands, the first one where it stands in several; `null` where it stands in none.
    #[serde(default)]
    pub collection_id: Option<String>,
}

/// What a search found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExecuteRetrieverResponse {
    /// The retriever.
    pub retriever_id: String,
    /// The execution, which interactions refer to.
    pub execution_id: String,
    /// `completed` or `failed`.
    pub status: String,
    /// The documents of the page, best first.
    pub documents: Vec<FoundDocument>,
    /// The same, by an older name.
    pub results: Vec<FoundDocument>,
    /// Where the page stands.
    pub pagination: ExecutionPage,
    /// What the stages did.
    pub stage_statistics: ExecutionStatistics,
    /// What it took, and what it may take.
    pub budget: ExecutionBudget,
    /// What should be known of the answer.
    pub warnings: Vec<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What an execution took, and what it may take by the retriever's `budget_limits`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionBudget {
    /// Always 0: nothing is charged.
    pub credits_used: f64,
    /// Credits that are left; `null` without a limit.
    pub credits_remaining: Option<f64>,
    /// Time from the wish to the answer, milliseconds.
    pub time_used_ms: f64,
    /// The most credits.
    pub max_credits: Option<f64>,
    /// The most time, milliseconds.
    pub max_time_ms: Option<u64>,
}

/// Where a page of documents stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum ExecutionPage {
    /// By number.
    Offset {
        /// Most documents of a page.
        page_size: u32,
        /// The page, from 1.
        page_number: u64,
        /// Documents of this page.
        returned: u64,
        /// Documents that the retriever found before the page was cut out of them; it is asked for no more than tell whether
        /// there is a next page.
        total: u64,
        /// Whether there is a next page.
        has_next: bool,
    },
    /// By cursor.
    Cursor {
        /// Most documents of a page.
        limit: u32,
        /// Documents of this page.
        returned: u64,
        /// Documents that the retriever found before the page was cut out of them.
        total: u64,
        /// Where the next page begins; `null` on the last one.
        cursor: Option<String>,
        /// Whether there is a next page.
        has_next: bool,
    },
    /// By cursor.
    Scroll {
        /// Most documents of a page.
        limit: u32,
        /// Documents of this page.
        returned: u64,
        /// Documents that the retriever found before the page was cut out of them.
        total: u64,
        /// Where the next page begins; `null` on the last one.
        scroll_id: Option<String>,
        /// Whether there is a next page.
        has_next: bool,
    },
    /// By cursor.
    Keyset {
        /// Most documents of a page.
        limit: u32,
        /// Documents of this page.
        returned: u64,
        /// Documents that the retriever found before the page was cut out of them.
        total: u64,
        /// Where the next page begins; `null` on the last one.
        after: Option<Map<String, Value>>,
        /// Whether there is a next page.
        has_next: bool,
    },
}

/// What the stages of a search did.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ExecutionStatistics {
    /// Each stage by its name.
    pub stages: BTreeMap<String, StageStatistics>,
    /// Time of all stages together, milliseconds.
    pub total_time_ms: f64,
    /// Always 0: nothing is charged.
    pub credits_used: f64,
}

/// What one stage of a search did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StageStatistics {
    /// Documents that it was handed.
    pub input_count: u64,
    /// Documents that left it.
    pub output_count: u64,
    /// Its time, milliseconds.
    pub duration_ms: f64,
    /// Documents that left it over those that it was handed; 1 for one that finds documents.
    pub efficiency: f64,
    /// Why it failed or was passed over.
    pub error: Option<String>,
    /// Its `kind`, its `state` and its `position` among the stages, from 0.
    pub metadata: Option<Map<String, Value>>,
}

/// An execution that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExecutionDetail {
    /// The retriever.
    pub retriever_id: String,
    /// The execution.
    pub execution_id: String,
    /// `completed` or `failed`.
    pub status: String,
    /// What was asked.
    pub inputs: Map<String, Value>,
    /// The documents that were returned, best first.
    pub documents: Vec<FoundDocument>,
    /// The same, by an older name.
    pub results: Vec<FoundDocument>,
    /// What the stages did.
    pub stage_statistics: ExecutionStatistics,
    /// Why it failed.
    pub error: Option<String>,
    /// When it began, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    pub completed_at: String,
    /// Stages that ran.
    pub stages_completed: u64,
    /// The same: it has ended.
    pub total_stages: u64,
    /// Always `true`: what was returned is kept.
    pub documents_retained: bool,
    /// Documents that were returned.
    pub total_returned: u64,
}

/// Which executions are listed.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ListExecutionsRequest {
    /// `completed` or `failed`.
    pub status: Option<String>,
    /// `AND`, `OR` and `NOT` of conditions `{field, operator, value}` over `execution_id`, `status`, `created_at`, `completed_at`
    /// and `inputs.…`.
    pub filters: Option<Map<String, Value>>,
}

/// Executions of a retriever.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListExecutionsResponse {
    /// A page of them, oldest first.
    pub results: Vec<ExecutionSummary>,
    /// Where the page stands.
    pub pagination: ExecutionsPage,
}

/// An execution in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExecutionSummary {
    /// The execution.
    pub execution_id: String,
    /// `completed` or `failed`.
    pub status: String,
    /// When it began, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    pub completed_at: String,
    /// Time of all stages together, milliseconds.
    pub duration_ms: f64,
    /// Always 0: nothing is charged.
    pub credits_used: f64,
    /// Documents that came out of the first stage.
    pub total_processed: u64,
    /// Documents that were returned.
    pub total_returned: u64,
    /// The query's text.
    pub query_summary: Option<String>,
}

/// Where a page of executions stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExecutionsPage {
    /// Executions of the list.
    pub total: u64,
    /// Most executions of a page.
    pub limit: u32,
    /// Executions before the page.
    pub offset: u64,
    /// Whether there is a next page.
    pub has_next: bool,
}
