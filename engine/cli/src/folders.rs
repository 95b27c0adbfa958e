//! Where this program keeps what it may throw away: compiled plugins, fetched objects,
//! rankings, and the toolchains that build them.

use std::path::PathBuf;

use anyhow::anyhow;

use crate::exit::{Exit, Failure};

/// Returns the folder of compiled plugins: `$REMATCH_CACHE/compiled`, else in the user's cache; `None` where this user
/// has none.
pub(crate) fn compiled_plugins() -> Option<PathBuf> {
    Some(variable(CACHE).or_else(users_cache)?.join("compiled"))
}

/// Returns the folder of fetched objects: `$REMATCH_CACHE/objects`, else in the user's cache; `None` where this user has
/// none.
pub(crate) fn fetched_objects() -> Option<PathBuf> {
    Some(variable(CACHE).or_else(users_cache)?.join("objects"))
}

/// Returns the folder of rankings that are kept from run to run: `$REMATCH_CACHE/rankings`, else in the user's cache; `None`
/// where this user has none.
pub(crate) fn rankings() -> Option<PathBuf> {
    Some(variable(CACHE).or_else(users_cache)?.join("rankings"))
}

/// The variable that names the cache.
pub(crate) const CACHE: &str = "REMATCH_CACHE";

/// Returns the folder of the toolchains that `plugin setup` installs: `$REMATCH_TOOLCHAINS`, else in the user's cache.
pub(crate) fn toolchains() -> Result<PathBuf, Failure> {
    let folder = variable("REMATCH_TOOLCHAINS").or_else(|| users_cache().map(|cache| cache.join("toolchains")));
    folder.ok_or_else(|| {
        let error = anyhow!("this user has no cache folder for toolchains; set `REMATCH_TOOLCHAINS` to a folder");
        Failure::new(Exit::Usage, error)
    })
}

fn users_cache() -> Option<PathBuf> {
    dirs::cache_dir().map(|cache| cache.join("rematch"))
}

/// A variable that is set to nothing is not set.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
