//! In what runs differ that are to be compared.

use std::collections::BTreeSet;

use super::lender::Lender;
use super::sample::Common;
use crate::benchmark::RelevancePlan;
use crate::score::relevance::weight;

/// Returns what is different in another run than in the first, in words: both values are named.
pub(super) fn settings(first: (&str, &Lender), other: (&str, &Lender), relevance: bool) -> Vec<String> {
    let ((first_name, first), (other_name, other)) = (first, other);
    let mut found = vec![("depth".to_owned(), first.plan.depth.to_string(), other.plan.depth.to_string())];
    if relevance {
        found.extend(relevances(&first.plan.relevance, &other.plan.relevance));
    }
    let differs = found.into_iter().filter(|(_, first, other)| first != other);
    differs
        .map(|(what, first, other)| format!("{what} is {first} in `{first_name}` and {other} in `{other_name}`"))
        .collect()
}

/// Every setting of relevance with both values; a kind that one of them does not list has the weight of any other kind there.
fn relevances(first: &RelevancePlan, other: &RelevancePlan) -> Vec<(String, String, String)> {
    let as_text = |plan: &RelevancePlan, key: &str| {
        let settings = serde_json::to_value(plan).unwrap_or_default();
        settings.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let places = [("relevance.", "gain"), ("relevance.", "combine"), ("metrics.", "compatibility")];
    let mut values: Vec<(String, String, String)> =
        places.iter().map(|(table, key)| (format!("{table}{key}"), as_text(first, key), as_text(other, key))).collect();
    let kinds: BTreeSet<&String> = first.weights.keys().chain(other.weights.keys()).collect();
    let of = |plan: &RelevancePlan, kind: &str| weight(plan, kind).to_string();
    values
        .extend(kinds.into_iter().map(|kind| (format!("relevance.weights.{kind}"), of(first, kind), of(other, kind))));
    values
}

/// Returns in what the samples differ, in words; `None` where they do not.
pub(super) fn samples(names: &[String], common: &Common) -> Option<String> {
    let (run, session) = common.first_missing.as_ref()?;
    let counts: Vec<String> =
        names.iter().zip(&common.totals).map(|(name, total)| format!("{total} sessions in `{name}`")).collect();
    let missing = names.get(*run).map_or("", String::as_str);
    Some(format!(
        "the samples are {}; {} sessions are in all, `{session}` is not in `{missing}`",
        counts.join(", "),
        common.sessions
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::{Plan, SpecSource};

    const BENCHMARK: &str = r#"
    name = "differ"
    baseline = "shown"
    candidates = ["again"]
    sessions.path = "sessions.jsonl"
    retriever = [
        { id = "shown", stages = [{ kind = "shown" }] },
        { id = "again", stages = [{ kind = "shown" }] },
    ]
    "#;

    fn relevance(overrides: &[&str]) -> RelevancePlan {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let source = SpecSource::of("b.toml".as_ref(), BENCHMARK, &overrides).expect("a source");
        Plan::resolve(&source).expect("a plan").relevance
    }

    fn differing(first: &[&str], other: &[&str]) -> Vec<(String, String, String)> {
        relevances(&relevance(first), &relevance(other)).into_iter().filter(|(_, one, two)| one != two).collect()
    }

    #[test]
    fn every_setting_of_relevance_is_named_with_both_values() {
        assert_eq!(differing(&[], &[]), []);
        let found = differing(
            &["relevance.weights.zoom=3"],
            &[
                "relevance.gain=exponential",
                "relevance.combine=sum",
                "metrics.compatibility=ranx",
                "relevance.weights.click=2",
            ],
        );
        let found: Vec<String> = found.into_iter().map(|(what, one, two)| format!("{what} {one} {two}")).collect();
        let expected = [
            "relevance.gain linear exponential",
            "relevance.combine max sum",
            "metrics.compatibility strict ranx",
            "relevance.weights.click 1 2",
            // A kind that is not listed weighs 1.
            "relevance.weights.zoom 3 1",
        ];
        assert_eq!(found, expected);
        assert_eq!(differing(&["relevance.weights.zoom=1"], &[]), []);
    }

    #[test]
    fn samples_differ_by_the_first_session_that_one_of_them_lacks() {
        let names = ["monday".to_owned(), "friday".to_owned()];
        let mut common = Common { sessions: 3, totals: vec![3, 3], first_missing: None };
        assert_eq!(samples(&names, &common), None);
        common.totals = vec![3, 5];
        common.first_missing = Some((0, "s4".to_owned()));
        let expected = "the samples are 3 sessions in `monday`, 5 sessions in `friday`; 3 sessions are in all, `s4` is not in `monday`";
        assert_eq!(samples(&names, &common).as_deref(), Some(expected));
    }
}
