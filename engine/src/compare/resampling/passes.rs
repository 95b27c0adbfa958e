//! The readings of the parts that resampling takes, and what each sums up: nothing that grows with the sessions.

use std::ops::Range;

use rematch_metrics::stats::{PoissonBootstrap, StreamedRandomisation};
use serde::{Deserialize, Serialize};

use super::family::Family;
use crate::compare::chunk::{Chunk, Extent};
use crate::compare::cluster_tests::Clustered;
use crate::compare::clusters::{Keys, session_hash};
use crate::compare::columns::text_column;
use crate::compare::question::Question;
use crate::compare::tables::Tables;
use crate::compare::tally::Tally;
use crate::schema::column;
use crate::store::StoreError;

/// Bytes of sums that one thread holds of one chunk; more resamples take further readings of the parts, as they do in tests.
const SUMS_BYTES: u64 = if cfg!(test) { 1 << 12 } else { 16 << 20 };

/// How often what is resampled, over sums that merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::compare) struct Streamed {
    /// Resamples of the randomisation test.
    pub(in crate::compare) signs: u64,
    /// Resamples of the bootstrap that weights clusters; 0 where they are drawn, or there is none.
    pub(in crate::compare) weights: u64,
    /// Whether clusters repeat, and so are what is resampled as a whole.
    pub(in crate::compare) repeats: bool,
}

/// All readings of the parts.
pub(in crate::compare) struct Passes<'a> {
    question: &'a Question<'a>,
    /// By candidate.
    pub(super) families: Vec<Family>,
    streamed: Streamed,
}

/// What one of them sums up, of some sessions; those of other sessions merge, in any order, into the same sums.
#[derive(Default, Serialize, Deserialize)]
pub(in crate::compare) struct PassSums {
    /// By candidate.
    pub(super) signs: Vec<StreamedRandomisation>,
    /// By candidate; empty where clusters are not weighted.
    pub(super) weights: Vec<PoissonBootstrap>,
}

impl PassSums {
    pub(in crate::compare) fn merge(&mut self, other: &Self) {
        self.signs.iter_mut().zip(&other.signs).for_each(|(ours, theirs)| ours.merge(theirs));
        self.weights.iter_mut().zip(&other.weights).for_each(|(ours, theirs)| ours.merge(theirs));
    }
}

impl<'a> Passes<'a> {
    /// Plans the readings. What no sums but only conclusions depend on is taken from `clustered`.
    pub(in crate::compare) fn new(
        question: &'a Question<'a>,
        tally: &Tally,
        clustered: &Clustered,
        streamed: Streamed,
    ) -> Self {
        let family = |candidate| Family::of(question, tally, clustered, candidate);
        Self { question, families: question.candidates().map(family).collect(), streamed }
    }

    /// Returns the number of readings.
    pub(in crate::compare) fn count(&self) -> usize {
        let signs = self.streamed.signs.div_ceil(self.signs_at_once());
        let weights = self.streamed.weights.div_ceil(self.weights_at_once());
        usize::try_from(signs.max(weights)).unwrap_or(usize::MAX)
    }

    /// Returns the pairs of all tests.
    pub(super) fn pairs(&self) -> u64 {
        self.families.iter().map(Family::pairs).sum()
    }

    /// Starts the sums of a reading; one beyond the last has no resamples.
    pub(in crate::compare) fn start(&self, pass: usize) -> PassSums {
        let seed = self.question.plan.seed;
        let [signs, weights] = self.resamples(pass);
        let started = self.families.iter().map(|family| family.start(seed, signs.clone())).collect();
        let weighted = |family: &Family| family.start_weighted(seed, weights.clone());
        let weighted = match self.streamed.weights {
            0 => Vec::new(),
            _ => self.families.iter().map(weighted).collect(),
        };
        PassSums { signs: started, weights: weighted }
    }

    /// Reads what a reading needs of some sessions.
    pub(in crate::compare) fn read(&self, tables: &impl Tables) -> Result<(Keys, Chunk), StoreError> {
        let keys = Keys::read(tables, self.question.plan.statistics.cluster_by)?;
        Ok((keys, Chunk::read(self.question, tables, Extent::Pairs)?))
    }

    /// Returns the sums of a reading of some sessions.
    pub(in crate::compare) fn sum_up(
        &self,
        pass: usize,
        tables: &impl Tables,
        (keys, chunk): (&Keys, &Chunk),
    ) -> Result<PassSums, StoreError> {
        let mut sums = self.start(pass);
        if self.resamples(pass).iter().all(Range::is_empty) {
            return Ok(sums);
        }
        let units = self.units(tables, keys)?;
        for (family, sums) in self.families.iter().zip(&mut sums.signs) {
            family.add(self.question, chunk, &units, sums);
        }
        for (family, sums) in self.families.iter().zip(&mut sums.weights) {
            family.add_weighted(chunk, &units, sums);
        }
        Ok(sums)
    }

    /// Returns by row what is resampled as a whole: the cluster where clusters repeat, else the session.
    fn units(&self, tables: &impl Tables, keys: &Keys) -> Result<Vec<u64>, StoreError> {
        let batch = tables.sessions(&[column::SESSION_ID])?;
        let ids = text_column(&batch, column::SESSION_ID);
        let ids = ids.map_err(|error| StoreError::table(&tables.sessions_path(), error))?;
        let key = |row: usize| {
            let cluster = if self.streamed.repeats { keys.get(row) } else { None };
            cluster.map_or_else(|| session_hash(ids.value(row)), |cluster| cluster.hash())
        };
        Ok((0..keys.rows()).map(key).collect())
    }

    /// The resamples of a reading: of signs, and of weights.
    fn resamples(&self, pass: usize) -> [Range<u64>; 2] {
        let of = |all: u64, at_once: u64| {
            let start = (pass as u64).saturating_mul(at_once).min(all);
            start..start.saturating_add(at_once).min(all)
        };
        [of(self.streamed.signs, self.signs_at_once()), of(self.streamed.weights, self.weights_at_once())]
    }

    fn signs_at_once(&self) -> u64 {
        let tests = self.families.iter().map(Family::tests).sum::<u64>().max(1);
        64 * (SUMS_BYTES / (StreamedRandomisation::bytes_per_test(1) * tests)).max(1)
    }

    fn weights_at_once(&self) -> u64 {
        let tests = (self.families.len() * self.question.measures.len()).max(1) as u64;
        (SUMS_BYTES / (PoissonBootstrap::bytes_per_test(1) * tests)).max(1)
    }
}
