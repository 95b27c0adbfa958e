//! Where rankings are kept from run to run, and how many.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use rematch_engine::replay::cache::RankingCache;

use crate::arguments::size;
use crate::exit::{Exit, Failure};
use crate::folders;

/// Names the most bytes that are kept, such as `4GiB`; 0 keeps nothing.
const LIMIT: &str = "REMATCH_CACHE_LIMIT";

/// Returns the user's rankings; `None` where nothing is to be kept, or there is no place for it.
///
/// # Errors
///
/// Returns an error when the limit is none, or the folder cannot be read.
pub(crate) fn rankings() -> Result<Option<Arc<RankingCache>>, Failure> {
    let limit_bytes = limit_bytes()?;
    match folders::rankings().filter(|_| limit_bytes > 0) {
        Some(folder) => open(&folder, limit_bytes).map(Arc::new).map(Some),
        None => Ok(None),
    }
}

/// Opens the rankings in a folder.
pub(crate) fn open(folder: &Path, limit_bytes: u64) -> Result<RankingCache, Failure> {
    let opened = RankingCache::open(folder, limit_bytes);
    let opened = opened.with_context(|| {
        let folder = folder.display();
        format!(
            "cannot read the kept rankings in `{folder}`; `--no-cache` goes without, `{}` names another folder",
            folders::CACHE
        )
    });
    opened.map_err(|error| Failure::new(Exit::Input, error))
}

/// Returns the most bytes that are kept.
pub(crate) fn limit_bytes() -> Result<u64, Failure> {
    match std::env::var(LIMIT) {
        Ok(text) if !text.is_empty() => {
            let bytes = size(&text).map_err(|reason| Failure::new(Exit::Usage, anyhow!("`{LIMIT}` is {reason}")))?;
            Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
        }
        _ => Ok(RankingCache::LIMIT_BYTES),
    }
}
