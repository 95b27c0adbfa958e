//! Judgments in the TREC format.

use std::collections::HashMap;
use std::path::Path;

use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::files::Lines;
use crate::session::Judgment;

/// The largest grade: every whole number up to it is an exact `f32`.
const GRADE_LIMIT: i64 = 1 << 24;

/// One line of judgments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::load) struct Qrel<'a> {
    pub(in crate::load) topic: &'a str,
    pub(in crate::load) iteration: &'a str,
    pub(in crate::load) document: &'a str,
    pub(in crate::load) grade: f32,
}

/// Returns whether the line is a comment: one that starts with `#`, as trec_eval has it.
pub(in crate::load) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// Returns the judgment of a line, or what is wrong with it.
pub(in crate::load) fn parse_qrel(line: &str) -> Result<Qrel<'_>, String> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [topic, iteration, document, grade] = fields[..] else {
        return Err(format!("found {} fields, expected 4: `topic iteration document grade`", fields.len()));
    };
    Ok(Qrel { topic, iteration, document, grade: parse_grade(grade)? })
}

/// Returns a grade, or what is wrong with it.
pub(in crate::load) fn parse_grade(text: &str) -> Result<f32, String> {
    let grade = text.trim().parse::<i64>().ok().filter(|grade| (-GRADE_LIMIT..=GRADE_LIMIT).contains(grade));
    #[expect(clippy::cast_precision_loss, reason = "whole numbers up to the limit are exact")]
    grade.map(|grade| grade as f32).ok_or_else(|| format!("grade `{text}`, expected a whole number"))
}

/// Judgments by topic, in order of first appearance.
#[derive(Debug, Default)]
pub(in crate::load) struct Qrels {
    topics: Vec<(String, Vec<Judgment>)>,
    topic_positions: HashMap<String, usize>,
    document_positions: HashMap<(usize, String), usize>,
}

impl Qrels {
    /// Reads a file of judgments.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when the file cannot be read and [`LoadError::Row`] for a line that is no judgment.
    pub(in crate::load) fn read(&mut self, path: &Path, dirt: &mut Dirt) -> Result<(), LoadError> {
        let mut lines = Lines::open(path)?;
        while let Some((row, line)) = lines.next_line()? {
            if line.trim().is_empty() {
                dirt.add(DirtKind::BlankLine);
            } else if is_comment(line) {
                dirt.add(DirtKind::CommentLine);
            } else {
                let qrel = parse_qrel(line).map_err(|reason| LoadError::Row { path: path.to_owned(), row, reason })?;
                if qrel.iteration.parse::<i64>().is_err() {
                    dirt.add(DirtKind::NonIntegerIteration);
                }
                self.add(qrel.topic, qrel.document, qrel.grade, dirt);
            }
        }
        Ok(())
    }

    /// Adds one judgment.
    pub(in crate::load) fn add(&mut self, topic: &str, document: &str, grade: f32, dirt: &mut Dirt) {
        if grade < 0.0 {
            dirt.add(DirtKind::NegativeGrade);
        }
        let position = match self.topic_positions.get(topic) {
            Some(position) => *position,
            None => {
                self.topic_positions.insert(topic.to_owned(), self.topics.len());
                self.topics.push((topic.to_owned(), Vec::new()));
                self.topics.len() - 1
            }
        };
        let Some((_, judgments)) = self.topics.get_mut(position) else { return };
        let known = *self.document_positions.entry((position, document.to_owned())).or_insert(judgments.len());
        match judgments.get_mut(known) {
            None => judgments.push(Judgment { item_id: document.to_owned(), grade }),
            Some(earlier) if earlier.grade == grade => dirt.add(DirtKind::DuplicateJudgment),
            Some(earlier) => {
                dirt.add(DirtKind::ContradictingJudgment);
                earlier.grade = grade;
            }
        }
    }

    /// Returns the judgments of the topic and forgets them, or `None` where it has none.
    pub(in crate::load) fn take(&mut self, topic: &str) -> Option<Vec<Judgment>> {
        let position = *self.topic_positions.get(topic)?;
        let judgments = self.topics.get_mut(position).map(|(_, judgments)| std::mem::take(judgments))?;
        (!judgments.is_empty()).then_some(judgments)
    }

    /// Returns the topics that were not taken, in order of first appearance.
    pub(in crate::load) fn into_rest(self) -> impl Iterator<Item = (String, Vec<Judgment>)> {
        self.topics.into_iter().filter(|(_, judgments)| !judgments.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(text: &str) -> (Result<Qrels, LoadError>, Dirt) {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let (mut qrels, mut dirt) = (Qrels::default(), Dirt::default());
        (qrels.read(file.path(), &mut dirt).map(|()| qrels), dirt)
    }

    #[test]
    fn judgments_with_every_oddity_are_read_and_counted() {
        let text = "\u{feff}# comment here\n1 0.5  a 2\r\n1\t1\tb#3\t-1\n\n2 Q0 a 0\n1 0 a 2\n1 0 a 1\n  # indented\n";
        let (qrels, dirt) = read(text);
        let topics: Vec<_> = qrels.expect("judgments").into_rest().collect();
        let judgment = |item: &str, grade| Judgment { item_id: item.into(), grade };
        assert_eq!(topics[0], ("1".into(), vec![judgment("a", 1.0), judgment("b#3", -1.0)]));
        assert_eq!(topics[1], ("2".into(), vec![judgment("a", 0.0)]));
        for (kind, count) in [
            (DirtKind::CommentLine, 2),
            (DirtKind::BlankLine, 1),
            (DirtKind::NonIntegerIteration, 2),
            (DirtKind::NegativeGrade, 1),
            (DirtKind::DuplicateJudgment, 1),
            (DirtKind::ContradictingJudgment, 1),
        ] {
            assert_eq!(dirt.count(kind), count, "{kind}");
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, row, part) in [
            ("1 0 a 1\n1 0 a\n", 2, "found 3 fields"),
            ("1 0 a 1.5\n", 1, "grade `1.5`"),
            ("1 0 a b c\n", 1, "found 5 fields"),
            ("# x\n1 0 a 99999999999\n", 2, "grade `99999999999`"),
            ("1 0 a \0\n", 1, "grade"),
        ] {
            let error = read(text).0.expect_err("an error");
            let LoadError::Row { row: found, reason, .. } = error else { panic!("{error}") };
            assert_eq!(found, row);
            assert!(reason.contains(part), "{reason}");
        }
    }
}
