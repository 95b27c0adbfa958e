//! What did users search, and what did they do? Readers that turn every supported layout into sessions.
//!
//! One reader per layout ([`native`], [`ubi`], [`trec`], [`beir`], [`csv`]), each naming file and row in its errors;
//! [`sessions`] picks the reader. [`documents`] reads corpora, [`recorded`] reads rankings; [`mod@inspect`] says what is in
//! a file and what is dirty; [`mod@import`] writes any of them as native Parquet. Files in the session schema, TREC and
//! BEIR are streamed; CSV and UBI are grouped in memory, share by share of the sessions where a limit asks for it. What a URL
//! names is copied into a local file piece by piece, or read in ranges where the format allows it, so that no reader holds
//! more for it than for a file of this machine.
//!
//! Not for: deciding which sessions count. Dirt is reported ([`Dirt`]), never repaired silently.

#[cfg(test)]
mod bad_files;
pub mod beir;
mod columnar;
mod converted;
pub mod csv;
mod dirt;
pub mod documents;
mod error;
mod files;
#[cfg(test)]
mod fixture;
mod held;
pub mod import;
pub mod inspect;
mod instant;
mod items;
pub mod native;
#[cfg(feature = "oracles")]
pub mod oracles;
pub mod recorded;
mod repeats;
pub mod sessions;
pub mod trec;
pub mod ubi;
mod validity;

pub(crate) use converted::convert;
pub use dirt::{Dirt, DirtKind};
pub use documents::{Document, DocumentReader, Vectors};
pub use error::LoadError;
pub use files::expand;
pub use import::{ImportSummary, import};
pub use inspect::{Inspection, find_unknown_items, inspect};
pub use items::ItemFields;
pub(crate) use native::{SessionBatches, session_count, without_panic};
pub use native::{decoder_panics_are_caught, normalise, parquet_schema};
pub use recorded::{RecordedSettings, Recording};
pub(crate) use repeats::check_session_ids;
pub use sessions::{SessionReader, local_files};
