//! Retrievers on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::catalog::retrievers::RetrieverRecord;
use crate::mixpeek::listing::SortOption;
use crate::mixpeek::page::PaginationResponse;
use crate::platform::page::rfc3339;

/// A stage of a retriever.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StageConfig {
    /// The name under which the stage stands in `stage_latencies` and in the statistics of an execution.
    #[schema(min_length = 1)]
    pub stage_name: String,
    /// What the stage is for; what it does is said by `config` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage_type: Option<StageType>,
    /// `stage_id` is the kind of the stage: `bm25`, `vector`, `sql`, `http`, `recorded`, `shown`, `fuse` and `plugin` find
    /// documents; `filter`, `boost`, `rerank`, `dedupe` and `truncate` change what was found. `parameters` are the keys of that
    /// kind in a benchmark file, a corpus by its name, a component by `name@version`, a recorded ranking by the name of its
    /// file.
    pub config: Map<String, Value>,
    /// Kept, and not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<String>,
    /// What the stage is for, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What an error of the stage means; `error` where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_error: Option<StageOnError>,
    /// Kept, and not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_alias: Option<String>,
}

/// What a stage is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StageType {
    /// Finds or takes out documents.
    Filter,
    /// Orders them.
    Sort,
    /// Leaves some of them.
    Reduce,
    /// Changes them.
    Apply,
    /// Adds to them.
    Enrich,
}

/// What an error of a stage means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StageOnError {
    /// The search goes on without the stage.
    Skip,
    /// The search fails.
    Error,
}

/// An input of a retriever.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InputField {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: InputType,
    /// Its value where a search gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Whether a search must give it.
    #[serde(default)]
    pub required: Option<bool>,
    /// What it is, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The values that it may have.
    #[serde(rename = "enum", skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
    /// Values that it could have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<Vec<Value>>,
    /// Of an array: what its elements are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub items: Option<Box<InputField>>,
    /// Of an object: its members.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub properties: Option<BTreeMap<String, InputField>>,
}

/// The type of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say all")]
pub enum InputType {
    String,
    Number,
    Integer,
    Float,
    Boolean,
    Object,
    Array,
    Date,
    Datetime,
    Text,
    Image,
    Audio,
    Video,
    Pdf,
    Excel,
    DocumentReference,
}

/// What an execution may cost. One that takes longer is stopped, and failed. Nothing is charged here, so that no limit of credits
/// is ever reached. Benchmarks and evaluations have the limits of jobs.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct BudgetLimits {
    /// Credits.
    #[schema(minimum = 0)]
    pub max_credits: Option<f64>,
    /// Milliseconds from the wish to the answer.
    pub max_time_ms: Option<u64>,
}

/// A retriever to register.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct CreateRetrieverRequest {
    /// Its name.
    #[schema(min_length = 1)]
    pub retriever_name: String,
    /// What it is, in words.
    pub description: Option<String>,
    /// Names of the corpora that it searches. A stage that names none searches the only one.
    pub collection_identifiers: Option<Vec<String>>,
    /// Its stages, in order; the first one finds documents.
    #[schema(min_items = 1)]
    pub stages: Vec<StageConfig>,
    /// Its inputs.
    pub input_schema: Option<BTreeMap<String, InputField>>,
    /// What an execution may cost.
    pub budget_limits: Option<BudgetLimits>,
    /// Labels.
    pub tags: Option<Vec<String>>,
    /// Anything that is to be kept with it.
    pub metadata: Option<Map<String, Value>>,
    /// Kept, and not used.
    pub display_config: Option<Map<String, Value>>,
}

/// What of a retriever changes; what is not given stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct PatchRetrieverRequest {
    /// Its name.
    #[schema(min_length = 1)]
    pub retriever_name: Option<String>,
    /// What it is, in words.
    pub description: Option<String>,
    /// Names of the corpora that it searches.
    pub collection_identifiers: Option<Vec<String>>,
    /// Its stages, all of them.
    pub stages: Option<Vec<StageConfig>>,
    /// Its inputs, all of them.
    pub input_schema: Option<BTreeMap<String, InputField>>,
    /// What an execution may cost.
    pub budget_limits: Option<BudgetLimits>,
    /// Labels, all of them.
    pub tags: Option<Vec<String>>,
    /// All that is to be kept with it.
    pub metadata: Option<Map<String, Value>>,
    /// Kept, and not used.
    pub display_config: Option<Map<String, Value>>,
}

/// A copy of a retriever to make, under a new name; what is not given is as in the original.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct CloneRetrieverRequest {
    /// The name of the copy.
    #[schema(min_length = 1)]
    pub retriever_name: String,
    /// What it is, in words.
    pub description: Option<String>,
    /// Names of the corpora that it searches.
    pub collection_identifiers: Option<Vec<String>>,
    /// Its stages, all of them.
    pub stages: Option<Vec<StageConfig>>,
    /// Its inputs, all of them.
    pub input_schema: Option<BTreeMap<String, InputField>>,
    /// What an execution may cost.
    pub budget_limits: Option<BudgetLimits>,
    /// Labels, all of them.
    pub tags: Option<Vec<String>>,
    /// All that is to be kept with it.
    pub metadata: Option<Map<String, Value>>,
    /// Kept, and not used.
    pub display_config: Option<Map<String, Value>>,
}

impl CloneRetrieverRequest {
    /// Returns it as a change of a copy.
    #[must_use]
    pub fn into_patch(self) -> PatchRetrieverRequest {
        let Self { retriever_name, description, collection_identifiers, stages, input_schema, .. } = self;
        let Self { budget_limits, tags, metadata, display_config, .. } = self;
        PatchRetrieverRequest {
            retriever_name: Some(retriever_name),
            description,
            collection_identifiers,
            stages,
            input_schema,
            budget_limits,
            tags,
            metadata,
            display_config,
        }
    }
}

/// What is kept of a retriever beside its name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RetrieverBody {
    /// What it is, in words.
    pub description: Option<String>,
    /// Names of the corpora that it searches.
    pub collection_identifiers: Vec<String>,
    /// Its stages.
    pub stages: Vec<StageConfig>,
    /// Its inputs.
    pub input_schema: Option<BTreeMap<String, InputField>>,
    /// What an execution may cost.
    pub budget_limits: Option<BudgetLimits>,
    /// Labels.
    pub tags: Vec<String>,
    /// Anything that is to be kept with it.
    pub metadata: Option<Map<String, Value>>,
    /// Kept, and not used.
    pub display_config: Option<Map<String, Value>>,
    /// How often it was changed, and once more.
    pub version: u32,
    /// The token with which it was made.
    pub created_by: Option<String>,
}

impl RetrieverBody {
    /// Changes it.
    pub fn change(&mut self, patch: PatchRetrieverRequest) {
        fn replace<T>(old: &mut Option<T>, new: Option<T>) {
            if new.is_some() {
                *old = new;
            }
        }
        replace(&mut self.description, patch.description);
        replace(&mut self.input_schema, patch.input_schema);
        replace(&mut self.budget_limits, patch.budget_limits);
        replace(&mut self.metadata, patch.metadata);
        replace(&mut self.display_config, patch.display_config);
        if let Some(names) = patch.collection_identifiers {
            self.collection_identifiers = names;
        }
        if let Some(stages) = patch.stages {
            self.stages = stages;
        }
        if let Some(tags) = patch.tags {
            self.tags = tags;
        }
    }
}

/// A stage of a retriever that is registered.
#[derive(Debug, Serialize, ToSchema)]
pub struct StageConfigOutput {
    /// Its name.
    pub stage_name: String,
    /// What it is for.
    pub stage_type: Option<StageType>,
    /// `stage_id` and `parameters`.
    pub config: Map<String, Value>,
    /// As it was given.
    pub batch_size: Option<String>,
    /// What it is for, in words.
    pub description: Option<String>,
    /// What an error of it means.
    pub on_error: Option<StageOnError>,
    /// As it was given.
    pub output_alias: Option<String>,
    /// The parameters of `config` once more.
    pub parameters: Map<String, Value>,
}

/// A retriever that is registered.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetrieverConfig {
    /// Its identifier.
    pub retriever_id: String,
    /// Its name.
    pub retriever_name: String,
    /// What it is, in words.
    pub description: Option<String>,
    /// Names of the corpora that it searches.
    pub collection_ids: Vec<String>,
    /// The same.
    pub collection_identifiers: Vec<String>,
    /// Its stages, in order.
    pub stages: Vec<StageConfigOutput>,
    /// Its inputs.
    pub input_schema: Option<BTreeMap<String, InputField>>,
    /// What an execution may cost.
    pub budget_limits: Option<BudgetLimits>,
    /// Labels.
    pub tags: Vec<String>,
    /// What is kept with it.
    pub metadata: Option<Map<String, Value>>,
    /// As it was given.
    pub display_config: Option<Map<String, Value>>,
    /// How often it was changed, and once more.
    pub version: u32,
    /// When it was made, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The token with which it was made, by its identifier.
    pub created_by: Option<String>,
    /// How its first stage `fuse` makes one list of several, `rrf` or `weighted`; `none` without one.
    pub fusion: String,
}

impl RetrieverConfig {
    /// Returns a retriever as it is shown.
    #[must_use]
    pub fn of(record: RetrieverRecord) -> Self {
        let body: RetrieverBody = serde_json::from_value(record.body).unwrap_or_default();
        // Older clients take no `null` here.
        let fusion = body.stages.iter().find_map(fusion).unwrap_or("none").to_owned();
        Self {
            retriever_id: record.id,
            retriever_name: record.name,
            description: body.description,
            collection_ids: body.collection_identifiers.clone(),
            collection_identifiers: body.collection_identifiers,
            stages: body.stages.into_iter().map(stage).collect(),
            input_schema: body.input_schema,
            budget_limits: body.budget_limits,
            tags: body.tags,
            metadata: body.metadata,
            display_config: body.display_config,
            version: body.version.max(1),
            created_at: rfc3339(record.created_at),
            updated_at: rfc3339(record.updated_at),
            created_by: body.created_by,
            fusion,
        }
    }
}

fn fusion(stage: &StageConfig) -> Option<&str> {
    let is_fuse = stage.config.get("stage_id")?.as_str() == Some("fuse");
    let method = || stage.config.get("parameters")?.get("method")?.as_str();
    is_fuse.then(|| method().unwrap_or("rrf"))
}

fn stage(stage: StageConfig) -> StageConfigOutput {
    let parameters = stage.config.get("parameters").and_then(Value::as_object).cloned().unwrap_or_default();
    StageConfigOutput {
        stage_name: stage.stage_name,
        stage_type: stage.stage_type,
        config: stage.config,
        batch_size: stage.batch_size,
        description: stage.description,
        on_error: stage.on_error,
        output_alias: stage.output_alias,
        parameters,
    }
}

/// A retriever that was changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PatchRetrieverResponse {
    /// As it is now.
    pub retriever: RetrieverConfig,
}

/// A copy that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct CloneRetrieverResponse {
    /// The copy.
    pub retriever: RetrieverConfig,
    /// The original.
    pub source_retriever_id: String,
}

/// A retriever that was removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeleteRetrieverResponse {
    /// Always `true`.
    pub success: bool,
    /// Which one.
    pub retriever_id: String,
}

/// Which retrievers are listed.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ListRetrieversRequest {
    /// Text in the name, whatever its case.
    pub search: Option<String>,
    /// `AND`, `OR` and `NOT` of conditions `{field, operator, value}` over `retriever_id`, `retriever_name`, `created_at`,
    /// `updated_at`, `description` and `metadata.…`.
    pub filters: Option<Map<String, Value>>,
    /// By what they are sorted; by age where nothing is said.
    pub sort: Option<SortOption>,
}

/// Retrievers.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListRetrieversResponse {
    /// A page of them.
    pub results: Vec<RetrieverConfig>,
    /// How many there are; on this page, where `include_total` does not ask for more.
    pub total: u64,
    /// Where the page stands.
    pub pagination: PaginationResponse,
}
