//! Where do bytes lie? Files and objects of an object store, read and written by one set of words.
//!
//! A [`Location`] is a path or a URL (`s3://`, `gs://`, `az://`, `abfss://`, `http://`, `https://`, `file://`); a URL also
//! travels as a path with the same text, so that plans and messages have one type. A [`Blob`] reads ranges, [`fetch`]
//! makes a local file of an object, and a [`PendingFile`] is complete or absent. All calls block and may be made on any
//! thread: the requests run on a thread of their own. Credentials and endpoints come from the environment, as the stores'
//! own tools read them, unless [`connect_within`] says whom this process may connect to. Every call of the file system has a name in [`Call`] and can be made to fail ([`failpoint`]).
//!
//! Not for: what the bytes mean. Readers are in [`crate::load`], run directories in [`crate::store`].

mod blob;
mod blocks;
pub(crate) mod calls;
mod client;
pub mod failpoint;
mod fetch;
mod guarded;
mod location;
mod object_error;
#[cfg(test)]
pub(crate) mod recording;
mod remote;
mod shortage;
#[cfg(test)]
mod tests;
mod waiting;
mod write;

pub(crate) use blob::BytesAtHand;
pub use blob::{Blob, BlobReader, OneReading};
pub(crate) use blocks::{BLOCK_BYTES, BlockWriter};
pub use calls::Call;
pub use client::connect_within;
#[cfg(test)]
pub(crate) use client::{head_within, know};
pub(crate) use fetch::{Shown, is_found, names_below, sha256_of_fetched};
pub use fetch::{fetch, fetch_all, is_there, keep_fetched_in, local};
pub use location::{Location, LocationError, is_url};
pub use remote::Put;
pub(crate) use remote::{Listed, Remote};
pub(crate) use shortage::{advice, free_bytes, io_error_of};
pub use write::{PendingFile, PendingWriter};
pub(crate) use write::{TEMPORARY_ENDING, folder_of};
