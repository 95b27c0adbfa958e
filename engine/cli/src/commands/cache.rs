//! `rematch cache`.

use anyhow::anyhow;
use rematch_engine::replay::cache::RankingCache;

use super::{print, print_json};
use crate::arguments::{CacheCommand, ShowCacheArguments};
use crate::exit::{Exit, Failure};
use crate::folders;
use crate::ranking_cache::limit_bytes;
use crate::terminal::memory;

/// Looks after the rankings that are kept from run to run.
pub(crate) fn cache(command: &CacheCommand) -> Result<Exit, Failure> {
    let no_folder =
        || Failure::new(Exit::Usage, anyhow!("this user has no cache folder; `{}` names one", folders::CACHE));
    let folder = folders::rankings().ok_or_else(no_folder)?;
    let limit_bytes = limit_bytes()?;
    let cache = RankingCache::view(&folder, limit_bytes);
    match command {
        CacheCommand::Show(ShowCacheArguments { json }) => {
            let found = cache.summary()?;
            if *json {
                print_json(&serde_json::json!({ "folder": folder, "limit_bytes": limit_bytes, "found": found }))?;
            } else {
                print(&format!(
                    "{}: {} of {}, {} pipelines, {} files\n",
                    folder.display(),
                    memory(found.bytes),
                    memory(limit_bytes),
                    found.pipelines,
                    found.files
                ))?;
            }
        }
        CacheCommand::Clear => cache.clear()?,
    }
    Ok(Exit::Done)
}
