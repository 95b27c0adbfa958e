//! One run of several shards.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Outcome, RunError, Surroundings, requests, resume};
use crate::store::{Opened, RunDirectory, layout};

/// Makes one run of the shards in `sources` and finishes it: in `out`, or in the first of them where that is `None`.
/// Parts are copied; the shards stay as they are.
///
/// # Errors
///
/// Returns an error when the directories hold different runs, when units are missing, or when a file cannot be read or
/// written.
pub async fn merge(sources: &[PathBuf], surroundings: Surroundings) -> Result<Outcome, RunError> {
    let Some(first) = sources.first() else { return Err(RunError::NothingToMerge) };
    let (base, manifest, _) = RunDirectory::view(first)?;
    let out = surroundings.out.clone().unwrap_or_else(|| first.clone());
    let opened = RunDirectory::open(&out, &manifest)?;
    let (target, state) = &opened;
    if *state != Opened::Finished {
        let mut present = target.parts()?;
        for source in sources {
            let (shard, found, _) = RunDirectory::view(source)?;
            if found.run_id != manifest.run_id {
                let (expected, found) = (manifest.run_id, found.run_id);
                return Err(RunError::OtherRun { first: first.clone(), expected, other: source.clone(), found });
            }
            if shard.root() != target.root() {
                // Before it is known whether all parts are there: whoever merges the missing ones need not name this shard again.
                requests::merge(target, &shard)?;
            }
            for unit in shard.parts()? {
                if present.insert(unit) {
                    target.copy_from(&shard, layout::part(unit.0, unit.1))?;
                }
            }
        }
        if !target.holds(layout::BENCHMARK)? && base.holds(layout::BENCHMARK)? {
            target.copy_from(&base, layout::BENCHMARK)?;
        }
        for name in [layout::PLAN, layout::SESSIONS, layout::SELECTION] {
            if !target.holds(name)? {
                // A shard may have ended before it drew the sample.
                let mut shards = sources.iter().map(|source| RunDirectory::view(source).map(|(shard, ..)| shard));
                let holder = shards.find_map(|shard| shard.ok().filter(|shard| shard.has(name)));
                target.copy_from(holder.as_ref().unwrap_or(&base), name)?;
            }
        }
        check_complete(target, &present)?;
    }
    // The lock goes to whoever finishes the run.
    drop(opened);
    resume(&out, Surroundings { out: None, shard: None, retry_errors: false, ..surroundings }).await
}

/// Refuses a run that lacks parts: a merge writes reports, it does not replay.
fn check_complete(run: &RunDirectory, present: &BTreeSet<(usize, usize)>) -> Result<(), RunError> {
    let plan: crate::benchmark::Plan = run.read_json(layout::PLAN)?;
    let chunks = run.table(layout::SESSIONS)?.groups();
    let units = plan.pipelines.len() * chunks;
    let lacks = |chunk: &usize| (0..plan.pipelines.len()).any(|pipeline| !present.contains(&(pipeline, *chunk)));
    let lacking: Vec<usize> = (0..chunks).filter(lacks).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let missing = (0..plan.pipelines.len())
        .map(|pipeline| (0..chunks).filter(|chunk| !present.contains(&(pipeline, *chunk))).count())
        .sum();
    Err(RunError::Missing { missing, units, chunks: as_ranges(&lacking) })
}

/// Writes ascending numbers as `0-3, 7`.
fn as_ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let text = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_written_as_ranges() {
        assert_eq!(as_ranges(&[0, 1, 2, 5, 7, 8]), "0-2, 5, 7-8");
    }
}
