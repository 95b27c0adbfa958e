//! Retrievers.

use super::super::{PluginError, PluginRetriever};
use super::guests::{Guest, hits, items, load, session};
use crate::benchmark::Limits;
use crate::replay::{Retriever, contract};
use crate::session::{Hit, Session};

fn sessions() -> Vec<Session> {
    let queries = ["a", "bb", "bad", "dddd", "eeeee"];
    queries.iter().map(|query| session(&format!("s-{query}"), query)).collect()
}

/// Asks for five sessions, asserts that all but the one with a query of three letters have the first four items, and
/// returns that one's answer.
fn culprit(retriever: &PluginRetriever) -> Result<Vec<Hit>, String> {
    let mut answers = retriever.answers(&sessions(), 4);
    assert_eq!(answers.len(), 5);
    for answer in [0, 1, 3, 4].map(|index| &answers[index]) {
        assert_eq!(answer.as_ref().unwrap(), &hits(4), "a neighbour lost its answer");
    }
    answers.remove(2).map_err(|error| error.message)
}

fn reason(guest: Guest) -> String {
    let message = culprit(&guest.retriever()).unwrap_err();
    message.strip_prefix("plugin `guest 1.0`: ").expect("names the plugin").to_owned()
}

#[test]
fn items_of_the_corpus_come_back_down_to_the_depth() {
    let retriever = Guest::default().retriever();
    assert_eq!(culprit(&retriever).unwrap(), hits(4));
    let deep = retriever.answers(&sessions(), 100).remove(0).unwrap();
    assert_eq!(items(&deep), ["d0", "d1", "d2", "d3", "d4"]);
    assert_eq!(retriever.answers(&[], 4), []);
    assert_eq!(
        (retriever.description().world.as_str(), retriever.description().needs.as_slice()),
        ("retriever", ["queries".to_owned()].as_slice())
    );
}

#[test]
fn more_than_the_depth_is_cut_off() {
    // The answers to all but the first session are a row longer than was asked for: the next row's offset comes late.
    let at_end = "(i32.store offset=4 (local.get $offsets)
        (i32.add (i32.load offset=4 (local.get $offsets)) (i32.const 1)))
        (i32.store (local.get $items) (i32.const 4))";
    let retriever = Guest { at_end, ..Guest::default() }.retriever();
    let sessions = &sessions()[..2];
    // Five rows for the first session (4, 1, 2, 3 and the next one's 0), three for the second.
    let answers = retriever.answers(sessions, 4);
    assert_eq!(items(answers[0].as_ref().unwrap()), ["d4", "d1", "d2", "d3"]);
    assert_eq!(items(answers[1].as_ref().unwrap()), ["d1", "d2", "d3"]);
    assert!(retriever.answers(sessions, 0).iter().all(Result::is_err), "offsets beyond the items");
}

#[test]
fn the_culprit_alone_fails() {
    const ROW: &str = "(i32.add (local.get $items) (i32.mul (local.get $start) (i32.const 4)))";
    for (code, told) in [
        ("unreachable", "unreachable"),
        ("(loop $ever (br $ever))", "fuel limit of 2010000000 units reached"),
        ("(i32.store ROW (i32.const 5))", "returned the item 5, which it was not given"),
        ("(i32.store ROW (i32.const 1))", "returned the item 1 (`d1`) twice"),
    ] {
        let code: &'static str = Box::leak(code.replace("ROW", ROW).into_boxed_str());
        let reason = reason(Guest { at_culprit: code, ..Guest::default() });
        assert!(reason.contains(told), "{code}: {reason}");
    }
}

#[test]
fn a_retriever_that_does_not_open_is_found_at_loading() {
    for (at_open, told) in [
        ("unreachable", "unreachable"),
        ("(loop $ever (br $ever))", "fuel limit of 2000000000 units reached"),
        (
            "(i32.store8 (i32.const 2048) (i32.const 1)) (i32.store8 (i32.const 2052) (i32.const 0))
             (i32.store (i32.const 2056) (i32.const 136)) (i32.store (i32.const 2060) (i32.const 4))",
            "refused its parameters: oops",
        ),
    ] {
        let bytes = Guest { at_open, ..Guest::default() }.retriever_bytes();
        let error = load(&bytes, |_| {}, PluginRetriever::load).unwrap_err();
        assert!(
            matches!(&error, PluginError::Failed { plugin, reason } if plugin == "guest 1.0" && reason.contains(told)),
            "{error}"
        );
    }
}

#[test]
fn what_a_session_may_spend_does_not_depend_on_how_long_its_instance_lives() {
    // Opening takes more than a session may spend.
    let at_open = "(local $at i32) (local.set $at (i32.const 30000))
        (loop $work (local.set $at (i32.sub (local.get $at) (i32.const 1))) (br_if $work (local.get $at)))";
    let limits = Limits { fuel_base: 200_000, fuel_per_session: 1, ..Limits::default() };
    let bytes = Guest { at_open, ..Guest::default() }.retriever_bytes();
    let retriever = load(&bytes, |plan| plan.limits = limits, PluginRetriever::load).unwrap();
    let first = retriever.answers(&sessions(), 4);
    assert!(first.iter().all(Result::is_ok));
    assert_eq!(retriever.answers(&sessions(), 4), first);
}

#[test]
fn a_retriever_needs_a_corpus_that_can_be_read() {
    let bytes = Guest::default().retriever_bytes();
    let error = load(&bytes, |plan| plan.items = None, PluginRetriever::load).unwrap_err();
    assert!(error.to_string().contains("names no corpus to retrieve from"), "{error}");
    let absent = |plan: &mut crate::benchmark::PluginPlan| {
        plan.items.as_mut().unwrap().corpus.path = "/no/such/items.jsonl".into();
    };
    let error = load(&bytes, absent, PluginRetriever::load).unwrap_err();
    assert!(matches!(error, PluginError::Items { .. }), "{error}");
}

#[test]
fn a_component_keeps_the_contract_of_a_retriever() {
    let stateful = Guest { at_describe: "(i32.store8 (i32.const 98) (i32.const 0))", ..Guest::default() };
    let culprit = Guest { at_culprit: "unreachable", ..Guest::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    for guest in [Guest::default(), stateful, culprit] {
        let retriever = guest.retriever();
        runtime.block_on(contract::check(&retriever, &sessions())).unwrap();
        let chunk = runtime.block_on(retriever.retrieve_chunk(&sessions(), 4));
        // Batches are for components that would be handed the corpus each time.
        assert_eq!(chunk.is_some(), !retriever.description().reusable);
        let expected = retriever.answers(&sessions(), 4);
        let chunk = chunk.map(|answers| answers.into_iter().map(|answer| answer.map(|answer| answer.hits)).collect());
        assert_eq!(chunk.unwrap_or_else(|| expected.clone()), expected);
    }
}

#[test]
fn many_threads_get_the_same_answers() {
    let retriever = Guest::default().retriever();
    let expected = retriever.answers(&sessions(), 4);
    std::thread::scope(|scope| {
        let ask = || (0..20).for_each(|_| assert_eq!(retriever.answers(&sessions(), 4), expected));
        (0..8).for_each(|_| drop(scope.spawn(ask)));
    });
}
