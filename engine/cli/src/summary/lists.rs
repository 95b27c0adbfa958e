//! Lines about the lists themselves: how alike they are, where touched items went, and how far the judgments carry.

use std::fmt::Write;

use rematch_engine::compare::outcome::{JudgmentBounds, ListSimilarity, PipelineComparison, PositionMoves};
use rematch_engine::report::Report;

use super::{number, short, signed};
use crate::terminal::paragraph;

/// Writes what can be said of the lists of one candidate.
pub(super) fn lists(text: &mut String, report: &Report, comparison: &PipelineComparison) -> std::fmt::Result {
    let several = report.comparison.comparisons.len() > 1;
    let of = if several { format!("{}: ", comparison.candidate_retriever_id) } else { String::new() };
    if comparison.similarity.sessions > 0 {
        paragraph(text, &format!("{of}{}", similarity(&comparison.similarity, comparison.exposure.k)), "")?;
    }
    if comparison.moves.items > 0 {
        paragraph(text, &format!("{of}{}", moves(&comparison.moves)), "")?;
    }
    if let Some(bounds) = &comparison.judgment_bounds {
        paragraph(text, &format!("{of}{}{}", judged(report, comparison), sign(bounds)), "")?;
    }
    Ok(())
}

/// Writes what the lists of each retriever are good for beyond relevance, where the benchmark asks.
pub(super) fn beyond_accuracy(text: &mut String, report: &Report) -> std::fmt::Result {
    for result in &report.results {
        let Some(found) = &result.beyond_accuracy else { continue };
        let mut line = format!("top {} of {}: ", found.k, result.retriever_id);
        let _ = match found.coverage.share {
            Some(_) => write!(line, "{} of the catalogue", percent(found.coverage.share)),
            None => write!(line, "{} distinct items", found.coverage.shown),
        };
        if let Some(diversity) = &found.diversity {
            let _ = write!(line, ", diversity {}", short(diversity.mean));
        }
        if let Some(novelty) = &found.novelty {
            let _ = write!(line, ", novelty {} bits", short(novelty.bits.mean));
        }
        if let Some(paul) = &found.paul_score {
            let _ = write!(line, ", PaulScore {}", number(paul.score));
        }
        paragraph(text, &line, "")?;
    }
    Ok(())
}

/// Writes what ties leave of the primary metric's mean, where it is one of the metrics that they concern.
pub(super) fn ties(text: &mut String, report: &Report) -> std::fmt::Result {
    let primary = &report.run.primary_metric;
    let left_open = report.results.iter().filter_map(|result| {
        let range = result.ties.as_ref()?.metrics.get(primary).filter(|range| range.sessions > 0)?;
        let (low, high) = (number(range.lowest_mean), number(range.highest_mean));
        Some(format!("{} {low} to {high}", result.retriever_id))
    });
    let left_open: Vec<String> = left_open.collect();
    if left_open.is_empty() {
        return Ok(());
    }
    paragraph(text, &format!("ties leave {primary} open: {}", left_open.join(", ")), "")
}

/// The lists down to the primary metric's cutoff, or as deep as they are compared.
fn similarity(lists: &ListSimilarity, cutoff: u64) -> String {
    let cutoff = cutoff.min(lists.depth).to_string();
    let identical = lists.identical_at_k.get(&cutoff).copied().flatten();
    let jaccard = lists.jaccard_at_k.get(&cutoff).and_then(|found| found.mean);
    format!(
        "lists: top {cutoff} identical in {}, Jaccard@{cutoff} {}, RBO {}, tau {}",
        percent(identical),
        short(jaccard),
        short(lists.rbo.mean),
        short(lists.kendall_tau.mean)
    )
}

fn moves(moves: &PositionMoves) -> String {
    let PositionMoves { up, down, same, entered, left, absent, .. } = moves;
    format!("touched items: {up} up, {down} down, {same} same, {entered} entered, {left} left, {absent} in neither")
}

/// The judged share of each of the two.
fn judged(report: &Report, comparison: &PipelineComparison) -> String {
    let mut line = String::new();
    let ids = [&report.comparison.baseline_retriever_id, &comparison.candidate_retriever_id];
    for id in ids {
        let result = report.results.iter().find(|result| result.retriever_id == *id);
        if let Some(share) = result.and_then(|result| result.judged.as_ref()) {
            let start = if line.is_empty() { format!("judged of the top {}: ", share.k) } else { ", ".to_owned() };
            let _ = write!(line, "{start}{id} {}", percent(share.judged_at_k.mean));
        }
    }
    line
}

fn sign(bounds: &JudgmentBounds) -> String {
    let range = format!("{} to {}", signed(bounds.lowest_delta), signed(bounds.highest_delta));
    match (bounds.unjudged_items, bounds.sign_survives) {
        (0, _) => String::new(),
        (_, Some(true)) => format!("; the rest cannot turn the delta's sign ({range})"),
        (_, _) => format!("; the rest could make the delta {range}"),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}
