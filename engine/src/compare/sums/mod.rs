//! The sums of a run, made elsewhere: whoever compares then reads them in place of the sessions.
//!
//! What needs many sessions at once is read by whoever compares all the same: a bootstrap that draws clusters and Wilcoxon's test
//! (`resampling`), and the lists and visits of `beyond`. How clicks were read is found by whoever asks, and a run that stops early
//! (`sequential`) is looked at, chunk by chunk, by whoever drives it. Nothing is summed up for a component that sums up runs itself.
//!
//! They are made in rounds, each of many pieces that do not know of one another: whoever drives the run asks for a round (`ask`),
//! executors make its pieces from the run's tables and lay them down beside the parts (`make`), and whoever compares finds them
//! there ([`Sums`]). Pieces are merged in their order, as sums that are made here are, so that the numbers are the same to the bit.
//!
//! Users come back in any chunk, so that their sums take a round of their own: sessions are first dealt out to buckets of clusters
//! (`deal`), whose sums fit in memory, and every session is read and written once for that, however many buckets there are.

mod ask;
mod deal;
mod make;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::cluster_tests::Clustered;
use super::exposure::Examination;
use super::judged;
use super::resampling::{PassSums, Passes, Streamed};
use super::tally::Tally;
use crate::store::{RunDirectory, StoreError, layout};

pub use ask::ask_for_sums;
#[cfg(test)]
pub(super) use ask::ask_within;
pub use make::SumMaker;

/// Bytes that a piece may take when it is unpacked.
const MOST_BYTES: u64 = 1 << 30;

/// What is summed up together; each round stands on those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// What can be told from one chunk: a piece is a chunk.
    Chunks,
    /// Sessions are dealt out by user or visit, and what unjudged items could do is summed up: a piece is a range of chunks.
    Deal,
    /// The deltas of users or visits: a piece is a bucket of them.
    Clusters,
    /// The deltas under random signs and weights: a piece is a range of chunks and of resamples.
    Resamples,
}

impl Round {
    /// All rounds, in their order.
    pub const ALL: [Self; 4] = [Self::Chunks, Self::Deal, Self::Clusters, Self::Resamples];

    /// Returns the round's number, from 0.
    #[must_use]
    pub fn number(self) -> usize {
        match self {
            Self::Chunks => 0,
            Self::Deal => 1,
            Self::Clusters => 2,
            Self::Resamples => 3,
        }
    }

    /// Returns the round of that number; `None` beyond the last.
    #[must_use]
    pub fn of(number: usize) -> Option<Self> {
        Self::ALL.get(number).copied()
    }
}

/// What was asked for, and what the pieces depend on beside the run's plan and parts.
#[derive(Serialize, Deserialize)]
struct Asked {
    /// The version of whoever asks: another one may sum up something else.
    version: String,
    clicks: Option<Examination>,
    /// What the first round came to.
    whole: Option<Whole>,
    /// What the clusters came to.
    clustered: Option<Clustered>,
    /// How often is resampled.
    streamed: Option<Streamed>,
}

/// What the chunks came to, and how the run is cut for what follows.
#[derive(Serialize, Deserialize)]
struct Whole {
    tally: Tally,
    /// The highest grade, where it is asked what unjudged items could do.
    max_grade: Option<f64>,
    /// Buckets of clusters; 0 where every session stands alone.
    buckets: u64,
    ranges: Ranges,
}

/// Chunks, cut into ranges.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Ranges {
    chunks: usize,
    /// Chunks of a range; the last may have fewer.
    size: usize,
}

impl Ranges {
    fn count(self) -> usize {
        self.chunks.div_ceil(self.size.max(1))
    }

    fn chunks(self, range: usize) -> std::ops::Range<usize> {
        let start = range.saturating_mul(self.size).min(self.chunks);
        start..start.saturating_add(self.size).min(self.chunks)
    }
}

/// What a range came to when its sessions were dealt out.
#[derive(Serialize, Deserialize)]
struct Dealt {
    /// What unjudged items could do, by chunk and candidate.
    bounds: Vec<Vec<judged::BoundSums>>,
    /// The buckets that have sessions of the range, ascending: row group by row group of its tables.
    buckets: Vec<u64>,
}

/// The sums that lie beside the parts of a run.
pub(super) struct Sums<'a> {
    run: &'a RunDirectory,
    asked: Asked,
}

impl<'a> Sums<'a> {
    /// Returns the sums of a run; `None` where nobody of this version asked for any.
    pub(super) fn of(run: &'a RunDirectory) -> Result<Option<Self>, StoreError> {
        Ok(asked(run)?.map(|asked| Self { run, asked }))
    }

    /// Returns how clicks were read.
    pub(super) fn take_clicks(&mut self) -> Option<Examination> {
        self.asked.clicks.take()
    }

    /// Returns the sums of all chunks; `None` where they were not put together.
    pub(super) fn take_whole(&mut self) -> Option<Tally> {
        let whole = self.asked.whole.as_mut()?;
        Some(std::mem::take(&mut whole.tally))
    }

    /// Returns the sums of a chunk; `None` where nobody made them.
    pub(super) fn chunk(&self, chunk: usize) -> Result<Option<Tally>, StoreError> {
        piece(self.run, Round::Chunks, chunk)
    }

    /// Returns the sums of all clusters; `None` where they were not put together.
    pub(super) fn take_clustered(&mut self) -> Option<Clustered> {
        self.asked.clustered.take()
    }

    /// Returns what unjudged items could do; `None` where that was not asked, or not all of it was summed up.
    pub(super) fn bounds(&self) -> Result<Option<judged::MadeBounds>, StoreError> {
        let Some(whole) = &self.asked.whole else { return Ok(None) };
        let Some(max_grade) = whole.max_grade else { return Ok(None) };
        let mut made = judged::MadeBounds::new(max_grade);
        for range in 0..whole.ranges.count() {
            let Some(dealt) = piece::<Dealt>(self.run, Round::Deal, range)? else { return Ok(None) };
            dealt.bounds.iter().for_each(|of_chunk| made.add(of_chunk));
        }
        Ok(Some(made))
    }

    /// Returns the sums of a reading for resampling; `None` where not all pieces of it were made.
    pub(super) fn pass(&self, passes: &Passes<'_>, pass: usize) -> Result<Option<PassSums>, StoreError> {
        let (Some(whole), Some(_)) = (&self.asked.whole, &self.asked.streamed) else { return Ok(None) };
        let ranges = whole.ranges.count();
        let mut sums = passes.start(pass);
        for range in 0..ranges {
            let Some(found) = piece(self.run, Round::Resamples, pass * ranges + range)? else { return Ok(None) };
            sums.merge(&found);
        }
        Ok(Some(sums))
    }
}

fn asked(run: &RunDirectory) -> Result<Option<Asked>, StoreError> {
    let name = PathBuf::from(layout::SUMS_ASKED);
    if !run.holds(&name)? {
        return Ok(None);
    }
    let asked: Asked = read(run, &name)?;
    Ok((asked.version == env!("CARGO_PKG_VERSION")).then_some(asked))
}

fn piece<T: DeserializeOwned>(run: &RunDirectory, round: Round, piece: usize) -> Result<Option<T>, StoreError> {
    let name = layout::sums(round.number(), piece);
    if run.holds(&name)? { read(run, &name).map(Some) } else { Ok(None) }
}

fn write(run: &RunDirectory, name: &PathBuf, value: &impl Serialize) -> Result<(), StoreError> {
    run.write_bytes(name, &pack(value, &run.path(name), MOST_BYTES)?)
}

fn read<T: DeserializeOwned>(run: &RunDirectory, name: &Path) -> Result<T, StoreError> {
    unpack(&run.read_bytes(name)?, &run.path(name), MOST_BYTES)
}

/// Packs what takes at most `most` bytes, for the file at `path`.
fn pack(value: &impl Serialize, path: &Path, most: u64) -> Result<Vec<u8>, StoreError> {
    let text = serde_json::to_vec(value).map_err(|source| StoreError::Json { path: path.to_owned(), source })?;
    if text.len() as u64 > most {
        return Err(StoreError::SumsTooLarge { path: path.to_owned(), most });
    }
    let packed = || {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&text)?;
        packer.finish()
    };
    packed().map_err(|source| StoreError::io(path, source))
}

/// Unpacks what [`pack`] made.
fn unpack<T: DeserializeOwned>(packed: &[u8], path: &Path, most: u64) -> Result<T, StoreError> {
    let mut text = Vec::new();
    // One byte more tells what is cut from what ends there.
    let unpacked = GzDecoder::new(packed).take(most.saturating_add(1)).read_to_end(&mut text);
    unpacked.map_err(|source| StoreError::io(path, source))?;
    if text.len() as u64 > most {
        return Err(StoreError::SumsTooLarge { path: path.to_owned(), most });
    }
    serde_json::from_slice(&text).map_err(|source| StoreError::Json { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_above_the_limit_are_refused_and_not_cut() {
        let (path, sums) = (Path::new("runs/a/sums/0-000001.json.gz"), vec![1.5; 100]);
        let length = serde_json::to_vec(&sums).expect("JSON").len() as u64;
        let packed = pack(&sums, path, length).expect("packed");
        assert_eq!(unpack::<Vec<f64>>(&packed, path, length).expect("unpacked"), sums);
        let refused = [pack(&sums, path, length - 1).err(), unpack::<Vec<f64>>(&packed, path, length - 1).err()];
        for error in refused {
            assert_eq!(
                error.expect("an error").to_string(),
                "the sums in `runs/a/sums/0-000001.json.gz` take more than 400 bytes unpacked, the most that processes of a cluster \
                 hand to one another; compare fewer retrievers, metrics or taxonomy nodes, or remove the folder of that file and \
                 resume the run with `--cluster here`, which hands on none"
            );
        }
    }
}
