//! A value taken apart, on the terminal: rank by rank, one line for each retriever.

use std::fmt::Write;

use comfy_table::CellAlignment;
use rematch_engine::breakdown::{ArmBreakdown, Breakdown, RankBreakdown};

use crate::terminal::{paragraph, table, trimmed, visible, visible_within};

/// Ranks that are shown of a metric without a cutoff; the JSON has all.
const RANKS: usize = 10;

/// Characters of a query, an item and a retriever's id.
const QUERY: usize = 60;
const ITEM: usize = 13;
const RETRIEVER: usize = 12;

/// Returns the values with what each rank brings to them.
pub(super) fn render(found: &Breakdown) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, found);
    text
}

fn write_all(text: &mut String, found: &Breakdown) -> std::fmt::Result {
    let query = found.query.as_ref().map(|query| format!(", \"{}\"", visible_within(query, QUERY)));
    paragraph(
        text,
        &format!("{} of session `{}`{}", found.metric, visible(&found.session_id), query.unwrap_or_default()),
        "",
    )?;
    for arm in &found.retrievers {
        paragraph(text, &value(found, arm), "  ")?;
    }
    writeln!(text)?;
    paragraph(text, &reckoning(found), "")?;
    let longest = found.retrievers.iter().map(|arm| arm.ranks.len()).max().unwrap_or(0);
    if longest == 0 {
        return writeln!(text, "\nNo retriever returned anything.");
    }
    let has_cutoff = found.metric.contains('@');
    let shown = if has_cutoff { longest } else { longest.min(RANKS) };
    writeln!(text, "\n{}", ranks(found, shown))?;
    if longest > shown {
        writeln!(text, "and {} more ranks (`--json` has them)", longest - shown)?;
    }
    Ok(())
}

/// "`boosted`: 0.8100 (+0.0977 against `prod`)".
fn value(found: &Breakdown, arm: &ArmBreakdown) -> String {
    let id = visible_within(&arm.retriever_id, QUERY);
    let value = match (&arm.failed, arm.value) {
        (Some(kind), _) => return format!("`{id}` failed here ({})", visible(kind)),
        (None, None) => return format!("`{id}`: undefined, nothing is relevant"),
        (None, Some(value)) => value,
    };
    let baseline = found.retrievers.first().filter(|baseline| baseline.retriever_id != arm.retriever_id);
    let against = baseline.and_then(|baseline| Some((baseline, value - baseline.value?)));
    let difference = against.map(|(baseline, difference)| {
        format!(" ({difference:+.4} against `{}`)", visible_within(&baseline.retriever_id, QUERY))
    });
    format!("`{id}`: {value:.4}{}", difference.unwrap_or_default())
}

/// How a contribution comes about, and what the best order would reach.
fn reckoning(found: &Breakdown) -> String {
    let mut text = format!("gain: {}; discount: {}; ", found.gain, found.discount);
    let mut divisors: Vec<f64> = found.retrievers.iter().filter_map(|arm| arm.divided_by).collect();
    divisors.dedup();
    match divisors.as_slice() {
        [one] => text += &format!("divided by {}: {}", number(*one), found.normaliser),
        _ => text += &format!("divided by: {}", found.normaliser),
    }
    if let Some(best) = found.ideal.value {
        text += &format!("; the best order of what is judged has {best:.4}");
    }
    for arm in found.retrievers.iter().filter(|arm| arm.unranked != 0.0) {
        text +=
            &format!("; {:+.4} of `{}` comes from no rank", arm.unranked, visible_within(&arm.retriever_id, RETRIEVER));
    }
    format!("{text}. Grades come from {}; - is unjudged.", found.grades_from)
}

fn ranks(found: &Breakdown, shown: usize) -> String {
    let mut rows = table(&["rank", "retriever", "item", "grade", "gain", "discount", "contribution", "ideal"]);
    for place in 0..shown {
        let ideal =
            found.ideal.ranks.get(place).map_or_else(|| "-".to_owned(), |best| format!("{:.4}", best.contribution));
        for (arm, first) in found.retrievers.iter().zip(std::iter::once(true).chain(std::iter::repeat(false))) {
            let rank = if first { (place + 1).to_string() } else { String::new() };
            let id = visible_within(&arm.retriever_id, RETRIEVER);
            let ideal = if first { ideal.clone() } else { String::new() };
            rows.add_row(match arm.ranks.get(place) {
                Some(hit) => [vec![rank, id], cells(hit), vec![ideal]].concat(),
                None => [vec![rank, id], vec!["-".to_owned(); 5], vec![ideal]].concat(),
            });
        }
    }
    for column in [1, 2] {
        if let Some(column) = rows.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Left);
        }
    }
    if let Some(column) = rows.column_mut(0) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    trimmed(&rows)
}

fn cells(hit: &RankBreakdown) -> Vec<String> {
    vec![
        visible_within(&hit.item_id, ITEM),
        hit.grade.map_or_else(|| "-".to_owned(), number),
        number(hit.gain),
        format!("{:.4}", hit.discount),
        format!("{:.4}", hit.contribution),
    ]
}

/// A number with at most four digits after the point.
fn number(value: f64) -> String {
    let rounded = (value * 1e4).round() / 1e4;
    format!("{rounded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(rank: usize, item: &str, grade: Option<f64>, contribution: f64) -> RankBreakdown {
        RankBreakdown { rank, item_id: item.to_owned(), grade, gain: grade.unwrap_or(0.0), discount: 0.5, contribution }
    }

    fn arm(id: &str, value: Option<f64>, ranks: Vec<RankBreakdown>) -> ArmBreakdown {
        ArmBreakdown {
            retriever_id: id.to_owned(),
            value,
            divided_by: value.map(|_| 4.5),
            ranks,
            ..ArmBreakdown::default()
        }
    }

    fn found() -> Breakdown {
        let long = "an item with a name that is much too long";
        Breakdown {
            session_id: "s1".into(),
            query: Some("red \u{1b}[31mshoes".into()),
            metric: "nDCG@2".into(),
            gain: "the grade".into(),
            discount: "1 / log2(rank + 1)".into(),
            normaliser: "the best order".into(),
            grades_from: "judgments",
            retrievers: vec![
                arm("prod", Some(0.25), vec![hit(1, "a", None, 0.0), hit(2, long, Some(3.0), 0.25)]),
                arm("a retriever with a long id", Some(0.75), vec![hit(1, "b", Some(3.0), 0.75)]),
            ],
            ideal: arm("", Some(1.0), vec![hit(1, "b", Some(3.0), 0.75), hit(2, "c", Some(1.0), 0.25)]),
        }
    }

    #[test]
    fn both_rankings_stand_rank_by_rank_within_eighty_columns() {
        let text = render(&found());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("`prod`: 0.2500\n") && text.contains("(+0.5000 against `prod`)"), "{text}");
        assert!(text.contains("divided by 4.5: the best order"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        let rows: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("rank")).collect();
        assert_eq!(rows.len(), 5, "{text}");
        assert!(rows[1].contains("prod") && rows[1].ends_with("0.7500"), "{text}");
    }

    #[test]
    fn what_failed_or_is_undefined_says_so() {
        let mut open = found();
        open.retrievers = vec![
            ArmBreakdown { retriever_id: "prod".into(), failed: Some("timeout".into()), ..ArmBreakdown::default() },
            arm("new", None, Vec::new()),
        ];
        let text = render(&open);
        assert!(text.contains("`prod` failed here (timeout)"), "{text}");
        assert!(text.contains("`new`: undefined, nothing is relevant"), "{text}");
        assert!(text.contains("No retriever returned anything."), "{text}");
    }
}
