//! Whoever drives a run asks for sums: round by round, as each stands on what the ones before it came to.

use std::num::NonZeroUsize;

use super::{Asked, Ranges, Round, Whole, asked, piece, write};
use crate::benchmark::Plan;
use crate::benchmark::statistics::ClusterBy;
use crate::compare::aggregation::Kept;
use crate::compare::cluster_tests::{Clustered, OfBucket, buckets};
use crate::compare::fold::in_order;
use crate::compare::judged::BoundsAsk;
use crate::compare::question::Question;
use crate::compare::resampling::{Amounts, MOST_BYTES, Passes};
use crate::compare::tally::Tally;
use crate::compare::{CompareError, exposure};
use crate::score::ScoringContract;
use crate::store::{RunDirectory, TableReader, layout};

/// Sessions of a range that a bucket has on average, where the range may be as long as that takes.
const ROWS_OF_A_BUCKET: u64 = if cfg!(test) { 8 } else { 1024 };

/// Chunks of a range at most: its sessions are held at once.
const MOST_CHUNKS: u64 = 64;

/// Asks for a round of a run's sums: writes what whoever makes them has to know. Returns the number of its pieces; 0 where nothing
/// is asked for, as it is where a component sums up a run itself and needs the sessions.
///
/// # Errors
///
/// Returns an error when the run's sample or the sums of an earlier round cannot be read, or the run directory cannot be written.
pub fn ask_for_sums(
    plan: &Plan,
    contract: &ScoringContract,
    arms: usize,
    run: &RunDirectory,
    threads: NonZeroUsize,
    round: Round,
) -> Result<usize, CompareError> {
    ask_within(plan, contract, arms, run, threads, round, MOST_BYTES)
}

/// Asks for a round where whoever compares holds no more than `most_bytes` for resampling ([`Resampled::read`]).
///
/// [`Resampled::read`]: crate::compare::resampling::Resampled::read
pub(in crate::compare) fn ask_within(
    plan: &Plan,
    contract: &ScoringContract,
    arms: usize,
    run: &RunDirectory,
    threads: NonZeroUsize,
    round: Round,
    most_bytes: u64,
) -> Result<usize, CompareError> {
    let question = Question::new(plan, contract, arms);
    let sample = run.table(layout::SESSIONS)?;
    if Kept::new(&question, contract, sample.rows())?.keeps() {
        return Ok(0);
    }
    if round == Round::Chunks {
        let clicks = match question.relevance_decides() {
            true => exposure::survey(plan, run, &sample, threads)?,
            false => None,
        };
        // Those of an earlier process, which may have been killed while parts were tried again.
        run.remove_folder(layout::SUMS)?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let asked = Asked { version, clicks, whole: None, clustered: None, streamed: None };
        write(run, &layout::SUMS_ASKED.into(), &asked)?;
        return Ok(sample.groups());
    }
    let Some(mut asked) = asked(run)? else { return Ok(0) };
    let question = Question { clicks: asked.clicks.clone(), ..question };
    let pieces = match round {
        Round::Chunks => 0,
        Round::Deal => {
            let whole = put_together(&question, run, &sample, threads)?;
            let pieces = whole.as_ref().map_or(0, |whole| match (whole.buckets, whole.max_grade) {
                (0, None) => 0,
                _ => whole.ranges.count(),
            });
            asked.whole = whole;
            pieces
        }
        Round::Clusters => match &asked.whole {
            Some(whole) => return Ok(usize::try_from(whole.buckets).unwrap_or(usize::MAX)),
            None => return Ok(0),
        },
        Round::Resamples => {
            let Some(whole) = &asked.whole else { return Ok(0) };
            let Some(clustered) = of_buckets(whole, run)? else { return Ok(0) };
            let streamed = Amounts::choose(&question, &whole.tally, &clustered, most_bytes).streamed;
            let passes = Passes::new(&question, &whole.tally, &clustered, streamed).count();
            let pieces = passes * whole.ranges.count();
            (asked.clustered, asked.streamed) = (Some(clustered), Some(streamed));
            pieces
        }
    };
    write(run, &layout::SUMS_ASKED.into(), &asked)?;
    Ok(pieces)
}

/// Merges the sums of the chunks; `None` where one has none.
fn put_together(
    question: &Question<'_>,
    run: &RunDirectory,
    sample: &TableReader,
    threads: NonZeroUsize,
) -> Result<Option<Whole>, CompareError> {
    let (mut tally, mut complete) = (Tally::default(), true);
    let read = |chunk: usize| piece::<Tally>(run, Round::Chunks, chunk);
    in_order(sample.groups(), threads, read, |_, sums| {
        complete &= sums.is_some();
        sums.into_iter().for_each(|sums| tally.merge(sums));
        Ok(())
    })?;
    if !complete {
        return Ok(None);
    }
    let max_grade = match BoundsAsk::of(question, &tally, run, sample, threads)? {
        BoundsAsk::Whether { max_grade } => Some(max_grade),
        BoundsAsk::Unjudged | BoundsAsk::Unknown(_) => None,
    };
    let buckets = match question.plan.statistics.cluster_by {
        ClusterBy::Session => 0,
        ClusterBy::Auto | ClusterBy::User | ClusterBy::Visit => buckets(question, &tally),
    };
    let rows_of_a_chunk = (tally.sessions / sample.groups().max(1) as u64).max(1);
    let size = (buckets * ROWS_OF_A_BUCKET).div_ceil(rows_of_a_chunk).clamp(1, MOST_CHUNKS);
    let ranges = Ranges { chunks: sample.groups(), size: usize::try_from(size).unwrap_or(1) };
    Ok(Some(Whole { tally, max_grade, buckets, ranges }))
}

/// Merges the sums of the buckets; `None` where one has none.
fn of_buckets(whole: &Whole, run: &RunDirectory) -> Result<Option<Clustered>, CompareError> {
    let mut buckets: Vec<OfBucket> = Vec::new();
    for bucket in 0..whole.buckets {
        let bucket = usize::try_from(bucket).unwrap_or(usize::MAX);
        let Some(found) = piece(run, Round::Clusters, bucket)? else { return Ok(None) };
        buckets.push(found);
    }
    Ok(Some(Clustered::of_buckets(buckets)))
}
