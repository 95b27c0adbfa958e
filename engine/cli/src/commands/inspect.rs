//! `rematch inspect`.

use std::collections::BTreeMap;

use rematch_engine::benchmark::CorpusPlan;
use rematch_engine::load::{self, Inspection};
use serde::Serialize;

use super::{print, print_json};
use crate::arguments::InspectArguments;
use crate::exit::{Exit, Failure};

/// Says what is in a file, and what is dirty.
pub(crate) fn inspect(arguments: &InspectArguments) -> Result<Exit, Failure> {
    let mut inspection = load::inspect(&arguments.file)?;
    if let (Some(path), Some(id)) = (&arguments.corpus, &arguments.id) {
        let corpus = CorpusPlan { name: "corpus".to_owned(), path: path.clone(), id: id.clone() };
        load::find_unknown_items(&mut inspection, &corpus)?;
    }
    if arguments.json {
        print_json(&inspection)?
    } else {
        print(&text(&inspection))?
    }
    Ok(Exit::Done)
}

fn text(inspection: &Inspection) -> String {
    let mut text = format!(
        "{}: {} ({}), {} rows\n",
        inspection.path.display(),
        name(&inspection.kind),
        name(&inspection.format),
        inspection.rows
    );
    let columns: Vec<String> = inspection
        .columns
        .iter()
        .map(|column| format!("{} {}", escaped(&column.name), escaped(&column.data_type)))
        .collect();
    if !columns.is_empty() {
        text += &format!("columns: {}\n", columns.join(", "));
    }
    text += &counts("applications", &inspection.applications);
    text += &counts("interactions", &inspection.interactions);
    text += &counts("counts", &inspection.counts);
    if inspection.findings.is_empty() {
        text += "nothing dirty was found\n";
    }
    for finding in &inspection.findings {
        let example =
            finding.example.as_ref().map(|example| format!(", such as {}", escaped(example))).unwrap_or_default();
        text += &format!(
            "{:>8} {:<7} {}: {}{example}\n",
            finding.count,
            name(&finding.severity),
            finding.code,
            finding.message
        );
    }
    text
}

fn counts(label: &str, counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{} {count}", escaped(name))).collect();
    format!("{label}: {}\n", parts.join(", "))
}

/// A value's serialised name in words.
fn name(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().replace('_', " ")
}

/// Text of the file with control characters made visible, so that none reaches the terminal.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|letter| if letter.is_control() { letter.escape_default().collect::<Vec<_>>() } else { vec![letter] })
        .collect()
}
