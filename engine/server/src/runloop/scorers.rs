//! Registered scorers: names for scripts, where the operator allows them, and for components.

use axum::extract::State;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::errors::Failures;
use super::listing::{Listing, Page, Paging, Rows, page};
use super::model::{InputContext, NewScorer, ScorerList, ScorerView, Texts, Validated, Validation};
use super::once::{Caller, once};
use super::scoring::{self, AgentWork, Function, How, ScenarioWork, Work};
use crate::App;
use crate::database::QueryError;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::{Json, Path};
use crate::platform::identifier::new_id;

const COLUMNS: &str = "id, type, bash_script";

/// Most letters of a type.
const MAX_TYPE: usize = 256;

fn of_row(row: &Row<'_>) -> rusqlite::Result<ScorerView> {
    Ok(ScorerView { id: row.get(0)?, kind: row.get(1)?, bash_script: row.get(2)? })
}

fn find(connection: &Connection, organisation: &str, id: &str) -> Result<ScorerView, QueryError> {
    let sql = format!("SELECT {COLUMNS} FROM scenario_scorers WHERE id = ?1 AND organisation = ?2");
    let found = connection.prepare_cached(&sql)?.query_row([id, organisation], of_row).optional()?;
    Ok(found.ok_or_else(|| ApiError::not_found("scorer", id))?)
}

/// Checks what shall be registered: a script that may be run, or a component or metric that is there.
async fn check(app: &App, organisation: &str, new: &NewScorer) -> Result<(), ApiError> {
    if new.kind.trim().is_empty() || new.kind.chars().count() > MAX_TYPE {
        let message = format!("`type` is empty or has more than {MAX_TYPE} letters");
        return Err(ApiError::invalid(&["body", "type"], "value_error", message));
    }
    if new.bash_script.trim().is_empty() {
        return scoring::custom(app, organisation, &new.kind, None).await.map(drop);
    }
    scoring::allowed(app)
}

/// Registers a scorer: a script where the operator allows them, or, with an empty script, a component or metric that is there.
#[utoipa::path(post, path = "/v1/scenarios/scorers", request_body = NewScorer,
    responses((status = 200, description = "The scorer", body = ScorerView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn create_scorer(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewScorer>,
) -> Result<axum::Json<ScorerView>, ApiError> {
    check(&app, &caller.organisation, &new).await?;
    let organisation = caller.organisation.clone();
    once(&app, &caller, move |connection| {
        let view = ScorerView { id: new_id("scs"), kind: new.kind, bash_script: new.bash_script };
        let sql = "INSERT INTO scenario_scorers (id, organisation, type, bash_script) VALUES (?1, ?2, ?3, ?4)";
        connection.prepare_cached(sql)?.execute(params![view.id, organisation, view.kind, view.bash_script])?;
        Ok(view)
    })
    .await
}

/// Lists registered scorers, the newest first.
#[utoipa::path(get, path = "/v1/scenarios/scorers",
    params(Paging, ("search" = Option<String>, Query, description = "Whose identifier or type contains this")),
    responses((status = 200, description = "A page", body = ScorerList), Failures),
    security(("token" = ["read"])))]
pub(super) async fn list_scorers(
    State(app): State<App>,
    Reader(principal): Reader,
    listing: Listing,
) -> Result<axum::Json<ScorerList>, ApiError> {
    let searched = "(instr(id, ?) > 0 OR instr(lower(type), lower(?)) > 0)";
    let rows = Rows::of("scenario_scorers", &principal.organisation).with(searched, listing.text("search"));
    let Page { items, has_more, total_count, remaining_count } =
        page(&app, rows, COLUMNS, &listing, |_, row| Ok(of_row(row)?)).await?;
    Ok(axum::Json(ScorerList { scorers: items, has_more, total_count, remaining_count }))
}

/// Returns a registered scorer.
#[utoipa::path(get, path = "/v1/scenarios/scorers/{id}",
    params(("id" = String, Path, description = "The scorer")),
    responses((status = 200, description = "The scorer", body = ScorerView), Failures),
    security(("token" = ["read"])))]
pub(super) async fn get_scorer(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<axum::Json<ScorerView>, ApiError> {
    read(&app, &principal.organisation, &id).await.map(axum::Json)
}

async fn read(app: &App, organisation: &str, id: &str) -> Result<ScorerView, ApiError> {
    let (organisation, id) = (organisation.to_owned(), id.to_owned());
    app.database().read(move |connection| find(connection, &organisation, &id)).await
}

/// Changes a registered scorer.
#[utoipa::path(post, path = "/v1/scenarios/scorers/{id}", request_body = NewScorer,
    params(("id" = String, Path, description = "The scorer")),
    responses((status = 200, description = "The scorer", body = ScorerView), Failures),
    security(("token" = ["write"])))]
pub(super) async fn update_scorer(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(new): Json<NewScorer>,
) -> Result<axum::Json<ScorerView>, ApiError> {
    read(&app, &caller.organisation, &id).await?;
    check(&app, &caller.organisation, &new).await?;
    let organisation = caller.organisation.clone();
    once(&app, &caller, move |connection| {
        find(connection, &organisation, &id)?;
        let sql = "UPDATE scenario_scorers SET type = ?2, bash_script = ?3 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![id, new.kind, new.bash_script])?;
        find(connection, &organisation, &id)
    })
    .await
}

/// Tries a registered scorer on a context, and keeps nothing. A script reads the context as it is; for a component it is an object
/// with the fields of a session, `query`, `hits` and `scorer_params`.
#[utoipa::path(post, path = "/v1/scenarios/scorers/{id}/validate", request_body = Validation,
    params(("id" = String, Path, description = "The scorer")),
    responses((status = 200, description = "What it came to", body = Validated), Failures),
    security(("token" = ["write"])))]
pub(super) async fn validate_scorer(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(asked): Json<Validation>,
) -> Result<axum::Json<Validated>, ApiError> {
    let scorer = read(&app, &caller.organisation, &id).await?;
    let Validation { scoring_context, environment_parameters } = asked;
    let given = scoring_context.as_object().cloned().unwrap_or_default();
    let params = given.get("scorer_params").filter(|params| !params.is_null());
    let how = match scorer.bash_script.trim().is_empty() {
        true => scoring::custom(&app, &caller.organisation, &scorer.kind, params).await?,
        false => {
            scoring::allowed(&app)?;
            How::Program(scoring::Program::of_context(&scorer.bash_script, &scoring_context))
        }
    };
    let work = trial_work(how, &scorer, given)?;
    let result = scoring::trial(&app, &caller.organisation, work).await?;
    let scoring_result = result.ok_or_else(|| ApiError::internal("a trial came to nothing"))?;
    let validated = Validated { name: scorer.kind, scoring_context, scoring_result, environment_parameters };
    once(&app, &caller, move |_| Ok(validated)).await
}

fn trial_work(how: How, scorer: &ScorerView, given: Map<String, Value>) -> Result<Work, ApiError> {
    let is_program = matches!(how, How::Program(_));
    let hits = match given.get("hits").filter(|hits| !hits.is_null() && !is_program) {
        Some(hits) => Some(scoring::hits_of(hits)?),
        None if is_program => None,
        None => Some(Vec::new()),
    };
    let query = ["query", "problem_statement"].iter().find_map(|name| given.get(*name)?.as_str()).unwrap_or_default();
    let context = InputContext {
        problem_statement: query.to_owned(),
        additional_context: (!is_program).then_some(Value::Object(given)),
    };
    let session = scoring::session_of("validation", &context)?;
    let scenario = ScenarioWork {
        id: "validation".to_owned(),
        session,
        hits,
        functions: vec![Function { name: scorer.kind.clone(), weight: 1.0, how }],
        files: Vec::new(),
        context: json!({}),
        seconds: u32::MAX,
    };
    let agent = AgentWork {
        retriever: None,
        runs: vec!["validation".to_owned()],
        benchmark_run: None,
        environment: Texts::new(),
        seconds: 1e6,
        retries: 0,
        multiplier: 1.0,
    };
    Ok(Work { agents: vec![agent], scenarios: vec![scenario], completes: false })
}
