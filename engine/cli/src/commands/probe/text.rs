//! What a probe found, on the terminal: the answer as a tree, the proposals, and the stage.

use std::fmt::Write;

use rematch_engine::replay::probe::Probed;

use super::tree::tree;
use crate::terminal::{bytes, paragraph, seconds, visible, visible_lines, visible_within};

/// Ids and scores that are shown.
const EXAMPLES: usize = 3;
/// Characters of an id.
const ID: usize = 20;

/// Returns what was found.
pub(super) fn render(probed: &Probed) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, probed);
    text
}

fn write_all(text: &mut String, probed: &Probed) -> std::fmt::Result {
    writeln!(text, "{}", visible(&probed.request))?;
    let kind = probed.content_type.as_deref().unwrap_or("without a media type");
    let (size, time) = (bytes(probed.bytes as u64), seconds(probed.latency_ns as f64 / 1e9));
    paragraph(text, &format!("{}, {}, {size} in {time}", probed.status, visible(kind)), "")?;
    writeln!(text)?;
    let refused = refused(probed.status);
    if let Some(refused) = refused {
        paragraph(text, &format!("{} {refused}", probed.status), "")?;
        writeln!(text)?;
    }
    let Some(answer) = &probed.answer else {
        writeln!(text, "The answer is no JSON. It begins:\n    {}", visible_lines(&probed.text, "    "))?;
        return Ok(());
    };
    writeln!(text, "{}", tree(answer))?;
    if refused.is_some() {
        return Ok(());
    }
    found(text, probed)?;
    match (&probed.unread, &probed.stage) {
        (Some(reason), _) => paragraph(text, &format!("Nothing can be read: {}", visible(reason)), "")?,
        (None, Some(_)) => writeln!(text, "Hits that this stage reads: {}", probed.read.len())?,
        (None, None) => paragraph(text, NOTHING, "")?,
    }
    // The stage is data; a stranger's text in it is escaped by TOML, or is the user's own.
    if let Some(stage) = &probed.stage {
        writeln!(text, "\n{}", visible_block(stage))?;
    }
    Ok(())
}

/// What a status says that is no answer, and what to do about it; `None` for an answer.
fn refused(status: u16) -> Option<&'static str> {
    Some(match status {
        200..300 => return None,
        300..400 => "leads elsewhere: ask the address that it names.",
        401 | 403 => {
            "is a refusal: the server wants to know who asks, or this one may not. Give credentials by \
             `--bearer-env`, `--basic-user` or `--auth-header`."
        }
        404 | 410 => "is no answer: there is nothing at this address. Is the URL right, with the name of the index?",
        405 => "is a refusal: the address takes another method. Give it by `--method`.",
        408 | 429 => "is a refusal: the server has too much to do. Ask again later.",
        400..500 => {
            "is a refusal: the server does not understand the search. Its answer says why; mend the body or the URL."
        }
        _ => "is a failure of the server. Its answer or its log says why.",
    })
}

const NOTHING: &str = "No list with ids was found. Ask a query that has hits by `--query`; if this answer has hits, write \
                       their JSONPaths into `ids` and `scores` of a stage by hand.";

/// What was found where.
fn found(text: &mut String, probed: &Probed) -> std::fmt::Result {
    if let Some(hits) = &probed.hits {
        let ids: Vec<String> = hits.found_ids.iter().take(EXAMPLES).map(|id| visible_within(id, ID)).collect();
        let more = if hits.found_ids.len() > EXAMPLES { ", ..." } else { "" };
        paragraph(
            text,
            &format!("ids: {} ({}: {}{more})", visible(&hits.ids), hits.found_ids.len(), ids.join(", ")),
            "",
        )?;
        if let Some(scores) = &hits.scores {
            let values: Vec<String> = hits.found_scores.iter().take(EXAMPLES).map(ToString::to_string).collect();
            let direction = if hits.lower_is_better { "lower is better" } else { "higher is better" };
            paragraph(text, &format!("scores: {} ({}{more}: {direction})", visible(scores), values.join(", ")), "")?;
        }
    }
    for timing in &probed.timings {
        paragraph(text, &format!("timing: {} ({} {})", visible(&timing.path), timing.value, timing.unit), "")?;
    }
    for (name, nanoseconds) in &probed.server_timing {
        let time = seconds(*nanoseconds as f64 / 1e9);
        paragraph(
            text,
            &format!("timing: {} of the header Server-Timing, which is always read ({time})", visible(name)),
            "",
        )?;
    }
    if !probed.resembles.is_empty() {
        let names: Vec<String> = probed
            .resembles
            .iter()
            .filter_map(|preset| serde_json::to_value(preset).ok()?.as_str().map(str::to_owned))
            .collect();
        paragraph(text, &format!("preset: the answer is that of {}", names.join(" or ")), "")?;
    }
    if probed.hits.is_some() || !probed.timings.is_empty() {
        writeln!(text)?;
    }
    Ok(())
}

fn visible_block(stage: &str) -> String {
    stage.trim_end().lines().map(visible).collect::<Vec<_>>().join("\n")
}
