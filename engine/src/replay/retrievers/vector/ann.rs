//! Approximate search: a graph of neighbours (hierarchical navigable small worlds, Malkov & Yashunin 2018).

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};

use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use super::super::top::{Candidate, Top};
use super::nearness::{Nearness, Query};
use crate::benchmark::stages::{AnnPlan, VectorMetric};

/// A graph over the vectors of a table.
///
/// It is built by one thread in the order of the documents, with levels from a generator that starts the same each time, so
/// that the same table gives the same graph and the same answers. It holds a second copy of the vectors. What a search
/// finds is scored again, exactly.
pub(super) struct Neighbours {
    index: Index,
    /// Neighbours asked for, whatever the depth, so that the answer to a smaller depth is the head of the answer to a greater one.
    wanted: usize,
    gate: Gate,
}

impl Neighbours {
    pub(super) fn build(nearness: &Nearness, plan: &AnnPlan) -> Result<Self, String> {
        let table = nearness.table();
        let options = IndexOptions {
            dimensions: table.dimension(),
            metric: match nearness.metric() {
                VectorMetric::Cosine => MetricKind::Cos,
                VectorMetric::Dot => MetricKind::IP,
                VectorMetric::L2 => MetricKind::L2sq,
            },
            quantization: ScalarKind::F32,
            connectivity: plan.connectivity.get(),
            expansion_add: plan.expansion_add.get(),
            expansion_search: plan.expansion_search.get(),
            multi: false,
        };
        let index = Index::new(&options).map_err(words)?;
        index.reserve_capacity_and_threads(table.len(), 1).map_err(words)?;
        for document in 0..u32::try_from(table.len()).unwrap_or(u32::MAX) {
            index.add(u64::from(document), table.vector(document)).map_err(words)?;
        }
        let searches = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        index.reserve_capacity_and_threads(table.len(), searches.get()).map_err(words)?;
        let wanted = plan.expansion_search.get().min(table.len());
        Ok(Self { index, wanted, gate: Gate::new(searches) })
    }

    /// Returns the best `depth` of the documents that the search finds.
    pub(super) fn nearest(
        &self,
        nearness: &Nearness,
        query: &Query<'_>,
        depth: usize,
    ) -> Result<Vec<Candidate>, String> {
        let _pass = self.gate.pass();
        let found = self.index.search(query.vector, self.wanted).map_err(words)?;
        let mut top = Top::new(depth);
        let documents = found.keys.iter().filter_map(|key| u32::try_from(*key).ok());
        documents.for_each(|document| top.push(nearness.candidate(query, document)));
        Ok(top.into_sorted())
    }
}

/// Returns the words of an error; the library does not name its type.
fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Lets as many searches in as the index has room for; it refuses more.
struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
}

struct Pass<'a>(&'a Gate);

impl Gate {
    fn new(room: NonZeroUsize) -> Self {
        Self { free: Mutex::new(room.get()), freed: Condvar::new() }
    }

    fn pass(&self) -> Pass<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Pass(self)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
