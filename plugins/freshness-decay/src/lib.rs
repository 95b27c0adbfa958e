//! How new the top k are, seen from the time of the search.
//!
//!   freshness(item) = 2^(-age / half-life), age = time of the session - date of the item, at least 0
//!   score           = sum over the ranks r <= k of freshness(r) / log2(r + 1), over the sum of 1 / log2(r + 1)
//!
//! Exponential decay by age is that of Li and Croft, "Time-based language models" (CIKM 2003), written with a half-life;
//! the discount is that of Järvelin and Kekäläinen (2002). Both sums run over the hits whose date is known. Undefined where
//! none is, or the session has no time.

mod date;

use rematch_scorer::prelude::*;
use rematch_scorer::{CompensatedSum, discount};

const DAY_MS: f64 = 86_400_000.0;

struct Freshness {
    k: usize,
    half_life_days: f64,
    field: String,
}

const PARAMS_SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{
"k":{"type":"integer","minimum":1,"default":10,"description":"ranks that count"},
"half_life_days":{"type":"number","exclusiveMinimum":0,"default":90,"description":"age at which an item is half as fresh as a new one"},
"field":{"type":"string","default":"listed","description":"item field with the date: RFC 3339, or milliseconds since 1970"}}}"#;

impl Scorer for Freshness {
    fn describe() -> Description {
        Description::new("freshness-decay", "0.1.0")
            .summary("Discounted freshness of the top k, which halves with every half-life of an item's age.")
            .params_schema(PARAMS_SCHEMA)
            .needs(Columns::HITS | Columns::TIMES | Columns::ITEM_FIELDS)
            .metric(
                Metric::new("freshness-decay")
                    .summary("Undefined where no time is known, of the session or of a hit.")
                    .low(0.0)
                    .high(1.0),
            )
            .metric(Metric::new("age-days").summary("Mean age of the top k in days.").lower_is_better().low(0.0))
    }

    fn new(params: &Params) -> Result<Self, String> {
        let half_life_days = params.number_or("half_life_days", 90.0)?;
        if half_life_days <= 0.0 {
            return Err("`half_life_days` must be a number of days above 0".to_owned());
        }
        Ok(Self { k: params.whole_or("k", 10)?, half_life_days, field: params.text_or("field", "listed")?.to_owned() })
    }

    fn score(&self, session: &Session<'_>) -> Result<Score, String> {
        let Some(now) = session.time() else { return Ok(Score::undefined()) };
        let (mut fresh, mut weights, mut ages) =
            (CompensatedSum::default(), CompensatedSum::default(), CompensatedSum::default());
        let mut dated = 0.0;
        for hit in session.hits().take(self.k) {
            let Some(text) = session.item_field(&self.field, hit.item)? else { continue };
            let Some(date) = date::milliseconds(text) else {
                return Err(format!(
                    "the item field `{}` has `{text}`, expected a date of RFC 3339 or milliseconds since 1970",
                    self.field
                ));
            };
            let age = (now as f64 - date as f64).max(0.0) / DAY_MS;
            let weight = discount(hit.rank);
            fresh.add(weight * (-age / self.half_life_days).exp2());
            weights.add(weight);
            ages.add(age);
            dated += 1.0;
        }
        if dated == 0.0 {
            return Ok(Score::undefined());
        }
        // Rounding may go beyond the bound by a bit.
        Ok(Score::new((fresh.total() / weights.total()).min(1.0)).part("age-days", ages.total() / dated))
    }
}

rematch_scorer::export!(Freshness);

#[cfg(test)]
mod tests {
    use super::*;
    use rematch_scorer::testing::{Harness, Sample};

    /// 2026-01-31T00:00:00Z.
    const NOW: i64 = 1_769_817_600_000;

    const DATES: [(&str, &str); 5] = [
        ("new", "2026-01-31"),
        ("month", "2026-01-01T00:00:00Z"),
        ("old", "1764633600000"),
        ("future", "2026-03-01T12:00:00+02:00"),
        ("bad", "last week"),
    ];

    fn harness() -> Harness<Freshness> {
        Harness::new().field("listed", DATES).params(r#"{"half_life_days": 30}"#)
    }

    #[test]
    fn freshness_halves_with_each_half_life() {
        let session = |id: &str| Sample::new(id).time(NOW);
        let outcomes = harness()
            .score([
                session("new").hits(["new", "future"]),
                session("month").hits(["month"]),
                session("mixed").hits(["old", "undated", "new"]),
            ])
            .unwrap();
        assert_eq!((outcomes[0].value(), outcomes[0].part("age-days")), (Some(1.0), Some(0.0)));
        assert_eq!((outcomes[1].value(), outcomes[1].part("age-days")), (Some(0.5), Some(30.0)));
        assert_eq!((outcomes[2].value(), outcomes[2].part("age-days")), (Some((0.25 + 0.5) / 1.5), Some(30.0)));
    }

    #[test]
    fn undefined_where_no_time_is_known() {
        let sessions = [Sample::new("timeless").hits(["new"]), Sample::new("dateless").time(NOW).hits(["undated"])];
        for outcome in harness().score(sessions).unwrap() {
            assert_eq!((outcome.value(), outcome.part("age-days"), outcome.error()), (None, None, None));
        }
    }

    #[test]
    fn a_date_that_cannot_be_read_is_an_error_of_its_session() {
        let outcomes = harness().score([Sample::new("s").time(NOW).hits(["bad"])]).unwrap();
        let expected =
            "the item field `listed` has `last week`, expected a date of RFC 3339 or milliseconds since 1970";
        assert_eq!(outcomes[0].error(), Some(expected));
    }

    #[test]
    fn a_half_life_is_above_zero() {
        let error = Harness::<Freshness>::new().params(r#"{"half_life_days": 0}"#).score([]).unwrap_err();
        assert!(error.contains("`half_life_days` must be a number of days above 0"), "{error}");
    }
}
