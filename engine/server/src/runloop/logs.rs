//! The log of a scenario run's scoring, as an archive.

use std::io::{Cursor, Write};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rusqlite::OptionalExtension;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::errors::Failures;
use super::model::ScenarioRunView;
use super::scenario_runs;
use crate::App;
use crate::platform::auth::Reader;
use crate::platform::error::ApiError;
use crate::platform::extract::Path;

/// Returns the log of a run's scoring, as a ZIP archive: `scoring.log` for people, `scenario_run.json` and `scoring.json` (hits, and
/// what each function said) for programs.
#[utoipa::path(post, path = "/v1/scenarios/runs/{id}/download_logs",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The archive", body = Vec<u8>, content_type = "application/zip"), Failures),
    security(("token" = ["read"])))]
pub(super) async fn download_scenario_run_logs(
    State(app): State<App>,
    Reader(principal): Reader,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let (run, log) = app
        .database()
        .read(move |connection| {
            let run = scenario_runs::find(connection, &principal.organisation, &id)?;
            let sql = "SELECT log FROM scenario_runs WHERE id = ?1";
            let log: Option<Option<String>> =
                connection.prepare_cached(sql)?.query_row([&id], |row| row.get(0)).optional()?;
            Ok((run, log.flatten()))
        })
        .await?;
    let log: Value = log.and_then(|log| serde_json::from_str(&log).ok()).unwrap_or_default();
    let archive = archive(&run, &log).map_err(ApiError::internal)?;
    let name = format!("attachment; filename=\"{}.zip\"", run.id);
    let headers = [(header::CONTENT_TYPE, "application/zip".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, archive).into_response())
}

fn archive(run: &ScenarioRunView, log: &Value) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let files = [
        ("scoring.log", in_words(run)),
        ("scenario_run.json", serde_json::to_string_pretty(run)?),
        ("scoring.json", serde_json::to_string_pretty(log)?),
    ];
    for (name, text) in files {
        writer.start_file(name, SimpleFileOptions::default())?;
        writer.write_all(text.as_bytes())?;
    }
    Ok(writer.finish()?.into_inner())
}

fn in_words(run: &ScenarioRunView) -> String {
    let mut words = format!("scenario run {} of scenario {}: {}\n", run.id, run.scenario_id, run.state);
    let Some(result) = &run.scoring_contract_result else {
        words.push_str("not scored\n");
        return words;
    };
    words.push_str(&format!("score {}\n", json!(result.score)));
    for function in &result.scoring_function_results {
        let (name, score, state) = (&function.scoring_function_name, function.score, &function.state);
        words.push_str(&format!("\n{name}: {score} ({state})\n{}\n", function.output.trim_end()));
    }
    words
}
