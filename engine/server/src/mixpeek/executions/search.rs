//! Asking a retriever, through a worker.

use std::num::NonZeroUsize;

use serde_json::{Map, Value};

use crate::App;
use crate::catalog::corpora;
use crate::jobs::{Worker, WorkerError};
use crate::mixpeek::retrievers::stages::corpora_of;
use crate::platform::error::ApiError;
use crate::worker::{Order, SearchInputs, SearchOrder, SearchOutcome};

/// Returns the section `corpus` of a benchmark file with those corpora that a retriever uses.
///
/// # Errors
///
/// Returns an error when the database fails.
pub async fn corpora_for(app: &App, organisation: &str, section: &Value) -> Result<Map<String, Value>, ApiError> {
    let used = corpora_of(section);
    let all = corpora::section(app, organisation).await?;
    Ok(all.into_iter().filter(|(name, _)| used.contains(name)).collect())
}

/// Checks that a retriever can be asked: that its stages make sense, and that their files are there.
///
/// # Errors
///
/// Returns 422 for one that cannot.
pub async fn check(app: &App, organisation: &str, section: &Value) -> Result<(), ApiError> {
    let checked = answer(app, organisation, section.clone(), None, NonZeroUsize::MIN).await;
    checked.map(|_| ()).map_err(|error| match error {
        WorkerError::Failed { message, .. } => ApiError::invalid(&["body", "stages"], "value_error", message),
        error => error.into(),
    })
}

/// Asks a retriever.
///
/// # Errors
///
/// Returns why there is no answer; a search that fails within the retriever is one.
pub async fn find(
    app: &App,
    organisation: &str,
    section: Value,
    inputs: SearchInputs,
    depth: NonZeroUsize,
) -> Result<SearchOutcome, ApiError> {
    let answered = answer(app, organisation, section, Some(inputs), depth).await?;
    serde_json::from_value(answered).map_err(ApiError::internal)
}

async fn answer(
    app: &App,
    organisation: &str,
    retriever: Value,
    search: Option<SearchInputs>,
    depth: NonZeroUsize,
) -> Result<Value, WorkerError> {
    let corpora = corpora_for(app, organisation, &retriever).await?;
    // Of an organisation that has brought nothing yet, there is no folder.
    tokio::fs::create_dir_all(app.root_of(organisation)).await.map_err(ApiError::internal)?;
    let order = Order::Search(SearchOrder { retriever, corpora, search, depth });
    Worker::of_request(app, organisation).answer(&order).await
}
