//! nDCG whose gain is money: does the ranking put first what was bought, and more so what cost more?
//!
//! The gain of an item is the sum of the values of its purchases in the session; nDCG is that of Järvelin and Kekäläinen
//! (2002). A run is summed up as the share of all revenue that was found, a ratio of sums: in a mean over sessions a session
//! of 5 euros would count as much as one of 500.

use rematch_scorer::prelude::*;
use rematch_scorer::{CompensatedSum, dcg, discount};

struct RevenueNdcg {
    k: usize,
    kinds: Vec<String>,
}

const PARAMS_SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{
"k":{"type":"integer","minimum":1,"default":10,"description":"ranks that count"},
"kinds":{"type":"array","items":{"type":"string"},"minItems":1,"default":["purchase"],"description":"kinds of interactions whose value is revenue"}}}"#;

impl Scorer for RevenueNdcg {
    fn describe() -> Description {
        Description::new("revenue-ndcg", "0.1.0")
            .summary("nDCG@k with the value of an item's purchases as its gain; a run is the share of revenue found.")
            .params_schema(PARAMS_SCHEMA)
            .needs(Columns::HITS | Columns::INTERACTIONS | Columns::INTERACTION_DETAILS)
            .metric(Metric::new("revenue-ndcg").summary("Undefined without revenue.").low(0.0).high(1.0))
            .metric(Metric::new("revenue@k").summary("Revenue of the items in the top k.").low(0.0))
            .metric(Metric::new("revenue").summary("Revenue of the session, returned or not.").low(0.0))
    }

    fn new(params: &Params) -> Result<Self, String> {
        let kinds = params.texts("kinds")?.unwrap_or_else(|| vec!["purchase"]);
        if kinds.is_empty() {
            return Err("`kinds` must name at least one kind of interaction, found `[]`".to_owned());
        }
        Ok(Self { k: params.whole_or("k", 10)?, kinds: kinds.into_iter().map(str::to_owned).collect() })
    }

    fn score(&self, session: &Session<'_>) -> Result<Score, String> {
        let revenues = self.revenues(session);
        let (mut discounted, mut found) = (CompensatedSum::default(), CompensatedSum::default());
        for hit in session.hits().take(self.k) {
            if let Some((_, revenue)) = revenues.iter().find(|(item, _)| *item == hit.item) {
                discounted.add(revenue * discount(hit.rank));
                found.add(*revenue);
            }
        }
        let mut gains: Vec<f64> = revenues.iter().map(|(_, revenue)| *revenue).collect();
        gains.sort_by(|left, right| right.total_cmp(left));
        let total: CompensatedSum = gains.iter().copied().collect();
        let ideal = dcg(&gains[..self.k.min(gains.len())]);
        // Rounding may go beyond the bound by a bit.
        let ndcg = (ideal > 0.0).then(|| (discounted.total() / ideal).min(1.0));
        Ok(Score::new(ndcg).part("revenue@k", found.total()).part("revenue", total.total()))
    }
}

impl RevenueNdcg {
    /// Returns the items that earned something, with what they earned. An item that was given back for all of its price
    /// earned nothing.
    fn revenues(&self, session: &Session<'_>) -> Vec<(Item, f64)> {
        let mut revenues: Vec<(Item, f64)> = Vec::new();
        for act in session.interactions().filter(|act| self.kinds.iter().any(|kind| kind == act.kind)) {
            let value = act.value().unwrap_or(0.0);
            match revenues.iter_mut().find(|(item, _)| *item == act.item) {
                Some((_, revenue)) => *revenue += value,
                None => revenues.push((act.item, value)),
            }
        }
        revenues.retain(|(_, revenue)| *revenue > 0.0);
        revenues
    }
}

impl Aggregate for RevenueNdcg {
    fn aggregate(&self, metrics: &[Column]) -> Result<Option<f64>, String> {
        let [_, found, total] = metrics else {
            return Err(format!("there are {} metrics, expected 3", metrics.len()));
        };
        let total = total.sum();
        Ok((total > 0.0).then(|| (found.sum() / total).min(1.0)))
    }
}

rematch_scorer::export!(RevenueNdcg, aggregate);

#[cfg(test)]
mod tests {
    use super::*;
    use rematch_scorer::testing::{Act, Harness, Sample};

    fn purchase(item: &str, value: f64) -> Act {
        Act::new("purchase", item).value(value)
    }

    fn sessions() -> [Sample; 4] {
        [
            Sample::new("a-small").hits(["a", "b"]).interaction(purchase("b", 10.0)).act("click", "a"),
            Sample::new("b-large")
                .hits(["a", "b", "c"])
                .interaction(purchase("c", 60.0))
                .interaction(purchase("c", 30.0))
                .interaction(purchase("z", 100.0)),
            Sample::new("c-nothing").hits(["a"]).act("click", "a"),
            Sample::new("d-given-back").hits(["a"]).interaction(purchase("a", 5.0)).interaction(purchase("a", -5.0)),
        ]
    }

    #[test]
    fn gains_are_what_items_earned() {
        let outcomes = Harness::<RevenueNdcg>::new().score(sessions()).unwrap();
        let (second, third) = (1.0 / 3.0_f64.log2(), 0.5);
        assert!((outcomes[0].value().unwrap() - second).abs() < 1e-15);
        assert!((outcomes[1].value().unwrap() - 90.0 * third / (100.0 + 90.0 * second)).abs() < 1e-15);
        assert_eq!((outcomes[1].part("revenue@k"), outcomes[1].part("revenue")), (Some(90.0), Some(190.0)));
        for outcome in &outcomes[2..] {
            assert_eq!(
                (outcome.value(), outcome.part("revenue@k"), outcome.part("revenue")),
                (None, Some(0.0), Some(0.0))
            );
        }
    }

    #[test]
    fn cutoff_and_kinds_are_parameters() {
        let harness = Harness::<RevenueNdcg>::new().params(r#"{"k": 1, "kinds": ["order", "tip"]}"#);
        let session = Sample::new("s")
            .hits(["a", "b"])
            .interaction(Act::new("order", "a").value(8.0))
            .interaction(Act::new("tip", "b").value(2.0))
            .interaction(purchase("b", 50.0));
        let outcomes = harness.score([session]).unwrap();
        assert_eq!((outcomes[0].value(), outcomes[0].part("revenue@k")), (Some(1.0), Some(8.0)));
        assert_eq!(outcomes[0].part("revenue"), Some(10.0));
        let error = Harness::<RevenueNdcg>::new().params(r#"{"kinds": []}"#).score([]).unwrap_err();
        assert!(error.contains("`kinds` must name at least one"), "{error}");
    }

    #[test]
    fn a_run_is_the_share_of_all_revenue_found() {
        let harness = Harness::<RevenueNdcg>::new();
        assert_eq!(harness.aggregate(sessions()), Ok(Some(100.0 / 200.0)));
        assert_eq!(harness.aggregate([Sample::new("nothing")]), Ok(None));
    }
}
