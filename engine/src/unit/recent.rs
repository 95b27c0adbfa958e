//! Chunks of the sample that several retrievers answer at about the same time: each is read once for all of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::UnitError;
use crate::benchmark::RelevancePlan;
use crate::score::Relevance;
use crate::session::Session;

/// Chunks that are held for retrievers that have not come to them yet; one that comes later reads its chunk itself.
const MOST_CHUNKS: usize = 3;

/// Sessions of a chunk, and what their items are worth.
#[derive(Clone)]
pub(super) struct Graded {
    pub(super) sessions: Arc<[Session]>,
    /// One element per session.
    pub(super) relevance: Arc<[Relevance]>,
}

impl Graded {
    pub(super) fn of(sessions: Arc<[Session]>, plan: &RelevancePlan) -> Self {
        let relevance = sessions.iter().map(|session| Relevance::of(session, plan)).collect();
        Self { sessions, relevance }
    }
}

/// A chunk's sessions, once they are read: whoever comes meanwhile waits.
type Slot = Arc<Mutex<Option<Graded>>>;

/// The chunks that were read last.
#[derive(Default)]
pub struct RecentChunks {
    chunks: Mutex<VecDeque<Recent>>,
}

struct Recent {
    chunk: usize,
    sessions: Slot,
    /// Readers that have not come yet.
    awaited: usize,
}

impl RecentChunks {
    /// Returns a chunk's sessions, of which `read` reads those that were not read for somebody else; as many as `readers` ask
    /// for a chunk. Blocks while somebody else reads it.
    ///
    /// # Errors
    ///
    /// Returns the error of `read`; whoever asks next reads again.
    pub(super) fn get(
        &self,
        chunk: usize,
        readers: usize,
        read: impl FnOnce() -> Result<Graded, UnitError>,
    ) -> Result<Graded, UnitError> {
        if readers < 2 {
            return read();
        }
        let slot = self.slot(chunk, readers);
        let mut sessions = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sessions) = sessions.as_ref() {
            return Ok(sessions.clone());
        }
        let found = read()?;
        *sessions = Some(found.clone());
        Ok(found)
    }

    fn slot(&self, chunk: usize, readers: usize) -> Slot {
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = chunks.iter().position(|recent| recent.chunk == chunk)
            && let Some(recent) = chunks.get_mut(place)
        {
            let sessions = Arc::clone(&recent.sessions);
            recent.awaited = recent.awaited.saturating_sub(1);
            if recent.awaited == 0 {
                chunks.remove(place);
            }
            return sessions;
        }
        if chunks.len() == MOST_CHUNKS {
            chunks.pop_front();
        }
        let sessions = Slot::default();
        chunks.push_back(Recent { chunk, sessions: Arc::clone(&sessions), awaited: readers - 1 });
        sessions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_read_once_for_all_and_held_until_all_have_it_or_others_need_the_room() {
        let recent = RecentChunks::default();
        let reads = std::cell::Cell::new(0);
        let get = |chunk: usize, readers| {
            let read = || {
                reads.set(reads.get() + 1);
                let sessions = vec![Session { session_id: chunk.to_string(), ..Session::default() }];
                Ok(Graded { sessions: sessions.into(), relevance: Arc::default() })
            };
            let Graded { sessions, .. } = recent.get(chunk, readers, read).expect("sessions");
            assert_eq!(sessions[0].session_id, chunk.to_string());
            reads.get()
        };
        assert_eq!([get(0, 1), get(0, 1)], [1, 2], "nobody else comes");
        assert_eq!([get(7, 2), get(7, 2), get(7, 2)], [3, 3, 4], "a third is the first of the next two");
        assert_eq!([get(1, 3), get(2, 3), get(3, 3), get(4, 3)], [5, 6, 7, 8]);
        assert_eq!([get(4, 3), get(3, 3), get(1, 3)], [8, 8, 9]);
        let error = recent.get(9, 2, || Err(UnitError::Unknown { pipeline: 5 }));
        assert!(matches!(error, Err(UnitError::Unknown { pipeline: 5 })));
        assert_eq!(get(9, 2), 10, "an error is not kept");
    }
}
