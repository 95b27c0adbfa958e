//! What an inspection says; serialisable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::load::dirt::Dirt;

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub kind: FileKind,
    /// How it is written.
    pub format: FileFormat,
    /// Number of sessions, rankings, judgments, topics, events, documents or rows, after the kind.
    pub rows: u64,
    /// The columns in the order of the file; JSON fields by the first row that has them, then by name.
    pub columns: Vec<InspectedColumn>,
    /// Number of interactions by kind.
    pub interactions: BTreeMap<String, u64>,
    /// Number of rows by UBI application.
    pub applications: BTreeMap<String, u64>,
    /// Further counts by name: `topics`, `documents`, `grade 1`, ...
    pub counts: BTreeMap<String, u64>,
    /// What is dirty, worst first.
    pub findings: Vec<Finding>,
}

impl Inspection {
    pub(super) fn new(path: &Path, kind: FileKind, format: FileFormat) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            format,
            rows: 0,
            columns: Vec::new(),
            interactions: BTreeMap::new(),
            applications: BTreeMap::new(),
            counts: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    /// Returns how often the finding of that code was made; 0 where it was not.
    #[must_use]
    pub fn count(&self, code: &str) -> u64 {
        self.findings.iter().find(|finding| finding.code == code).map_or(0, |finding| finding.count)
    }

    pub(super) fn fixed_columns(&mut self, columns: &[(&str, &str)]) {
        let column = |(name, data_type): &(&str, &str)| InspectedColumn {
            name: (*name).to_owned(),
            data_type: (*data_type).to_owned(),
            missing: None,
        };
        self.columns = columns.iter().map(column).collect();
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileKind {
    /// Sessions in the session schema.
    Sessions,
    /// TREC judgments: `topic iteration document grade`.
    TrecQrels,
    /// A TREC run: `topic Q0 document rank score tag`.
    TrecRun,
    /// What retrievers answered, as a run of Rematch writes it: a row for each session and retriever.
    Rankings,
    /// TREC topics: XML, SGML or `id TAB text`.
    TrecTopics,
    /// `ubi_queries` of OpenSearch User Behavior Insights.
    UbiQueries,
    /// `ubi_events` of OpenSearch User Behavior Insights.
    UbiEvents,
    /// BEIR queries: `_id` and `text`.
    BeirQueries,
    /// BEIR judgments: `query-id corpus-id score`.
    BeirQrels,
    /// Documents with an id.
    Documents,
    /// A table that is none of these.
    Table,
}

/// How a file is written; text may be compressed with gzip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC file.
    ArrowFile,
    /// Apache Arrow IPC stream.
    ArrowStream,
    /// One JSON object per line.
    Jsonl,
    /// Comma-separated values with a header line.
    Csv,
    /// Lines of fields separated by tabs or spaces.
    Text,
    /// XML or SGML.
    Markup,
}

/// A column of a table, or a field of JSON objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedColumn {
    /// The name.
    pub name: String,
    /// The type; of JSON fields the kinds of their values.
    pub data_type: String,
    /// Number of rows without a value; `None` where it was not counted.
    pub missing: Option<u64>,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used as it is.
    Error,
    /// Numbers may mean something else than one thinks.
    Warning,
    /// Good to know.
    Note,
}

/// Something dirty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A stable name, such as `tied_scores`.
    pub code: &'static str,
    /// How often it was met.
    pub count: u64,
    /// The first case, where there is one to show. Text of the file: escape it before it is shown.
    pub example: Option<String>,
    /// What it means.
    pub message: &'static str,
}

/// A thing that an inspection looks for.
pub(super) struct Check {
    pub(super) severity: Severity,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
}

impl Check {
    pub(super) const fn error(code: &'static str, message: &'static str) -> Self {
        Self { severity: Severity::Error, code, message }
    }

    pub(super) const fn warning(code: &'static str, message: &'static str) -> Self {
        Self { severity: Severity::Warning, code, message }
    }

    pub(super) const fn note(code: &'static str, message: &'static str) -> Self {
        Self { severity: Severity::Note, code, message }
    }
}

pub(super) const BLANK_LINE: Check = Check::note("blank_line", "lines with nothing in them; they are skipped");
pub(super) const COMMENT_LINE: Check = Check::note("comment_line", "comment lines (`#`); they are skipped");
pub(super) const MALFORMED_LINE: Check = Check::error("malformed_line", "lines that cannot be understood");
pub(super) const DUPLICATE_ID: Check = Check::error("duplicate_id", "ids that occur more than once");
pub(super) const EMPTY_TEXT: Check = Check::warning("empty_text", "rows without text");

/// Characters of an example that are kept.
const EXAMPLE_CHARACTERS: usize = 160;

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings {
    found: BTreeMap<(Severity, &'static str), Finding>,
}

impl Findings {
    /// Counts one case; the first one's example is kept.
    pub(super) fn add(&mut self, check: &Check, example: impl FnOnce() -> String) {
        self.add_many(check, 1, example);
    }

    /// Counts several cases; none where `count` is 0.
    pub(super) fn add_many(&mut self, check: &Check, count: u64, example: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        let Check { severity, code, message } = *check;
        let new = || Finding { severity, code, count: 0, example: Some(shortened(&example())), message };
        self.found.entry((severity, code)).or_insert_with(new).count += count;
    }

    /// Takes over what a reader counted, as warnings and notes without an example.
    pub(super) fn add_dirt(&mut self, dirt: &Dirt) {
        for (kind, count) in dirt.iter() {
            let severity = if kind.is_note() { Severity::Note } else { Severity::Warning };
            let key = (severity, kind.as_str());
            let message = kind.description();
            let new = || Finding { severity: key.0, code: key.1, count: 0, example: None, message };
            self.found.entry(key).or_insert_with(new).count += count;
        }
    }

    /// Returns the findings, worst first, then by code.
    pub(super) fn into_vec(self) -> Vec<Finding> {
        self.found.into_values().collect()
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= EXAMPLE_CHARACTERS {
        return text.to_owned();
    }
    text.chars().take(EXAMPLE_CHARACTERS).chain(['…']).collect()
}
