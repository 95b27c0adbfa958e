//! Re-rankers.

use super::super::{Handed, PluginError, PluginReranker};
use super::guests::{Guest, hits, items, load, session};
use crate::benchmark::Limits;
use crate::replay::RetrieveErrorKind;
use crate::session::{Hit, Session};

/// Has lists of 0 to 5 hits ordered anew, asserts that all but the one of three are turned round, and returns that one's
/// answer.
fn culprit(reranker: &PluginReranker) -> Result<Vec<Hit>, (RetrieveErrorKind, String)> {
    let session = session("s", "q");
    let lists: Vec<Vec<Hit>> = (0..6).map(hits).collect();
    let rows: Vec<Handed<'_>> = lists.iter().map(|hits| Handed { session: &session, hits }).collect();
    let mut answers = reranker.rerank(&rows);
    assert_eq!(answers.len(), rows.len());
    for (given, answer) in lists.iter().zip(&answers).filter(|(given, _)| given.len() != 3) {
        let turned: Vec<Hit> = given.iter().rev().cloned().collect();
        assert_eq!(answer.as_ref().unwrap(), &turned, "a neighbour lost its answer");
    }
    answers.remove(3).map_err(|error| (error.kind, error.message))
}

fn reason(guest: Guest) -> String {
    let (kind, message) = culprit(&guest.reranker()).unwrap_err();
    assert_eq!(kind, RetrieveErrorKind::Plugin);
    message.strip_prefix("plugin `guest 1.0`: ").expect("names the plugin").to_owned()
}

#[test]
fn hits_come_back_in_the_order_that_the_component_gives() {
    assert_eq!(items(&culprit(&Guest::default().reranker()).unwrap()), ["d2", "d1", "d0"]);
    let description = Guest::default().reranker().description().clone();
    assert_eq!(
        (description.world.as_str(), description.name.as_str(), description.needs.len()),
        ("reranker", "guest", 0)
    );
}

/// Gives the culprit's rows the scores named, and every other row 0; with a number for each, they are the order.
const SCORED: &str = "(i32.store (i32.const 1048) (local.get $total))";

#[test]
fn scores_are_the_order_and_equal_ones_keep_theirs() {
    // The rows are d2, d1, d0.
    let at_culprit =
        "(f64.store (i32.add (local.get $scores) (i32.mul (local.get $start) (i32.const 8))) (f64.const -0))
                      (f64.store offset=16 (i32.add (local.get $scores) (i32.mul (local.get $start) (i32.const 8)))
                        (f64.const 2.5))";
    let reranker = Guest { at_culprit, at_end: SCORED, ..Guest::default() }.reranker();
    let session = session("s", "q");
    let found = reranker.rerank(&[Handed { session: &session, hits: &hits(3) }]).remove(0).unwrap();
    assert_eq!(items(&found), ["d0", "d2", "d1"]);
    let scores: Vec<Option<f64>> = found.iter().map(|hit| hit.score).collect();
    assert_eq!(scores, [Some(2.5), Some(-0.0), Some(0.0)]);
}

#[test]
fn hits_that_are_not_named_follow_in_their_old_order() {
    // One row less, and the offsets in memory of their own.
    let at_end = "(if (i32.eq (local.get $total) (i32.const 3)) (then
        (i32.store (i32.const 4096) (i32.const 0)) (i32.store (i32.const 4100) (i32.const 2))
        (i32.store (i32.const 1028) (i32.const 4096)) (i32.store (i32.const 1040) (i32.const 2))))";
    let reranker = Guest { at_end, ..Guest::default() }.reranker();
    let session = session("s", "q");
    let scored: Vec<Hit> = hits(3).into_iter().map(|hit| Hit { score: Some(1.0), ..hit }).collect();
    let found = reranker.rerank(&[Handed { session: &session, hits: &scored }]).remove(0).unwrap();
    assert_eq!(items(&found), ["d2", "d1", "d0"]);
    assert!(found.iter().all(|hit| hit.score.is_none()));
}

#[test]
fn a_wrong_row_fails_its_session_alone() {
    const ROW: &str = "(i32.add (local.get $items) (i32.mul (local.get $start) (i32.const 4)))";
    for (code, told) in [
        // An item of another session, of the same batch.
        ("(i32.store ROW (i32.const 4))", "returned the item 4, which it was not given"),
        ("(i32.store ROW (i32.const -1))", "returned the item 4294967295, which it was not given"),
        ("(i32.store ROW (i32.load offset=4 ROW))", "returned the item 1 (`d1`) twice"),
    ] {
        let code: &'static str = Box::leak(code.replace("ROW", ROW).into_boxed_str());
        assert_eq!(reason(Guest { at_culprit: code, ..Guest::default() }), told);
    }
}

#[test]
fn a_score_that_is_no_number_fails_its_session_alone() {
    for (value, shown) in [("nan", "NaN"), ("inf", "inf"), ("-inf", "-inf")] {
        let at_culprit = format!(
            "(f64.store (i32.add (local.get $scores) (i32.mul (local.get $start) (i32.const 8))) (f64.const {value}))"
        );
        let guest = Guest { at_culprit: Box::leak(at_culprit.into_boxed_str()), at_end: SCORED, ..Guest::default() };
        let reranker = guest.reranker();
        let session = session("s", "q");
        let lists = [hits(2), hits(3)];
        let rows: Vec<Handed<'_>> = lists.iter().map(|hits| Handed { session: &session, hits }).collect();
        let answers = reranker.rerank(&rows);
        assert_eq!(items(answers[0].as_ref().unwrap()), ["d1", "d0"]);
        let told = format!("plugin `guest 1.0`: returned the score {shown} for `d2`, expected a finite number");
        assert_eq!(answers[1].as_ref().unwrap_err().message, told);
    }
}

#[test]
fn a_call_that_fails_is_repeated_and_fails_the_culprit_alone() {
    for (at_culprit, told) in [
        ("unreachable", "unreachable"),
        ("(loop $ever (br $ever))", "fuel limit of 2010000000 units reached"),
        (
            "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 100)) (i32.const -1)))) unreachable",
            "memory limit",
        ),
    ] {
        assert!(reason(Guest { at_culprit, ..Guest::default() }).contains(told), "{at_culprit}");
    }
}

#[test]
fn a_reply_whose_columns_do_not_fit_fails_the_culprit_alone() {
    for (code, told) in [
        (
            "(i32.store (i32.const 1032) (local.get $len))",
            "returned 1 offsets for 1 sessions, expected 2 that begin with 0",
        ),
        ("(i32.store (i32.const 1040) (i32.const 2))", "returned offsets that do not ascend to its 2 items"),
        ("(i32.store (i32.const 1048) (i32.const 1))", "returned 1 scores for 3 items, expected one for each or none"),
        ("(i32.store (i32.const 1040) (i32.const 0x0fffffff))", "out of bounds"),
        ("(i32.store (i32.const 1032) (i32.const 0xffffffff))", "out of bounds"),
        ("(i32.store8 (i32.const 1024) (i32.const 9))", "discriminant"),
        ("(return (i32.const -8))", "out of bounds"),
        // A failure of the whole batch, in words; the text is at 136.
        (
            "(i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1028) (i32.const 1))
             (i32.store (i32.const 1032) (i32.const 136)) (i32.store (i32.const 1036) (i32.const 4))",
            "oops",
        ),
        // An error of session 7.
        (
            "(i32.store (i32.const 4096) (i32.const 7)) (i32.store (i32.const 4100) (i32.const 136))
             (i32.store (i32.const 4104) (i32.const 4))
             (i32.store (i32.const 1052) (i32.const 4096)) (i32.store (i32.const 1056) (i32.const 1))",
            "returned an error for session 7 of a batch of 1",
        ),
    ] {
        let code: &'static str = Box::leak(format!("(if (global.get $flag) (then {code}))").into_boxed_str());
        let reason = reason(Guest { at_end: code, ..Guest::default() });
        assert!(reason.contains(told), "{code}: {reason}");
    }
}

#[test]
fn a_reply_beyond_the_output_limit_fails_the_culprit_alone() {
    // Thirty million rows, all in the guest's memory, which has room for them.
    let at_end = "(if (global.get $flag) (then
        (drop (memory.grow (i32.const 2000)))
        (i32.store (i32.const 1036) (i32.const 0)) (i32.store (i32.const 1040) (i32.const 30000000))))";
    assert_eq!(reason(Guest { at_end, ..Guest::default() }), "output limit of 16777216 bytes reached");
}

#[test]
fn a_session_that_the_component_gives_up_has_its_words() {
    let at_culprit = "(i32.store (i32.const 4096) (local.get $i)) (i32.store (i32.const 4100) (i32.const 136))
        (i32.store (i32.const 4104) (i32.const 4))
        (i32.store (i32.const 1052) (i32.const 4096)) (i32.store (i32.const 1056) (i32.const 1))";
    assert_eq!(reason(Guest { at_culprit, ..Guest::default() }), "oops");
}

#[test]
fn a_session_does_not_live_off_the_fuel_of_others() {
    // Some work at the culprit: more than one session may spend, less than six together.
    let at_culprit = "(local.set $at (i32.const 30000))
        (loop $work (local.set $at (i32.sub (local.get $at) (i32.const 1))) (br_if $work (local.get $at)))";
    let limits = Limits { fuel_base: 10_000, fuel_per_session: 50_000, ..Limits::default() };
    let bytes = Guest { at_culprit, ..Guest::default() }.reranker_bytes();
    let reranker = load(&bytes, |plan| plan.limits = limits, PluginReranker::load).unwrap();
    let (_, message) = culprit(&reranker).unwrap_err();
    assert!(message.contains("fuel limit of 60000 units reached"), "{message}");
}

#[test]
fn a_deadline_is_a_timeout() {
    let limits = Limits { deadline_ms: 30, fuel_base: u64::MAX / 2, ..Limits::default() };
    let bytes = Guest { at_culprit: "(loop $ever (br $ever))", ..Guest::default() }.reranker_bytes();
    let reranker = load(&bytes, |plan| plan.limits = limits, PluginReranker::load).unwrap();
    let (kind, message) = culprit(&reranker).unwrap_err();
    assert_eq!(kind, RetrieveErrorKind::Timeout);
    assert!(message.contains("deadline of 30 ms reached"), "{message}");
}

#[test]
fn a_flag_that_an_instance_keeps_is_seen_by_the_next_call_only_where_it_is_reusable() {
    // Once it has seen three hits, no list is turned round any more.
    let at_end = "(if (global.get $kept) (then
          (i32.store (i32.const 1028) (i32.const 4096)) (i32.store (i32.const 1040) (i32.const 0))))
        (global.set $kept (global.get $flag))";
    let guest = Guest { at_end, definitions: "(global $kept (mut i32) (i32.const 0))", ..Guest::default() };
    let stateful = Guest { at_describe: "(i32.store8 (i32.const 98) (i32.const 0))", ..guest };
    let lists = [hits(3), hits(2)];
    let session = Session::default();
    let ask = |reranker: &PluginReranker, list: &[Hit]| {
        let found = reranker.rerank(&[Handed { session: &session, hits: list }]).remove(0).unwrap();
        found.first().map(|hit| hit.item_id.clone()).unwrap_or_default()
    };
    let fresh = stateful.reranker();
    assert_eq!(lists.iter().map(|list| ask(&fresh, list)).collect::<Vec<_>>(), ["d2", "d1"]);
    let kept = guest.reranker();
    assert_eq!(lists.iter().map(|list| ask(&kept, list)).collect::<Vec<_>>(), ["d2", "d0"]);
    let alone = load(&guest.reranker_bytes(), |plan| plan.batch = std::num::NonZeroUsize::MIN, PluginReranker::load);
    let alone = alone.unwrap();
    assert_eq!(lists.iter().map(|list| ask(&alone, list)).collect::<Vec<_>>(), ["d2", "d1"]);
}

#[test]
fn what_is_no_reranker_is_refused() {
    let refused = |bytes: &[u8]| match load(bytes, |_| {}, PluginReranker::load).unwrap_err() {
        PluginError::Sandbox(error) => error.to_string(),
        error => error.to_string(),
    };
    let error = refused(&Guest::default().retriever_bytes());
    assert!(
        error.contains("it exports `rematch:scoring/retrieving@0.1.0`, expected `rematch:scoring/reranking@0.1.0`")
    );
    let nameless = Guest { at_describe: "(i32.store (i32.const 68) (i32.const 0))", ..Guest::default() };
    assert!(refused(&nameless.reranker_bytes()).ends_with("`describe` gives it no name"));
    let greedy = Guest { at_describe: "(i32.store8 (i32.const 97) (i32.const 1))", ..Guest::default() };
    let error = load(&greedy.reranker_bytes(), |plan| plan.items = None, PluginReranker::load).unwrap_err();
    assert!(error.to_string().contains("add `items = { corpus = "), "{error}");
    let clock = wat::parse_str(r#"(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance)))"#).unwrap();
    assert!(refused(&clock).contains("it imports `wasi:clocks/monotonic-clock@0.2.0`"));
}
