//! A benchmark that somebody posts: checked by a worker before anything is made of it.

use std::num::NonZeroUsize;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::problem::Refusals;
use super::runs::{directory, find_finished};
use crate::App;
use crate::catalog::{components, corpora, retrievers, specs};
use crate::jobs::Worker;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::Json as Body;
use crate::worker::{Catalogue, CheckOrder, Forecasting, Order, Written};

/// Bytes of a benchmark and its overrides. Sessions and documents are files; what is left is small.
const MOST_BYTES: usize = 1 << 20;

/// A benchmark: in one of three forms, or the name of one that is kept.
///
/// It is a benchmark file as the command line reads it; `GET /v1/benchmark-schema` says its shape. Files are named
/// `files/NAME`, components `NAME@VERSION`, or `NAME` for the last version. Corpora and retrievers that are registered need
/// not be described: their names are enough.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Benchmark {
    /// As JSON.
    #[schema(value_type = Option<Object>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    benchmark: Option<serde_json::Map<String, Value>>,
    /// As the text of a TOML file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    toml: Option<String>,
    /// As the text of a YAML file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    yaml: Option<String>,
    /// The name of one that `PUT /v1/specs/NAME` kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spec: Option<String>,
    /// Values that replace those of the benchmark, `key.path=value` each: `sessions.sample.count=200`.
    #[serde(default)]
    overrides: Vec<String>,
}

impl Benchmark {
    /// Returns a benchmark of these parts.
    pub(super) fn of(
        benchmark: Option<serde_json::Map<String, Value>>,
        toml: Option<String>,
        yaml: Option<String>,
        overrides: Vec<String>,
    ) -> Self {
        Self { benchmark, toml, yaml, spec: None, overrides }
    }

    /// Returns the benchmark itself where it is one that is kept, with its overrides before these.
    ///
    /// # Errors
    ///
    /// Returns 422 when there is no such benchmark.
    pub(super) async fn found(&self, app: &App, organisation: &str) -> Result<Self, ApiError> {
        let Some(name) = &self.spec else { return Ok(self.clone()) };
        if !self.has_no_form() {
            return Err(one_form());
        }
        let kept = specs::get(app, organisation, name).await.map_err(|error| {
            if error.code != "not_found" {
                return error;
            }
            let message = format!("there is no benchmark `{name}`; `PUT /v1/specs/{name}` keeps one");
            ApiError::invalid(&["body", "spec"], "not_found", message)
        })?;
        let mut kept: Self = serde_json::from_value(kept.body.unwrap_or_default()).map_err(ApiError::internal)?;
        kept.overrides.extend(self.overrides.iter().cloned());
        Ok(kept)
    }

    fn has_no_form(&self) -> bool {
        self.benchmark.is_none() && self.toml.is_none() && self.yaml.is_none()
    }

    /// Returns whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.has_no_form() && self.spec.is_none()
    }

    fn written(&self) -> Result<Written, ApiError> {
        match (&self.benchmark, &self.toml, &self.yaml) {
            (Some(benchmark), None, None) => Ok(Written::Json(Value::Object(benchmark.clone()))),
            (None, Some(text), None) => Ok(Written::Toml(text.clone())),
            (None, None, Some(text)) => Ok(Written::Yaml(text.clone())),
            _ => Err(one_form()),
        }
    }
}

/// Refuses a benchmark that is too large to be kept, listed and read again and again.
fn check_size(written: &Written, overrides: &[String]) -> Result<(), ApiError> {
    let (form, bytes) = match written {
        Written::Json(value) => ("benchmark", value.to_string().len()),
        Written::Toml(text) => ("toml", text.len()),
        Written::Yaml(text) => ("yaml", text.len()),
    };
    let bytes = overrides.iter().fold(bytes, |sum, one| sum.saturating_add(one.len()));
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    let message = format!(
        "the benchmark has {bytes} bytes, and at most {MOST_BYTES} are read; bring data as files (`PUT /v1/files/NAME`) and \
         name them"
    );
    Err(ApiError::invalid(&["body", form], "too_large", message))
}

fn one_form() -> ApiError {
    let message = "expected exactly one of `benchmark`, `toml`, `yaml` and `spec`";
    ApiError::invalid(&["body", "benchmark"], "missing", message)
}

/// A benchmark that was found good.
#[derive(Debug, Deserialize)]
pub(super) struct Checked {
    /// As the worker will read it, with places for names.
    pub(super) benchmark: Value,
    /// Name, retrievers, metrics.
    pub(super) summary: Value,
    /// What a run would do, where that was asked.
    #[serde(default)]
    pub(super) forecast: Option<Value>,
}

/// Has a worker check a benchmark. `with_inputs` where what it names must be there.
///
/// # Errors
///
/// Returns 422 with the place of a mistake.
pub(super) async fn check(
    app: &App,
    organisation: &str,
    benchmark: &Benchmark,
    with_inputs: bool,
    forecast: Option<Forecasting>,
) -> Result<Checked, ApiError> {
    let benchmark = benchmark.found(app, organisation).await?;
    let written = benchmark.written()?;
    check_size(&written, &benchmark.overrides)?;
    let overrides = benchmark.overrides.clone();
    let text = format!("{}\n{}", written.text(), overrides.join("\n"));
    let catalogue = Catalogue {
        corpora: corpora::section(app, organisation).await?,
        latest: components::latest(app, organisation).await?,
        retrievers: retrievers::named_in(app, organisation, &text).await?,
    };
    // A worker needs the folder that it may not leave.
    tokio::fs::create_dir_all(app.root_of(organisation)).await.map_err(ApiError::internal)?;
    let order = CheckOrder { benchmark: written, overrides, catalogue, with_inputs, forecast };
    let found = Worker::of_request(app, organisation).answer(&Order::Check(order)).await?;
    match found.get("mistake") {
        Some(mistake) => Err(refused(mistake)),
        None => serde_json::from_value(found).map_err(ApiError::internal),
    }
}

fn refused(mistake: &Value) -> ApiError {
    let text = |key: &str| mistake.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut message = text("message").to_owned();
    if !text("key").is_empty() {
        message = format!("`{}`: {message}", text("key"));
    }
    if !text("help").is_empty() {
        message = format!("{message} ({})", text("help"));
    }
    let mut location = vec!["body", "benchmark"];
    location.extend(text("key").split('.').filter(|key| !key.is_empty()));
    let mut error = ApiError::invalid(&location, "invalid_benchmark", message);
    error.code = "invalid_benchmark";
    error.details = Some(mistake.clone());
    error
}

/// What to forecast.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanRequest {
    /// As JSON.
    #[schema(value_type = Option<Object>)]
    benchmark: Option<serde_json::Map<String, Value>>,
    /// As the text of a TOML file.
    toml: Option<String>,
    /// As the text of a YAML file.
    yaml: Option<String>,
    /// Values that replace those of the benchmark, `key.path=value` each.
    #[serde(default)]
    overrides: Vec<String>,
    /// The power at which the smallest detectable effect is stated, between 0 and 1; the benchmark's where it is not given.
    power: Option<f64>,
    /// A completed run to reckon from.
    from: Option<String>,
}

/// What a run would do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlanAnswer {
    /// Name, retrievers, metrics.
    #[schema(value_type = Object)]
    summary: Value,
    /// Sessions, requests, time, disk, and the effect that could be found.
    #[schema(value_type = Option<Object>)]
    forecast: Option<Value>,
}

/// Plan a run
///
/// Checks a benchmark and says what its run would do, before it does it: which sessions, how many requests, how long, how much
/// disk, and what it could find. No retriever is asked.
#[utoipa::path(
    post, path = "/v1/plan", operation_id = "plan_run", tag = "runs", security(("token" = ["read"])),
    request_body = PlanRequest,
    responses((status = 200, description = "What a run would do", body = PlanAnswer), Refusals)
)]
pub(super) async fn plan(
    State(app): State<App>,
    Reader(principal): Reader,
    Body(body): Body<PlanRequest>,
) -> Result<Json<PlanAnswer>, ApiError> {
    let PlanRequest { benchmark, toml, yaml, overrides, power, from } = body;
    let organisation = &principal.organisation;
    let earlier = match from {
        Some(id) => Some(directory(&app, &find_finished(&app, organisation, &id).await?)),
        None => None,
    };
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let benchmark = Benchmark::of(benchmark, toml, yaml, overrides);
    let forecast = Forecasting { power, earlier, threads };
    let Checked { summary, forecast, .. } = check(&app, organisation, &benchmark, true, Some(forecast)).await?;
    Ok(Json(PlanAnswer { summary, forecast }))
}

/// Get the shape of a benchmark
///
/// The JSON Schema of a benchmark file.
#[utoipa::path(
    get, path = "/v1/benchmark-schema", operation_id = "get_benchmark_schema", tag = "runs", security(("token" = ["read"])),
    responses((status = 200, description = "The schema", body = Object), Refusals)
)]
pub(super) async fn schema(Reader(_principal): Reader) -> Json<Value> {
    Json(rematch_engine::benchmark::json_schema())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_of_more_than_a_mebibyte_is_refused_in_every_form() {
        let long = "x".repeat(MOST_BYTES);
        for (written, form) in [
            (Written::Toml(long.clone()), "toml"),
            (Written::Yaml(long.clone()), "yaml"),
            (Written::Json(Value::from(long.get(2..).unwrap())), "benchmark"),
        ] {
            assert!(check_size(&written, &[]).is_ok(), "{form}");
            let refused = check_size(&written, &["a".to_owned()]).unwrap_err();
            assert_eq!(refused.fields[0].location, ["body", form]);
            assert!(refused.message.contains("1048577 bytes"), "{}", refused.message);
        }
    }
}
