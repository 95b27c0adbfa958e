//! What `plugin test` prints for people.

use std::fmt::Write;

use comfy_table::CellAlignment;

use super::{Row, Tested};
use crate::commands::plugin::inspect::metrics_in_words;
use crate::plugin_host;
use crate::terminal::{bytes, memory, paragraph, seconds, table, trimmed, visible_within};

/// Sessions that are listed; `--json` has all.
const MAX_SESSIONS: usize = 25;
/// Sub-scores that have a column of their own.
const MAX_SUB_SCORES: usize = 3;
/// Log messages that are shown.
const MAX_MESSAGES: usize = 20;
/// Characters of a name in the table, and of an output.
const MAX_NAME: usize = 22;
const MAX_OUTPUT: usize = 60;
/// Characters of what a check found.
const MAX_FOUND: usize = 1200;

/// Returns the page.
pub(super) fn render(tested: &Tested<'_>, sessions: Option<&str>) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    paragraph(&mut text, &metrics_in_words(tested.description), "")?;
    writeln!(text)?;
    scores(&mut text, tested, sessions)?;
    writeln!(text)?;
    checks(&mut text, tested)?;
    writeln!(text)?;
    cost(&mut text, tested)?;
    log(&mut text, tested)?;
    writeln!(text)?;
    verdict(&mut text, tested)?;
    Ok(text)
}

fn scores(text: &mut String, tested: &Tested<'_>, sessions: Option<&str>) -> std::fmt::Result {
    let rows = &tested.sessions;
    let source = match sessions {
        Some(file) => format!("sessions of {}", visible_within(file, MAX_OUTPUT)),
        None => "sample sessions".to_owned(),
    };
    paragraph(text, &format!("{} {source}", rows.len()), "")?;
    let sub_scores = tested.description.metrics.iter().skip(1).take(MAX_SUB_SCORES);
    let mut header = vec!["session".to_owned(), "score".to_owned()];
    header.extend(sub_scores.map(|metric| visible_within(&metric.name, MAX_NAME)));
    header.push("state".to_owned());
    let with_output = rows.iter().any(|row| !row.output.is_empty());
    if with_output {
        header.push("output".to_owned());
    }
    let mut table = table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    let columns = header.len();
    // The texts at the end stand to the left, as all texts.
    for index in columns - if with_output { 2 } else { 1 }..columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Left);
        }
    }
    for row in rows.iter().take(MAX_SESSIONS) {
        table.add_row(cells(row, with_output));
    }
    writeln!(text, "{}", trimmed(&table))?;
    let more = rows.len().saturating_sub(MAX_SESSIONS);
    if more > 0 {
        writeln!(text, "and {more} more, which `--json` lists")?;
    }
    let hidden = tested.description.metrics.len().saturating_sub(1 + MAX_SUB_SCORES);
    if hidden > 0 {
        writeln!(text, "{hidden} more sub-scores are in `--json`")?;
    }
    Ok(())
}

fn cells(row: &Row, with_output: bool) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), short);
    let mut cells = vec![visible_within(&row.session_id, MAX_NAME), number(row.score)];
    // A session that is an error has no sub-scores; its cells are there all the same.
    cells.extend(
        (0..MAX_SUB_SCORES.min(row.sub_score_count))
            .map(|index| number(row.sub_scores.get(index).and_then(|(_, value)| *value))),
    );
    cells.push(row.state.as_str().to_owned());
    if with_output {
        // An error begins with the plugin and the session, which stand on the page already.
        let own = row.output.split_once("`: ").filter(|(names, _)| names.starts_with("plugin `"));
        cells.push(visible_within(own.map_or(row.output.as_str(), |(_, reason)| reason), MAX_OUTPUT));
    }
    cells
}

/// Four digits after the point, or the exponent where they would say nothing.
fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) { format!("{value:.3e}") } else { format!("{value:.4}") }
}

fn checks(text: &mut String, tested: &Tested<'_>) -> std::fmt::Result {
    for check in &tested.checks {
        let state = if check.passed { "ok    " } else { "FAILED" };
        writeln!(text, "{state}  {}", check.name)?;
        if !check.passed {
            paragraph(text, &visible_within(&check.found.replace('\n', " "), MAX_FOUND), "        ")?;
        }
    }
    Ok(())
}

fn cost(text: &mut String, tested: &Tested<'_>) -> std::fmt::Result {
    let cost = &tested.cost;
    let part = |value: f64, limit: u64| format!("{:.2} %", 100.0 * value / limit.max(1) as f64);
    let mut table = table(&["cost", "value", "limit", "used"]);
    table.add_row([
        "fuel of a session in a batch".to_owned(),
        format!("{:.0}", cost.fuel_per_session),
        String::new(),
        String::new(),
    ]);
    for (label, fuel) in
        [("fuel of a session alone, median", cost.fuel_alone), ("fuel of a session alone, most", cost.fuel_alone_most)]
    {
        table.add_row([
            label.to_owned(),
            fuel.to_string(),
            cost.fuel_limit.to_string(),
            part(fuel as f64, cost.fuel_limit),
        ]);
    }
    table.add_row([
        "memory of an instance, most".to_owned(),
        memory(cost.peak_memory_bytes),
        memory(cost.memory_limit_bytes),
        part(cost.peak_memory_bytes as f64, cost.memory_limit_bytes),
    ]);
    for (label, time) in [
        ("time of a session in a batch", cost.seconds_per_session),
        ("time of a session alone", cost.seconds_alone),
        ("time to make an instance", cost.instantiate_seconds),
        ("time to compile and load", cost.load_seconds),
        ("time to load from the cache", cost.load_cached_seconds),
    ] {
        table.add_row([label.to_owned(), seconds(time), String::new(), String::new()]);
    }
    writeln!(text, "{}", trimmed(&table))
}

fn log(text: &mut String, tested: &Tested<'_>) -> std::fmt::Result {
    if tested.log.is_empty() {
        return Ok(());
    }
    writeln!(text, "\nit logged {} messages", tested.log.len())?;
    for line in tested.log.iter().flat_map(plugin_host::lines).take(MAX_MESSAGES) {
        paragraph(text, &line, "  ")?;
    }
    if tested.log.len() > MAX_MESSAGES {
        writeln!(text, "  and more, which `--json` lists")?;
    }
    if tested.log_bytes_dropped > 0 {
        writeln!(text, "  {} of messages were above `log-kib` and dropped", bytes(tested.log_bytes_dropped))?;
    }
    Ok(())
}

fn verdict(text: &mut String, tested: &Tested<'_>) -> std::fmt::Result {
    let failed = tested.checks.iter().filter(|check| !check.passed).count();
    if failed > 0 {
        return writeln!(text, "{failed} of {} checks FAILED", tested.checks.len());
    }
    writeln!(text, "all {} checks pass", tested.checks.len())?;
    if tested.sessions.iter().all(|row| row.score.is_none()) {
        let note = "but no session got a score: what the scorer looks for is in none of them; `--params`, `--sessions` \
                    or `--items` may give it something to find";
        paragraph(text, note, "")?;
    }
    Ok(())
}
