//! Stages through the calls of the host: views, parameters, orders and errors.

use rematch_scorer::Params;
use rematch_scorer::stage::testing::{Harness, Sample};
use rematch_scorer::stage::{Candidate, Columns, Description, Items, Ranking, Reranker, Retriever, Search};

/// Finds the items whose title begins with the query, the shortest first.
struct Prefixes(Vec<(rematch_scorer::stage::Item, String)>);

impl Retriever for Prefixes {
    fn describe() -> Description {
        Description::new("prefixes", "1").needs(Columns::QUERIES | Columns::ITEM_FIELDS | Columns::TAXONOMY)
    }

    fn open(params: &Params, items: &Items<'_>) -> Result<Self, String> {
        let field = params.text_or("field", "title")?;
        let title = |item| Ok((item, items.field(field, item)?.unwrap_or_default().to_owned()));
        items.iter().map(title).collect::<Result<_, String>>().map(Self)
    }

    fn retrieve(&self, search: &Search<'_>, _: usize) -> Result<Ranking, String> {
        if search.taxonomy().any(|path| path == "closed") {
            return Err("closed".to_owned());
        }
        let mut found: Vec<_> = self.0.iter().filter(|(_, title)| title.starts_with(search.query())).collect();
        found.sort_by_key(|(_, title)| title.len());
        Ok(Ranking::ordered(found.into_iter().map(|(item, _)| *item)))
    }
}

rematch_scorer::export_retriever!(Prefixes);

/// Turns hits round and gives each all that is known of its session as a score: the length of every text, and the time.
struct Sums;

impl Reranker for Sums {
    fn describe() -> Description {
        let texts = Columns::SESSION_IDS | Columns::QUERIES | Columns::INPUTS | Columns::QUERY_VECTORS;
        Description::new("sums", "1").needs(texts | Columns::TIMES | Columns::HIT_SCORES | Columns::ITEM_IDS)
    }

    fn new(_: &Params) -> Result<Self, String> {
        Ok(Self)
    }

    fn rerank(&self, search: &Search<'_>, hits: &[Candidate], items: &Items<'_>) -> Result<Ranking, String> {
        let texts = search.id().len() + search.query().len() + search.inputs().len() + search.query_vector().len();
        let sum = texts as f64 + search.time().unwrap_or(0) as f64;
        let last = hits.last().map(|hit| hit.item);
        let kept = hits.iter().filter(|hit| Some(hit.item) != last);
        Ok(kept.map(|hit| (hit.item, sum + hit.score.unwrap_or(0.0) + items.id(hit.item).len() as f64)).collect())
    }
}

#[test]
fn a_retriever_answers_over_the_items_that_it_opened() {
    let harness = Harness::new()
        .items(["1", "2", "3", "4"])
        .field("title", [("1", "lamp shade"), ("2", "lamp"), ("3", "table"), ("4", "lamp oil")]);
    let samples = || [Sample::new("a").query("lamp"), Sample::new("b").query("x"), Sample::new("c").taxonomy("closed")];
    let answers = harness.retrieve::<Prefixes>(samples(), 2).unwrap();
    assert_eq!(answers[0].items(), ["2", "4"]);
    assert_eq!(answers[0].scores(), [1.0, 0.5]);
    assert_eq!((answers[1].items(), answers[2].error()), (vec![], Some("closed")));
    let refused = harness.clone().params(r#"{"other": 1}"#).retrieve::<Prefixes>(samples(), 2).unwrap_err();
    assert!(refused.starts_with("refused its parameters: "), "{refused}");
    let missing = harness.params(r#"{"field": "brand"}"#).retrieve::<Prefixes>(samples(), 2).unwrap_err();
    assert!(missing.contains("gives no item field `brand`"), "{missing}");
}

#[test]
fn a_reranker_sees_what_it_asks_for_and_what_it_leaves_out_follows() {
    let full = Sample::new("id").query("abc").inputs("{}").vector(&[0.5, 1.0]).time(100);
    let full = full.scored_hits([("x", 3.0), ("yy", 2.5), ("z", 0.0)]);
    let answers = Harness::new().rerank::<Sums>([full, Sample::new("i").hits(["z", "x"])]).unwrap();
    assert_eq!(answers[0].items(), ["yy", "x", "z"]);
    assert_eq!(answers[0].scores()[..2], [113.5, 113.0]);
    assert_eq!(answers[1].items(), ["z", "x"]);
}

#[test]
#[should_panic(expected = "add `Columns::QUERIES` to `needs`")]
fn a_column_that_was_not_asked_for_ends_the_call() {
    struct Careless;
    impl Reranker for Careless {
        fn describe() -> Description {
            Description::new("careless", "1")
        }
        fn new(_: &Params) -> Result<Self, String> {
            Ok(Self)
        }
        fn rerank(&self, search: &Search<'_>, _: &[Candidate], _: &Items<'_>) -> Result<Ranking, String> {
            Err(search.query().to_owned())
        }
    }
    let _ = Harness::new().rerank::<Careless>([Sample::new("a")]);
}
