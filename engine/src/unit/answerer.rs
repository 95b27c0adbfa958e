//! Who answers the sessions of a unit.

use std::sync::Arc;

use super::{BorrowedRankings, UnitContext, UnitError, WorkUnit};
use crate::replay::Replayer;
use crate::rows::Answers;
use crate::session::Session;

/// Who answers the sessions of one pipeline's units.
pub(super) enum Answerer {
    /// The pipeline is asked.
    Replayed(Replayer),
    /// It was asked in another run.
    Borrowed(Arc<BorrowedRankings>),
}

impl Answerer {
    /// Returns who answers for a pipeline of the run.
    pub(super) fn of(context: &UnitContext, pipeline: usize) -> Result<Self, UnitError> {
        if let Some(borrowed) = &context.borrowed {
            return Ok(Self::Borrowed(Arc::clone(borrowed)));
        }
        let found = context.pipelines.get(pipeline).map(Arc::clone);
        Ok(Self::Replayed(Replayer::new(found.ok_or(UnitError::Unknown { pipeline })?)))
    }

    /// Returns the answers to sessions of the unit, in their order.
    pub(super) async fn answers(
        &self,
        context: &UnitContext,
        unit: WorkUnit,
        sessions: &Arc<[Session]>,
    ) -> Result<Answers, UnitError> {
        let depth = context.plan.depth.get();
        match self {
            Self::Replayed(replayer) => Ok(replayer.replay(Arc::clone(sessions), depth).await?),
            Self::Borrowed(borrowed) => {
                let (borrowed, sessions) = (Arc::clone(borrowed), Arc::clone(sessions));
                let read = move || borrowed.answers(unit.pipeline, unit.chunk, &sessions, depth);
                tokio::task::spawn_blocking(read).await?
            }
        }
    }
}
