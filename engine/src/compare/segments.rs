//! Where does the difference come from? What each top-level node of the taxonomy contributes, and whether they agree.
//!
//! Both arms answer the same sessions, so that segments cannot be weighted apart as in Simpson's paradox proper. But one large
//! segment can outweigh all others, and sessions under no segment or under several can too: then the whole says one thing,
//! and most of its parts another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SIGNIFICANCE;
use super::chunk::Chunk;
use super::outcome::{MetricComparison, NodeComparison, NodeOutcome, Segments};
use super::question::Question;
use super::tally::Tally;

/// Segments that a caution names at most.
const MOST_NAMES: usize = 3;

/// How sessions lie under top-level nodes.
#[derive(Default, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Labels {
    several: u64,
    none: u64,
}

impl Labels {
    pub(super) fn of(chunk: &Chunk) -> Self {
        let mut labels = vec![0_u32; chunk.rows];
        for (_, rows) in chunk.nodes.iter().filter(|(node, _)| is_segment(node)) {
            for row in rows {
                labels.get_mut(*row as usize).into_iter().for_each(|count| *count += 1);
            }
        }
        let count = |wanted: fn(&u32) -> bool| labels.iter().filter(|count| wanted(count)).count() as u64;
        Self { several: count(|count| *count > 1), none: count(|count| *count == 0) }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.several += other.several;
        self.none += other.none;
    }
}

fn is_segment(node: &str) -> bool {
    !node.contains('/')
}

/// Sums up what the segments make of the primary measure's difference, `test`.
pub(super) fn sum_up(
    question: &Question<'_>,
    tally: &Tally,
    nodes: &BTreeMap<String, NodeComparison>,
    test: &MetricComparison,
) -> Segments {
    if nodes.is_empty() {
        return Segments::default();
    }
    let name = question.measures.get(question.primary).map(|measure| measure.name.as_str()).unwrap_or_default();
    let found = compare(name, nodes, test, question.plan.noise_threshold);
    Segments { sessions_in_several: tally.labels.several, sessions_in_none: tally.labels.none, ..found }
}

pub(super) fn compare(
    metric: &str,
    nodes: &BTreeMap<String, NodeComparison>,
    test: &MetricComparison,
    noise: f64,
) -> Segments {
    let tested: Vec<(&str, &NodeComparison, f64)> = nodes
        .iter()
        .filter(|(node, found)| is_segment(node) && found.outcome != NodeOutcome::TooFew)
        .filter_map(|(node, found)| Some((node.as_str(), found, found.delta?)))
        .collect();
    let whole = test.delta.unwrap_or(0.0);
    let along = |delta: f64| delta * whole.signum();
    let side =
        |wanted: &dyn Fn(f64) -> bool| tested.iter().filter(|(_, _, delta)| wanted(along(*delta))).count() as u64;
    let (agree, disagree) = (side(&|delta| delta > noise), side(&|delta| delta < -noise));
    let sum = rematch_metrics::sum::sum(tested.iter().map(|(_, _, delta)| *delta));
    let mean_of_segments = (!tested.is_empty()).then(|| sum / tested.len() as f64);
    let mut found = Segments { tested: tested.len() as u64, agree, disagree, mean_of_segments, ..Segments::default() };
    if whole.abs() <= noise {
        return found;
    }
    let turned = mean_of_segments.is_some_and(|mean| along(mean) < -noise);
    if tested.len() > 1 && (turned || disagree > agree) {
        found.cautions.push(disagreement(metric, whole, &tested, &found));
    }
    let against = |(_, node, delta): &&(&str, &NodeComparison, f64)| {
        along(*delta) < -noise && node.p_adjusted.is_some_and(|p| p < SIGNIFICANCE)
    };
    let against: Vec<String> =
        tested.iter().filter(against).map(|(name, _, delta)| format!("`{name}` {delta:+.4}")).collect();
    if !against.is_empty() {
        let more = against.len().saturating_sub(MOST_NAMES);
        let names: Vec<&str> = against.iter().take(MOST_NAMES).map(String::as_str).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        found.cautions.push(format!("{metric} goes the other way, significantly, in {}{more}", names.join(", ")));
    }
    found
}

/// "the segments disagree with the whole: nDCG@10 rises by +0.0100 over all sessions, but falls in 3 of 4 top-level segments ..."
fn disagreement(metric: &str, whole: f64, tested: &[(&str, &NodeComparison, f64)], found: &Segments) -> String {
    let (moves, turns) = if whole > 0.0 { ("rises", "falls") } else { ("falls", "rises") };
    let contribution = |node: &NodeComparison| node.contribution.unwrap_or(0.0) * whole.signum();
    let largest = tested.iter().max_by(|one, other| contribution(one.1).total_cmp(&contribution(other.1)));
    let carried =
        largest.map(|(name, node, _)| format!("; `{name}` alone contributes {:+.4}", node.contribution.unwrap_or(0.0)));
    format!(
        "the segments disagree with the whole (as in Simpson's paradox): {metric} {moves} by {whole:+.4} over all sessions, but {turns} \
         in {} of {} top-level segments; the plain mean over the segments is {:+.4}{}",
        found.disagree,
        found.tested,
        found.mean_of_segments.unwrap_or(0.0),
        carried.unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(whole: f64, nodes: &[(&str, f64, f64, f64)]) -> Segments {
        let node = |(name, delta, share, p): &(&str, f64, f64, f64)| {
            let found = NodeComparison {
                delta: Some(*delta),
                share: Some(*share),
                contribution: Some(share * delta),
                p_adjusted: Some(*p),
                n: 100,
                ..NodeComparison::default()
            };
            ((*name).to_owned(), found)
        };
        let test = MetricComparison { delta: Some(whole), ..MetricComparison::default() };
        compare("nDCG@10", &nodes.iter().map(node).collect(), &test, 1e-9)
    }

    #[test]
    fn segments_that_go_the_other_way_than_the_whole_are_a_caution() {
        let found = segments(0.05, &[("a", 0.1, 0.7, 0.5), ("b", -0.05, 0.1, 0.5), ("c", -0.06, 0.2, 0.5)]);
        assert_eq!((found.tested, found.agree, found.disagree), (3, 1, 2));
        assert_eq!(found.cautions.len(), 1);
        assert!(found.cautions[0].contains("falls in 2 of 3 top-level segments"), "{found:?}");
        assert!(found.cautions[0].contains("`a` alone contributes +0.0700"), "{found:?}");
    }

    #[test]
    fn a_segment_that_is_surely_worse_is_named_however_good_the_whole() {
        let found = segments(0.05, &[("a", 0.1, 0.6, 0.001), ("b", 0.05, 0.2, 0.5), ("c", -0.02, 0.2, 0.01)]);
        assert_eq!(found.cautions, ["nDCG@10 goes the other way, significantly, in `c` -0.0200"]);
    }

    #[test]
    fn segments_that_agree_or_are_alone_are_none() {
        assert!(segments(0.05, &[("a", 0.1, 0.5, 0.01), ("b", 0.01, 0.5, 0.5)]).cautions.is_empty());
        assert!(segments(-0.05, &[("a", -0.1, 0.5, 0.01), ("a/b", 0.1, 0.5, 0.5)]).cautions.is_empty());
        assert!(segments(0.0, &[("a", -0.1, 0.5, 0.01), ("b", 0.1, 0.5, 0.01)]).cautions.is_empty());
        assert_eq!(segments(0.1, &[]).mean_of_segments, None);
    }
}
