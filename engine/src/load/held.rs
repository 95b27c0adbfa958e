//! How much a reader holds in memory that must see all rows before it can return one.

use std::path::Path;

use super::LoadError;

/// An estimate of the bytes held, checked against a limit as it grows.
#[derive(Debug)]
pub(super) struct Held {
    bytes: usize,
    limit_bytes: usize,
    what: &'static str,
}

impl Held {
    /// Starts with nothing held; `what` says in messages what needs the memory.
    pub(super) fn new(limit_bytes: usize, what: &'static str) -> Self {
        Self { bytes: 0, limit_bytes, what }
    }

    /// Adds to what is held.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Memory`] when it is more than the limit.
    pub(super) fn add(&mut self, path: &Path, bytes: usize) -> Result<(), LoadError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limit_bytes {
            let (path, what, limit_bytes) = (path.to_owned(), self.what, self.limit_bytes);
            return Err(LoadError::Memory { path, what, limit_bytes });
        }
        Ok(())
    }
}
