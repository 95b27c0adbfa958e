//! Draws a sample: random, recent or stratified. Where the draw of each stratum ends is found on ids alone; a session is
//! drawn when its place is not behind that.

use std::collections::HashMap;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMillisecondArray,
};
use datafusion::arrow::datatypes::{DataType, TimestampMillisecondType};
use datafusion::common::exec_err;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_nested::expr_fn::array_element;
use datafusion::logical_expr::{Expr, cast, lit};
use datafusion::prelude::col;
use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::engine::Engine;
use super::filter::{self, Predicate};
use super::source::Input;
use super::threshold::{Last, Search};
use super::{SelectError, Selection, Stratum, functions};
use crate::benchmark::SamplePlan;
use crate::benchmark::spec::SampleStrategy;
use crate::schema::column;

/// The stratum of sessions without a value.
const NO_STRATUM: &str = "(none)";
const STRATUM: &str = "stratum";
/// What a stratum takes besides its name, roughly: its counts, and its place in the maps.
const STRATUM_BYTES: usize = 160;

/// Draws the sample of `plan` from the sessions that pass the filters. Returns what is true for those that were drawn, or
/// `None` where all are.
pub(super) async fn draw(
    engine: &Engine,
    input: &Input,
    filters: &[Predicate],
    plan: &SamplePlan,
    selection: &mut Selection,
) -> Result<Option<Expr>, SelectError> {
    let stratified = plan.strategy == SampleStrategy::Stratified;
    if selection.eligible <= plan.count && !stratified {
        return Ok(None);
    }
    let draw = Draw { engine, input, filters, plan };
    let mut strata = Strata::default();
    if stratified {
        selection.strata = allocate(draw.count_strata().await?, plan.count, plan.seed);
        strata.numbers = selection.strata.iter().map(|stratum| stratum.name.clone()).zip(0..).collect();
        strata.last = draw.last_of(&strata, selection.strata.iter().map(|s| (s.eligible, s.sampled))).await?;
    } else {
        strata.last = draw.last_of(&strata, std::iter::once((selection.eligible, plan.count))).await?;
    }
    let (columns, seed) = (draw.columns(), plan.seed);
    let drawn = functions::drawn(columns.len(), move |arrays| {
        let Some(rows) = Rows::of(arrays, stratified) else { return exec_err!("ids, times or strata of another type") };
        let taken = rows.places(seed, &strata).map(|(stratum, place)| strata.takes(stratum, place));
        Ok(taken.map(Some).collect::<BooleanArray>())
    });
    Ok(Some(drawn.call(columns)))
}

/// Counts the strata of a stratified sample, and how many sessions would be drawn from each.
pub(super) async fn count_strata(
    engine: &Engine,
    input: &Input,
    filters: &[Predicate],
    plan: &SamplePlan,
    selection: &mut Selection,
) -> Result<(), SelectError> {
    if plan.strategy == SampleStrategy::Stratified {
        let counted = Draw { engine, input, filters, plan }.count_strata().await?;
        selection.strata = allocate(counted, plan.count, plan.seed);
    }
    Ok(())
}

/// A draw under way.
struct Draw<'a> {
    engine: &'a Engine,
    input: &'a Input,
    filters: &'a [Predicate],
    plan: &'a SamplePlan,
}

impl Draw<'_> {
    /// Returns what a session's place depends on: its id, then its time or its stratum.
    fn columns(&self) -> Vec<Expr> {
        let mut columns = vec![col(column::SESSION_ID)];
        match self.plan.strategy {
            SampleStrategy::Random => {}
            SampleStrategy::Recent => columns.push(col(column::TIMESTAMP)),
            SampleStrategy::Stratified => columns.push(stratum(&self.plan.by).alias(STRATUM)),
        }
        columns
    }

    /// Makes one pass over the eligible sessions.
    async fn pass(&self, mut note: impl FnMut(&Rows<'_>) -> Result<(), SelectError>) -> Result<(), SelectError> {
        let mut names = filter::columns(self.filters);
        for column in self.columns() {
            names.extend(column.column_refs().into_iter().map(|column| column.name.clone()));
        }
        let failed = |error| self.input.failed(self.engine, error);
        let table = self.input.scan(&self.engine.ordered()?, &names)?;
        let places = filter::apply(table, self.filters)?.select(self.columns())?;
        let mut stream = places.execute_stream().await.map_err(failed)?;
        while let Some(batch) = stream.next().await {
            let batch: RecordBatch = batch.map_err(failed)?;
            if let Some(rows) = Rows::of(batch.columns(), self.plan.strategy == SampleStrategy::Stratified) {
                note(&rows)?;
            }
        }
        Ok(())
    }

    /// Returns the strata with their sessions, by name.
    async fn count_strata(&self) -> Result<Vec<(String, u64)>, SelectError> {
        let mut counts: HashMap<String, u64> = HashMap::new();
        let mut bytes = 0;
        self.pass(|rows| {
            for name in rows.strata.into_iter().flatten().flatten() {
                match counts.get_mut(name) {
                    Some(count) => *count += 1,
                    None => {
                        bytes += 2 * name.len() + STRATUM_BYTES;
                        counts.insert(name.to_owned(), 1);
                    }
                }
            }
            if bytes > self.engine.memory_bytes() {
                let (by, limit_bytes) = (self.plan.by.clone(), self.engine.memory_bytes());
                return Err(SelectError::Strata { by, strata: counts.len(), limit_bytes });
            }
            Ok(())
        })
        .await?;
        let mut strata: Vec<(String, u64)> = counts.into_iter().collect();
        strata.sort_unstable();
        Ok(strata)
    }

    /// Returns where the draw of each stratum ends, given its number of sessions and of those to draw.
    async fn last_of(
        &self,
        strata: &Strata,
        sizes: impl Iterator<Item = (u64, u64)>,
    ) -> Result<Vec<Last>, SelectError> {
        let mut search = Search::new(sizes);
        loop {
            if search.is_open() {
                self.pass(|rows| {
                    for (stratum, (rank, key, id)) in rows.places(self.plan.seed, strata) {
                        search.note(stratum, rank, key, id);
                    }
                    Ok(())
                })
                .await?;
            }
            if let Some(last) = search.end_pass() {
                return Ok(last);
            }
        }
    }
}

/// The strata by name, and where the draw of each ends. A draw without strata has one, without a name.
#[derive(Default)]
struct Strata {
    numbers: HashMap<String, usize>,
    last: Vec<Last>,
}

impl Strata {
    fn takes(&self, stratum: usize, (rank, key, id): (u128, u64, &str)) -> bool {
        self.last.get(stratum).is_some_and(|last| last.takes(rank, key, id))
    }
}

/// What the places of a batch of sessions depend on.
struct Rows<'a> {
    ids: &'a StringArray,
    times: Option<&'a TimestampMillisecondArray>,
    strata: Option<&'a StringArray>,
}

impl<'a> Rows<'a> {
    fn of(arrays: &'a [ArrayRef], stratified: bool) -> Option<Self> {
        let ids = arrays.first()?.as_string_opt::<i32>()?;
        let (mut times, mut strata) = (None, None);
        if let Some(array) = arrays.get(1) {
            if stratified {
                strata = Some(array.as_string_opt::<i32>()?);
            } else {
                times = Some(array.as_primitive_opt::<TimestampMillisecondType>()?);
            }
        }
        Some(Self { ids, times, strata })
    }

    /// Returns the stratum and the place of each row.
    fn places(&self, seed: u64, strata: &Strata) -> impl Iterator<Item = (usize, (u128, u64, &'a str))> {
        (0..self.ids.len()).map(move |row| {
            let id = self.ids.value(row);
            let key = hash(seed, id);
            let rank = self.times.map_or(u128::from(key), |times| rank_of(times, row, key));
            let stratum = self.strata.map_or(Some(0), |names| strata.numbers.get(names.value(row)).copied());
            (stratum.unwrap_or(usize::MAX), (rank, key, id))
        })
    }
}

/// Returns the rank of a draw of the newest: the newest first, those without a time last, by the key within one time.
fn rank_of(times: &TimestampMillisecondArray, row: usize, key: u64) -> u128 {
    let age = if times.is_null(row) {
        1 << 64
    } else {
        // Flipping the sign's bit makes the order of the numbers that of the times.
        u128::from(!(times.value(row).cast_unsigned() ^ (1 << 63)))
    };
    // All that fits beside 65 bits of age in a rank.
    age << 62 | u128::from(key >> 2)
}

/// Returns a session id's place in the draw of `seed`: 64 bits of SHA-256(seed, id). Its order is a uniform random
/// permutation that depends on nothing but the ids.
fn hash(seed: u64, id: &str) -> u64 {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(id.as_bytes()).finalize();
    let head: [u8; 8] = std::array::from_fn(|index| digest[index]);
    u64::from_be_bytes(head)
}

/// The value that stratifies: the first taxonomy node, or the column as text.
fn stratum(by: &str) -> Expr {
    let value = if by == column::TAXONOMY { array_element(col(by), lit(1_i64)) } else { cast(col(by), DataType::Utf8) };
    coalesce(vec![value, lit(NO_STRATUM)])
}

/// Allocates `count` sessions to the strata in proportion to their size: each gets the whole part of its share, the rest
/// goes to the largest remainders (Hamilton's method), ties by a draw of the seed, so that no stratum is favoured.
fn allocate(strata: Vec<(String, u64)>, count: u64, seed: u64) -> Vec<Stratum> {
    let total: u64 = strata.iter().map(|(_, eligible)| eligible).sum();
    let count = count.min(total);
    let share = |eligible: u64| u128::from(eligible) * u128::from(count);
    let mut allocated: Vec<Stratum> = strata
        .into_iter()
        .map(|(name, eligible)| {
            let whole = share(eligible).checked_div(u128::from(total)).unwrap_or(0);
            Stratum { name, eligible, sampled: u64::try_from(whole).unwrap_or(eligible) }
        })
        .collect();
    let given: u64 = allocated.iter().map(|stratum| stratum.sampled).sum();
    let mut order: Vec<usize> = (0..allocated.len()).collect();
    let remainder = |stratum: &Stratum| share(stratum.eligible).checked_rem(u128::from(total)).unwrap_or(0);
    order.sort_by_key(|index| {
        allocated
            .get(*index)
            .map(|stratum| (std::cmp::Reverse(remainder(stratum)), hash(seed, &stratum.name), stratum.name.clone()))
    });
    let left = usize::try_from(count - given).unwrap_or(0);
    for index in order.into_iter().take(left) {
        if let Some(stratum) = allocated.get_mut(index) {
            stratum.sampled += 1;
        }
    }
    allocated
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sampled(strata: &[(&str, u64)], count: u64) -> Vec<u64> {
        let strata = strata.iter().map(|(name, eligible)| ((*name).to_owned(), *eligible)).collect();
        allocate(strata, count, 0).iter().map(|stratum| stratum.sampled).collect()
    }

    #[test]
    fn the_largest_remainders_get_the_rest() {
        assert_eq!(sampled(&[("a", 5), ("b", 3), ("c", 2)], 4), [2, 1, 1]);
        assert_eq!(sampled(&[("a", 1), ("b", 1), ("c", 1)], 2).iter().sum::<u64>(), 2);
    }

    #[test]
    fn equal_remainders_are_drawn_by_the_seed_not_by_the_name() {
        let strata = || (0..40).map(|index| (format!("s{index:02}"), 1)).collect();
        let drawn = |seed| allocate(strata(), 4, seed);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn more_than_there_are_takes_all() {
        assert_eq!(sampled(&[("a", 2), ("b", 1)], 10), [2, 1]);
        assert_eq!(sampled(&[], 10), Vec::<u64>::new());
    }

    proptest! {
        #[test]
        fn an_allocation_adds_up_and_stays_within_one_of_its_share(sizes in prop::collection::vec(0_u64..500, 1..20), count in 0_u64..2000) {
            let strata: Vec<(String, u64)> = sizes.iter().enumerate().map(|(index, size)| (format!("s{index:02}"), *size)).collect();
            let total: u64 = sizes.iter().sum();
            let allocated = allocate(strata, count, 7);
            prop_assert_eq!(allocated.iter().map(|stratum| stratum.sampled).sum::<u64>(), count.min(total));
            for stratum in &allocated {
                let share = stratum.eligible as f64 * count.min(total) as f64 / total.max(1) as f64;
                prop_assert!((stratum.sampled as f64 - share).abs() < 1.0);
                prop_assert!(stratum.sampled <= stratum.eligible);
            }
        }
    }
}
