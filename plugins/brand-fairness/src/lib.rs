//! Whether brands get the exposure that they should have.
//!
//! A ranking exposes the item at rank r with the weight 1 / log2(r + 1), as Singh and Joachims do ("Fairness of exposure in
//! rankings", KDD 2018). As in Sapiezynski et al. ("Quantifying the impact of user attention on fair group representation in
//! ranked lists", WWW 2019 companion), the distribution of the exposure over the groups is compared with a target
//! distribution; the groups are brands, and the distance is the total variation:
//!
//!   exposure(g) = share of the top k's exposure that goes to items of brand g
//!   score       = 1 - 1/2 * sum over the brands g of |exposure(g) - target(g)|
//!
//! The target is either the brand's share of merit, which is the sum of the positive grades of its items (exposure in
//! proportion to utility, which Singh and Joachims call equal treatment of groups), or its share of the candidates, which
//! are all hits of the ranking (equal exposure per item, demographic parity there).
//!
//! Undefined where no hit of the top k has a brand, or no item of a brand has merit.

use rematch_scorer::prelude::*;
use rematch_scorer::{CompensatedSum, discount};

#[derive(Clone, Copy, PartialEq)]
enum Target {
    Merit,
    Candidates,
}

struct Fairness {
    k: usize,
    field: String,
    target: Target,
}

const PARAMS_SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{
"k":{"type":"integer","minimum":1,"default":10,"description":"ranks that count"},
"field":{"type":"string","default":"brand","description":"item field with the group"},
"target":{"enum":["merit","candidates"],"default":"merit","description":"what exposure should be in proportion to"}}}"#;

/// A brand, and its parts of two wholes.
struct Brand<'a> {
    name: &'a str,
    exposure: f64,
    target: f64,
}

impl Scorer for Fairness {
    fn describe() -> Description {
        Description::new("brand-fairness", "0.1.0")
            .summary("1 - total variation distance between the brands' shares of exposure and of merit.")
            .params_schema(PARAMS_SCHEMA)
            .needs(Columns::HITS | Columns::RELEVANCE | Columns::ITEM_FIELDS)
            .metric(
                Metric::new("brand-fairness")
                    .summary("Undefined where no brand is exposed, or no brand has merit.")
                    .low(0.0)
                    .high(1.0),
            )
            .metric(
                Metric::new("largest-excess")
                    .summary("The largest share of exposure that a brand has beyond its target.")
                    .lower_is_better()
                    .low(0.0)
                    .high(1.0),
            )
    }

    fn new(params: &Params) -> Result<Self, String> {
        let target = match params.text_or("target", "merit")? {
            "merit" => Target::Merit,
            "candidates" => Target::Candidates,
            other => return Err(format!("`target` must be `merit` or `candidates`, found `{other}`")),
        };
        Ok(Self { k: params.whole_or("k", 10)?, field: params.text_or("field", "brand")?.to_owned(), target })
    }

    fn score(&self, session: &Session<'_>) -> Result<Score, String> {
        let brands = self.brands(session)?;
        let exposure = sum(brands.iter().map(|brand| brand.exposure));
        let target = sum(brands.iter().map(|brand| brand.target));
        if exposure <= 0.0 || target <= 0.0 {
            return Ok(Score::undefined());
        }
        let shares = || brands.iter().map(|brand| (brand, brand.exposure / exposure, brand.target / target));
        let distance = sum(shares().map(|(_, exposure, target)| (exposure - target).abs())) / 2.0;
        let mut excess = 0.0;
        let mut output = String::new();
        for (brand, exposure, target) in shares() {
            if exposure - target > excess {
                excess = exposure - target;
                let percent = |share: f64| (share * 100.0).round() as u32;
                output = format!(
                    "{} has {} % of the exposure, its target is {} %",
                    brand.name,
                    percent(exposure),
                    percent(target)
                );
            }
        }
        // Rounding may go beyond the bounds by a bit.
        Ok(Score::new((1.0 - distance).clamp(0.0, 1.0)).part("largest-excess", excess.min(1.0)).output(output))
    }
}

impl Fairness {
    /// Returns the brands that are exposed or have a target, in order of their appearance.
    fn brands<'a>(&self, session: &Session<'a>) -> Result<Vec<Brand<'a>>, String> {
        let mut brands: Vec<Brand<'a>> = Vec::new();
        let mut add = |item, exposure: f64, target: f64| -> Result<(), String> {
            let Some(name) = session.item_field(&self.field, item)? else { return Ok(()) };
            match brands.iter_mut().find(|brand| brand.name == name) {
                Some(brand) => {
                    brand.exposure += exposure;
                    brand.target += target;
                }
                None => brands.push(Brand { name, exposure, target }),
            }
            Ok(())
        };
        for hit in session.hits() {
            let exposure = if hit.rank as usize <= self.k { discount(hit.rank) } else { 0.0 };
            let candidate = if self.target == Target::Candidates { 1.0 } else { 0.0 };
            add(hit.item, exposure, candidate)?;
        }
        if self.target == Target::Merit {
            for (item, grade) in session.relevance() {
                add(item, 0.0, grade.max(0.0))?;
            }
        }
        Ok(brands)
    }
}

fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    terms.collect::<CompensatedSum>().total()
}

rematch_scorer::export!(Fairness);

#[cfg(test)]
mod tests {
    use super::*;
    use rematch_scorer::testing::{Harness, Outcome, Sample};

    const BRANDS: [(&str, &str); 5] = [("a1", "Acme"), ("a2", "Acme"), ("b1", "Best"), ("b2", "Best"), ("c1", "Cosy")];

    fn score(params: &str, session: Sample) -> Outcome {
        let harness = Harness::<Fairness>::new().field("brand", BRANDS).params(params);
        harness.score([Sample::new("other").hits(["c1"]), session]).unwrap().remove(1)
    }

    fn close(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-15)
    }

    #[test]
    fn exposure_in_proportion_to_merit_is_fair() {
        // Discounts of ranks 1 and 3 are 1 and 1/2, rank 2 has no brand.
        let session =
            Sample::new("s").hits(["a1", "unbranded", "b1"]).grade("a2", 2.0).grade("b1", 1.0).grade("c1", -3.0);
        let outcome = score("{}", session);
        assert!(close(outcome.value(), 1.0) && outcome.part("largest-excess").unwrap() < 1e-15);
    }

    #[test]
    fn exposure_of_a_brand_without_merit_is_not() {
        let outcome = score("{}", Sample::new("s").hits(["a1", "unbranded", "b1"]).grade("b2", 1.0));
        assert!(close(outcome.value(), 1.0 / 3.0) && close(outcome.part("largest-excess"), 2.0 / 3.0));
        assert_eq!(outcome.output(), "Acme has 67 % of the exposure, its target is 0 %");
        let nothing = score(r#"{"k": 1}"#, Sample::new("s").hits(["a1", "b1"]).grade("b2", 1.0));
        assert!(close(nothing.value(), 0.0) && close(nothing.part("largest-excess"), 1.0));
    }

    #[test]
    fn candidates_are_all_hits() {
        let session = Sample::new("s").hits(["a1", "b1", "b2", "a2"]);
        assert!(close(score(r#"{"target": "candidates", "k": 1}"#, session.clone()).value(), 0.5));
        assert_eq!(score("{}", session).value(), None);
    }

    #[test]
    fn undefined_without_exposure_or_merit() {
        for session in [
            Sample::new("empty").grade("a1", 1.0),
            Sample::new("unbranded").hits(["x", "y"]).grade("a1", 1.0),
            Sample::new("worthless").hits(["a1"]).grade("a1", 0.0),
            Sample::new("unbranded-merit").hits(["a1"]).grade("x", 1.0),
        ] {
            let outcome = score("{}", session);
            assert_eq!((outcome.value(), outcome.part("largest-excess")), (None, None));
        }
    }

    #[test]
    fn a_target_is_one_of_two() {
        let error = Harness::<Fairness>::new().params(r#"{"target": "equal"}"#).score([]).unwrap_err();
        assert_eq!(error, "the parameters are refused: `target` must be `merit` or `candidates`, found `equal`");
    }
}
