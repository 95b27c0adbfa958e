//! Where does a run live? A directory with a manifest, the sample, one part per work unit, and the published artefacts.
//!
//! A file is complete or absent: it is written beside its name, synced, and renamed; in an object store it is written
//! elsewhere and put there as a whole. Names of everything in a run directory stand in [`layout`].
//!
//! Not for: deciding what is in a file; the stages do.

mod catalog;
mod content;
mod copy;
mod error;
#[cfg(test)]
mod failpoint_tests;
mod hit_pages;
mod holder;
pub mod layout;
mod lease;
mod manifest;
mod orders;
mod part;
#[cfg(test)]
pub(crate) mod power_cut;
#[cfg(test)]
mod power_loss_tests;
mod run_directory;
mod table;
#[cfg(test)]
mod tests;

pub use crate::storage::PendingFile;
pub use catalog::{FoundRun, FoundState, find_runs, remove_run};
pub use content::{blake3_of_file, sha256_of_bytes, sha256_of_file};
pub use copy::TableCopy;
pub use error::StoreError;
#[cfg(feature = "cluster")]
pub(crate) use holder::{host_name, random_id};
pub use lease::LeaseTime;
pub use manifest::{InputHash, Manifest};
pub use part::{Asking, EncodedPart};
pub use run_directory::{Opened, RunDirectory, SESSIONS_PER_CHUNK, sessions_per_chunk};
pub use table::{TableReader, TableWriter, UnnamedTable};
