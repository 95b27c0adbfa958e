//! Pipelines that begin with the same stages run them once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::ReplayError;
use crate::benchmark::PipelinePlan;
use crate::replay::stages::{Answered, Flight, INSIDE, Stages};
use crate::session::{Session, StageState};

/// Chunks of which shared answers are kept for the pipelines that have not come for them yet. A pipeline that comes later
/// asks again.
const KEPT: usize = 2 * CHUNKS_SIDE_BY_SIDE;

/// The most chunks that may be worked on between one pipeline's turn and the next's, if shared answers are to be there still.
pub(crate) const CHUNKS_SIDE_BY_SIDE: usize = 16;

/// The places after which a pipeline's stages differ from those of another one, shortest first.
#[derive(Clone, Default)]
pub(super) struct Prefixes {
    prefixes: Vec<Prefix>,
    /// Number of stages that an earlier pipeline of the plan begins with too: their answers are called shared, whoever of the
    /// two was asked.
    stages_of_others: usize,
}

/// The first stages of several pipelines.
#[derive(Clone)]
struct Prefix {
    /// Number of stages.
    stages: usize,
    /// How often the answers to a chunk are asked for.
    takers: usize,
    answers: Arc<Mutex<VecDeque<Shared>>>,
}

/// Answers to one chunk.
struct Shared {
    sessions: Arc<[Session]>,
    /// Those who have not come yet.
    takers: usize,
    answers: Arc<OnceCell<Arc<[Answered]>>>,
}

impl Prefixes {
    /// Returns the shared beginnings of every pipeline, in the order of the plans.
    pub(super) fn of(plans: &[PipelinePlan]) -> Vec<Self> {
        let mut all = vec![Self::default(); plans.len()];
        let longest = plans.iter().map(|plan| plan.stages.len()).max().unwrap_or(0);
        for stages in 1..=longest {
            for (first, plan) in plans.iter().enumerate() {
                let alike: Vec<usize> = (0..plans.len())
                    .filter(|other| plans.get(*other).is_some_and(|other| begin_alike(plan, other, stages)))
                    .collect();
                // Every group is looked at once, by its first pipeline; a longer beginning of the same group replaces this one.
                let goes_on =
                    |other: &usize| plans.get(*other).is_some_and(|other| begin_alike(plan, other, stages + 1));
                if alike.len() < 2 || alike.first() != Some(&first) || alike.iter().all(goes_on) {
                    continue;
                }
                let takers = takers(plans, &alike, stages);
                let prefix = Prefix { stages, takers, answers: Arc::default() };
                for pipeline in alike {
                    if let Some(Self { prefixes, stages_of_others }) = all.get_mut(pipeline) {
                        prefixes.push(prefix.clone());
                        if pipeline != first {
                            *stages_of_others = stages;
                        }
                    }
                }
            }
        }
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// Forgets the answers that nobody has come for.
    pub(super) fn forget(&self) {
        for prefix in &self.prefixes {
            prefix.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Returns the answers of all stages to a chunk of sessions.
    pub(super) async fn answer(
        &self,
        stages: &Arc<Stages>,
        sessions: &Arc<[Session]>,
        flight: &Arc<Flight>,
    ) -> Result<Vec<Answered>, ReplayError> {
        let (done, mut answered) = match self.prefixes.split_last() {
            Some((prefix, shorter)) => (prefix.stages, prefix.answer(shorter, stages, sessions, flight).await?),
            None => (1, stages.find(sessions, flight).await?),
        };
        answered.iter_mut().for_each(|answer| self.call_shared(answer));
        Ok(stages.transform(done - 1..stages.count() - 1, sessions, answered, flight).await)
    }

    /// Says of the stages that are another pipeline's too that they are.
    fn call_shared(&self, answer: &mut Answered) {
        let mut stage = 0;
        for record in &mut answer.records {
            stage += usize::from(!record.name.contains(INSIDE));
            if stage > self.stages_of_others {
                break;
            }
            if record.state == StageState::Ok {
                record.state = StageState::Shared;
            }
        }
    }
}

impl Prefix {
    async fn answer(
        &self,
        shorter: &[Self],
        stages: &Arc<Stages>,
        sessions: &Arc<[Session]>,
        flight: &Arc<Flight>,
    ) -> Result<Vec<Answered>, ReplayError> {
        let cell = self.cell(sessions);
        let ask = async {
            let (done, answered) = match shorter.split_last() {
                Some((prefix, shorter)) => {
                    (prefix.stages, Box::pin(prefix.answer(shorter, stages, sessions, flight)).await?)
                }
                None => (1, stages.find(sessions, flight).await?),
            };
            let answered = stages.transform(done - 1..self.stages - 1, sessions, answered, flight).await;
            Ok::<Arc<[Answered]>, ReplayError>(answered.into())
        };
        Ok(cell.get_or_try_init(|| ask).await?.to_vec())
    }

    /// Returns where the answers to a chunk are, or will be.
    fn cell(&self, sessions: &Arc<[Session]>) -> Arc<OnceCell<Arc<[Answered]>>> {
        let mut kept = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = |sessions: &Arc<[Session]>, other: &Arc<[Session]>| {
            sessions.iter().map(|session| &session.session_id).eq(other.iter().map(|session| &session.session_id))
        };
        if let Some(index) = kept.iter().position(|shared| ids(&shared.sessions, sessions))
            && let Some(shared) = kept.get_mut(index)
        {
            let answers = Arc::clone(&shared.answers);
            shared.takers = shared.takers.saturating_sub(1);
            if shared.takers == 0 {
                kept.remove(index);
            }
            return answers;
        }
        let shared = Shared { sessions: Arc::clone(sessions), takers: self.takers - 1, answers: Arc::default() };
        let answers = Arc::clone(&shared.answers);
        kept.push_back(shared);
        if kept.len() > KEPT {
            kept.pop_front();
        }
        answers
    }
}

/// Whether two pipelines have the same first stages, whatever these are called.
pub(crate) fn begin_alike(one: &PipelinePlan, other: &PipelinePlan, stages: usize) -> bool {
    let (Some(one), Some(other)) = (one.stages.get(..stages), other.stages.get(..stages)) else { return false };
    let mut pairs = one.iter().zip(other);
    pairs.all(|(one, other)| (one.on_error, one.depth, &one.does) == (other.on_error, other.depth, &other.does))
}

/// The number of times that answers to the first `stages` are asked for: once by each group of pipelines that share still
/// more, and by each pipeline that goes on alone.
fn takers(plans: &[PipelinePlan], alike: &[usize], stages: usize) -> usize {
    let is_new = |(place, index): (usize, &usize)| {
        let earlier = alike.get(..place).unwrap_or_default();
        let plan = plans.get(*index);
        !earlier
            .iter()
            .any(|other| plan.zip(plans.get(*other)).is_some_and(|(plan, other)| begin_alike(plan, other, stages + 1)))
    };
    alike.iter().enumerate().filter(|pair| is_new(*pair)).count()
}
