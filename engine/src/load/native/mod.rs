//! Files in the session schema: Parquet, Arrow IPC (file and stream) and JSONL, one session per row or line.
//!
//! Tables are matched to [`crate::schema::SESSIONS`] by column name: a column that is missing is null, one that is not
//! known is ignored and counted, one of a compatible type is cast ([`fn@normalise`] says which), any other is an error.
//! A field of a JSONL line that is not known is an error: in a hand-written line it is most likely a misspelt one.
//!
//! Not for: layouts that must be joined or grouped first.

mod arrow_ipc;
mod batches;
mod jsonl;
mod normalise;
mod parquet_file;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use batches::{SessionBatches, session_count};
pub(super) use jsonl::JsonlSessions;
pub use normalise::normalise;
pub(super) use normalise::{normalise_after, unknown_columns};
pub(super) use tables::guarded;
pub(crate) use tables::without_panic;
pub(super) use tables::{TableFormat, TableReader, table_format};
pub use tables::{decoder_panics_are_caught, parquet_schema};
