//! Every column, as an author sees it.

use rematch_scorer::prelude::*;
use rematch_scorer::testing::{Act, Harness, Sample};

/// Writes down everything that it sees.
struct Witness;

impl Scorer for Witness {
    fn describe() -> Description {
        let all = Columns::JUDGED
            | Columns::RELEVANCE
            | Columns::HITS
            | Columns::HIT_SCORES
            | Columns::SHOWN
            | Columns::INTERACTIONS
            | Columns::INTERACTION_DETAILS
            | Columns::SESSION_IDS
            | Columns::TIMES
            | Columns::QUERIES
            | Columns::QUERY_VECTORS
            | Columns::INPUTS
            | Columns::EXPECTED
            | Columns::TAXONOMY
            | Columns::ITEM_IDS
            | Columns::ITEM_FIELDS;
        Description::new("witness", "0.1.0").needs(all).metric(Metric::new("hits"))
    }

    fn new(_: &Params) -> Result<Self, String> {
        Ok(Self)
    }

    fn score(&self, session: &Session<'_>) -> Result<Score, String> {
        let id = |item| session.item_id(item);
        let mut seen = vec![
            format!("{} `{}` {:?} {:?}", session.id(), session.query(), session.query_vector(), session.time()),
            format!("{} {} {:?}", session.inputs(), session.expected(), session.taxonomy().collect::<Vec<_>>()),
            format!("{:?} {:?}", session.ideal(), session.ndcg(2)),
        ];
        for hit in session.hits() {
            let brand = session.item_field("brand", hit.item)?;
            let grade = session.grade(hit.item);
            seen.push(format!("hit {} {} {:?} {grade:?} {brand:?}", hit.rank, id(hit.item), hit.score()));
        }
        seen.extend(session.judged().map(|hit| format!("judged {} {}", hit.rank, hit.grade)));
        for (item, grade) in session.relevance() {
            seen.push(format!("relevance {} {grade} at {:?}", id(item), session.rank(item)));
        }
        for act in session.interactions() {
            let details = (act.position(), act.time(), act.value());
            seen.push(format!("{} {} {details:?}", act.kind, id(act.item)));
        }
        for shown in session.shown() {
            seen.push(format!("shown {} {} {:?} {:?}", shown.rank, id(shown.item), shown.score(), shown.propensity()));
        }
        Ok(Score::new(session.depth() as f64).output(seen.join("\n")))
    }
}

#[test]
fn a_session_shows_its_columns_and_nothing_of_its_neighbours() {
    let full = Sample::new("s1")
        .query("kettle")
        .query_vector([0.5, -1.0])
        .inputs("{\"lang\":\"en\"}")
        .expected("{\"answer\":1}")
        .time(1_767_225_600_000)
        .taxonomy("home/kitchen")
        .taxonomy("gifts")
        .hit("a", 2.5)
        .hits(["b", "c"])
        .grade("b", 3.0)
        .grade("z", 1.0)
        .grade("c", -1.0)
        .shown("b", Some(0.5), Some(0.25))
        .shown("a", None, None)
        .interaction(Act::new("click", "b").position(2).time(5).value(0.5))
        .act("purchase", "d");
    let clicked = Sample::new("s2").hits(["b"]).act("click", "b").act("purchase", "b").act("view", "c");
    let harness = Harness::<Witness>::new().field("brand", [("a", "Acme"), ("b", "Best")]);
    let outcomes = harness.score([Sample::new("s0"), full, clicked]).unwrap();
    assert_eq!(outcomes[0].output(), "s0 `` [] None\n  []\n[] None");
    let expected = r#"s1 `kettle` [0.5, -1.0] Some(1767225600000)
{"lang":"en"} {"answer":1} ["home/kitchen", "gifts"]
[3.0, 1.0] Some(0.52129602861432)
hit 1 a Some(2.5) None Some("Acme")
hit 2 b None Some(3.0) Some("Best")
hit 3 c None Some(-1.0) None
judged 2 3
judged 3 -1
relevance b 3 at Some(2)
relevance c -1 at Some(3)
relevance z 1 at None
click b (Some(2), Some(5), Some(0.5))
purchase d (None, None, None)
shown 1 b Some(0.5) Some(0.25)
shown 2 a None None"#;
    assert_eq!(outcomes[1].output(), expected);
    let clicked = "s2 `` [] None\n  []\n[5.0] Some(1.0)\nhit 1 b None Some(5.0) Some(\"Best\")\njudged 1 5\n\
                   relevance b 5 at Some(1)\nrelevance c 0 at None\nclick b (None, None, None)\n\
                   purchase b (None, None, None)\nview c (None, None, None)";
    assert_eq!(outcomes[2].output(), clicked);
}

#[test]
fn a_field_that_the_benchmark_does_not_give_is_an_error_of_the_session() {
    let outcomes = Harness::<Witness>::new().score([Sample::new("s1").hits(["a"])]).unwrap();
    let error = outcomes[0].error().unwrap();
    assert!(error.starts_with("the benchmark gives no item field `brand`; name it in"), "{error}");
}
