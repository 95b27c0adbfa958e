//! How many of the nearest items an approximate search finds.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use super::super::top::Candidate;

/// Items of an answer that are compared.
pub(super) const RECALL_DEPTH: usize = 10;

/// The sessions for which the recall is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecallSample {
    share: f64,
}

impl RecallSample {
    #[cfg_attr(not(feature = "ann"), expect(dead_code, reason = "only graphs of neighbours have a recall"))]
    pub(super) fn new(share: f64) -> Self {
        Self { share }
    }

    /// Returns whether the session is in the sample, which depends on nothing but its id.
    pub(super) fn holds(self, session_id: &str) -> bool {
        if self.share >= 1.0 {
            return true;
        }
        let digest: [u8; 32] = Sha256::digest(session_id.as_bytes()).into();
        let head = digest.first_chunk().map_or(u64::MAX, |head| u64::from_be_bytes(*head));
        (head as f64) < self.share * u64::MAX as f64
    }
}

/// Returns the share of the nearest items, at most [`RECALL_DEPTH`], that are in the head of the approximate answer; `None`
/// where there is nothing to find.
pub(super) fn recall(exact: &[Candidate], approximate: &[Candidate]) -> Option<f64> {
    let head = |all: &[Candidate]| -> HashSet<u32> {
        all.iter().take(RECALL_DEPTH).map(|candidate| candidate.id_order).collect()
    };
    let (exact, approximate) = (head(exact), head(approximate));
    (!exact.is_empty()).then(|| exact.intersection(&approximate).count() as f64 / exact.len() as f64)
}
