//! What is proposed for the answers of every engine that has a preset.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{propose_hits, propose_timings};

fn contracts() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/benchmark/stages/http_presets/contracts");
    let mut contracts: Vec<(String, Value)> = std::fs::read_dir(folder)
        .expect("the contracts")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let text = std::fs::read(&path).expect("a contract");
            (path.display().to_string(), serde_json::from_slice(&text).expect("JSON"))
        })
        .collect();
    contracts.sort_by(|one, other| one.0.cmp(&other.0));
    contracts
}

#[test]
fn the_hits_of_every_engine_are_found_without_its_preset() {
    for (path, contract) in contracts() {
        for answer in contract["answers"].as_array().expect("answers") {
            let expected: Vec<&str> =
                answer["ids"].as_array().into_iter().flatten().map(|id| id.as_str().expect("an id")).collect();
            if expected.is_empty() {
                continue;
            }
            let case = format!("{path}: {}", answer["case"]);
            let hits = propose_hits(&answer["body"]).unwrap_or_else(|| panic!("{case}"));
            assert_eq!(hits.found_ids, expected, "{case}: {}", hits.ids);
            let sign = if hits.lower_is_better { -1.0 } else { 1.0 };
            let scores: Vec<Value> = hits.found_scores.iter().map(|score| Value::from(0.0 + sign * score)).collect();
            let numbers = |scores: &[Value]| scores.iter().map(|score| score.as_f64()).collect::<Vec<_>>();
            let expected = answer["scores"].as_array().expect("scores");
            assert_eq!(numbers(&scores), numbers(expected), "{case}: {:?}", hits.scores);
        }
    }
}

#[test]
fn every_timing_of_every_engine_is_found_with_its_unit() {
    for (path, contract) in contracts() {
        for answer in contract["answers"].as_array().expect("answers") {
            let Some(expected) = answer["timings"].as_object() else { continue };
            let factor = |unit: &str| match unit {
                "s" => 1e9,
                "ms" => 1e6,
                other => panic!("{other}"),
            };
            let found = propose_timings(&answer["body"], Duration::from_millis(100));
            let mut found: Vec<i64> =
                found.iter().map(|timing| (timing.value * factor(timing.unit)).round() as i64).collect();
            for (name, nanoseconds) in expected {
                let nanoseconds = nanoseconds.as_i64().expect("nanoseconds");
                let place = found.iter().position(|found| (found - nanoseconds).abs() <= 1);
                let place =
                    place.unwrap_or_else(|| panic!("{path}, {}: {name} is missing in {found:?}", answer["case"]));
                found.remove(place);
            }
        }
    }
}
