//! Judgments whose topics ascend, as those of nearly all files do: in columns, so that they become sessions without being taken apart.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;

use crate::load::dirt::{Dirt, DirtKind};
use crate::rows::{blank_sessions, judged_sessions};
use crate::session::Judgment;

/// Texts one after the other.
#[derive(Debug, Default, PartialEq)]
struct Texts {
    text: String,
    ends: Vec<usize>,
}

impl Texts {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    /// Returns the text of that number; an empty one beyond the last.
    fn get(&self, number: usize) -> &str {
        self.text.get(start(&self.ends, number)..end(&self.ends, number)).unwrap_or_default()
    }

    fn last(&self) -> Option<&str> {
        self.len().checked_sub(1).map(|last| self.get(last))
    }
}

/// Returns where what has that number begins, given where each ends.
fn start(ends: &[usize], number: usize) -> usize {
    number.checked_sub(1).map_or(0, |before| end(ends, before))
}

fn end(ends: &[usize], number: usize) -> usize {
    ends.get(number).copied().unwrap_or(0)
}

/// Judgments by topic, each topic after the one before it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct AscendingTopics {
    topics: Texts,
    /// Where the judgments of each topic end.
    ends: Vec<usize>,
    documents: Texts,
    grades: Vec<f32>,
    /// Topics that have become sessions.
    taken: usize,
    /// Sessions without anything, which what is in the columns is put into.
    blank: Option<RecordBatch>,
}

impl AscendingTopics {
    /// Adds a judgment, and returns whether it could be: its topic must be that of the last one or come after it.
    pub(super) fn add(&mut self, topic: &str, document: &str, grade: f32) -> bool {
        match self.topics.last() {
            Some(last) if last > topic => return false,
            Some(last) if last == topic => drop(self.ends.pop()),
            _ => self.topics.push(topic),
        }
        self.documents.push(document);
        self.grades.push(grade);
        self.ends.push(self.documents.len());
        true
    }

    /// Returns what is left, topic by topic.
    pub(super) fn into_topics(self) -> Vec<(String, Vec<Judgment>)> {
        let judgment = |(document, grade): (&str, f32)| Judgment { item_id: document.to_owned(), grade };
        let topic = |topic| (self.topics.get(topic).to_owned(), self.judged(topic).map(judgment).collect());
        (self.taken..self.topics.len()).map(topic).collect()
    }

    /// Returns the next topics, `most` of them or as many as there are, as sessions of the schema [`crate::schema::SESSIONS`]. Returns
    /// `None` where none is left, or where one of them has many judgments or two of one document, which has to be settled.
    ///
    /// # Errors
    ///
    /// Returns an error when they would exceed Arrow's 2^31 list elements.
    pub(super) fn next_sessions(&mut self, most: usize, dirt: &mut Dirt) -> Result<Option<RecordBatch>, ArrowError> {
        let topics = self.taken..self.topics.len().min(self.taken.saturating_add(most));
        if topics.is_empty() || !topics.clone().all(|topic| self.needs_no_settling(topic)) {
            return Ok(None);
        }
        let blank = match self.blank.take().filter(|blank| blank.num_rows() >= topics.len()) {
            Some(blank) => blank,
            None => blank_sessions(topics.len())?,
        };
        let judged = || topics.clone().flat_map(|topic| self.judged(topic));
        let sessions = judged_sessions(
            &blank.slice(0, topics.len()),
            topics.clone().map(|topic| self.topics.get(topic)),
            judged(),
            topics.clone().map(|topic| self.judgments(topic).len()),
        )?;
        dirt.add_many(DirtKind::NegativeGrade, judged().filter(|(_, grade)| *grade < 0.0).count() as u64);
        (self.taken, self.blank) = (topics.end, Some(blank));
        Ok(Some(sessions))
    }

    fn judgments(&self, topic: usize) -> std::ops::Range<usize> {
        start(&self.ends, topic)..end(&self.ends, topic)
    }

    fn judged(&self, topic: usize) -> impl Iterator<Item = (&str, f32)> + Clone {
        let grade = |number: usize| self.grades.get(number).copied().unwrap_or_default();
        self.judgments(topic).map(move |number| (self.documents.get(number), grade(number)))
    }

    fn needs_no_settling(&self, topic: usize) -> bool {
        let judgments = self.judgments(topic);
        are_few_and_different(judgments.len(), |index| self.documents.get(judgments.start + index))
    }
}

/// Judgments of a topic that are compared pair by pair, which takes no memory.
const FEW: usize = 16;

/// Returns whether there are few documents, as there are of most topics, and no two the same.
pub(super) fn are_few_and_different<'a>(count: usize, document: impl Fn(usize) -> &'a str) -> bool {
    let is_new = |index: usize| (0..index).all(|earlier| document(earlier) != document(index));
    count <= FEW && (0..count).all(is_new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rows::sessions_from_batch;

    proptest! {
        #[test]
        fn topics_are_the_same_as_sessions_and_one_by_one(
            topics in prop::collection::btree_map("[a-d]{1,2}", prop::collection::vec(("[x-z]{1,3}", -1_i8..4), 1..20), 0..12),
            most in 1_usize..5,
        ) {
            let mut ascending = AscendingTopics::default();
            let expected: Vec<(String, Vec<Judgment>)> = topics
                .into_iter()
                .map(|(topic, judged)| {
                    let judgment = |(item_id, grade)| Judgment { item_id, grade: f32::from(grade) };
                    (topic, judged.into_iter().map(judgment).collect())
                })
                .collect();
            for (topic, judgments) in &expected {
                for judgment in judgments {
                    prop_assert!(ascending.add(topic, &judgment.item_id, judgment.grade));
                }
            }
            if let Some((last, _)) = expected.last() {
                prop_assert!(!ascending.add(&last[..last.len() - 1], "x", 1.0), "it stands before the last");
            }
            let (mut found, mut dirt) = (Vec::new(), Dirt::default());
            while let Some(batch) = ascending.next_sessions(most, &mut dirt).expect("sessions") {
                prop_assert!(batch.num_rows() <= most);
                let sessions = sessions_from_batch(&batch).expect("rows");
                found.extend(sessions.into_iter().map(|session| (session.session_id, session.judgments)));
            }
            let columns = found.len();
            let negative = found.iter().flat_map(|(_, judgments)| judgments).filter(|judgment| judgment.grade < 0.0);
            prop_assert_eq!(dirt.count(DirtKind::NegativeGrade), negative.count() as u64);
            found.extend(ascending.into_topics());
            prop_assert_eq!(&found, &expected);
            let settles = |(_, judgments): &(String, Vec<Judgment>)| {
                let mut documents: Vec<&str> = judgments.iter().map(|judgment| judgment.item_id.as_str()).collect();
                documents.sort_unstable();
                documents.dedup();
                documents.len() < judgments.len() || judgments.len() > FEW
            };
            prop_assert_eq!(columns, expected.chunks(most).take_while(|group| !group.iter().any(settles)).flatten().count());
        }
    }
}
