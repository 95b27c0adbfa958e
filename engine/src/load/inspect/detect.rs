//! What a file is, from its content.

use std::path::Path;

use serde_json::Value;

use super::model::{FileFormat, FileKind};
use crate::load::LoadError;
use crate::load::dirt::Dirt;
use crate::load::files::{Lines, plain_name};
use crate::load::native::{TableFormat, TableReader, table_format};
use crate::load::trec::{BEIR_HEADER, is_comment, parse_qrel};
use crate::load::ubi::{Records, look};
use crate::schema::column;

/// Columns that hold a document's id, most telling first.
pub(super) const ID_COLUMNS: [&str; 7] = ["_id", "item_id", "id", "doc_id", "docno", "asin", "product_id"];

/// Returns what the file is and how it is written.
///
/// # Errors
///
/// Returns [`LoadError::Empty`] for a file without content, [`LoadError::Format`] when it is none of the kinds that are
/// known, and what reading its first rows meets.
pub(super) fn detect(path: &Path) -> Result<(FileKind, FileFormat), LoadError> {
    if let Some(format) = table_format(path)? {
        let reader = TableReader::open(path, format)?;
        let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        let format = match format {
            TableFormat::Parquet => FileFormat::Parquet,
            TableFormat::ArrowFile => FileFormat::ArrowFile,
            TableFormat::ArrowStream => FileFormat::ArrowStream,
        };
        return Ok((kind_of_table(|name| names.iter().any(|found| found == name)), format));
    }
    let mut lines = Lines::open(path)?;
    let mut first = None;
    while let Some((_, line)) = lines.next_line()? {
        if !line.trim().is_empty() && !is_comment(line) {
            first = Some(line.to_owned());
            break;
        }
    }
    let first = first.ok_or_else(|| LoadError::Empty { path: path.to_owned(), what: "rows" })?;
    detect_text(path, &first)
}

fn detect_text(path: &Path, first: &str) -> Result<(FileKind, FileFormat), LoadError> {
    if first.trim_start().starts_with('{') {
        let record = Records::open(path)?.next_record(&mut Dirt::default())?;
        return Ok((record.map_or(FileKind::Table, |(_, record)| kind_of_record(&record)), FileFormat::Jsonl));
    }
    if first.trim_start().starts_with('<') && has_topics(path)? {
        return Ok((FileKind::TrecTopics, FileFormat::Markup));
    }
    if plain_name(path).ends_with(".csv") {
        let names: Vec<&str> = first.split(',').map(|name| name.trim().trim_matches('"')).collect();
        return Ok((kind_of_columns(|name| names.contains(&name)), FileFormat::Csv));
    }
    let fields: Vec<&str> = first.split_ascii_whitespace().collect();
    if fields == BEIR_HEADER {
        return Ok((FileKind::BeirQrels, FileFormat::Text));
    }
    // A topic's words may look like the columns of the others, which have more tabs or none.
    if first.matches('\t').count() == 1 {
        return Ok((FileKind::TrecTopics, FileFormat::Text));
    }
    if let [_, _, _, rank, score, _, ..] = fields[..]
        && rank.parse::<i64>().is_ok()
        && score.parse::<f64>().is_ok()
    {
        return Ok((FileKind::TrecRun, FileFormat::Text));
    }
    if parse_qrel(first).is_ok() {
        return Ok((FileKind::TrecQrels, FileFormat::Text));
    }
    let expected =
        "expected sessions, TREC topics, judgments or a run, UBI, BEIR, or documents as Parquet, Arrow, JSONL or CSV";
    let reason = if first.trim_start().starts_with('[') {
        "a JSON array, expected one JSON object per line".into()
    } else {
        format!("cannot tell what the file is, {expected}")
    };
    Err(LoadError::Format { path: path.to_owned(), reason })
}

fn has_topics(path: &Path) -> Result<bool, LoadError> {
    let mut lines = Lines::open(path)?;
    while let Some((row, line)) = lines.next_line()? {
        let line = line.to_lowercase();
        if line.contains("<top>") || line.contains("<topic ") || line.contains("<topic>") {
            return Ok(true);
        }
        if row > 100 {
            break;
        }
    }
    Ok(false)
}

/// What a table is that a run may have written: these have session ids too, and several rows of each.
fn kind_of_table(has: impl Fn(&str) -> bool) -> FileKind {
    let is_of_run = has(column::SESSION_ID) && has(column::RETRIEVER_ID);
    if is_of_run && has(column::HITS) {
        FileKind::Rankings
    } else if is_of_run && has(column::SCENARIO_SCORE) {
        FileKind::Table
    } else {
        kind_of_columns(has)
    }
}

fn kind_of_columns(has: impl Fn(&str) -> bool) -> FileKind {
    if has("query_id") && has("action_name") {
        FileKind::UbiEvents
    } else if has("query_id") && has("user_query") {
        FileKind::UbiQueries
    } else if has(column::SESSION_ID) {
        FileKind::Sessions
    } else if ID_COLUMNS.into_iter().any(has) {
        FileKind::Documents
    } else {
        FileKind::Table
    }
}

fn kind_of_record(record: &Value) -> FileKind {
    let has = |name: &str| look(record, name).is_some();
    if has("_id") && has("text") && !has("title") { FileKind::BeirQueries } else { kind_of_columns(has) }
}
