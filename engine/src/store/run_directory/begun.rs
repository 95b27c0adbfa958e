//! A run that begins in a directory where another one came to nothing.

use super::RunDirectory;
use crate::store::{Manifest, StoreError, layout};

/// What a run leaves beside its manifest that ended before it asked anything: a retriever could not be built, say.
const BEGINNING: [&str; 4] = [layout::PLAN, layout::BENCHMARK, layout::SESSIONS, layout::SELECTION];

impl RunDirectory {
    /// Returns whether nothing would be lost with the run that lies here: no unit was done, and nobody was asked anything.
    pub(super) fn came_to_nothing(&self) -> Result<bool, StoreError> {
        let is_of_beginning =
            |name: &str| [layout::MANIFEST, layout::PARTS].contains(&name) || BEGINNING.contains(&name);
        let begun = self.entries()?.iter().all(|name| is_of_beginning(name));
        Ok(begun && self.parts()?.is_empty())
    }

    /// Puts the run of `manifest` in the place of one that came to nothing. A process that dies meanwhile leaves the run that
    /// was there, without a sample.
    pub(super) fn begin_anew(&self, manifest: &Manifest) -> Result<(), StoreError> {
        BEGINNING.iter().try_for_each(|name| self.remove(name))?;
        self.write_json(layout::MANIFEST, manifest)
    }
}
