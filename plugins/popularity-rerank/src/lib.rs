//! Moves popular items up, without letting them beat relevance by far.
//!
//!   score(item) = 1 / (rank-constant + rank) * (1 + weight * ln(1 + popularity))
//!
//! The rank is the item's rank so far, and the rank constant that of reciprocal rank fusion (Cormack, Clarke and Büttcher
//! 2009). An item without a popularity counts as one of 0.

use rematch_scorer::Params;
use rematch_scorer::stage::{Candidate, Columns, Description, Item, Items, Ranking, Reranker, Search};

struct Popularity {
    field: String,
    weight: f64,
    rank_constant: f64,
}

const PARAMS_SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{
"field":{"type":"string","default":"popularity","description":"item field with a number of at least 0"},
"weight":{"type":"number","minimum":0,"default":0.1,"description":"what popularity counts"},
"rank_constant":{"type":"number","minimum":0,"default":60,"description":"the larger, the less a rank counts"}}}"#;

impl Reranker for Popularity {
    fn describe() -> Description {
        Description::new("popularity-rerank", "0.1.0")
            .summary("Moves popular items up: reciprocal ranks, weighted by the logarithm of a popularity.")
            .params_schema(PARAMS_SCHEMA)
            .needs(Columns::ITEM_FIELDS)
    }

    fn new(params: &Params) -> Result<Self, String> {
        let field = params.text_or("field", "popularity")?.to_owned();
        let (weight, rank_constant) = (params.number_or("weight", 0.1)?, params.number_or("rank_constant", 60.0)?);
        if !(weight >= 0.0 && rank_constant >= 0.0) {
            return Err("`weight` and `rank_constant` must be numbers of at least 0".to_owned());
        }
        Ok(Self { field, weight, rank_constant })
    }

    fn rerank(&self, _: &Search<'_>, hits: &[Candidate], items: &Items<'_>) -> Result<Ranking, String> {
        hits.iter().map(|hit| Ok((hit.item, self.score(hit, self.popularity(hit.item, items)?)))).collect()
    }
}

impl Popularity {
    fn score(&self, hit: &Candidate, popularity: f64) -> f64 {
        (1.0 + self.weight * popularity.ln_1p()) / (self.rank_constant + f64::from(hit.rank))
    }

    fn popularity(&self, item: Item, items: &Items<'_>) -> Result<f64, String> {
        let Some(text) = items.field(&self.field, item)? else { return Ok(0.0) };
        match text.parse::<f64>() {
            Ok(number) if number >= 0.0 && number.is_finite() => Ok(number),
            _ => Err(format!("the item field `{}` has `{text}`, expected a number of at least 0", self.field)),
        }
    }
}

rematch_scorer::export_reranker!(Popularity);

#[cfg(test)]
mod tests {
    use super::*;
    use rematch_scorer::stage::testing::{Harness, Sample};

    fn harness() -> Harness {
        Harness::new().field("sales", [("hit", "1000000"), ("known", "10"), ("odd", "many")])
    }

    fn params(weight: f64) -> String {
        format!(r#"{{"field": "sales", "weight": {weight}, "rank_constant": 0}}"#)
    }

    #[test]
    fn a_popular_item_moves_up_as_far_as_the_weight_says() {
        let session = || Sample::new("s").hits(["new", "known", "third", "hit"]);
        for (weight, order) in [
            (0.0, ["new", "known", "third", "hit"]),
            (0.1, ["new", "known", "hit", "third"]),
            (1.0, ["hit", "known", "new", "third"]),
        ] {
            let answers = harness().params(&params(weight)).rerank::<Popularity>([session()]).unwrap();
            assert_eq!(answers[0].items(), order, "{weight}");
        }
    }

    #[test]
    fn the_score_is_the_formula() {
        let answers = harness().params(&params(0.5)).rerank::<Popularity>([Sample::new("s").hits(["known"])]).unwrap();
        assert_eq!(answers[0].scores(), [1.0 + 0.5 * 11_f64.ln()]);
    }

    #[test]
    fn no_hits_are_no_hits() {
        assert!(harness().params(&params(1.0)).rerank::<Popularity>([Sample::new("s")]).unwrap()[0].items().is_empty());
    }

    #[test]
    fn what_is_no_number_fails_its_session_alone() {
        let sessions = [Sample::new("a").hits(["odd"]), Sample::new("b").hits(["known"])];
        let answers = harness().params(&params(1.0)).rerank::<Popularity>(sessions).unwrap();
        let expected = "the item field `sales` has `many`, expected a number of at least 0";
        assert_eq!((answers[0].error(), answers[1].items()), (Some(expected), vec!["known"]));
    }

    #[test]
    fn wrong_parameters_and_missing_fields_are_named() {
        let error = harness().params(r#"{"weight": -1}"#).rerank::<Popularity>([]).unwrap_err();
        assert!(error.contains("`weight` and `rank_constant` must be numbers of at least 0"), "{error}");
        let answers = Harness::new().rerank::<Popularity>([Sample::new("s").hits(["a"])]).unwrap();
        assert!(answers[0].error().unwrap().contains("gives no item field `popularity`"));
    }
}
