//! Rankings of sessions that are asked for in ascending order.

use std::sync::Arc;

use datafusion::arrow::array::{Array, Int64Builder, StringArray};

use super::block::Block;
use super::hit_lists::HitLists;
use super::order::{Arranger, Order};
use super::source::WholeSessions;
use super::{Opened, Recorded, RecordedAnswers};
use crate::load::LoadError;

/// Reads the rankings of sessions from a [`super::Recording`].
///
/// Sessions asked for in ascending order are read in one pass over the file; whoever asks for an earlier session, or for one
/// far ahead, makes it start again at the nearest place of the index. Holds a few blocks of the file in memory.
pub struct RecordedCursor {
    opened: Arc<Opened>,
    arranger: Arranger,
    sessions: Option<WholeSessions>,
    block: Option<Block>,
    /// The run of `block` at hand. All before it are of sessions before `asked`.
    run: usize,
    /// The session that was asked for last.
    asked: String,
}

impl std::fmt::Debug for RecordedCursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RecordedCursor").field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// What is put together for one answer.
#[derive(Default)]
struct Answer {
    hits: HitLists,
    states: Vec<Recorded>,
    latencies: Int64Builder,
    has_latencies: bool,
}

impl RecordedCursor {
    pub(super) fn new(opened: Arc<Opened>) -> Self {
        let arranger = Arranger::new(opened.compatibility);
        Self { opened, arranger, sessions: None, block: None, run: 0, asked: String::new() }
    }

    /// Returns the rankings of sessions whose ids ascend: at most `depth` hits each, best first.
    ///
    /// Ids in any other order get the same answers, slower. A null id is a session that was not recorded.
    ///
    /// # Errors
    ///
    /// Names file and row where a ranking of these sessions holds a hit without an item or a rank, an item twice, a score
    /// that is no finite number or hits with and without scores; returns [`LoadError::Io`] and [`LoadError::Damaged`] where
    /// the file cannot be read on, and [`LoadError::Format`] for more hits than an array of lists can hold.
    pub fn answers(&mut self, session_ids: &StringArray, depth: usize) -> Result<RecordedAnswers, LoadError> {
        let mut answer = Answer::default();
        for id in session_ids {
            let found = match id {
                Some(id) => self.advance(id, &mut answer)?,
                None => false,
            };
            match self.block.take() {
                Some(block) if found => {
                    let added = self.add(&block, depth, &mut answer);
                    self.block = Some(block);
                    added?;
                }
                block => {
                    self.block = block;
                    answer.push(Recorded::Missing, None);
                    answer.hits.push_empty();
                }
            }
        }
        let refused = |error| self.opened.refused(error);
        if let Some(block) = &self.block {
            answer.hits.leave(block).map_err(refused)?;
        }
        Ok(RecordedAnswers {
            hits: answer.hits.finish(self.opened.compatibility).map_err(refused)?,
            states: answer.states,
            latencies_ns: answer.has_latencies.then(|| answer.latencies.finish()),
        })
    }

    /// Goes to a session, and returns whether it was recorded.
    fn advance(&mut self, id: &str, answer: &mut Answer) -> Result<bool, LoadError> {
        if self.sessions.is_none() || id < self.asked.as_str() {
            self.start_at(id, answer)?;
        }
        self.asked.clear();
        self.asked.push_str(id);
        loop {
            if let Some(block) = &self.block
                && block.last_id().is_some_and(|last| id <= last)
            {
                while self.run < block.ids.len() && block.ids.value(self.run) < id {
                    self.run += 1;
                }
                return Ok(self.run < block.ids.len() && block.ids.value(self.run) == id);
            }
            let far = match (&self.sessions, self.opened.index.find(id)) {
                (Some(sessions), Some(entry)) => sessions.is_far_from(entry),
                _ => false,
            };
            if far {
                self.start_at(id, answer)?;
            }
            self.leave_block(answer)?;
            let Some(sessions) = &mut self.sessions else { return Ok(false) };
            self.block = sessions.next_block(&self.opened.path)?;
            if self.block.is_none() {
                return Ok(false);
            }
        }
    }

    fn start_at(&mut self, id: &str, answer: &mut Answer) -> Result<(), LoadError> {
        self.leave_block(answer)?;
        let entry = self.opened.index.find(id);
        self.sessions = entry.map(|entry| WholeSessions::from_entry(&self.opened.source, entry));
        Ok(())
    }

    fn leave_block(&mut self, answer: &mut Answer) -> Result<(), LoadError> {
        self.run = 0;
        match self.block.take() {
            Some(block) => answer.hits.leave(&block).map_err(|error| self.opened.refused(error)),
            None => Ok(()),
        }
    }

    /// Adds the run at hand.
    fn add(&mut self, block: &Block, depth: usize, answer: &mut Answer) -> Result<(), LoadError> {
        let run = self.run;
        let latency = block.latencies.as_ref().filter(|latencies| latencies.is_valid(run));
        answer.has_latencies |= block.latencies.is_some();
        let latency = latency.map(|latencies| latencies.value(run));
        if let Some(failures) = block.failures.as_ref().filter(|failures| failures.kinds.is_valid(run)) {
            let message = failures.messages.as_ref().filter(|messages| messages.is_valid(run));
            let message = message.map_or("", |messages| messages.value(run)).to_owned();
            answer.push(Recorded::Failed { kind: failures.kinds.value(run).to_owned(), message }, latency);
            answer.hits.push_empty();
            return Ok(());
        }
        answer.push(Recorded::Found, latency);
        let hits = block.bounds.get(run).cloned().unwrap_or_default();
        match self.arranger.order(&self.opened.path, &self.opened.item_name, block, run)? {
            Order::AsStored => {
                let end = hits.end.min(hits.start.saturating_add(depth));
                answer.hits.push_range(block, hits.start..end);
            }
            Order::Places(mut places) => {
                places.truncate(depth);
                answer.hits.push_places(block, places).map_err(|error| self.opened.refused(error))?;
            }
        }
        Ok(())
    }
}

impl Answer {
    fn push(&mut self, state: Recorded, latency: Option<i64>) {
        self.states.push(state);
        self.latencies.append_option(latency);
    }
}
