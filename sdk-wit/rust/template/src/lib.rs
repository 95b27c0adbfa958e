//! 1 / rank of the first hit that the user purchased.
//!
//! Undefined where the user purchased nothing: there is nothing to find. 0 where nothing of it was returned.

use rematch_scorer::prelude::*;

/// The scoring function, with its parameters.
struct FirstFound {
    /// What the user must have done with an item.
    kind: String,
}

impl Scorer for FirstFound {
    fn describe() -> Description {
        Description::new("{{name}}", "0.1.0")
            .summary("1 / rank of the first hit that the user purchased.")
            .params_schema(r#"{"type": "object", "properties": {"kind": {"type": "string", "default": "purchase"}}}"#)
            // The host sends these columns and no others.
            .needs(Columns::HITS | Columns::INTERACTIONS)
            .metric(Metric::new("{{name}}").summary("Undefined without a purchase.").low(0.0).high(1.0))
    }

    fn new(params: &Params) -> Result<Self, String> {
        Ok(Self { kind: params.text_or("kind", "purchase")?.to_owned() })
    }

    fn score(&self, session: &Session<'_>) -> Result<Score, String> {
        let wanted: Vec<Item> =
            session.interactions().filter(|act| act.kind == self.kind).map(|act| act.item).collect();
        if wanted.is_empty() {
            return Ok(Score::undefined());
        }
        let first = session.hits().find(|hit| wanted.contains(&hit.item));
        Ok(Score::new(first.map_or(0.0, |hit| 1.0 / f64::from(hit.rank))))
    }
}

rematch_scorer::export!(FirstFound);

#[cfg(test)]
mod tests {
    use super::*;
    use rematch_scorer::testing::{Harness, Sample};

    #[test]
    fn first_purchase_decides() {
        let session = |id: &str| Sample::new(id).hits(["a", "b", "c"]);
        let sessions = [
            session("second").act("purchase", "c").act("purchase", "b"),
            session("not-returned").act("purchase", "z"),
            session("no-purchase").act("click", "a"),
        ];
        let outcomes = Harness::<FirstFound>::new().score(sessions).unwrap();
        let values: Vec<Option<f64>> = outcomes.iter().map(|outcome| outcome.value()).collect();
        assert_eq!(values, [Some(0.5), Some(0.0), None]);
    }

    #[test]
    fn other_kinds_can_be_wanted() {
        let harness = Harness::<FirstFound>::new().params(r#"{"kind": "click"}"#);
        let outcomes = harness.score([Sample::new("s").hits(["a", "b"]).act("click", "b")]).unwrap();
        assert_eq!(outcomes[0].value(), Some(0.5));
    }
}
