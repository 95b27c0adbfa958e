//! Judgments, as TREC and as BEIR write them.

use std::collections::{HashMap, HashSet};

use super::model::{BLANK_LINE, COMMENT_LINE, Check, Findings, Inspection, MALFORMED_LINE};
use crate::load::LoadError;
use crate::load::files::Lines;
use crate::load::trec::{is_comment, parse_grade, parse_qrel};

const NEGATIVE_GRADE: Check = Check::warning("negative_grade", "grades below 0; they count as judged and not relevant");
const NON_INTEGER_ITERATION: Check =
    Check::note("non_integer_iteration", "iterations that are no whole number; the column is not used");
const DUPLICATE_JUDGMENT: Check = Check::warning("duplicate_judgment", "judgments given twice with the same grade");
const CONTRADICTING_JUDGMENT: Check =
    Check::warning("contradicting_judgment", "judgments given twice with different grades; the last one counts");

pub(super) fn inspect_trec(inspection: &mut Inspection, findings: &mut Findings) -> Result<(), LoadError> {
    inspection.fixed_columns(&[
        ("topic", "string"),
        ("iteration", "string"),
        ("document", "string"),
        ("grade", "integer"),
    ]);
    let mut judgments = Judgments::default();
    let mut lines = Lines::open(&inspection.path)?;
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            findings.add(&BLANK_LINE, || format!("line {row}"));
        } else if is_comment(line) {
            findings.add(&COMMENT_LINE, || format!("line {row}: {line}"));
        } else {
            match parse_qrel(line) {
                Ok(qrel) => {
                    if qrel.iteration.parse::<i64>().is_err() {
                        findings.add(&NON_INTEGER_ITERATION, || format!("line {row}: `{}`", qrel.iteration));
                    }
                    judgments.note((qrel.topic, qrel.document, qrel.grade), row, findings);
                }
                Err(reason) => findings.add(&MALFORMED_LINE, || format!("line {row}: {reason}")),
            }
        }
    }
    judgments.finish(inspection);
    Ok(())
}

pub(super) fn inspect_beir(inspection: &mut Inspection, findings: &mut Findings) -> Result<(), LoadError> {
    inspection.fixed_columns(&[("query-id", "string"), ("corpus-id", "string"), ("score", "integer")]);
    let mut judgments = Judgments::default();
    let mut lines = Lines::open(&inspection.path)?;
    lines.next_line()?;
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            findings.add(&BLANK_LINE, || format!("line {row}"));
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        match fields[..] {
            [query, document, score] => match parse_grade(score) {
                Ok(grade) => judgments.note((query, document, grade), row, findings),
                Err(reason) => findings.add(&MALFORMED_LINE, || format!("line {row}: {reason}")),
            },
            _ => findings.add(&MALFORMED_LINE, || format!("line {row}: found {} fields, expected 3", fields.len())),
        }
    }
    judgments.finish(inspection);
    Ok(())
}

#[derive(Default)]
struct Judgments {
    grades: HashMap<(String, String), f32>,
    topics: HashSet<String>,
    by_grade: HashMap<String, u64>,
    rows: u64,
}

impl Judgments {
    fn note(&mut self, (topic, document, grade): (&str, &str, f32), row: u64, findings: &mut Findings) {
        self.rows += 1;
        *self.by_grade.entry(format!("grade {grade}")).or_default() += 1;
        if !self.topics.contains(topic) {
            self.topics.insert(topic.to_owned());
        }
        if grade < 0.0 {
            findings.add(&NEGATIVE_GRADE, || format!("line {row}: {grade}"));
        }
        match self.grades.insert((topic.to_owned(), document.to_owned()), grade) {
            Some(earlier) if earlier == grade => {
                findings.add(&DUPLICATE_JUDGMENT, || format!("line {row}: {topic} {document}"));
            }
            Some(earlier) => findings.add(&CONTRADICTING_JUDGMENT, || {
                format!("line {row}: {topic} {document} has {grade}, before {earlier}")
            }),
            None => {}
        }
    }

    fn finish(self, inspection: &mut Inspection) {
        inspection.rows = self.rows;
        inspection.counts.insert("topics".into(), self.topics.len() as u64);
        inspection.counts.extend(self.by_grade);
    }
}
