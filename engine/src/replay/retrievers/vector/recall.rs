//! How many of the nearest items an approximate search finds.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::top::Candidate;

/// Items of an answer that are compared.
pub(super) const RECALL_DEPTH: usize = 10;

/// The share of the nearest items that an approximate search found, over a sample of sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// Sessions that were answered in both ways.
    pub sessions: u64,
    /// Their nearest items, at most 10 each.
    pub nearest: u64,
    /// How many of these were found.
    pub found: u64,
}

impl Recall {
    /// Returns the share that was found, or `None` where no session was compared.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.nearest > 0).then(|| self.found as f64 / self.nearest as f64)
    }

    fn add(&mut self, exact: &[Candidate], approximate: &[Candidate]) {
        let head = |all: &[Candidate]| -> HashSet<u32> {
            all.iter().take(RECALL_DEPTH).map(|candidate| candidate.id_order).collect()
        };
        let (exact, approximate) = (head(exact), head(approximate));
        self.sessions += 1;
        self.nearest += exact.len() as u64;
        self.found += exact.intersection(&approximate).count() as u64;
    }
}

/// The recall of a retriever so far, from the sessions that a hash of their ids picks.
#[derive(Debug)]
pub(super) struct RecallSample {
    share: f64,
    recall: Mutex<Recall>,
}

impl RecallSample {
    #[cfg_attr(not(feature = "ann"), expect(dead_code, reason = "only graphs of neighbours have a recall"))]
    pub(super) fn new(share: f64) -> Self {
        Self { share, recall: Mutex::default() }
    }

    /// Returns whether the session is in the sample, which depends on nothing but its id.
    pub(super) fn holds(&self, session_id: &str) -> bool {
        if self.share >= 1.0 {
            return true;
        }
        let digest: [u8; 32] = Sha256::digest(session_id.as_bytes()).into();
        let head = digest.first_chunk().map_or(u64::MAX, |head| u64::from_be_bytes(*head));
        (head as f64) < self.share * u64::MAX as f64
    }

    pub(super) fn add(&self, exact: &[Candidate], approximate: &[Candidate]) {
        self.recall.lock().unwrap_or_else(PoisonError::into_inner).add(exact, approximate);
    }

    pub(super) fn recall(&self) -> Recall {
        *self.recall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
