//! Intra-list diversity: how different the categories of the top k are.
//!
//! Ziegler, McNee, Konstan and Lausen, "Improving recommendation lists through topic diversification" (WWW 2005), measure the
//! intra-list similarity of a list by the similarities of its pairs. Here it is their mean, and the similarity of two
//! items is the share of the category path that they have in common:
//!
//!   similarity = length of the common beginning / length of the longer path
//!   score      = 1 - mean similarity of all pairs in the top k
//!
//! Undefined where fewer than two of the top k have a category.

use rematch_scorer::CompensatedSum;
use rematch_scorer::prelude::*;

struct Diversity {
    k: usize,
    field: String,
    separator: String,
}

const PARAMS_SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{
"k":{"type":"integer","minimum":2,"default":10,"description":"ranks that count"},
"field":{"type":"string","default":"taxonomy","description":"item field with the path"},
"separator":{"type":"string","minLength":1,"default":"/","description":"what stands between the parts of a path"}}}"#;

impl Scorer for Diversity {
    fn describe() -> Description {
        Description::new("category-diversity", "0.1.0")
            .summary("1 - mean similarity of the category paths in the top k.")
            .params_schema(PARAMS_SCHEMA)
            .needs(Columns::HITS | Columns::ITEM_FIELDS)
            .metric(
                Metric::new("category-diversity")
                    .summary("Undefined where fewer than two of the top k have a category.")
                    .low(0.0)
                    .high(1.0),
            )
            .metric(Metric::new("categories").summary("Number of different categories in the top k.").low(0.0))
    }

    fn new(params: &Params) -> Result<Self, String> {
        let k = params.whole_or("k", 10)?;
        if k < 2 {
            return Err("`k` must be at least 2, since pairs are compared; found `1`".to_owned());
        }
        let separator = params.text_or("separator", "/")?.to_owned();
        if separator.is_empty() {
            return Err("`separator` must not be empty".to_owned());
        }
        Ok(Self { k, field: params.text_or("field", "taxonomy")?.to_owned(), separator })
    }

    fn score(&self, session: &Session<'_>) -> Result<Score, String> {
        let mut paths: Vec<Vec<&str>> = Vec::new();
        for hit in session.hits().take(self.k) {
            if let Some(path) = session.item_field(&self.field, hit.item)? {
                paths.push(path.split(self.separator.as_str()).collect());
            }
        }
        let mut similarities = CompensatedSum::default();
        let (mut pairs, mut different) = (0.0, 0.0);
        for (at, path) in paths.iter().enumerate() {
            let above = &paths[..at];
            for other in above {
                similarities.add(similarity(path, other));
                pairs += 1.0;
            }
            if !above.contains(path) {
                different += 1.0;
            }
        }
        // Rounding may go beyond the bound by a bit.
        let diversity = (pairs > 0.0).then(|| (1.0 - similarities.total() / pairs).max(0.0));
        Ok(Score::new(diversity).part("categories", different))
    }
}

/// Returns the share of two paths that they have in common, from 0 to 1.
fn similarity(left: &[&str], right: &[&str]) -> f64 {
    let common = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    common as f64 / left.len().max(right.len()) as f64
}

rematch_scorer::export!(Diversity);

#[cfg(test)]
mod tests {
    use super::*;
    use rematch_scorer::testing::{Harness, Sample};

    const PATHS: [(&str, &str); 5] = [
        ("kettle", "home/kitchen/kettles"),
        ("toaster", "home/kitchen/toasters"),
        ("lamp", "home/lighting"),
        ("tent", "outdoor/camping/tents"),
        ("kettle-2", "home/kitchen/kettles"),
    ];

    fn harness(params: &str) -> Harness<Diversity> {
        Harness::new().field("taxonomy", PATHS).params(params)
    }

    #[test]
    fn pairs_by_hand() {
        let sessions = [
            Sample::new("alike").hits(["kettle", "kettle-2"]),
            Sample::new("near").hits(["kettle", "toaster", "lamp"]),
            Sample::new("far").hits(["kettle", "tent"]),
        ];
        let outcomes = harness("{}").score(sessions).unwrap();
        let near = 1.0 - (2.0 / 3.0 + 1.0 / 3.0 + 1.0 / 3.0) / 3.0;
        for (outcome, diversity, categories) in
            [(&outcomes[0], 0.0, 1.0), (&outcomes[1], near, 3.0), (&outcomes[2], 1.0, 2.0)]
        {
            assert!((outcome.value().unwrap() - diversity).abs() < 1e-15);
            assert_eq!(outcome.part("categories"), Some(categories));
        }
    }

    #[test]
    fn undefined_without_a_pair_that_has_categories() {
        let sessions = [Sample::new("none"), Sample::new("one").hits(["kettle", "unknown", "other"])];
        let outcomes = harness("{}").score(sessions).unwrap();
        assert_eq!((outcomes[0].value(), outcomes[0].part("categories")), (None, Some(0.0)));
        assert_eq!((outcomes[1].value(), outcomes[1].part("categories")), (None, Some(1.0)));
    }

    #[test]
    fn cutoff_field_and_separator_are_parameters() {
        let session = Sample::new("s").hits(["kettle", "kettle-2", "tent"]);
        assert_eq!(harness(r#"{"k": 2}"#).score([session.clone()]).unwrap()[0].value(), Some(0.0));
        let tags = Harness::<Diversity>::new().field("tags", [("kettle", "a > b"), ("tent", "a > c")]);
        let outcomes = tags.params(r#"{"field": "tags", "separator": " > "}"#).score([session]).unwrap();
        assert_eq!(outcomes[0].value(), Some(0.5));
        assert!(harness(r#"{"k": 1}"#).score([]).is_err() && harness(r#"{"separator": ""}"#).score([]).is_err());
    }

    #[test]
    fn a_missing_field_is_an_error() {
        let outcomes = Harness::<Diversity>::new().score([Sample::new("s").hits(["kettle"])]).unwrap();
        assert!(outcomes[0].error().unwrap().starts_with("the benchmark gives no item field `taxonomy`"));
    }
}
