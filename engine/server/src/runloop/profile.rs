//! What a run is run with: environment, secrets, time, and whether all is there that is required.

use axum::http::StatusCode;
use serde_json::Value;

use super::model::{RunProfile, Texts};
use crate::platform::error::ApiError;

/// How long a run may wait for its score where nobody says, seconds.
const KEPT_ALIVE_SECONDS: u64 = 48 * 3600;

/// Most letters of a name.
const MAX_NAME: usize = 1024;

/// Checks a name: not empty, and not endless.
///
/// # Errors
///
/// Returns 422 for any other.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), ApiError> {
    if !name.trim().is_empty() && name.chars().count() <= MAX_NAME {
        return Ok(());
    }
    let message = format!("the name of a {what} is empty or has more than {MAX_NAME} letters");
    Err(ApiError::invalid(&["body", "name"], "value_error", message))
}

/// Returns the seconds that launch parameters give a run.
///
/// # Errors
///
/// Returns 422 when they are no whole number from 1 to those of 48 hours.
pub(super) fn keep_alive(profile: &RunProfile, environment: Option<&Value>) -> Result<u64, ApiError> {
    let of = |launch: Option<&Value>| {
        launch.and_then(|launch| launch.get("keep_alive_time_seconds")).filter(|given| !given.is_null()).cloned()
    };
    let Some(given) = of(profile.launch_parameters.as_ref()).or_else(|| of(environment)) else {
        return Ok(KEPT_ALIVE_SECONDS);
    };
    let seconds = given.as_u64().filter(|seconds| (1..=KEPT_ALIVE_SECONDS).contains(seconds));
    seconds.ok_or_else(|| {
        let message =
            format!("`keep_alive_time_seconds` is {given}; expected a whole number from 1 to {KEPT_ALIVE_SECONDS}");
        ApiError::invalid(
            &["body", "runProfile", "launchParameters", "keep_alive_time_seconds"],
            "out_of_range",
            message,
        )
    })
}

/// Checks that everything required is there.
///
/// # Errors
///
/// Returns 400 that names what is missing.
pub(super) fn check_required(
    what: &str,
    variables: &[String],
    secret_names: &[String],
    environment: &Texts,
    secrets: &Texts,
) -> Result<(), ApiError> {
    let variable = variables.iter().find(|name| !environment.contains_key(*name) && !secrets.contains_key(*name));
    if let Some(missing) = variable {
        let message =
            format!("the {what} requires the environment variable `{missing}`; `runProfile.envVars` gives it");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "missing_environment_variable", message));
    }
    let given = |name: &String| secrets.contains_key(name) || secrets.values().any(|secret| secret == name);
    if let Some(missing) = secret_names.iter().find(|name| !given(name)) {
        let message = format!("the {what} requires the secret `{missing}`; `runProfile.secrets` gives it");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "missing_secret", message));
    }
    Ok(())
}

/// Returns `first` with what only `second` has.
pub(super) fn merged(first: &Texts, second: &Texts) -> Texts {
    let mut all = second.clone();
    all.extend(first.clone());
    all
}

/// Returns the names once each, in order.
pub(super) fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_profile_says_before_the_environment_how_long_a_run_is_kept() {
        let profile = |launch: Value| RunProfile { launch_parameters: Some(launch), ..RunProfile::default() };
        let environment = json!({ "keep_alive_time_seconds": 60 });
        let given = profile(json!({ "keep_alive_time_seconds": 5 }));
        assert_eq!(keep_alive(&given, Some(&environment)).unwrap(), 5);
        assert_eq!(keep_alive(&RunProfile::default(), Some(&environment)).unwrap(), 60);
        assert_eq!(keep_alive(&RunProfile::default(), None).unwrap(), KEPT_ALIVE_SECONDS);
        for wrong in [json!(0), json!(-1), json!(1.5), json!("1"), json!(1_u64 << 40)] {
            assert!(keep_alive(&profile(json!({ "keep_alive_time_seconds": wrong })), None).is_err());
        }
    }

    #[test]
    fn a_secret_is_given_by_its_name_or_by_its_variable() {
        let texts = |key: &str, value: &str| Texts::from([(key.to_owned(), value.to_owned())]);
        let needed = ["DATABASE_PASSWORD".to_owned()];
        let none = Texts::new();
        assert!(check_required("scenario", &[], &needed, &none, &texts("DB_PASS", "DATABASE_PASSWORD")).is_ok());
        assert!(check_required("scenario", &[], &needed, &none, &texts("DATABASE_PASSWORD", "x")).is_ok());
        assert!(check_required("scenario", &[], &needed, &none, &none).is_err());
        assert!(check_required("scenario", &needed, &[], &texts("DATABASE_PASSWORD", ""), &none).is_ok());
    }
}
