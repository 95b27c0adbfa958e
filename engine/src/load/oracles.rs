//! Slow, simple readers that the fast ones are checked against, for tests from outside of this crate.

use std::path::Path;

use super::native::SessionBatches;
use super::recorded::in_memory;
use super::{LoadError, check_session_ids};
use crate::benchmark::HitOrder;
use crate::rows::sessions_from_batch;
use crate::schema;
use crate::session::{Ranking, Session};

/// Returns the sessions of a Parquet file as a sample is drawn from them: the ids by themselves, then batches.
///
/// # Errors
///
/// Returns an error when the file cannot be read, or an id occurs twice.
pub fn sessions_in_batches(path: &Path) -> Result<Vec<Session>, LoadError> {
    let paths = [path.to_owned()];
    check_session_ids(&paths)?;
    let columns: Vec<&str> = schema::SESSIONS.fields().iter().map(|field| field.name().as_str()).collect();
    let mut batches = SessionBatches::new(&paths, &columns);
    let mut sessions = Vec::new();
    while let Some(batch) = batches.next_batch()? {
        let read = sessions_from_batch(&batch);
        sessions.extend(read.map_err(|error| super::columnar::damaged(path, error))?);
    }
    Ok(sessions)
}

/// Returns every ranking of a file, held in memory, in ascending order of the session ids. Of a ranking, session, hits and
/// failure are read.
///
/// # Errors
///
/// Returns an error when there is anything in the file that is no ranking.
pub fn recorded_rankings(path: &Path, order: HitOrder) -> Result<Vec<Ranking>, LoadError> {
    let rankings = in_memory::read(path, None, order)?;
    let of_session = |id: &str| {
        let recorded = rankings.get(id).cloned().unwrap_or_default();
        let (error_kind, error) = recorded.failure.map(|failure| (failure.kind, failure.message)).unzip();
        Ranking { session_id: id.to_owned(), hits: recorded.hits, error_kind, error, ..Ranking::default() }
    };
    Ok(rankings.session_ids().map(of_session).collect())
}
