//! Tests against other people's programs, whose inputs and outputs lie in the folder that `REMATCH_SHARED` names.

mod clicks;
mod open_bandit;
mod preferences_golden;
mod random_cases;
mod rank;
mod small;
mod statistics;
mod trec;
mod trec_covid;
mod trec_eval_golden;

use std::path::PathBuf;

use serde_json::Value;

/// Returns the path of a shared file, `None` (with a note) where the folder is not there.
fn shared(path: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("REMATCH_SHARED") else {
        eprintln!("skipped: REMATCH_SHARED is not set");
        return None;
    };
    Some(PathBuf::from(folder).join(path))
}

fn shared_json(path: &str) -> Option<Value> {
    Some(serde_json::from_str(&std::fs::read_to_string(shared(path)?).unwrap()).unwrap())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("not a number: {value}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: found {found}, expected {expected}");
}
