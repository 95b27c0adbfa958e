//! A scoring contract, resolved: each function is a metric, a component or a program that is there and may be used.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use rematch_engine::benchmark::spec::MetricName;
use rusqlite::OptionalExtension;
use serde_json::Value;

use super::native::Program;
use super::work::{Function, How};
use crate::App;
use crate::catalog::components;
use crate::platform::error::ApiError;
use crate::runloop::model::{Scorer, ScoringContract, ScoringFunction, TestFile};

/// What precedes the name of a built-in metric.
const METRIC: &str = "metric:";

/// Most functions of a contract.
const MAX_FUNCTIONS: usize = 64;

/// Most letters of a function's name.
const MAX_NAME: usize = 128;

/// Checks a contract, and returns it in the words of today's clients.
///
/// # Errors
///
/// Returns 422 for a name, a weight or parameters that cannot be, 404 for a component that is not there, and 400 for a program
/// where programs are not allowed.
pub(in crate::runloop) async fn check(
    app: &App,
    organisation: &str,
    mut contract: ScoringContract,
) -> Result<ScoringContract, ApiError> {
    for function in &mut contract.scoring_function_parameters {
        let script = function.bash_script.take();
        if function.scorer.is_none() && script.is_some() {
            function.scorer = Some(Scorer::BashScriptScorer { bash_script: script });
        }
    }
    resolve(app, organisation, &contract).await?;
    Ok(contract)
}

/// Resolves a contract: what it names is pinned, and scores the same whatever is registered later.
///
/// # Errors
///
/// As [`check`].
pub(in crate::runloop) async fn resolve(
    app: &App,
    organisation: &str,
    contract: &ScoringContract,
) -> Result<Vec<Function>, ApiError> {
    let written = &contract.scoring_function_parameters;
    if written.is_empty() || written.len() > MAX_FUNCTIONS {
        let message = format!("a contract has {} scoring functions; expected 1 to {MAX_FUNCTIONS}", written.len());
        return Err(invalid("scoring_function_parameters", message));
    }
    let mut names = BTreeSet::new();
    let mut functions = Vec::with_capacity(written.len());
    for function in written {
        check_name(&function.name)?;
        if !names.insert(function.name.as_str()) {
            return Err(invalid("name", format!("two scoring functions have the name `{}`", function.name)));
        }
        if !function.weight.is_finite() || function.weight <= 0.0 || function.weight > 1e9 {
            let message =
                format!("the weight of `{}` is {}; expected a number above 0", function.name, function.weight);
            return Err(invalid("weight", message));
        }
        let how = how(app, organisation, function).await?;
        functions.push(Function { name: function.name.clone(), weight: function.weight, how });
    }
    Ok(functions)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if plain && (1..=MAX_NAME).contains(&name.len()) {
        return Ok(());
    }
    let message =
        format!("`{name}` is no name of a scoring function; expected 1 to {MAX_NAME} letters, digits, `-` and `_`");
    Err(invalid("name", message))
}

fn invalid(field: &str, message: String) -> ApiError {
    ApiError::invalid(&["body", "scoring_contract", field], "value_error", message)
}

async fn how(app: &App, organisation: &str, function: &ScoringFunction) -> Result<How, ApiError> {
    let missing = |what: &str| invalid("scorer", format!("scoring function `{}` has no {what}", function.name));
    let scorer = function.scorer.as_ref().ok_or_else(|| missing("`scorer`"))?;
    let program = match scorer {
        Scorer::CustomScorer { custom_scorer_type, scorer_params } => {
            return custom(app, organisation, custom_scorer_type, scorer_params.as_ref()).await;
        }
        Scorer::BashScriptScorer { bash_script } => {
            let script = bash_script.as_ref().ok_or_else(|| missing("`bash_script`"))?;
            Program::bash_script(script)
        }
        Scorer::CommandScorer { command } => {
            Program::command(command.as_ref().ok_or_else(|| missing("`command`"))?, Vec::new())
        }
        Scorer::PythonScriptScorer { python_script, requirements_contents, .. } => {
            if requirements_contents.as_ref().is_some_and(|wanted| !wanted.trim().is_empty()) {
                let message = "`requirements_contents` asks for packages, and scorers have no network to fetch them; \
                               leave it out and use what the machine's Python has";
                return Err(invalid("requirements_contents", message.to_owned()));
            }
            Program::python(python_script)
        }
        Scorer::TestBasedScorer { test_command, test_files } => {
            let command = test_command.as_ref().ok_or_else(|| missing("`test_command`"))?;
            Program::command(command, files(test_files.as_deref().unwrap_or_default())?)
        }
        Scorer::AstGrepScorer { pattern, search_directory, lang } => {
            Program::ast_grep(pattern, search_directory, lang.as_deref())
        }
    };
    allowed(app)?;
    Ok(How::Program(program))
}

fn files(given: &[TestFile]) -> Result<Vec<(String, String)>, ApiError> {
    let named = |file: &TestFile| {
        let path = file.file_path.clone().filter(|path| !path.is_empty());
        let path = path.ok_or_else(|| invalid("test_files", "a test file has no `file_path`".to_owned()))?;
        Ok((path, file.file_contents.clone().unwrap_or_default()))
    };
    given.iter().map(named).collect()
}

/// Refuses programs, unless the operator allows them.
pub(in crate::runloop) fn allowed(app: &App) -> Result<(), ApiError> {
    if app.settings().allow_native_scorers {
        return Ok(());
    }
    let message = "scorers that are scripts or commands are not run by this server; use `custom_scorer` with a registered \
                   component or `metric:nDCG@10`, or ask the operator for `rematch serve --allow-native-scorers`";
    Err(ApiError::new(StatusCode::BAD_REQUEST, "native_scorers_refused", message))
}

/// Resolves a metric, a registered script, or a component.
pub(in crate::runloop) async fn custom(
    app: &App,
    organisation: &str,
    kind: &str,
    params: Option<&Value>,
) -> Result<How, ApiError> {
    if let Some(metric) = kind.strip_prefix(METRIC) {
        if params.is_some() {
            let message = format!("`{kind}` is a built-in metric; `scorer_params` are for components and scripts");
            return Err(invalid("scorer_params", message));
        }
        let known: Result<MetricName, serde_json::Error> = serde_json::from_value(Value::from(metric));
        let known =
            known.map_err(|error| invalid("custom_scorer_type", format!("`{kind}` names no metric: {error}")))?;
        return Ok(How::Metric(known.0.to_string()));
    }
    let (owner, asked) = (organisation.to_owned(), kind.to_owned());
    let script: Option<String> = app
        .database()
        .read(move |connection| {
            let sql = "SELECT bash_script FROM scenario_scorers WHERE organisation = ?1 AND type = ?2 AND bash_script <> '' \
                       ORDER BY id DESC LIMIT 1";
            Ok(connection.prepare_cached(sql)?.query_row([owner, asked], |row| row.get(0)).optional()?)
        })
        .await?;
    if let Some(script) = script {
        allowed(app)?;
        return Ok(How::Program(Program::bash_script(&script).with_params(params)));
    }
    let path = components::path(app, organisation, kind).await.map_err(|error| match error.status {
        StatusCode::UNPROCESSABLE_ENTITY => ApiError::not_found("component", kind),
        _ => error,
    })?;
    Ok(How::Component { path, params: params.cloned() })
}
