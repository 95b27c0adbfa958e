//! What did users search, and what did they do? Readers that turn every supported layout into sessions.
//!
//! One reader per layout ([`native`], [`ubi`], [`trec`], [`beir`], [`csv`]), each naming file and row in its errors;
//! [`sessions`] picks the reader. [`documents`] reads corpora, [`recorded`] reads rankings; [`mod@inspect`] says what is in
//! a file and what is dirty; [`mod@import`] writes any of them as native Parquet. Files in the session schema are
//! streamed; the layouts that must be joined are read into memory.
//!
//! Not for: deciding which sessions count. Dirt is reported ([`Dirt`]), never repaired silently.

pub mod beir;
mod columnar;
pub mod csv;
mod dirt;
pub mod documents;
mod error;
mod files;
#[cfg(test)]
mod fixture;
pub mod import;
pub mod inspect;
mod instant;
pub mod native;
pub mod recorded;
pub mod sessions;
pub mod trec;
pub mod ubi;
mod validity;

pub use dirt::{Dirt, DirtKind};
pub use documents::{Document, DocumentReader};
pub use error::LoadError;
pub use files::expand;
pub use import::{ImportSummary, import};
pub use inspect::{Inspection, find_unknown_items, inspect};
pub use native::{decoder_panics_are_caught, normalise, parquet_schema};
pub use recorded::{RecordedRanking, RecordedRankings};
pub use sessions::SessionReader;
