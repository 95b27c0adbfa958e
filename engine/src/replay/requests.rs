//! What the servers of a run's retrievers were asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Pipeline;
use super::remote::RemoteCounts;

/// What servers were asked, by retriever and stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Requests(BTreeMap<String, BTreeMap<String, RemoteCounts>>);

impl Requests {
    /// Returns what pipelines asked since they were built.
    pub fn of<'a>(pipelines: impl IntoIterator<Item = &'a Pipeline>) -> Self {
        let mut requests = Self::default();
        for pipeline in pipelines {
            for (stage, counts) in pipeline.remote_counts() {
                requests.note(pipeline.id(), &stage, &counts);
            }
        }
        requests
    }

    /// Adds what a stage of a retriever asked.
    pub fn note(&mut self, retriever: &str, stage: &str, counts: &RemoteCounts) {
        self.0.entry(retriever.to_owned()).or_default().entry(stage.to_owned()).or_default().add(counts);
    }

    /// Adds what somebody else asked.
    pub fn add(&mut self, more: &Self) {
        for (retriever, stages) in &more.0 {
            stages.iter().for_each(|(stage, counts)| self.note(retriever, stage, counts));
        }
    }

    /// Returns whether any request was sent.
    #[must_use]
    pub fn any(&self) -> bool {
        self.0.values().flat_map(BTreeMap::values).any(|counts| counts.requests > 0)
    }

    /// Returns what a stage of a retriever asked; `None` where it asks nobody.
    #[must_use]
    pub fn of_stage(&self, retriever: &str, stage: &str) -> Option<RemoteCounts> {
        self.0.get(retriever)?.get(stage).copied()
    }
}
