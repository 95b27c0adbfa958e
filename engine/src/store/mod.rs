//! Where does a run live? A directory with a manifest, the sample, one part per work unit, and the published artefacts.
//!
//! A file is complete or absent: it is written beside its name, synced, and renamed. Names of everything in a run
//! directory stand in [`layout`].
//!
//! Not for: deciding what is in a file; the stages do.

mod atomic;
mod content;
pub mod layout;
mod manifest;
mod run_directory;
mod table;

pub use atomic::PendingFile;
pub use content::{sha256_of_bytes, sha256_of_file};
pub use manifest::{InputHash, Manifest};
pub use run_directory::{Opened, RunDirectory, SESSIONS_PER_CHUNK, StoreError};
pub use table::{TableReader, TableWriter};
