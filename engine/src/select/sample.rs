//! Draws a sample: random, recent or stratified. Which sessions are drawn is decided on ids alone, then joined back.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::dataframe::DataFrame;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::functions_nested::expr_fn::array_element;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, JoinType, cast, lit};
use datafusion::prelude::col;

use super::functions::{draw_key, hash, quota};
use super::{SelectError, Selection, Stratum};
use crate::benchmark::SamplePlan;
use crate::benchmark::spec::SampleStrategy;
use crate::schema::column;

/// The stratum of sessions without a value.
const NO_STRATUM: &str = "(none)";

const KEY: &str = "draw_key";
const STRATUM: &str = "stratum";
const PLACE: &str = "place_in_stratum";
const CHOSEN: &str = "chosen_session_id";

/// Draws the sample of `plan` from the eligible sessions.
pub(super) async fn draw(
    eligible: DataFrame,
    plan: &SamplePlan,
    selection: &mut Selection,
) -> Result<DataFrame, SelectError> {
    if selection.eligible <= plan.count && plan.strategy != SampleStrategy::Stratified {
        return Ok(eligible);
    }
    let key = draw_key(plan.seed).call(vec![col(column::SESSION_ID)]).alias(KEY);
    let by_key = || vec![col(KEY).sort(true, false), col(column::SESSION_ID).sort(true, false)];
    let limit = Some(usize::try_from(plan.count).unwrap_or(usize::MAX));
    let ids = match plan.strategy {
        SampleStrategy::Random => {
            eligible.clone().select(vec![col(column::SESSION_ID), key])?.sort(by_key())?.limit(0, limit)?
        }
        SampleStrategy::Recent => {
            let order = [vec![col(column::TIMESTAMP).sort(false, false)], by_key()].concat();
            eligible
                .clone()
                .select(vec![col(column::SESSION_ID), col(column::TIMESTAMP), key])?
                .sort(order)?
                .limit(0, limit)?
        }
        SampleStrategy::Stratified => {
            let keyed =
                eligible.clone().select(vec![col(column::SESSION_ID), key, stratum(&plan.by).alias(STRATUM)])?;
            selection.strata = allocate(strata(keyed.clone()).await?, plan.count, plan.seed);
            let quotas: BTreeMap<String, u64> =
                selection.strata.iter().map(|stratum| (stratum.name.clone(), stratum.sampled)).collect();
            let place = row_number().partition_by(vec![col(STRATUM)]).order_by(by_key()).build()?;
            let within = cast(col(PLACE), DataType::UInt64).lt_eq(quota(quotas).call(vec![col(STRATUM)]));
            keyed.window(vec![place.alias(PLACE)])?.filter(within)?
        }
    };
    let chosen = ids.select(vec![col(column::SESSION_ID).alias(CHOSEN)])?;
    Ok(eligible.join(chosen, JoinType::LeftSemi, &[column::SESSION_ID], &[CHOSEN], None)?)
}

/// The value that stratifies: the first taxonomy node, or the column as text.
fn stratum(by: &str) -> Expr {
    let value = if by == column::TAXONOMY { array_element(col(by), lit(1_i64)) } else { cast(col(by), DataType::Utf8) };
    coalesce(vec![value, lit(NO_STRATUM)])
}

async fn strata(keyed: DataFrame) -> Result<Vec<(String, u64)>, SelectError> {
    let counted = keyed
        .aggregate(vec![col(STRATUM)], vec![count(lit(1)).alias("sessions")])?
        .sort(vec![col(STRATUM).sort(true, false)])?
        .collect()
        .await?;
    let mut strata = Vec::new();
    for batch in &counted {
        let names = batch.column(0).as_string_opt::<i32>();
        let counts = batch.column(1).as_primitive_opt::<Int64Type>();
        if let (Some(names), Some(counts)) = (names, counts) {
            strata.extend((0..names.len()).map(|row| (names.value(row).to_owned(), counts.value(row).unsigned_abs())));
        }
    }
    Ok(strata)
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
