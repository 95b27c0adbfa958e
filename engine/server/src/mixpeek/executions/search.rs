//! Asking a retriever, through a worker.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::App;
use crate::catalog::corpora;
use crate::filters::{Condition, wrong};
use crate::jobs::{Worker, WorkerError};
use crate::mixpeek::retrievers::stages::corpora_of;
use crate::platform::error::ApiError;
use crate::worker::{INVALID_FILTERS, Message, Order, SearchInputs, SearchOrder, SearchOutcome};

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

/// A search to make.
pub struct Asked {
    /// The retriever's section of a benchmark file.
    pub section: Value,
    /// The collections that the retriever names, in its order.
    pub collections: Vec<String>,
    /// What is searched.
    pub inputs: SearchInputs,
    /// What must hold of a document.
    pub filters: Option<Condition>,
    /// Documents that are wanted.
    pub depth: NonZeroUsize,
    /// How long it may take.
    pub time: Option<Duration>,
}

/// Checks that a retriever can be asked: that its stages make sense, and that their files are there.
///
/// # Errors
///
/// Returns 422 for one that cannot.
pub async fn check(app: &App, organisation: &str, section: &Value) -> Result<(), ApiError> {
    let order = SearchOrder {
        corpora: corpora_for(app, organisation, section).await?,
        retriever: section.clone(),
        collections: Vec::new(),
        search: None,
        filters: None,
        depth: NonZeroUsize::MIN,
    };
    let worker = worker(app, organisation).await?;
    let checked = worker.answer(&Order::Search(order)).await;
    checked.map(|_| ()).map_err(|error| match error {
        WorkerError::Failed { message, .. } => ApiError::invalid(&["body", "stages"], "value_error", message),
        error => error.into(),
    })
}

/// Asks a retriever; `heard` is told of each stage. `None` where the time was over.
///
/// # Errors
///
/// Returns why there is no answer; a search that fails within the retriever is one.
pub async fn find(
    app: &App,
    organisation: &str,
    asked: Asked,
    heard: mpsc::Sender<Message>,
) -> Result<Option<SearchOutcome>, ApiError> {
    let Asked { section, collections, inputs, filters, depth, time } = asked;
    let all = corpora::section(app, organisation).await?;
    let used = corpora_of(&section);
    // Those that the retriever names come first, in its order; then those that only its stages name.
    let mut names = collections;
    names.extend(used.iter().cloned());
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let collections: Vec<(String, Value)> =
        names.into_iter().filter_map(|name| Some((name.clone(), all.get(&name)?.clone()))).collect();
    if filters.is_some() && collections.is_empty() {
        let message = "filters need documents, and this retriever searches no collection; name some in its \
                       `collection_identifiers`";
        return Err(wrong(message));
    }
    let corpora = all.into_iter().filter(|(name, _)| used.contains(name)).collect();
    let order = SearchOrder { retriever: section, corpora, collections, search: Some(inputs), filters, depth };
    let mut worker = worker(app, organisation).await?;
    if let Some(time) = time {
        worker = worker.within(time);
    }
    match worker.answer_telling(&Order::Search(order), heard).await {
        Ok(answered) => serde_json::from_value(answered).map(Some).map_err(ApiError::internal),
        Err(WorkerError::Failed { code, message }) if code == INVALID_FILTERS => Err(wrong(message)),
        Err(WorkerError::TooLong { limit }) if Some(limit) == time => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn worker(app: &App, organisation: &str) -> Result<Worker, ApiError> {
    // Of an organisation that has brought nothing yet, there is no folder.
    tokio::fs::create_dir_all(app.root_of(organisation)).await.map_err(ApiError::internal)?;
    Ok(Worker::of_request(app, organisation))
}
