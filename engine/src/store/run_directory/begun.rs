//! A run that begins in a directory where another one came to nothing.

use super::RunDirectory;
use crate::store::{Manifest, StoreError, layout};

/// What a run leaves that ended before it asked anything: a retriever could not be built, say. The manifest is the first, and
/// goes last.
const BEGINNING: [&str; 7] = [
    layout::MANIFEST,
    layout::PLAN,
    layout::BENCHMARK,
    layout::LOADED,
    layout::SESSIONS,
    layout::SELECTION,
    layout::PARTS,
];

impl RunDirectory {
    /// Returns whether nothing would be lost with the run that lies here: no unit was done, and nobody was asked anything.
    pub(super) fn came_to_nothing(&self) -> Result<bool, StoreError> {
        let begun = self.entries()?.iter().all(|name| BEGINNING.contains(&name.as_str()));
        Ok(begun && self.parts()?.is_empty())
    }

    /// Puts the run of `manifest` in the place of one that came to nothing. A process that dies meanwhile leaves the run that
    /// was there, without a sample.
    pub(super) fn begin_anew(&self, manifest: &Manifest) -> Result<(), StoreError> {
        for name in BEGINNING.iter().skip(1).filter(|name| **name != layout::PARTS) {
            self.remove(name)?;
        }
        self.write_json(layout::MANIFEST, manifest)
    }
}
