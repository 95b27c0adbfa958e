//! An explained search on the terminal: the stages in a table, the hits with their way through them.

use std::fmt::Write;

use rematch_engine::replay::explain::{ExplainedHit, Explanation, Problem, StageExplanation};
use rematch_engine::session::StageState;

use crate::terminal::{WIDTH, paragraph, seconds, table, trimmed, visible, visible_within};

/// Characters of a query, an item and a stage's name.
const QUERY: usize = 40;
const ITEM: usize = 24;
const STAGE: usize = 24;
/// Items that went, by name.
const GONE: usize = 5;

/// Returns the explanation with at most `most` hits.
pub(super) fn render(explanation: &Explanation, most: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, explanation, most);
    text.lines().map(|line| visible(line) + "\n").collect()
}

fn write_all(text: &mut String, explanation: &Explanation, most: usize) -> std::fmt::Result {
    let query = explanation.query.as_ref().map(|query| format!(" for \"{}\"", visible_within(query, QUERY)));
    let what = match &explanation.failure {
        Some(_) => "no answer".to_owned(),
        None => format!("{} hits", explanation.hits.len()),
    };
    let (id, query) = (visible_within(&explanation.retriever_id, QUERY), query.unwrap_or_default());
    paragraph(text, &format!("`{id}`{query}: {what} after {}", time(explanation.latency_ns)), "")?;
    writeln!(text, "\n{}\n", stages(&explanation.stages))?;
    details(text, &explanation.stages)?;
    if explanation.failure.is_none() {
        hits(text, explanation, most)?;
    }
    Ok(())
}

fn stages(stages: &[StageExplanation]) -> String {
    let mut table = table(&["stage", "in", "out", "gone", "moved", "time", "state"]);
    add(&mut table, stages, "");
    trimmed(&table)
}

fn add(table: &mut comfy_table::Table, stages: &[StageExplanation], indent: &str) {
    for (index, stage) in stages.iter().enumerate() {
        for branch in &stage.branches {
            add(table, branch, &format!("{indent}| "));
        }
        let is_source = index == 0;
        let of_transform = |count: usize| if is_source { String::new() } else { count.to_string() };
        let tries = if stage.attempts > 1 { format!(", attempt {}", stage.attempts) } else { String::new() };
        table.add_row([
            format!("{indent}{}", name(stage)),
            of_transform(stage.entered),
            stage.left.len().to_string(),
            of_transform(stage.gone.len()),
            of_transform(moved(stage)),
            time(stage.latency_ns),
            format!("{}{tries}", stage.state.as_str()),
        ]);
    }
}

/// The stage's name, with its kind where the name does not say it.
fn name(stage: &StageExplanation) -> String {
    let of_kind = if stage.name.starts_with(&stage.kind) { String::new() } else { format!(" ({})", stage.kind) };
    visible_within(&format!("{}{of_kind}", stage.name), STAGE)
}

/// Hits whose rank among those that stayed is another than before.
fn moved(stage: &StageExplanation) -> usize {
    let mut stayed: Vec<usize> = stage.left.iter().filter_map(rank_before).collect();
    let order = stayed.clone();
    stayed.sort_unstable();
    order.iter().zip(&stayed).filter(|(was, sorted)| was != sorted).count()
}

fn rank_before(hit: &ExplainedHit) -> Option<usize> {
    match hit.ranks_before.as_slice() {
        [rank] => *rank,
        _ => None,
    }
}

/// What does not fit into a table: what the server told, who went, what failed.
fn details(text: &mut String, stages: &[StageExplanation]) -> std::fmt::Result {
    for stage in stages {
        for branch in &stage.branches {
            details(text, branch)?;
        }
        let name = visible_within(&stage.name, STAGE);
        if !stage.reported.is_empty() {
            let parts: Vec<String> =
                stage.reported.iter().map(|(part, latency_ns)| format!("{part} {}", time(*latency_ns))).collect();
            paragraph(text, &format!("the server of `{name}` says: {}", parts.join(", ")), "")?;
        }
        if let Some(first) = stage.gone.get(..GONE.min(stage.gone.len())).filter(|first| !first.is_empty()) {
            let first: Vec<String> = first
                .iter()
                .map(|gone| format!("{} ({})", visible_within(&gone.item_id, ITEM), gone.rank_before))
                .collect();
            let more = match stage.gone.len() - first.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            paragraph(text, &format!("gone in `{name}`, with their ranks before: {}{more}", first.join(", ")), "")?;
        }
        if let Some(found) = &stage.problem {
            problem(text, &name, stage.state, found)?;
        }
    }
    Ok(())
}

fn problem(text: &mut String, name: &str, state: StageState, problem: &Problem) -> std::fmt::Result {
    let kind = problem.kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
    let how = if state == StageState::Skipped { "was passed over" } else { "failed" };
    paragraph(text, &format!("`{name}` {how}{kind}: {}", problem.message), "")?;
    match &problem.fix {
        Some(fix) => paragraph(text, &format!("fix: {fix}"), "  "),
        None => Ok(()),
    }
}

fn hits(text: &mut String, explanation: &Explanation, most: usize) -> std::fmt::Result {
    let mut rows = table(&["rank", "item", "score", "rank after each stage"]);
    for (hit, rank) in explanation.hits.iter().zip(1..).take(most) {
        let score = hit.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"));
        rows.add_row([format!("{rank:>4}"), visible_within(&hit.item_id, ITEM), score, way(explanation, &hit.item_id)]);
    }
    if let Some(column) = rows.column_mut(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    if let Some(column) = rows.column_mut(3) {
        column.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    writeln!(text, "{}", trimmed(&rows))?;
    match explanation.hits.len().saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(text, "and {more} more"),
    }
}

/// An item's rank after each stage that it left: `bm25 5, rerank 1`.
fn way(explanation: &Explanation, item: &str) -> String {
    let step = |stage: &StageExplanation| {
        let rank = stage.left.iter().position(|hit| hit.item_id == item)? + 1;
        let in_branches = match stage.left.get(rank - 1)?.ranks_before.as_slice() {
            ranks if !stage.branches.is_empty() => {
                let ranks: Vec<String> =
                    ranks.iter().map(|rank| rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string())).collect();
                format!(" (of {})", ranks.join(" and "))
            }
            _ => String::new(),
        };
        Some(format!("{} {rank}{in_branches}", visible_within(&stage.name, STAGE)))
    };
    let steps: Vec<String> = explanation.stages.iter().filter_map(step).collect();
    visible_within(&steps.join(", "), usize::from(WIDTH) / 2)
}

fn time(nanoseconds: i64) -> String {
    seconds(nanoseconds as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use rematch_engine::replay::explain::GoneHit;
    use rematch_engine::session::Hit;

    use super::*;

    fn hit(item: &str, score: f64, ranks_before: Vec<Option<usize>>) -> ExplainedHit {
        ExplainedHit { item_id: item.to_owned(), score: Some(score), ranks_before }
    }

    fn stage(name: &str, kind: &str, left: Vec<ExplainedHit>) -> StageExplanation {
        StageExplanation {
            name: name.to_owned(),
            kind: kind.to_owned(),
            state: StageState::Ok,
            latency_ns: 1_500_000,
            attempts: 1,
            entered: 0,
            left,
            gone: Vec::new(),
            reported: Vec::new(),
            problem: None,
            branches: Vec::new(),
        }
    }

    fn search() -> Explanation {
        let engine = StageExplanation {
            attempts: 2,
            reported: vec![("took".to_owned(), 1_000_000)],
            ..stage("engine", "http", vec![hit("a", 3.0, vec![]), hit("b", 2.0, vec![]), hit("c", 1.0, vec![])])
        };
        let lexical = stage("bm25", "bm25", vec![hit("b", 7.0, vec![])]);
        let fuse = StageExplanation {
            branches: vec![vec![engine], vec![lexical]],
            ..stage(
                "fuse",
                "fuse",
                vec![
                    hit("b", 0.3, vec![Some(2), Some(1)]),
                    hit("a", 0.2, vec![Some(1), None]),
                    hit("c", 0.1, vec![Some(3), None]),
                ],
            )
        };
        let rerank = StageExplanation {
            entered: 3,
            gone: vec![GoneHit { item_id: "c".to_owned(), rank_before: 3 }],
            ..stage("rerank", "rerank", vec![hit("a", 9.0, vec![Some(2)]), hit("b", 8.0, vec![Some(1)])])
        };
        let hits = ["a", "b"].map(|item| Hit { item_id: item.to_owned(), score: Some(9.0) }).to_vec();
        Explanation {
            retriever_id: "prod".to_owned(),
            query: Some("red lamp".to_owned()),
            depth: 10,
            latency_ns: 3_000_000,
            stages: vec![fuse, rerank],
            hits,
            failure: None,
        }
    }

    #[test]
    fn every_hit_has_its_way_through_the_stages() {
        let expected = "\
`prod` for \"red lamp\": 2 hits after 3.00 ms

stage            in  out  gone  moved     time          state
| engine (http)        3               1.50 ms  ok, attempt 2
| bm25                 1               1.50 ms             ok
fuse                   3               1.50 ms             ok
rerank            3    2     1      2  1.50 ms             ok

the server of `engine` says: took 1.00 ms
gone in `rerank`, with their ranks before: c (3)
rank  item   score  rank after each stage
   1  a     9.0000  fuse 2 (of 1 and -), rerank 1
   2  b     9.0000  fuse 1 (of 2 and 1), rerank 2
";
        assert_eq!(render(&search(), 10), expected);
    }

    #[test]
    fn a_failure_says_what_to_do() {
        let problem = Problem {
            kind: Some("connect".to_owned()),
            message: "nothing listens on `127.0.0.1:9`".to_owned(),
            fix: Some("start the server".to_owned()),
        };
        let failed = StageExplanation {
            state: StageState::Failed,
            problem: Some(problem.clone()),
            ..stage("http", "http", Vec::new())
        };
        let explanation =
            Explanation { stages: vec![failed], hits: Vec::new(), failure: Some(problem), query: None, ..search() };
        let expected = "\
`prod`: no answer after 3.00 ms

stage  in  out  gone  moved     time   state
http         0               1.50 ms  failed

`http` failed (connect): nothing listens on `127.0.0.1:9`
  fix: start the server
";
        assert_eq!(render(&explanation, 10), expected);
    }
}
