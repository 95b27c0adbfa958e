//! nDCG@k (Järvelin and Kekäläinen 2002), the same as Rematch's own metric: to compare languages and to measure what the
//! sandbox costs.

use rematch_scorer::prelude::*;

struct Ndcg {
    k: usize,
}

impl Scorer for Ndcg {
    fn describe() -> Description {
        Description::new("ndcg", "0.1.0")
            .summary("Discounted gain of the top k over that of the best possible top k; gain is the grade.")
            .params_schema(
                r#"{"type":"object","additionalProperties":false,"properties":{"k":{"type":"integer","minimum":1,"default":10,"description":"ranks that count"}}}"#,
            )
            .needs(Columns::JUDGED)
            .metric(
                Metric::new("ndcg").summary("In [0, 1]; undefined where no item has a positive grade.").low(0.0).high(1.0),
            )
    }

    fn new(params: &Params) -> Result<Self, String> {
        Ok(Self { k: params.whole_or("k", 10)? })
    }

    fn score(&self, session: &Session<'_>) -> Result<Score, String> {
        Ok(Score::new(session.ndcg(self.k)))
    }

    // Spares the default's detour over a `Score` for each session.
    fn score_batch(&self, batch: &Batch, scores: &mut Scores) -> Result<(), String> {
        for session in batch.sessions() {
            scores.set_value(0, session.index(), session.ndcg(self.k));
        }
        Ok(())
    }
}

rematch_scorer::export!(Ndcg);

#[cfg(test)]
mod tests {
    use super::*;
    use rematch_scorer::testing::{Harness, Sample};

    #[test]
    fn the_formula_by_hand() {
        let session = Sample::new("s").hits(["a", "x", "b", "c"]).grade("a", 1.0).grade("b", 3.0).grade("c", -1.0);
        let best = 3.0 + 1.0 / 3.0_f64.log2();
        for (params, dcg) in [("{}", 1.0 + 3.0 / 2.0), (r#"{"k": 2}"#, 1.0), (r#"{"k": 4}"#, 1.0 + 3.0 / 2.0)] {
            let outcomes = Harness::<Ndcg>::new().params(params).score([session.clone()]).unwrap();
            assert!((outcomes[0].value().unwrap() - dcg / best).abs() < 1e-15, "{params}");
        }
    }

    #[test]
    fn undefined_without_a_positive_grade_and_zero_for_an_empty_ranking() {
        let sessions = [
            Sample::new("nothing"),
            Sample::new("bad").hits(["a"]).grade("a", 0.0).grade("b", -2.0),
            Sample::new("empty").grade("a", 2.0),
        ];
        let outcomes = Harness::<Ndcg>::new().score(sessions).unwrap();
        let values: Vec<Option<f64>> = outcomes.iter().map(|outcome| outcome.value()).collect();
        assert_eq!(values, [None, None, Some(0.0)]);
    }

    #[test]
    fn ranks_beyond_the_table_of_discounts_count_too() {
        let items: Vec<String> = (0..400).map(|item| format!("i{item}")).collect();
        let session = Sample::new("deep").hits(items.iter().map(String::as_str)).grade("i399", 2.0);
        let outcomes = Harness::<Ndcg>::new().params(r#"{"k": 1000}"#).score([session]).unwrap();
        assert!((outcomes[0].value().unwrap() - 1.0 / 401.0_f64.log2()).abs() < 1e-15);
    }

    #[test]
    fn a_cutoff_is_a_whole_number() {
        let error = Harness::<Ndcg>::new().params(r#"{"k": 0}"#).score([]).unwrap_err();
        assert_eq!(error, "the parameters are refused: `k` must be a whole number from 1 to 4294967295, found `0`");
    }
}
