//! Scores of predictions that a client brings along; nothing is kept.

use std::collections::{BTreeMap, BTreeSet};

use rematch_metrics::{GainFunction, Metric, RankedGrades};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::mixpeek::refusal::Refusals;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::Json;

/// What can be scored, and the engine's metric of sets for it; the parameter of F is the square of how many times as much
/// recall weighs.
const METRICS: [(&str, &str); 4] = [("precision", "SetP"), ("recall", "SetR"), ("f1", "SetF"), ("f2", "SetF(beta=4)")];

/// Most pairs of one request.
const MOST: usize = 10_000;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(score))
}

/// Predictions to score: one pair, `predicted` and `ground_truth`, or several in `items`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ScorePredictionsRequest {
    /// What was predicted, best first.
    pub predicted: Option<Vec<String>>,
    /// What is true.
    pub ground_truth: Option<Vec<String>>,
    /// Several pairs.
    #[schema(min_items = 1, max_items = 10000)]
    pub items: Option<Vec<ScoreItem>>,
    /// What is scored: `precision`, `recall`, `f1` and `f2`; the first three where nothing is said.
    pub metrics: Option<Vec<String>>,
    /// How many of the predicted ones count; all where it is not given.
    #[schema(minimum = 1)]
    pub k: Option<u32>,
}

/// One pair.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct ScoreItem {
    /// What was predicted, best first.
    pub predicted: Option<Vec<String>>,
    /// What is true.
    pub ground_truth: Option<Vec<String>>,
}

/// Scores.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct ScorePredictionsResponse {
    /// What was scored.
    pub metrics: Vec<String>,
    /// How many of the predicted ones counted.
    pub k: Option<u32>,
    /// Pairs.
    pub count: u64,
    /// The scores of each pair.
    pub per_item: Vec<BTreeMap<String, f64>>,
    /// Their means.
    pub aggregate: BTreeMap<String, f64>,
}

/// Scores predictions against what is true, as sets; nothing is kept.
///
/// The aggregate is the mean over the pairs. A share of nothing is 0: precision where nothing was predicted, recall where
/// nothing is true.
#[utoipa::path(
    post,
    path = "/v1/evaluations/score",
    operation_id = "score_predictions_evaluations",
    security(("token" = ["read"])),
    request_body = ScorePredictionsRequest,
    responses((status = 200, description = "The scores", body = ScorePredictionsResponse), Refusals)
)]
async fn score(
    _: Reader,
    Json(asked): Json<ScorePredictionsRequest>,
) -> Result<axum::Json<ScorePredictionsResponse>, ApiError> {
    scored(asked).map(axum::Json)
}

fn scored(asked: ScorePredictionsRequest) -> Result<ScorePredictionsResponse, ApiError> {
    let metrics = asked.metrics.unwrap_or_else(|| ["precision", "recall", "f1"].map(str::to_owned).into());
    let known = METRICS.map(|(name, _)| name);
    if let Some(name) = metrics.iter().find(|name| !known.contains(&name.as_str())) {
        let message = format!("there is no metric `{name}` here; expected one of `{}`", known.join("`, `"));
        return Err(ApiError::invalid(&["body", "metrics"], "value_error", message));
    }
    if asked.k == Some(0) {
        return Err(ApiError::invalid(&["body", "k"], "greater_than_equal", "`k` is 0; expected 1 or more"));
    }
    let items = match (asked.predicted, asked.ground_truth, asked.items) {
        (None, None, Some(items)) => items,
        (Some(predicted), Some(ground_truth), None) => {
            vec![ScoreItem { predicted: Some(predicted), ground_truth: Some(ground_truth) }]
        }
        _ => {
            let message = "expected either `predicted` and `ground_truth`, or `items`";
            return Err(ApiError::invalid(&["body"], "value_error", message));
        }
    };
    if !(1..=MOST).contains(&items.len()) {
        let message = format!("{} pairs are given; expected 1 to {MOST}", items.len());
        return Err(ApiError::invalid(&["body", "items"], "list_length", message));
    }
    let per_item: Vec<BTreeMap<String, f64>> = items.iter().map(|item| of_pair(item, asked.k, &metrics)).collect();
    let mean = |name: &String| {
        let values = per_item.iter().filter_map(|scores| scores.get(name));
        (name.clone(), values.sum::<f64>() / per_item.len() as f64)
    };
    let aggregate = metrics.iter().map(mean).collect();
    Ok(ScorePredictionsResponse { k: asked.k, count: items.len() as u64, aggregate, per_item, metrics })
}

fn of_pair(item: &ScoreItem, k: Option<u32>, metrics: &[String]) -> BTreeMap<String, f64> {
    let most = k.map_or(usize::MAX, |k| k as usize);
    let predicted: BTreeSet<&String> = item.predicted.iter().flatten().take(most).collect();
    let truth: BTreeSet<&String> = item.ground_truth.iter().flatten().collect();
    let ranked: Vec<Option<f64>> = predicted.iter().map(|one| truth.contains(one).then_some(1.0)).collect();
    let judged = vec![1.0; truth.len()];
    let grades = RankedGrades { ranked: &ranked, judged: &judged };
    let value = |name: &str| {
        let (_, metric) = METRICS.iter().find(|(known, _)| *known == name)?;
        metric.parse::<Metric>().ok()?.evaluate(&grades, GainFunction::Linear)
    };
    metrics.iter().map(|name| (name.clone(), value(name).unwrap_or(0.0))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ask(request: Value) -> Result<ScorePredictionsResponse, String> {
        scored(serde_json::from_value(request).unwrap()).map_err(|error| error.message)
    }

    #[test]
    fn a_pair_is_compared_as_sets() {
        let pair = json!({ "predicted": ["a", "a", "b", "c"], "ground_truth": ["a", "x"], "metrics": ["precision", "recall", "f1", "f2"] });
        let scores = ask(pair).unwrap();
        let (precision, recall) = (1.0 / 3.0, 0.5);
        assert_eq!((scores.aggregate["precision"], scores.aggregate["recall"]), (precision, recall));
        assert!((scores.aggregate["f1"] - 0.4).abs() < 1e-12);
        assert!((scores.aggregate["f2"] - 5.0 * precision * recall / (4.0 * precision + recall)).abs() < 1e-12);
    }

    #[test]
    fn the_aggregate_is_the_mean_over_the_pairs_and_nothing_is_zero() {
        let items =
            json!([{ "predicted": ["a", "b"], "ground_truth": ["a"] }, { "predicted": [], "ground_truth": ["a"] }]);
        let scores = ask(json!({ "items": items, "k": 1 })).unwrap();
        assert_eq!((scores.count, scores.per_item[0]["precision"], scores.per_item[1]["precision"]), (2, 1.0, 0.0));
        assert_eq!((scores.aggregate["recall"], scores.aggregate["f1"]), (0.5, 0.5));
    }

    #[test]
    fn neither_form_and_both_forms_are_refused() {
        assert!(ask(json!({})).unwrap_err().contains("`items`"));
        assert!(ask(json!({ "predicted": ["a"] })).unwrap_err().contains("`ground_truth`"));
        assert!(ask(json!({ "predicted": ["a"], "ground_truth": ["a"], "items": [] })).is_err());
        assert!(ask(json!({ "items": [] })).unwrap_err().contains("0 pairs"));
        assert!(ask(json!({ "items": [{}], "metrics": ["map"] })).unwrap_err().contains("`precision`"));
        let empty = ask(json!({ "items": [{}, { "predicted": ["a"] }], "metrics": ["precision", "f2"] })).unwrap();
        assert_eq!((empty.aggregate["precision"], empty.aggregate["f2"]), (0.0, 0.0));
    }
}
