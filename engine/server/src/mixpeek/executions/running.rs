//! A search that is on its way: what it came to is kept as an execution.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::model::{
    ExecuteRetrieverResponse, ExecutionBudget, ExecutionPage, ExecutionStatistics, FoundDocument, PageMethod,
    StageStatistics,
};
use super::search::{self, Asked};
use super::store::{self, ExecutionRecord};
use crate::App;
use crate::filters::Condition;
use crate::mixpeek::inputs::search_inputs;
use crate::mixpeek::retrievers::model::{BudgetLimits, RetrieverBody};
use crate::platform::error::ApiError;
use crate::platform::identifier::new_id;
use crate::platform::page::now_ms;
use crate::worker::{FoundHit, Message, SearchOutcome, SearchedStage};

/// The kind of failure of an execution that took longer than its retriever's budget allows.
const BUDGET_EXCEEDED: &str = "budget_exceeded";

/// Messages of a worker that wait to be heard.
const WAITING: usize = 64;

/// The page of documents that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// How pages are named.
    pub method: PageMethod,
    /// Documents before it.
    pub offset: u64,
    /// Its documents.
    pub size: u32,
}

/// What must hold of a document.
#[derive(Debug)]
pub struct Filters {
    /// As it was written.
    pub written: Map<String, Value>,
    /// As it was read.
    pub condition: Condition,
}

/// A search that can be made.
pub struct Search {
    app: App,
    organisation: String,
    namespace: String,
    retriever: String,
    section: Value,
    collections: Vec<String>,
    limits: BudgetLimits,
    inputs: Map<String, Value>,
    filters: Option<Filters>,
    page: Page,
    /// The identifier of the execution.
    pub id: String,
    begun: Instant,
}

impl Search {
    /// Returns a search by a retriever of an organisation's namespace.
    #[must_use]
    pub fn new(
        app: App,
        (organisation, namespace, retriever): (String, String, String),
        (section, body): (Value, RetrieverBody),
        (inputs, filters): (Map<String, Value>, Option<Filters>),
        page: Page,
    ) -> Self {
        let (collections, limits) = (body.collection_identifiers, body.budget_limits.unwrap_or_default());
        let (id, begun) = (new_id("exec"), Instant::now());
        Self { app, organisation, namespace, retriever, section, collections, limits, inputs, filters, page, id, begun }
    }

    /// Returns what it has taken by now.
    #[must_use]
    pub fn budget(limits: BudgetLimits, begun: Instant) -> ExecutionBudget {
        ExecutionBudget {
            credits_used: 0.0,
            credits_remaining: limits.max_credits,
            time_used_ms: begun.elapsed().as_secs_f64() * 1e3,
            max_credits: limits.max_credits,
            max_time_ms: limits.max_time_ms,
        }
    }

    /// Returns what it may take, and when it began.
    #[must_use]
    pub fn clock(&self) -> (BudgetLimits, Instant) {
        (self.limits, self.begun)
    }

    /// Makes it, and keeps what it came to. `heard` is told what the worker says.
    ///
    /// # Errors
    ///
    /// Returns why there is no execution.
    pub async fn make(self, heard: Option<mpsc::Sender<Message>>) -> Result<ExecuteRetrieverResponse, ApiError> {
        let created_at = now_ms();
        let found = self.found(heard).await?;
        let statistics = statistics(&found);
        let (documents, pagination) = paged(&found, self.page);
        let execution = ExecutionRecord {
            id: self.id,
            retriever: self.retriever,
            inputs: self.inputs,
            filters: self.filters.map(|filters| filters.written),
            offset: self.page.offset,
            documents,
            statistics,
            error: found.failure.map(|(kind, message)| format!("{kind}: {message}")),
            created_at,
            completed_at: now_ms(),
        };
        store::put(&self.app, &self.organisation, &self.namespace, execution.clone()).await?;
        Ok(ExecuteRetrieverResponse {
            status: execution.status().to_owned(),
            retriever_id: execution.retriever,
            execution_id: execution.id,
            results: execution.documents.clone(),
            documents: execution.documents,
            pagination,
            stage_statistics: execution.statistics,
            budget: Self::budget(self.limits, self.begun),
            warnings: found.warnings,
            error: execution.error,
        })
    }

    /// Asks the retriever. Where its time is over, the stages that have ended are all that is found.
    async fn found(&self, heard: Option<mpsc::Sender<Message>>) -> Result<SearchOutcome, ApiError> {
        // One more than the page has tells whether there is another page.
        let depth = usize::try_from(self.page.offset + u64::from(self.page.size) + 1).unwrap_or(usize::MAX);
        let asked = Asked {
            section: self.section.clone(),
            collections: self.collections.clone(),
            inputs: search_inputs(&self.inputs),
            filters: self.filters.as_ref().map(|filters| filters.condition.clone()),
            depth: NonZeroUsize::new(depth).unwrap_or(NonZeroUsize::MIN),
            time: self.limits.max_time_ms.map(Duration::from_millis),
        };
        let (tell, mut told) = mpsc::channel(WAITING);
        let mut stages = Vec::new();
        let listen = async {
            while let Some(message) = told.recv().await {
                if let Message::StageEnded { stage, .. } = &message {
                    stages.push(stage.clone());
                }
                if let Some(heard) = &heard {
                    // Whoever listened may be gone.
                    let _ = heard.send(message).await;
                }
            }
        };
        let (found, ()) = tokio::join!(search::find(&self.app, &self.organisation, asked, tell), listen);
        Ok(found?.unwrap_or_else(|| {
            let limit = self.limits.max_time_ms.unwrap_or_default();
            let message = format!("stopped after {limit} ms, the `max_time_ms` of the retriever's `budget_limits`");
            SearchOutcome {
                latency_ns: stages.iter().map(|stage: &SearchedStage| stage.latency_ns).sum(),
                stages,
                failure: Some((BUDGET_EXCEEDED.to_owned(), message)),
                ..SearchOutcome::default()
            }
        }))
    }
}

/// Returns a hit as a document.
#[must_use]
pub fn of_hit(hit: &FoundHit) -> FoundDocument {
    FoundDocument { document_id: hit.item_id.clone(), score: hit.score, collection_id: hit.collection.clone() }
}

fn paged(found: &SearchOutcome, page: Page) -> (Vec<FoundDocument>, ExecutionPage) {
    let before = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let documents: Vec<FoundDocument> = found.hits.iter().skip(before).take(page.size as usize).map(of_hit).collect();
    let end = page.offset + u64::from(page.size);
    let has_next = found.hits.len() as u64 > end;
    let (limit, returned, total) = (page.size, documents.len() as u64, found.hits.len() as u64);
    let next = has_next.then(|| format!("offset:{end}"));
    let pagination = match page.method {
        PageMethod::Offset => {
            let page_number = page.offset / u64::from(page.size) + 1;
            ExecutionPage::Offset { page_size: limit, page_number, returned, total, has_next }
        }
        PageMethod::Cursor => ExecutionPage::Cursor { limit, returned, total, cursor: next, has_next },
        PageMethod::Scroll => ExecutionPage::Scroll { limit, returned, total, scroll_id: next, has_next },
        PageMethod::Keyset => {
            let after = next.map(|next| Map::from_iter([("cursor".to_owned(), Value::from(next))]));
            ExecutionPage::Keyset { limit, returned, total, after, has_next }
        }
    };
    (documents, pagination)
}

fn statistics(found: &SearchOutcome) -> ExecutionStatistics {
    let stages: BTreeMap<String, StageStatistics> = found
        .stages
        .iter()
        .enumerate()
        .map(|(position, stage)| (stage.name.clone(), of_stage(stage, position)))
        .collect();
    ExecutionStatistics { stages, total_time_ms: milliseconds(found.latency_ns), credits_used: 0.0 }
}

/// Returns what a stage did.
#[must_use]
pub fn of_stage(stage: &SearchedStage, position: usize) -> StageStatistics {
    let (entered, left) = (stage.entered as u64, stage.left as u64);
    let efficiency = if position == 0 || entered == 0 { 1.0 } else { left as f64 / entered as f64 };
    let mut metadata = Map::new();
    metadata.insert("kind".to_owned(), Value::from(stage.kind.as_str()));
    metadata.insert("state".to_owned(), Value::from(stage.state.as_str()));
    metadata.insert("position".to_owned(), Value::from(position));
    StageStatistics {
        input_count: entered,
        output_count: left,
        duration_ms: milliseconds(stage.latency_ns),
        efficiency,
        error: stage.problem.clone(),
        metadata: Some(metadata),
    }
}

fn milliseconds(nanoseconds: i64) -> f64 {
    nanoseconds.max(0) as f64 / 1e6
}
