//! Judgments grouped by topic, in memory that does not grow with their number.
//!
//! Judgments that fit are grouped in one pass, in order of first appearance. Of more than that, files whose topics stand
//! together (nearly all do) are streamed, topic by topic; others are read in several passes, each of which groups one share
//! of the topics.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use super::ascending::{AscendingTopics, are_few_and_different};
use super::judgment_rows::JudgmentRows;
use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::repeats::{Ids, find_repeat};
use crate::session::Judgment;

/// What a judgment takes in memory besides its document, and a topic besides its name.
const JUDGMENT_BYTES: usize = 56;
const TOPIC_BYTES: usize = 160;

/// How the judgments of some files are best grouped.
#[expect(clippy::large_enum_variant, reason = "there is one of it per input")]
#[derive(Debug)]
pub(in crate::load) enum Grouping {
    /// They fit in memory: here they are.
    Whole(Qrels),
    /// In so many passes, each over one share of the topics.
    Passes(u64),
    /// Topic by topic, as they stand.
    Streamed,
}

impl Grouping {
    /// Looks at the files, and keeps what they hold while it fits. `memory_bytes` is what grouped judgments may take; what is dirty
    /// about those that are kept is added to `dirt`.
    ///
    /// # Errors
    ///
    /// Returns what reading the files meets.
    pub(in crate::load) fn of(
        paths: &[PathBuf],
        memory_bytes: usize,
        streamable: bool,
        dirt: &mut Dirt,
    ) -> Result<Self, LoadError> {
        let mut rows = JudgmentRows::new(paths);
        let (mut found, mut bytes, mut runs, mut ascending) = (Dirt::default(), 0, 0, true);
        let mut last = String::new();
        let mut whole = Some(Qrels::default());
        while let Some(grade) = rows.advance(&mut found)? {
            bytes += rows.document().len() + JUDGMENT_BYTES;
            if rows.topic() != last {
                bytes += 2 * rows.topic().len() + TOPIC_BYTES;
                ascending &= last.as_str() < rows.topic();
                runs += 1;
                last.clear();
                last.push_str(rows.topic());
            }
            if bytes > memory_bytes {
                whole = None;
            }
            if let Some(whole) = &mut whole {
                whole.add(rows.topic(), rows.document(), grade);
            }
        }
        if let Some(whole) = whole {
            found.iter().for_each(|(kind, count)| dirt.add_many(kind, count));
            return Ok(Self::Whole(whole));
        }
        if streamable && (ascending || find_repeat(&TopicRuns(paths), runs)?.is_none()) {
            return Ok(Self::Streamed);
        }
        Ok(Self::Passes(bytes.div_ceil(memory_bytes.max(1)) as u64))
    }
}

/// The topic of each run of judgments of one topic.
struct TopicRuns<'a>(&'a [PathBuf]);

impl Ids for TopicRuns<'_> {
    fn visit(&self, visit: &mut dyn FnMut(&str) -> bool) -> Result<(), LoadError> {
        let mut rows = JudgmentRows::new(self.0);
        let mut last = String::new();
        while rows.advance(&mut Dirt::default())?.is_some() {
            if rows.topic() != last {
                if !visit(rows.topic()) {
                    break;
                }
                last.clear();
                last.push_str(rows.topic());
            }
        }
        Ok(())
    }
}

/// One share of all topics.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct Share {
    /// Its number, counted from 0.
    pub(in crate::load) number: u64,
    /// How many there are.
    pub(in crate::load) of: u64,
}

impl Share {
    /// All topics.
    pub(in crate::load) const WHOLE: Self = Self { number: 0, of: 1 };

    /// Returns whether the topic is in this share.
    pub(in crate::load) fn holds(self, topic: &str) -> bool {
        if self.of == 1 {
            return true;
        }
        Self::place(topic) % self.of == self.number
    }

    /// Returns whether what has this topic is in this share; what has none is in the first.
    pub(in crate::load) fn holds_or_begins(self, topic: Option<&str>) -> bool {
        topic.map_or(self.number == 0, |topic| self.holds(topic))
    }

    /// Returns a number by which topics fall into shares: they are in the share of its remainder.
    pub(in crate::load) fn place(topic: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        hasher.finish()
    }

    /// Returns the next share, or `None` after the last.
    pub(in crate::load) fn next(self) -> Option<Self> {
        let number = self.number + 1;
        (number < self.of).then_some(Self { number, ..self })
    }
}

/// Judgments by topic, in order of first appearance.
#[derive(Debug, PartialEq)]
pub(in crate::load) struct Qrels {
    /// The judgments as long as their topics ascend and none is taken by its name.
    ascending: Option<AscendingTopics>,
    /// The judgments otherwise.
    topics: Topics,
}

impl Default for Qrels {
    fn default() -> Self {
        Self { ascending: Some(AscendingTopics::default()), topics: Topics::default() }
    }
}

impl Qrels {
    /// Reads the judgments of one share of the topics.
    ///
    /// # Errors
    ///
    /// Returns what reading the files meets.
    pub(in crate::load) fn read(paths: &[PathBuf], share: Share, dirt: &mut Dirt) -> Result<Self, LoadError> {
        let mut qrels = Self::default();
        let mut rows = JudgmentRows::new(paths);
        let mut seen = Dirt::default();
        // What is dirty about lines is counted by the first pass, what is dirty about judgments by the one that keeps them.
        let of_rows = if share.number == 0 { dirt } else { &mut seen };
        while let Some(grade) = rows.advance(of_rows)? {
            if share.holds(rows.topic()) {
                qrels.add(rows.topic(), rows.document(), grade);
            }
        }
        Ok(qrels)
    }

    fn add(&mut self, topic: &str, document: &str, grade: f32) {
        let ascends = self.ascending.as_mut().is_some_and(|topics| topics.add(topic, document, grade));
        if !ascends {
            self.apart().add(topic, document, grade);
        }
    }

    /// Returns the topics as they can be looked for by their names.
    fn apart(&mut self) -> &mut Topics {
        if let Some(ascending) = self.ascending.take() {
            self.topics.topics = ascending.into_topics();
        }
        &mut self.topics
    }

    /// Returns the topics in columns, where nothing has stood in the way of that.
    pub(super) fn ascending(&mut self) -> Option<&mut AscendingTopics> {
        self.ascending.as_mut()
    }

    /// Returns the judgments of the topic and forgets them, or `None` where it has none.
    pub(in crate::load) fn take(&mut self, topic: &str, dirt: &mut Dirt) -> Option<Vec<Judgment>> {
        self.apart().take(topic).map(|judgments| settled(judgments, dirt))
    }

    /// Returns the topics that were not taken, in order of first appearance; their judgments are not [`settled`] yet.
    pub(in crate::load) fn into_rest(mut self) -> impl Iterator<Item = (String, Vec<Judgment>)> + Send {
        let topics = std::mem::take(&mut self.apart().topics);
        topics.into_iter().filter(|(_, judgments)| !judgments.is_empty())
    }
}

/// Topics in any order.
#[derive(Debug, Default, PartialEq)]
struct Topics {
    topics: Vec<(String, Vec<Judgment>)>,
    /// Where each topic stands in `topics`; `None` as long as they ascend.
    positions: Option<HashMap<String, usize>>,
}

/// Judgments for which a topic that is new gets room.
const JUDGMENTS: usize = 4;

impl Topics {
    fn add(&mut self, topic: &str, document: &str, grade: f32) {
        let judgment = Judgment { item_id: document.to_owned(), grade };
        if let Some((_, judgments)) = self.topics.last_mut().filter(|(last, _)| last == topic) {
            judgments.push(judgment);
            return;
        }
        match self.position(topic).and_then(|position| self.topics.get_mut(position)) {
            Some((_, judgments)) => judgments.push(judgment),
            None => {
                self.note(topic);
                let mut judgments = Vec::with_capacity(JUDGMENTS);
                judgments.push(judgment);
                self.topics.push((topic.to_owned(), judgments));
            }
        }
    }

    fn position(&self, topic: &str) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(topic).copied(),
            None if self.topics.last().is_none_or(|(last, _)| last.as_str() < topic) => None,
            None => self.topics.binary_search_by(|(other, _)| other.as_str().cmp(topic)).ok(),
        }
    }

    /// Notes where a topic will stand that is new.
    fn note(&mut self, topic: &str) {
        if self.positions.is_none() && self.topics.last().is_some_and(|(last, _)| last.as_str() > topic) {
            self.positions = Some(self.topics.iter().map(|(topic, _)| topic.clone()).zip(0..).collect());
        }
        if let Some(positions) = &mut self.positions {
            positions.insert(topic.to_owned(), self.topics.len());
        }
    }

    /// Returns the judgments of the topic and forgets them.
    fn take(&mut self, topic: &str) -> Option<Vec<Judgment>> {
        let position = self.position(topic)?;
        let judgments = self.topics.get_mut(position).map(|(_, judgments)| std::mem::take(judgments))?;
        (!judgments.is_empty()).then_some(judgments)
    }
}

/// Topics that stand together, one at a time.
pub(in crate::load) struct StreamedTopics {
    rows: JudgmentRows,
    /// The first judgment of the next topic.
    next: Option<f32>,
    started: bool,
}

impl StreamedTopics {
    /// Returns a reader of the files.
    pub(in crate::load) fn new(paths: &[PathBuf]) -> Self {
        Self { rows: JudgmentRows::new(paths), next: None, started: false }
    }

    /// Returns the next topic with its judgments, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns what reading the files meets.
    pub(in crate::load) fn next(&mut self, dirt: &mut Dirt) -> Result<Option<(String, Vec<Judgment>)>, LoadError> {
        if !self.started {
            self.started = true;
            self.next = self.rows.advance(dirt)?;
        }
        let Some(mut grade) = self.next.take() else { return Ok(None) };
        let topic = self.rows.topic().to_owned();
        let mut judgments = Vec::new();
        loop {
            judgments.push(Judgment { item_id: self.rows.document().to_owned(), grade });
            match self.rows.advance(dirt)? {
                Some(next) if self.rows.topic() == topic => grade = next,
                next => {
                    self.next = next;
                    return Ok(Some((topic, settled(judgments, dirt))));
                }
            }
        }
    }
}

/// Returns the judgments of a topic with each document once: at its first place, with its last grade.
pub(in crate::load) fn settled(judgments: Vec<Judgment>, dirt: &mut Dirt) -> Vec<Judgment> {
    dirt.add_many(DirtKind::NegativeGrade, judgments.iter().filter(|judgment| judgment.grade < 0.0).count() as u64);
    let document = |index| judgments.get(index).map_or("", |judgment: &Judgment| judgment.item_id.as_str());
    if are_few_and_different(judgments.len(), document) {
        return judgments;
    }
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(judgments.len());
    let mut kept: Vec<(usize, f32)> = Vec::with_capacity(judgments.len());
    for (index, judgment) in judgments.iter().enumerate() {
        let place = *places.entry(&judgment.item_id).or_insert(kept.len());
        match kept.get_mut(place) {
            None => kept.push((index, judgment.grade)),
            Some((_, grade)) if *grade == judgment.grade => dirt.add(DirtKind::DuplicateJudgment),
            Some((_, grade)) => {
                dirt.add(DirtKind::ContradictingJudgment);
                *grade = judgment.grade;
            }
        }
    }
    if kept.len() == judgments.len() {
        return judgments;
    }
    let mut kept = kept.into_iter().peekable();
    let mut settled = Vec::with_capacity(kept.len());
    for (index, judgment) in judgments.into_iter().enumerate() {
        if let Some((_, grade)) = kept.next_if(|(place, _)| *place == index) {
            settled.push(Judgment { grade, ..judgment });
        }
    }
    settled
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const ALL: Share = Share { number: 0, of: 1 };

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        file
    }

    type Topics = Vec<(String, Vec<Judgment>)>;

    fn read(text: &str) -> (Result<Topics, LoadError>, Dirt) {
        let file = file(text);
        let paths = [file.path().to_owned()];
        let (mut dirt, mut looked) = (Dirt::default(), Dirt::default());
        let qrels = Qrels::read(&paths, ALL, &mut dirt);
        match (&qrels, Grouping::of(&paths, usize::MAX, true, &mut looked)) {
            (Ok(qrels), Ok(Grouping::Whole(whole))) => assert_eq!((&whole, &looked), (qrels, &dirt)),
            (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
            (one, other) => panic!("{one:?} {other:?}"),
        }
        let topics =
            qrels.map(|qrels| qrels.into_rest().map(|(topic, raw)| (topic, settled(raw, &mut dirt))).collect());
        (topics, dirt)
    }

    #[test]
    fn judgments_with_every_oddity_are_read_and_counted() {
        let text = "\u{feff}# comment here\n1 0.5  a 2\r\n1\t1\tb#3\t-1\n\n2 Q0 a 0\n1 0 a 2\n1 0 a 1\n  # indented\n";
        let (topics, dirt) = read(text);
        let topics = topics.expect("judgments");
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

    proptest! {
        #[test]
        fn topics_in_any_order_are_those_of_a_list_that_is_looked_through(
            rows in prop::collection::vec((0..12_u8, 0..50_u8), 0..60),
            ascending in any::<bool>(),
            asked in prop::collection::vec(0..14_u8, 0..20),
        ) {
            let mut rows = rows;
            if ascending {
                rows.sort_unstable();
            }
            let mut qrels = Qrels::default();
            let mut oracle: Vec<(String, Vec<Judgment>)> = Vec::new();
            for (topic, item) in rows {
                let (topic, item_id) = (topic.to_string(), item.to_string());
                qrels.add(&topic, &item_id, 1.0);
                if !oracle.iter().any(|(other, _)| *other == topic) {
                    oracle.push((topic.clone(), Vec::new()));
                }
                let (_, judgments) = oracle.iter_mut().find(|(other, _)| *other == topic).expect("a topic");
                judgments.push(Judgment { item_id, grade: 1.0 });
            }
            for topic in asked {
                let (topic, mut dirt) = (topic.to_string(), Dirt::default());
                let found = oracle.iter_mut().find(|(other, _)| *other == topic).map(|(_, all)| std::mem::take(all));
                let found = found.filter(|all| !all.is_empty()).map(|all| settled(all, &mut dirt));
                prop_assert_eq!(qrels.take(&topic, &mut dirt), found);
            }
            oracle.retain(|(_, judgments)| !judgments.is_empty());
            prop_assert_eq!(qrels.into_rest().collect::<Vec<_>>(), oracle);
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

    #[test]
    fn topics_that_stand_together_are_streamed_and_others_shared_out() {
        let together = file("b 0 x 1\nb 0 y 2\na 0 x 1\nc 0 x 3\n");
        let apart = file("b 0 x 1\na 0 x 1\nb 0 y 2\nb 0 x 0\nc 0 x 3\n");
        let grouping = |file: &tempfile::NamedTempFile, memory| {
            Grouping::of(&[file.path().to_owned()], memory, true, &mut Dirt::default()).expect("judgments")
        };
        let Grouping::Whole(whole) = grouping(&together, 1 << 20) else { panic!("it fits") };
        let topics: Vec<_> = whole.into_rest().map(|(topic, judgments)| (topic, judgments.len())).collect();
        assert_eq!(topics, [("b".to_owned(), 2), ("a".to_owned(), 1), ("c".to_owned(), 1)]);
        assert!(matches!(grouping(&together, 100), Grouping::Streamed));
        let Grouping::Passes(passes) = grouping(&apart, 100) else { panic!("not streamed") };
        assert!(passes > 1);

        let mut dirt = Dirt::default();
        let mut streamed = StreamedTopics::new(&[together.path().to_owned()]);
        let mut topics = Vec::new();
        while let Some((topic, judgments)) = streamed.next(&mut dirt).expect("judgments") {
            topics.push((topic, judgments.len()));
        }
        assert_eq!(topics, [("b".to_owned(), 2), ("a".to_owned(), 1), ("c".to_owned(), 1)]);

        let paths = [apart.path().to_owned()];
        let mut share = Some(Share { number: 0, of: passes });
        let mut all = Vec::new();
        while let Some(one) = share {
            all.extend(Qrels::read(&paths, one, &mut dirt).expect("judgments").into_rest());
            share = one.next();
        }
        all.sort_by(|one, other| one.0.cmp(&other.0));
        let (mut whole, _) = read("b 0 x 1\na 0 x 1\nb 0 y 2\nc 0 x 3\n");
        let whole = whole.as_mut().expect("judgments");
        whole.sort_by(|one, other| one.0.cmp(&other.0));
        let all: Vec<_> = all.into_iter().map(|(topic, raw)| (topic, settled(raw, &mut dirt).len())).collect();
        let whole: Vec<_> = whole.iter().map(|(topic, judgments)| (topic.clone(), judgments.len())).collect();
        assert_eq!(all, whole);
        assert_eq!(dirt.count(DirtKind::ContradictingJudgment), 1);
    }
}
