//! Whoever makes a piece of the sums that were asked for.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use super::deal::{OfBucketInRange, deal};
use super::{Asked, Dealt, Round, Whole, asked, write};
use crate::benchmark::Plan;
use crate::compare::chunk::{Chunk, Extent};
use crate::compare::cluster_tests::{BucketRows, Clustered, OfBucket, extent};
use crate::compare::clusters::Keys;
use crate::compare::judged::BoundSums;
use crate::compare::question::Question;
use crate::compare::resampling::Passes;
use crate::compare::tables::OfChunk;
use crate::compare::tally::Tally;
use crate::compare::{CompareError, latency};
use crate::score::ScoringContract;
use crate::store::{RunDirectory, StoreError, TableReader, layout};

/// Makes pieces of one round of a run's sums.
pub struct SumMaker {
    asked: Asked,
    round: Round,
}

/// The run whose sums are made.
struct Run<'a> {
    question: Question<'a>,
    run: &'a RunDirectory,
    sample: &'a TableReader,
}

impl SumMaker {
    /// Reads what was asked for, and what the rounds before came to.
    ///
    /// # Errors
    ///
    /// Returns an error when the round was not asked for by this version, or the run directory cannot be read.
    pub fn of(run: &RunDirectory, round: Round) -> Result<Self, CompareError> {
        let asked = asked(run)?.ok_or(CompareError::NotAsked)?;
        let ready = match round {
            Round::Chunks => true,
            Round::Deal | Round::Clusters => asked.whole.is_some(),
            Round::Resamples => asked.whole.is_some() && asked.streamed.is_some(),
        };
        if ready { Ok(Self { asked, round }) } else { Err(CompareError::NotAsked) }
    }

    /// Returns the round whose pieces are made.
    #[must_use]
    pub fn round(&self) -> Round {
        self.round
    }

    /// Makes a piece, and returns the number of sessions that it was made of.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such piece, or the run's tables cannot be read or do not belong together.
    pub fn make(
        &self,
        plan: &Plan,
        contract: &ScoringContract,
        run: &RunDirectory,
        sample: &TableReader,
        piece: usize,
    ) -> Result<u64, CompareError> {
        let question = Question::new(plan, contract, plan.pipelines.len());
        let question = Question { clicks: self.asked.clicks.clone(), ..question };
        let of = Run { question, run, sample };
        match (self.round, &self.asked.whole) {
            (Round::Chunks, _) => of.chunk(piece),
            (Round::Deal, Some(whole)) => of.deal(whole, piece),
            (Round::Clusters, Some(whole)) => of.bucket(whole, piece),
            (Round::Resamples, Some(whole)) => of.resamples(whole, &self.asked, piece),
            (_, None) => Err(CompareError::NotAsked),
        }
    }
}

impl Run<'_> {
    fn of_chunk(&self, chunk: usize) -> OfChunk<'_> {
        OfChunk { run: self.run, sample: self.sample, chunk }
    }

    fn chunk(&self, chunk: usize) -> Result<u64, CompareError> {
        let read = Chunk::read(&self.question, &self.of_chunk(chunk), Extent::Whole)?;
        let failed = |error| StoreError::table(&self.run.path(layout::PARTS), error);
        let mut sums = Tally::of(&self.question, &read, None).map_err(failed)?;
        sums.arms.iter_mut().for_each(|arm| latency::Latencies::settle(&mut arm.latencies));
        write(self.run, &layout::sums(Round::Chunks.number(), chunk), &sums)?;
        Ok(read.rows as u64)
    }

    fn deal(&self, whole: &Whole, range: usize) -> Result<u64, CompareError> {
        let mut bounds = Vec::new();
        if let Some(max_grade) = whole.max_grade {
            for chunk in whole.ranges.chunks(range) {
                bounds.push(BoundSums::of_chunk(&self.question, self.run, self.sample, chunk, max_grade)?);
            }
        }
        let chunks = whole.ranges.chunks(range);
        let sessions = chunks.clone().map(|chunk| self.sample.group_rows(chunk)).sum();
        let buckets = match whole.buckets {
            0 => Vec::new(),
            buckets => {
                let chunks = chunks.map(|chunk| self.of_chunk(chunk));
                deal(&self.question, extent(&whole.tally), self.run, range, chunks, buckets)?
            }
        };
        write(self.run, &layout::sums(Round::Deal.number(), range), &Dealt { bounds, buckets })?;
        Ok(sessions)
    }

    fn bucket(&self, whole: &Whole, bucket: usize) -> Result<u64, CompareError> {
        let by = self.question.plan.statistics.cluster_by;
        let sessions = AtomicU64::new(0);
        let read = |range: usize| {
            let Some(tables) = OfBucketInRange::open(self.run, range, bucket as u64, self.question.arms)? else {
                return Ok(None);
            };
            let keys = Keys::read(&tables, by)?;
            let chunk = Chunk::read(&self.question, &tables, extent(&whole.tally))?;
            sessions.fetch_add(chunk.rows as u64, Ordering::Relaxed);
            let mine = vec![true; chunk.rows];
            Ok(Some(BucketRows { keys, chunk, mine }))
        };
        let ranges = whole.ranges.count();
        let found = OfBucket::sum_up(&self.question, &whole.tally, ranges, NonZeroUsize::MIN, read)?;
        write(self.run, &layout::sums(Round::Clusters.number(), bucket), &found)?;
        Ok(sessions.into_inner())
    }

    fn resamples(&self, whole: &Whole, asked: &Asked, piece: usize) -> Result<u64, CompareError> {
        let streamed = asked.streamed.ok_or(CompareError::NotAsked)?;
        let ranges = whole.ranges.count().max(1);
        let (pass, range) = (piece / ranges, piece % ranges);
        // Sums do not depend on what the clusters came to, but for whether they repeat.
        let passes = Passes::new(&self.question, &whole.tally, &Clustered::default(), streamed);
        let (mut sums, mut sessions) = (passes.start(pass), 0);
        for chunk in whole.ranges.chunks(range) {
            let tables = self.of_chunk(chunk);
            let (keys, chunk) = passes.read(&tables)?;
            sums.merge(&passes.sum_up(pass, &tables, (&keys, &chunk))?);
            sessions += chunk.rows as u64;
        }
        write(self.run, &layout::sums(Round::Resamples.number(), piece), &sums)?;
        Ok(sessions)
    }
}
