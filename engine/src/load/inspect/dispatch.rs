//! One function per kind of file, and the one that picks it.

use std::path::Path;

use super::detect::detect;
use super::model::{Check, FileFormat, FileKind, Findings, Inspection, MALFORMED_LINE};
use super::{documents, qrels, rankings, run, sessions, ubi};
use crate::load::LoadError;
use crate::load::dirt::Dirt;
use crate::load::files::starts_with;
use crate::load::trec::read_topics;

const BYTE_ORDER_MARK: Check = Check::note("byte_order_mark", "the file starts with a byte-order mark; it is skipped");

/// Tells what the file is, reads all of it, and says what is dirty.
///
/// # Errors
///
/// Returns [`LoadError::Io`] when the file cannot be read, [`LoadError::Empty`] when there is nothing in it,
/// [`LoadError::Format`] when it is of no known kind, [`LoadError::Damaged`] for a damaged table, and the error of the
/// reader where a row makes the rest unreadable.
pub fn inspect(path: &Path) -> Result<Inspection, LoadError> {
    let (kind, format) = detect(path)?;
    let mut inspection = Inspection::new(path, kind, format);
    let mut findings = Findings::default();
    if starts_with(path, b"\xef\xbb\xbf")? {
        findings.add(&BYTE_ORDER_MARK, || "U+FEFF".into());
    }
    match kind {
        FileKind::Sessions => sessions::inspect(&mut inspection, &mut findings)?,
        FileKind::TrecQrels => qrels::inspect_trec(&mut inspection, &mut findings)?,
        FileKind::BeirQrels => qrels::inspect_beir(&mut inspection, &mut findings)?,
        FileKind::TrecRun => run::inspect(&mut inspection, &mut findings)?,
        FileKind::TrecTopics => inspect_topics(&mut inspection, &mut findings)?,
        FileKind::UbiQueries => ubi::inspect_queries(&mut inspection, &mut findings)?,
        FileKind::UbiEvents => ubi::inspect_events(&mut inspection, &mut findings)?,
        FileKind::Rankings => rankings::inspect(&mut inspection, &mut findings)?,
        FileKind::BeirQueries | FileKind::Documents | FileKind::Table => match format {
            FileFormat::Csv => documents::inspect_csv(&mut inspection, &mut findings)?,
            FileFormat::Jsonl => documents::inspect_jsonl(&mut inspection, &mut findings)?,
            _ => documents::inspect_table(&mut inspection)?,
        },
    }
    inspection.findings = findings.into_vec();
    Ok(inspection)
}

fn inspect_topics(inspection: &mut Inspection, findings: &mut Findings) -> Result<(), LoadError> {
    let mut dirt = Dirt::default();
    inspection.fixed_columns(&[("id", "string"), ("query", "string")]);
    match read_topics(&inspection.path, &mut dirt) {
        Ok(topics) => inspection.rows = topics.len() as u64,
        Err(error @ (LoadError::Row { .. } | LoadError::Duplicate { .. })) => {
            findings.add(&MALFORMED_LINE, || error.to_string());
        }
        Err(error) => return Err(error),
    }
    findings.add_dirt(&dirt);
    Ok(())
}
