//! How alike are two retrievers' lists? Without judgments, from the keys of the top items that the parts hold.
//!
//! Alike lists cannot differ much by any metric, and lists that share little say how much there would be to judge.

use std::num::NonZeroUsize;

use datafusion::arrow::array::Array as _;
use rematch_metrics::Proportion;
use rematch_metrics::top_lists::TopLists;
use serde::{Deserialize, Serialize};

use super::chunk::Chunk;
use super::judged::BoundsBeside;
use super::outcome::{ListSimilarity, MetricSummary};
use super::question::Question;
use super::tally::{MeanTally, merge_each};
use crate::rows::top_keys;

/// The probability with which rank-biased overlap reads on: nine tenths of its weight are on the first ten ranks or so.
const PERSISTENCE: Proportion = Proportion::NINETY_PERCENT;

/// Returns what compares the tops of two lists.
pub(super) fn top_lists() -> TopLists {
    TopLists::new(PERSISTENCE)
}

/// One candidate's lists beside the baseline's, summed up over some sessions.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct SimilarityTally {
    sessions: u64,
    overlap: MeanTally,
    /// In the order of [`crate::benchmark::Plan::list_cutoffs`].
    at_cutoffs: Vec<AtCutoff>,
    kendall_tau: MeanTally,
    tau_ap: MeanTally,
    common_items: u64,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct AtCutoff {
    jaccard: MeanTally,
    identical: u64,
}

impl SimilarityTally {
    /// Sums up a chunk for every candidate. `judged` looks at the same lists.
    pub(super) fn of(question: &Question<'_>, chunk: &Chunk, mut judged: Option<&mut BoundsBeside>) -> Vec<Self> {
        let mut lists = top_lists();
        let mut of = |candidate| Self::of_candidate(question, chunk, candidate, &mut lists, judged.as_deref_mut());
        question.candidates().map(&mut of).collect()
    }

    fn of_candidate(
        question: &Question<'_>,
        chunk: &Chunk,
        candidate: usize,
        lists: &mut TopLists,
        mut judged: Option<&mut BoundsBeside>,
    ) -> Self {
        let mut found = Self { at_cutoffs: vec![AtCutoff::default(); question.list_cutoffs.len()], ..Self::default() };
        let (Some(baseline), Some(new)) = (chunk.arms.first(), chunk.arms.get(candidate)) else { return found };
        let (Some(old_tops), Some(new_tops)) = (&baseline.top_items, &new.top_items) else { return found };
        for row in 0..old_tops.len().min(new_tops.len()) {
            if !baseline.has_failed(row) && !new.has_failed(row) {
                lists.compare(top_keys(old_tops.value(row)), top_keys(new_tops.value(row)));
                found.add(lists, &question.list_cutoffs);
                if let Some(judged) = judged.as_deref_mut() {
                    judged.look(candidate, row, lists);
                }
            }
        }
        found
    }

    fn add(&mut self, lists: &TopLists, cutoffs: &[NonZeroUsize]) {
        self.sessions += 1;
        self.overlap.add(lists.rank_biased_overlap());
        for (found, cutoff) in self.at_cutoffs.iter_mut().zip(cutoffs) {
            found.jaccard.add(lists.jaccard(*cutoff));
            found.identical += u64::from(lists.identical(*cutoff));
        }
        let orders = lists.order_correlations();
        self.kendall_tau.add(orders.map(|orders| orders.kendall_tau));
        self.tau_ap.add(orders.map(|orders| orders.average_precision));
        self.common_items += lists.common_items() as u64;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.overlap.merge(other.overlap);
        merge_each(&mut self.at_cutoffs, other.at_cutoffs, |ours, theirs| {
            ours.jaccard.merge(theirs.jaccard);
            ours.identical += theirs.identical;
        });
        self.kendall_tau.merge(other.kendall_tau);
        self.tau_ap.merge(other.tau_ap);
        self.common_items += other.common_items;
    }

    pub(super) fn summarise(&self, question: &Question<'_>) -> ListSimilarity {
        let summary =
            |mean: &MeanTally| MetricSummary { mean: mean.mean(), n: mean.n, undefined: self.sessions - mean.n };
        let share = |count: u64| (self.sessions > 0).then(|| count as f64 / self.sessions as f64);
        let at_cutoffs = || question.list_cutoffs.iter().map(ToString::to_string).zip(&self.at_cutoffs);
        ListSimilarity {
            depth: question.plan.list_depth() as u64,
            sessions: self.sessions,
            rbo_persistence: PERSISTENCE.get(),
            rbo: summary(&self.overlap),
            jaccard_at_k: at_cutoffs().map(|(cutoff, found)| (cutoff, summary(&found.jaccard))).collect(),
            identical_at_k: at_cutoffs().map(|(cutoff, found)| (cutoff, share(found.identical))).collect(),
            kendall_tau: summary(&self.kendall_tau),
            tau_ap: summary(&self.tau_ap),
            mean_common_items: share(self.common_items),
        }
    }
}
