//! Benchmarks: scenarios that are run together.

use axum::extract::State;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use super::errors::Failures;
use super::listing::{Listing, Page, Paging, Rows, page};
use super::model::{BenchmarkChange, BenchmarkList, BenchmarkView, MembersChange, NewBenchmark, ScenarioList};
use super::once::{Caller, once};
use super::profile::{check_name, distinct};
use super::scenarios::{self, replace};
use crate::App;
use crate::database::QueryError;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path};
use crate::platform::identifier::new_id;

/// Makes a benchmark of scenarios.
#[utoipa::path(post, path = "/v1/benchmarks", request_body = NewBenchmark,
    responses((status = 200, description = "The benchmark", body = BenchmarkView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn create_benchmark(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewBenchmark>,
) -> Result<axum::Json<BenchmarkView>, ApiError> {
    check_name("benchmark", &new.name)?;
    let view = BenchmarkView {
        id: new_id("bmd"),
        name: new.name,
        scenario_ids: distinct(new.scenario_ids.unwrap_or_default()),
        metadata: new.metadata.unwrap_or_default(),
        status: "active".to_owned(),
        description: new.description.filter(|text| !text.is_empty()),
        attribution: new.attribution.filter(|text| !text.is_empty()),
        is_public: new.is_public.unwrap_or(false),
        required_environment_variables: new.required_environment_variables.unwrap_or_default(),
        required_secret_names: new.required_secret_names.unwrap_or_default(),
    };
    let organisation = caller.organisation.clone();
    once(&app, &caller, move |connection| {
        check_members(connection, &organisation, &view.scenario_ids)?;
        let sql =
            "INSERT INTO scenario_benchmarks (id, organisation, name, is_public, body) VALUES (?1, ?2, ?3, ?4, ?5)";
        let body = json!(view).to_string();
        connection.prepare_cached(sql)?.execute(params![view.id, organisation, view.name, view.is_public, body])?;
        Ok(view)
    })
    .await
}

fn check_members(connection: &Connection, organisation: &str, scenarios: &[String]) -> Result<(), QueryError> {
    for id in scenarios {
        scenarios::find_active(connection, organisation, id)?;
    }
    Ok(())
}

/// Lists benchmarks, the newest first.
#[utoipa::path(get, path = "/v1/benchmarks",
    params(Paging,
        ("name" = Option<String>, Query, description = "Of this name only"),
        ("search" = Option<String>, Query, description = "Whose identifier or name contains this")),
    responses((status = 200, description = "A page", body = BenchmarkList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_benchmarks(
    State(app): State<App>,
    Reader(principal): Reader,
    listing: Listing,
) -> Result<axum::Json<BenchmarkList>, ApiError> {
    let rows = Rows::of("scenario_benchmarks", &principal.organisation).only("NOT archived").named(&listing);
    list(&app, rows, &listing).await
}

/// Lists the organisation's benchmarks that are marked as public, the newest first.
#[utoipa::path(get, path = "/v1/benchmarks/list_public",
    params(Paging,
        ("name" = Option<String>, Query, description = "Of this name only"),
        ("search" = Option<String>, Query, description = "Whose identifier or name contains this")),
    responses((status = 200, description = "A page", body = BenchmarkList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_public_benchmarks(
    State(app): State<App>,
    Reader(principal): Reader,
    listing: Listing,
) -> Result<axum::Json<BenchmarkList>, ApiError> {
    let rows =
        Rows::of("scenario_benchmarks", &principal.organisation).only("NOT archived AND is_public").named(&listing);
    list(&app, rows, &listing).await
}

async fn list(app: &App, rows: Rows, listing: &Listing) -> Result<axum::Json<BenchmarkList>, ApiError> {
    let Page { items, has_more, total_count, remaining_count } = page(app, rows, "id, body", listing, |_, row| {
        let body: String = row.get(1)?;
        Ok(serde_json::from_str(&body).map_err(ApiError::internal)?)
    })
    .await?;
    Ok(axum::Json(BenchmarkList { benchmarks: items, has_more, total_count, remaining_count }))
}

/// Returns a benchmark.
#[utoipa::path(get, path = "/v1/benchmarks/{id}",
    params(("id" = String, Path, description = "The benchmark")),
    responses((status = 200, description = "The benchmark", body = BenchmarkView), Failures),
    security(("token" = ["read"])))]
pub(super) async fn get_benchmark(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<axum::Json<BenchmarkView>, ApiError> {
    let found = app.database().read(move |connection| find(connection, &principal.organisation, &id));
    found.await.map(axum::Json)
}

/// Returns a benchmark of that organisation.
///
/// # Errors
///
/// Returns 404 when there is none.
pub(super) fn find(connection: &Connection, organisation: &str, id: &str) -> Result<BenchmarkView, QueryError> {
    let sql = "SELECT body FROM scenario_benchmarks WHERE id = ?1 AND organisation = ?2";
    let body: Option<String> =
        connection.prepare_cached(sql)?.query_row([id, organisation], |row| row.get(0)).optional()?;
    let body = body.ok_or_else(|| ApiError::not_found("benchmark", id))?;
    Ok(serde_json::from_str(&body).map_err(ApiError::internal)?)
}

fn store(connection: &Connection, view: &BenchmarkView) -> Result<(), QueryError> {
    let sql = "UPDATE scenario_benchmarks SET name = ?2, is_public = ?3, body = ?4 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![view.id, view.name, view.is_public, json!(view).to_string()])?;
    Ok(())
}

/// Changes a benchmark: what is absent or null stays, what is there, also empty, replaces. Runs keep the scenarios with which
/// they began.
#[utoipa::path(post, path = "/v1/benchmarks/{id}", request_body = Option<BenchmarkChange>,
    params(("id" = String, Path, description = "The benchmark")),
    responses((status = 200, description = "The benchmark", body = BenchmarkView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn update_benchmark(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<BenchmarkChange>,
) -> Result<axum::Json<BenchmarkView>, ApiError> {
    if let Some(name) = &change.name {
        check_name("benchmark", name)?;
    }
    let organisation = caller.organisation.clone();
    once(&app, &caller, move |connection| {
        let mut view = find(connection, &organisation, &id)?;
        if let Some(scenarios) = change.scenario_ids {
            let scenarios = distinct(scenarios);
            // Members that were archived since may stay.
            let added: Vec<String> =
                scenarios.iter().filter(|scenario| !view.scenario_ids.contains(scenario)).cloned().collect();
            check_members(connection, &organisation, &added)?;
            view.scenario_ids = scenarios;
        }
        let text = |place: &mut Option<String>, given: Option<String>| {
            if let Some(given) = given {
                *place = Some(given).filter(|given| !given.is_empty());
            }
        };
        text(&mut view.description, change.description);
        text(&mut view.attribution, change.attribution);
        replace(&mut view.name, change.name);
        replace(&mut view.metadata, change.metadata);
        replace(&mut view.required_environment_variables, change.required_environment_variables);
        replace(&mut view.required_secret_names, change.required_secret_names);
        replace(&mut view.is_public, change.is_public);
        store(connection, &view)?;
        Ok(view)
    })
    .await
}

/// Lists the scenarios of a benchmark, archived ones too, the newest first.
#[utoipa::path(get, path = "/v1/benchmarks/{id}/definitions",
    params(Paging, ("id" = String, Path, description = "The benchmark")),
    responses((status = 200, description = "A page", body = ScenarioList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_definitions(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
    listing: Listing,
) -> Result<axum::Json<ScenarioList>, ApiError> {
    let organisation = principal.organisation.clone();
    let view = app.database().read(move |connection| find(connection, &organisation, &id)).await?;
    let members = json!(view.scenario_ids).to_string();
    let rows =
        Rows::of("scenarios", &principal.organisation).with("id IN (SELECT value FROM json_each(?))", Some(&members));
    scenarios::list(&app, rows, &listing).await
}

/// Adds scenarios to a benchmark and removes others. Runs keep the scenarios with which they began.
#[utoipa::path(post, path = "/v1/benchmarks/{id}/scenarios", request_body = Option<MembersChange>,
    params(("id" = String, Path, description = "The benchmark")),
    responses((status = 200, description = "The benchmark", body = BenchmarkView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn update_benchmark_scenarios(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<MembersChange>,
) -> Result<axum::Json<BenchmarkView>, ApiError> {
    let organisation = caller.organisation.clone();
    once(&app, &caller, move |connection| {
        let mut view = find(connection, &organisation, &id)?;
        let removed = change.scenarios_to_remove.unwrap_or_default();
        view.scenario_ids.retain(|scenario| !removed.contains(scenario));
        let added = change.scenarios_to_add.unwrap_or_default();
        check_members(connection, &organisation, &added)?;
        view.scenario_ids = distinct(view.scenario_ids.into_iter().chain(added).collect());
        store(connection, &view)?;
        Ok(view)
    })
    .await
}
