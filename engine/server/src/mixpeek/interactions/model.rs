//! Interactions on the wire.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::mixpeek::listing::SortOption;
use crate::mixpeek::page::PaginationResponse;
use crate::platform::error::ApiError;
use crate::platform::instant;

/// Characters of an identifier that a client gives.
const LONGEST: usize = 1024;

/// The largest position, and size of a list: that of 32-bit integers, as the document has them.
const LARGEST: u32 = i32::MAX as u32;

/// What a user did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say all; the engine's default weights say what each is worth")]
pub enum InteractionType {
    Impression,
    View,
    Click,
    Dwell,
    PositiveFeedback,
    NegativeFeedback,
    Purchase,
    AddToCart,
    Wishlist,
    LongView,
    Share,
    Bookmark,
    QueryRefinement,
    ZeroResults,
    FilterToggle,
    Skip,
    ReturnToResults,
    Play,
    Download,
    Save,
    AddToProject,
    Rating,
}

/// Something that a user did with a document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SearchInteraction {
    /// The document; `document_id` is another name of it.
    #[serde(alias = "document_id")]
    #[schema(min_length = 1, max_length = 1024)]
    pub feature_id: String,
    /// What the user did with it; several things at once, where they were.
    #[schema(min_items = 1)]
    pub interaction_type: Vec<InteractionType>,
    /// Where it stood in the list, from 0.
    pub position: u32,
    /// Anything else that is known. `taxonomy_node_ids` or `taxonomy`, a text or a list of them, says which taxonomy nodes the
    /// search is filed under; a number `value` is the interaction's worth, such as the price of a purchase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1024)]
    pub user_id: Option<String>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1024)]
    pub session_id: Option<String>,
    /// The execution that found the document. It must be given where `retriever_id` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1024)]
    pub execution_id: Option<String>,
    /// The retriever that found the document; taken from the execution, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1024)]
    pub retriever_id: Option<String>,
    /// The inputs of the search, for executions that are not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_snapshot: Option<Map<String, Value>>,
    /// The score of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_score: Option<f64>,
    /// Documents that were shown; 0 with `zero_results` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_set_size: Option<u32>,
    /// Kept, and not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_uri: Option<String>,
    /// When it happened, RFC 3339; without a zone, UTC. A time to come counts as now, and so does no time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub occurred_at: Option<String>,
}

impl SearchInteraction {
    /// Returns when it happened, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// Returns 422 for an interaction that makes no sense.
    pub fn check(&self, now: i64) -> Result<i64, ApiError> {
        let wrong = |field: &str, kind: &str, message: String| Err(ApiError::invalid(&["body", field], kind, message));
        if self.interaction_type.is_empty() {
            return wrong(
                "interaction_type",
                "too_short",
                "`interaction_type` is empty; expected at least one".to_owned(),
            );
        }
        if self.retriever_id.is_some() && self.execution_id.is_none() {
            let message = "`retriever_id` is given and `execution_id` is not; every execution answers it";
            return wrong("execution_id", "missing", message.to_owned());
        }
        if self.result_set_size == Some(0) && !self.interaction_type.contains(&InteractionType::ZeroResults) {
            let message = "`result_set_size` is 0, which only an interaction `zero_results` can have";
            return wrong("result_set_size", "greater_than_equal", message.to_owned());
        }
        let largest = self.position.max(self.result_set_size.unwrap_or_default());
        if largest > LARGEST {
            let field = if self.position > LARGEST { "position" } else { "result_set_size" };
            return wrong(field, "less_than_equal", format!("`{field}` is {largest}; expected {LARGEST} at most"));
        }
        let given = [
            ("feature_id", Some(&self.feature_id)),
            ("user_id", self.user_id.as_ref()),
            ("session_id", self.session_id.as_ref()),
            ("execution_id", self.execution_id.as_ref()),
            ("retriever_id", self.retriever_id.as_ref()),
        ];
        for (field, value) in given {
            if value.is_some_and(|value| value.is_empty() || value.chars().count() > LONGEST) {
                return wrong(field, "string_length", format!("`{field}` has not 1 to {LONGEST} characters"));
            }
        }
        match self.occurred_at.as_deref().map(|text| (text, instant::parse(text))) {
            None => Ok(now),
            Some((_, Some(time))) => Ok(time.min(now)),
            Some((text, None)) => {
                wrong("occurred_at", "datetime_parsing", format!("`{text}` is no time, such as `2026-01-01T00:00:00Z`"))
            }
        }
    }

    /// Returns the types, each once and in order, as a JSON array: what a repetition repeats.
    #[must_use]
    pub fn types(&self) -> String {
        let mut types = self.interaction_type.clone();
        types.sort_unstable();
        types.dedup();
        serde_json::to_string(&types).unwrap_or_default()
    }
}

/// An interaction that is kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InteractionResponse {
    /// Its identifier; `null` where it repeats one that is kept.
    pub interaction_id: Option<String>,
    /// Whether it repeats one of the last 24 hours: the same execution, document and types. It is then not kept again.
    pub deduplicated: bool,
    /// When it was received, RFC 3339.
    pub timestamp: Option<String>,
    /// What may be amiss.
    pub warning: Option<String>,
    /// The document.
    pub feature_id: String,
    /// What the user did with it.
    pub interaction_type: Vec<InteractionType>,
    /// Where it stood in the list, from 0.
    pub position: u32,
    /// What else is known.
    pub metadata: Option<Map<String, Value>>,
    /// The user.
    pub user_id: Option<String>,
    /// The session.
    pub session_id: Option<String>,
    /// The execution.
    pub execution_id: Option<String>,
    /// The retriever.
    pub retriever_id: Option<String>,
    /// The inputs of the search.
    pub query_snapshot: Option<Map<String, Value>>,
    /// The score of the document.
    pub document_score: Option<f64>,
    /// Documents that were shown.
    pub result_set_size: Option<u32>,
    /// As it was given.
    pub feature_uri: Option<String>,
    /// When it happened, RFC 3339.
    #[schema(format = DateTime)]
    pub occurred_at: Option<String>,
}

impl InteractionResponse {
    /// Returns an interaction as it is shown; `occurred_at` is written as it counts.
    #[must_use]
    pub fn of(interaction: SearchInteraction, id: Option<String>, occurred_at: String, timestamp: String) -> Self {
        Self {
            deduplicated: id.is_none(),
            interaction_id: id,
            timestamp: Some(timestamp),
            warning: None,
            feature_id: interaction.feature_id,
            interaction_type: interaction.interaction_type,
            position: interaction.position,
            metadata: interaction.metadata,
            user_id: interaction.user_id,
            session_id: interaction.session_id,
            execution_id: interaction.execution_id,
            retriever_id: interaction.retriever_id,
            query_snapshot: interaction.query_snapshot,
            document_score: interaction.document_score,
            result_set_size: interaction.result_set_size,
            feature_uri: interaction.feature_uri,
            occurred_at: Some(occurred_at),
        }
    }
}

/// Interactions to keep.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BulkInteractionsRequest {
    /// 1 to 1000 of them.
    #[schema(min_items = 1, max_items = 1000)]
    pub interactions: Vec<SearchInteraction>,
}

/// What became of interactions.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct BulkInteractionsResponse {
    /// How many are kept; a repetition is not kept again.
    pub created: u32,
    /// How many make no sense.
    pub failed: u32,
    /// What is wrong with those, `INDEX: WORDS` each.
    pub errors: Vec<String>,
    /// Each of them, in their order.
    pub results: Vec<BulkInteractionItemResult>,
}

/// What became of one of several interactions.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkInteractionItemResult {
    /// Which one, from 0.
    pub index: u32,
    /// Its identifier: of the one that it repeats, where it does; empty where it failed.
    pub interaction_id: String,
    /// `created` or `failed`.
    pub status: String,
    /// Whether it repeats an earlier one, which stands for it: nothing new was kept.
    pub deduplicated: bool,
}

/// Which interactions are listed.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct ListInteractionsRequest {
    /// Of this execution.
    pub execution_id: Option<String>,
    /// Of this retriever.
    pub retriever_id: Option<String>,
    /// Of this session.
    pub session_id: Option<String>,
    /// Of this user.
    pub user_id: Option<String>,
    /// With this document.
    #[serde(alias = "document_id")]
    pub feature_id: Option<String>,
    /// Of this type, among others.
    pub interaction_type: Option<String>,
    /// `AND`, `OR` and `NOT` of conditions `{field, operator, value}` over the members of an interaction, `timestamp`,
    /// `metadata.…` and `query_snapshot.…`. Operators are `eq`, `ne`, `gt`, `lt`, `gte`, `lte`, `in`, `nin`, `contains`,
    /// `starts_with`, `ends_with`, `exists` and `is_null`.
    pub filters: Option<Map<String, Value>>,
    /// By what they are sorted; by age where nothing is said.
    pub sort: Option<SortOption>,
}

/// Interactions.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListInteractionsResponse {
    /// A page of them.
    pub results: Vec<InteractionResponse>,
    /// The same, by an older name.
    pub items: Vec<InteractionResponse>,
    /// Where the page stands.
    pub pagination: PaginationResponse,
}

/// An interaction that was removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeleteInteractionResponse {
    /// Always `true`.
    pub success: bool,
    /// Which one.
    pub interaction_id: String,
}

/// Something that a user did with a document of a published retriever.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct PublicInteractionRequest {
    /// The document.
    #[serde(alias = "feature_id")]
    #[schema(min_length = 1, max_length = 1024)]
    pub document_id: String,
    /// What the user did with it.
    #[schema(min_items = 1)]
    pub interaction_type: Vec<InteractionType>,
    /// Where it stood in the list, from 0.
    pub position: u32,
    /// The execution that found the document. It must be given.
    #[schema(min_length = 1, max_length = 1024)]
    pub execution_id: Option<String>,
    /// The inputs of the search.
    pub query_snapshot: Option<Map<String, Value>>,
    /// The score of the document.
    pub document_score: Option<f64>,
    /// Documents that were shown.
    #[schema(minimum = 1)]
    pub result_set_size: Option<u32>,
    /// The session; the header `X-Session-ID` where it is not given.
    #[schema(min_length = 1, max_length = 1024)]
    pub session_id: Option<String>,
    /// Anything else that is known.
    pub metadata: Option<Map<String, Value>>,
}

impl PublicInteractionRequest {
    /// Returns it as an interaction with that retriever.
    #[must_use]
    pub fn into_interaction(self, retriever: &str, session: Option<&str>) -> SearchInteraction {
        SearchInteraction {
            feature_id: self.document_id,
            interaction_type: self.interaction_type,
            position: self.position,
            metadata: self.metadata,
            user_id: None,
            session_id: self.session_id.or_else(|| session.map(ToOwned::to_owned)),
            execution_id: self.execution_id,
            retriever_id: Some(retriever.to_owned()),
            query_snapshot: self.query_snapshot,
            document_score: self.document_score,
            result_set_size: self.result_set_size,
            feature_uri: None,
            occurred_at: None,
        }
    }
}

/// Interactions with a published retriever.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PublicInteractionBatchRequest {
    /// 1 to 100 of them.
    #[schema(min_items = 1, max_items = 100)]
    pub interactions: Vec<PublicInteractionRequest>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_767_225_600_000;

    fn read(more: Value) -> Result<SearchInteraction, serde_json::Error> {
        let mut body = json!({ "feature_id": "p1", "interaction_type": ["click"], "position": 0 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body)
    }

    fn refusal(more: Value) -> String {
        read(more).unwrap().check(NOW).unwrap_err().message
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(refusal(json!({ "interaction_type": [] })).contains("is empty"));
        assert!(refusal(json!({ "retriever_id": "ret_1" })).contains("`execution_id` is not"));
        assert!(refusal(json!({ "result_set_size": 0 })).contains("`zero_results`"));
        assert!(refusal(json!({ "result_set_size": 1_u64 << 31 })).contains("`result_set_size` is 2147483648"));
        assert!(refusal(json!({ "position": 1_u64 << 31 })).contains("`position` is 2147483648"));
        assert!(refusal(json!({ "session_id": "" })).contains("1 to 1024"));
        assert!(refusal(json!({ "occurred_at": "yesterday" })).contains("`yesterday` is no time"));
        assert!(read(json!({ "position": -1 })).is_err());
        assert!(read(json!({ "interaction_type": ["CLICK"] })).is_err());
    }

    #[test]
    fn a_time_to_come_counts_as_now_and_one_without_a_zone_as_utc() {
        let time = |text: &str| read(json!({ "occurred_at": text })).unwrap().check(NOW).unwrap();
        assert_eq!(time("2030-01-01T00:00:00Z"), NOW);
        assert_eq!(time("2025-12-31T23:00:00"), NOW - 3_600_000);
    }

    #[test]
    fn the_same_types_in_another_order_are_the_same() {
        let types = |types| read(json!({ "interaction_type": types })).unwrap().types();
        assert_eq!(types(json!(["purchase", "click", "click"])), types(json!(["click", "purchase"])));
    }
}
