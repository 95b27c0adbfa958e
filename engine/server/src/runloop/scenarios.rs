//! Scenarios: made, listed, changed, archived.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use axum::extract::State;

use super::errors::{Failures, wrong_state};
use super::listing::{Listing, Page, Paging, Rows, page};
use super::model::{
    InputContext, NewScenario, ScenarioChange, ScenarioList, ScenarioView, ScoringContract, ValidationType,
};
use super::once::{Caller, once};
use super::profile::check_name;
use super::scoring;
use crate::App;
use crate::database::QueryError;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path};
use crate::platform::identifier::new_id;

/// How long scoring may take where nobody says, seconds.
const SCORER_TIMEOUT_SECONDS: u32 = 1800;

/// How long scoring may take at most, seconds.
const MAX_SCORER_TIMEOUT_SECONDS: u32 = 24 * 3600;

/// Makes a scenario: a search, what is known to be good for it, and a scoring contract.
///
/// Its scorers must be there: registered components (`POST /v1/components`), built-in metrics (`metric:nDCG@10`), or scripts and
/// commands where the operator allows them.
#[utoipa::path(post, path = "/v1/scenarios", request_body = NewScenario,
    responses((status = 200, description = "The scenario", body = ScenarioView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn create_scenario(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewScenario>,
) -> Result<axum::Json<ScenarioView>, ApiError> {
    check_name("scenario", &new.name)?;
    let contract = scoring::check(&app, &caller.organisation, new.scoring_contract).await?;
    let view = ScenarioView {
        id: new_id("scn"),
        name: new.name,
        input_context: checked_context(new.input_context)?,
        scoring_contract: contract,
        metadata: new.metadata.unwrap_or_default(),
        status: "active".to_owned(),
        environment: new.environment_parameters,
        is_public: new.is_public.unwrap_or(false),
        reference_output: new.reference_output.filter(|output| !output.is_empty()),
        required_environment_variables: new.required_environment_variables.unwrap_or_default(),
        required_secret_names: new.required_secret_names.unwrap_or_default(),
        scorer_timeout_sec: checked_timeout(new.scorer_timeout_sec.unwrap_or(SCORER_TIMEOUT_SECONDS))?,
        validation_type: new.validation_type.unwrap_or(ValidationType::Unspecified),
    };
    let organisation = caller.organisation.clone();
    once(&app, &caller, move |connection| {
        let sql = "INSERT INTO scenarios (id, organisation, name, validation_type, is_public, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let body = json!(view).to_string();
        connection.prepare_cached(sql)?.execute(params![
            view.id,
            organisation,
            view.name,
            view.validation_type.name(),
            view.is_public,
            body
        ])?;
        Ok(view)
    })
    .await
}

/// What is searched must be readable as a session before anybody runs it.
fn checked_context(context: InputContext) -> Result<InputContext, ApiError> {
    scoring::session_of("scenario", &context)?;
    scoring::files_of(&context)?;
    if let Some(hits) =
        context.additional_context.as_ref().and_then(|given| given.get("hits")).filter(|hits| !hits.is_null())
    {
        scoring::hits_of(hits)?;
    }
    Ok(context)
}

fn checked_timeout(seconds: u32) -> Result<u32, ApiError> {
    if (1..=MAX_SCORER_TIMEOUT_SECONDS).contains(&seconds) {
        return Ok(seconds);
    }
    let message = format!("`scorer_timeout_sec` is {seconds}; expected 1 to {MAX_SCORER_TIMEOUT_SECONDS}");
    Err(ApiError::invalid(&["body", "scorer_timeout_sec"], "out_of_range", message))
}

/// Lists scenarios that are not archived, the newest first.
#[utoipa::path(get, path = "/v1/scenarios",
    params(Paging,
        ("name" = Option<String>, Query, description = "Of this name only"),
        ("search" = Option<String>, Query, description = "Whose identifier or name contains this"),
        ("benchmark_id" = Option<String>, Query, description = "Of this benchmark only"),
        ("validation_type" = Option<String>, Query, description = "Of this type only")),
    responses((status = 200, description = "A page", body = ScenarioList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_scenarios(
    State(app): State<App>,
    Reader(principal): Reader,
    listing: Listing,
) -> Result<axum::Json<ScenarioList>, ApiError> {
    let members = "id IN (SELECT member.value FROM scenario_benchmarks AS b, json_each(b.body, '$.scenarioIds') AS member \
                   WHERE b.id = ? AND b.organisation = scenarios.organisation)";
    let rows = Rows::of("scenarios", &principal.organisation)
        .only("NOT archived")
        .named(&listing)
        .with(members, listing.text("benchmark_id"))
        .with("validation_type = ?", listing.text("validation_type"));
    list(&app, rows, &listing).await
}

/// Lists the organisation's scenarios that are marked as public, the newest first.
#[utoipa::path(get, path = "/v1/scenarios/list_public",
    params(Paging,
        ("name" = Option<String>, Query, description = "Of this name only"),
        ("search" = Option<String>, Query, description = "Whose identifier or name contains this")),
    responses((status = 200, description = "A page", body = ScenarioList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_public_scenarios(
    State(app): State<App>,
    Reader(principal): Reader,
    listing: Listing,
) -> Result<axum::Json<ScenarioList>, ApiError> {
    let rows = Rows::of("scenarios", &principal.organisation).only("NOT archived").only("is_public").named(&listing);
    list(&app, rows, &listing).await
}

/// Lists scenarios of a table.
///
/// # Errors
///
/// Returns an error when the database fails.
pub(super) async fn list(app: &App, rows: Rows, listing: &Listing) -> Result<axum::Json<ScenarioList>, ApiError> {
    let Page { items, has_more, total_count, remaining_count } =
        page(app, rows, "id, body", listing, |_, row| of_row(row)).await?;
    Ok(axum::Json(ScenarioList { scenarios: items, has_more, total_count, remaining_count }))
}

fn of_row(row: &Row<'_>) -> Result<ScenarioView, QueryError> {
    let body: String = row.get(1)?;
    Ok(serde_json::from_str(&body).map_err(ApiError::internal)?)
}

/// Returns a scenario.
#[utoipa::path(get, path = "/v1/scenarios/{id}",
    params(("id" = String, Path, description = "The scenario")),
    responses((status = 200, description = "The scenario", body = ScenarioView), Failures),
    security(("token" = ["read"])))]
pub(super) async fn get_scenario(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<axum::Json<ScenarioView>, ApiError> {
    read(&app, &principal.organisation, &id).await.map(axum::Json)
}

/// Returns a scenario of that organisation.
///
/// # Errors
///
/// Returns 404 when there is none.
pub(super) async fn read(app: &App, organisation: &str, id: &str) -> Result<ScenarioView, ApiError> {
    let (organisation, id) = (organisation.to_owned(), id.to_owned());
    app.database().read(move |connection| find(connection, &organisation, &id)).await
}

/// Returns a scenario of that organisation.
///
/// # Errors
///
/// Returns 404 when there is none.
pub(super) fn find(connection: &Connection, organisation: &str, id: &str) -> Result<ScenarioView, QueryError> {
    let sql = "SELECT id, body FROM scenarios WHERE id = ?1 AND organisation = ?2";
    let body: Option<String> =
        connection.prepare_cached(sql)?.query_row([id, organisation], |row| row.get(1)).optional()?;
    let body = body.ok_or_else(|| ApiError::not_found("scenario", id))?;
    Ok(serde_json::from_str(&body).map_err(ApiError::internal)?)
}

/// Returns a scenario that can be run.
///
/// # Errors
///
/// Returns 404 when there is none, and 400 when it is archived.
pub(super) fn find_active(connection: &Connection, organisation: &str, id: &str) -> Result<ScenarioView, QueryError> {
    let found = find(connection, organisation, id)?;
    if found.status == "active" {
        return Ok(found);
    }
    Err(wrong_state("scenario", id, &found.status, "`active`").into())
}

/// Changes a scenario: what is absent or null stays, what is there replaces. Runs that are being scored keep what was.
#[utoipa::path(post, path = "/v1/scenarios/{id}", request_body = Option<ScenarioChange>,
    params(("id" = String, Path, description = "The scenario")),
    responses((status = 200, description = "The scenario", body = ScenarioView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn update_scenario(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<ScenarioChange>,
) -> Result<axum::Json<ScenarioView>, ApiError> {
    read(&app, &caller.organisation, &id).await?;
    if let Some(name) = &change.name {
        check_name("scenario", name)?;
    }
    if let Some(seconds) = change.scorer_timeout_sec {
        checked_timeout(seconds)?;
    }
    let contract = match change.scoring_contract.as_ref().and_then(|change| change.scoring_function_parameters.clone())
    {
        Some(scoring_function_parameters) => {
            let contract = ScoringContract { scoring_function_parameters };
            Some(scoring::check(&app, &caller.organisation, contract).await?)
        }
        None => None,
    };
    let organisation = caller.organisation.clone();
    once(&app, &caller, move |connection| {
        let mut view = find_active(connection, &organisation, &id)?;
        if let Some(contract) = contract {
            view.scoring_contract = contract;
        }
        apply(&mut view, change)?;
        store(connection, &view)?;
        Ok(view)
    })
    .await
}

fn apply(view: &mut ScenarioView, change: ScenarioChange) -> Result<(), ApiError> {
    if let Some(context) = change.input_context {
        let mut now = view.input_context.clone();
        now.problem_statement = context.problem_statement.unwrap_or(now.problem_statement);
        now.additional_context = context.additional_context.or(now.additional_context);
        view.input_context = checked_context(now)?;
    }
    if let Some(output) = change.reference_output {
        view.reference_output = Some(output).filter(|output| !output.is_empty());
    }
    if let Some(environment) = change.environment_parameters {
        view.environment = Some(environment);
    }
    replace(&mut view.name, change.name);
    replace(&mut view.metadata, change.metadata);
    replace(&mut view.required_environment_variables, change.required_environment_variables);
    replace(&mut view.required_secret_names, change.required_secret_names);
    replace(&mut view.scorer_timeout_sec, change.scorer_timeout_sec);
    replace(&mut view.validation_type, change.validation_type);
    replace(&mut view.is_public, change.is_public);
    Ok(())
}

/// Puts what is given in place of what is there.
pub(super) fn replace<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

fn store(connection: &Connection, view: &ScenarioView) -> Result<(), QueryError> {
    let sql =
        "UPDATE scenarios SET name = ?2, validation_type = ?3, is_public = ?4, archived = ?5, body = ?6 WHERE id = ?1";
    let archived = view.status != "active";
    connection.prepare_cached(sql)?.execute(params![
        view.id,
        view.name,
        view.validation_type.name(),
        view.is_public,
        archived,
        json!(view).to_string()
    ])?;
    Ok(())
}

/// Archives a scenario: it is listed and run no more, and cannot be changed. Archived again, it stays as it is.
#[utoipa::path(post, path = "/v1/scenarios/{id}/archive",
    params(("id" = String, Path, description = "The scenario")),
    responses((status = 200, description = "The scenario", body = ScenarioView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn archive_scenario(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<ScenarioView>, ApiError> {
    let organisation = caller.organisation.clone();
    once(&app, &caller, move |connection| {
        let mut view = find(connection, &organisation, &id)?;
        view.status = "archived".to_owned();
        store(connection, &view)?;
        Ok(view)
    })
    .await
}
