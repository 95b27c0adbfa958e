//! An answer as it is kept.

use serde::{Deserialize, Serialize};

use crate::replay::stages::Answered;
use crate::session::{Hit, StageRecord, StageState};

/// The hits of a session and what was recorded of the stages.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    hits: Vec<Hit>,
    records: Vec<StageRecord>,
}

/// Returns the bytes of an answer; `None` where it is none to be kept: a failure, or without one of its stages.
pub(super) fn encode(answered: &Answered, depth: usize) -> Option<Vec<u8>> {
    let whole = |record: &StageRecord| !matches!(record.state, StageState::Failed | StageState::Skipped);
    if answered.failure.is_some() || !answered.records.iter().all(whole) {
        return None;
    }
    let hits = answered.hits.get(..depth).unwrap_or(&answered.hits).to_vec();
    serde_json::to_vec(&Entry { hits, records: answered.records.clone() }).ok()
}

/// Returns the answer that bytes hold, marked as one that was not asked for; `None` where they hold none.
pub(super) fn decode(bytes: &[u8]) -> Option<Answered> {
    let Entry { hits, mut records } = serde_json::from_slice(bytes).ok()?;
    for record in &mut records {
        record.attempts = 0;
        if record.state != StageState::Reported {
            record.state = StageState::Cached;
        }
    }
    Some(Answered { hits, records, failure: None })
}
