//! The sums of a run's chunks, made elsewhere: whoever compares then reads sums, and no session.
//!
//! A chunk is summed up by one process from its parts, and its sums lie beside them until the run is compared. They are merged in
//! the order of the chunks, as sums that are made here are, so that the numbers are the same to the bit.

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::aggregation::Kept;
use super::chunk::{Chunk, Extent};
use super::exposure::{self, Examination};
use super::question::Question;
use super::tally::Tally;
use super::{CompareError, latency};
use crate::benchmark::Plan;
use crate::score::ScoringContract;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// Bytes that the sums of a chunk may take when they are unpacked.
const MOST_BYTES: u64 = 1 << 30;

/// What the sums of a run depend on beside its plan and its parts.
#[derive(Serialize, Deserialize)]
struct Begun {
    /// The version of whoever asks: another one may sum up something else.
    version: String,
    clicks: Option<Examination>,
}

/// Asks for the sums of a run's chunks: writes what whoever makes them has to know. Returns whether they are of use: a component
/// that sums up a run itself needs the sessions.
///
/// # Errors
///
/// Returns an error when the run's sample cannot be read, or the run directory cannot be written.
pub fn ask_for_sums(
    plan: &Plan,
    contract: &ScoringContract,
    arms: usize,
    run: &RunDirectory,
    threads: NonZeroUsize,
) -> Result<bool, CompareError> {
    let question = Question::new(plan, contract, arms);
    let sample = run.table(layout::SESSIONS)?;
    if Kept::new(&question, contract, sample.rows())?.keeps() {
        return Ok(false);
    }
    let clicks = match question.relevance_decides() {
        true => exposure::survey(plan, run, &sample, threads)?,
        false => None,
    };
    // Those of an earlier process, which may have been killed while parts were tried again.
    run.remove_folder(layout::SUMS)?;
    let begun = Begun { version: env!("CARGO_PKG_VERSION").to_owned(), clicks };
    write(run, &layout::SUMS_ASKED.into(), &begun)?;
    Ok(true)
}

/// Sums up a chunk of a run whose sums were asked for, and returns its number of sessions.
///
/// # Errors
///
/// Returns an error when the sums were not asked for by this version, or the run's tables cannot be read or do not belong
/// together.
pub fn sum_up_chunk(
    plan: &Plan,
    contract: &ScoringContract,
    arms: usize,
    run: &RunDirectory,
    sample: &TableReader,
    chunk: usize,
) -> Result<u64, CompareError> {
    let Some(begun) = begun(run)? else { return Err(CompareError::NotAsked) };
    let question = Question { clicks: begun.clicks, ..Question::new(plan, contract, arms) };
    let read = Chunk::read(&question, run, sample, chunk, Extent::Whole)?;
    let mut sums = Tally::of(&question, &read).map_err(|error| StoreError::table(&run.path(layout::PARTS), error))?;
    sums.arms.iter_mut().for_each(|arm| latency::Latencies::settle(&mut arm.latencies));
    write(run, &layout::sums(chunk), &sums)?;
    Ok(read.rows as u64)
}

/// The sums that lie beside the parts of a run.
pub(super) struct Sums<'a> {
    run: &'a RunDirectory,
    begun: Begun,
}

impl<'a> Sums<'a> {
    /// Returns the sums of a run; `None` where nobody of this version made any.
    pub(super) fn of(run: &'a RunDirectory) -> Result<Option<Self>, StoreError> {
        Ok(begun(run)?.map(|begun| Self { run, begun }))
    }

    /// Returns how clicks were read.
    pub(super) fn clicks(&mut self) -> Option<Examination> {
        self.begun.clicks.take()
    }

    /// Returns the sums of a chunk; `None` where nobody made them.
    pub(super) fn chunk(&self, chunk: usize) -> Result<Option<Tally>, StoreError> {
        let name = layout::sums(chunk);
        if self.run.holds(&name)? { read(self.run, &name).map(Some) } else { Ok(None) }
    }
}

fn begun(run: &RunDirectory) -> Result<Option<Begun>, StoreError> {
    let name = PathBuf::from(layout::SUMS_ASKED);
    if !run.holds(&name)? {
        return Ok(None);
    }
    let begun: Begun = read(run, &name)?;
    Ok((begun.version == env!("CARGO_PKG_VERSION")).then_some(begun))
}

fn write(run: &RunDirectory, name: &PathBuf, value: &impl Serialize) -> Result<(), StoreError> {
    let failed = |source| StoreError::Json { path: run.path(name), source };
    let text = serde_json::to_vec(value).map_err(failed)?;
    let packed = || {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&text)?;
        packer.finish()
    };
    run.write_bytes(name, &packed().map_err(|source| StoreError::io(&run.path(name), source))?)
}

fn read<T: DeserializeOwned>(run: &RunDirectory, name: &Path) -> Result<T, StoreError> {
    let packed = run.read_bytes(name)?;
    let mut text = Vec::new();
    let unpacked = GzDecoder::new(packed.as_slice()).take(MOST_BYTES).read_to_end(&mut text);
    unpacked.map_err(|source| StoreError::io(&run.path(name), source))?;
    serde_json::from_slice(&text).map_err(|source| StoreError::Json { path: run.path(name), source })
}
