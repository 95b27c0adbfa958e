//! Topics and their judgments become sessions.

use std::collections::HashMap;
use std::path::PathBuf;

use datafusion::arrow::array::RecordBatch;
use serde_json::{Map, Value};

use super::grouped::{Grouping, Qrels, Share, StreamedTopics, settled};
use super::judgment_rows::look_at_judgments;
use super::topics::{Topic, look_at_topics, read_topics};
use crate::benchmark::spec::TrecSpec;
use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::files;
use crate::load::held::Held;
use crate::session::{Judgment, Session};
use crate::storage::is_url;

/// What a topic takes in memory besides its texts.
const TOPIC_BYTES: usize = 300;

/// One session per topic, and one for each topic that is judged without being in the topics file.
pub(in crate::load) struct TrecSessions {
    qrels: Vec<PathBuf>,
    /// `None` for each that has become a session.
    topics: Vec<Option<Topic>>,
    has_topics: bool,
    stage: Stage,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it per input")]
enum Stage {
    /// The topics of a share, then what is judged without a topic.
    Topics {
        share: Share,
        qrels: Qrels,
        next: usize,
    },
    Rest {
        share: Share,
        rest: Box<dyn Iterator<Item = (String, Vec<Judgment>)> + Send>,
    },
    /// The judgments as they stand, then the topics without any.
    Streamed {
        judged: StreamedTopics,
        places: HashMap<String, usize>,
    },
    Unjudged {
        next: usize,
    },
}

impl TrecSessions {
    /// Reads the topics, and looks at how the judgments lie. A quarter of `memory_bytes` may be taken by the topics, another
    /// by judgments.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::NoMatch`] or [`LoadError::Io`] when a file is missing or cannot be read, [`LoadError::Row`] for
    /// a line that cannot be understood, [`LoadError::Duplicate`] for a topic id that occurs twice and
    /// [`LoadError::Memory`] when the topics do not fit.
    pub(in crate::load) fn open(spec: &TrecSpec, memory_bytes: usize, dirt: &mut Dirt) -> Result<Self, LoadError> {
        let qrels = files::expand(&spec.qrels)?;
        let mut topics = Vec::new();
        let mut held = Held::new(memory_bytes / 4, "reading the topics");
        if let Some(pattern) = &spec.topics {
            for path in files::expand(pattern)? {
                for topic in read_topics(&path, dirt)? {
                    held.add(&path, topic.id.len() + topic.query.as_ref().map_or(0, String::len) + TOPIC_BYTES)?;
                    topics.push(Some(topic));
                }
            }
        }
        let stage = match Grouping::of(&qrels, memory_bytes / 4, true, dirt)? {
            Grouping::Whole(qrels) => Stage::Topics { share: Share::WHOLE, qrels, next: 0 },
            Grouping::Passes(of) => {
                let share = Share { number: 0, of };
                Stage::Topics { share, qrels: Qrels::read(&qrels, share, dirt)?, next: 0 }
            }
            Grouping::Streamed => {
                let ids = topics.iter().flatten().map(|topic: &Topic| topic.id.clone());
                Stage::Streamed { judged: StreamedTopics::new(&qrels), places: ids.zip(0..).collect() }
            }
        };
        Ok(Self { qrels, topics, has_topics: spec.topics.is_some(), stage })
    }

    /// Looks at the first topic and the first judgment of each file that lies on this machine.
    ///
    /// # Errors
    ///
    /// Returns an error that [`TrecSessions::open`] returns too.
    pub(in crate::load) fn look(spec: &TrecSpec) -> Result<(), LoadError> {
        for pattern in spec.topics.iter().filter(|pattern| !is_url(pattern)) {
            files::expand(pattern)?.iter().try_for_each(|path| look_at_topics(path))?;
        }
        if is_url(&spec.qrels) {
            return Ok(());
        }
        files::expand(&spec.qrels)?.iter().try_for_each(|path| look_at_judgments(path))
    }

    /// Returns the next sessions in columns, `most` of them or as many as there are, where they are judgments and nothing else and
    /// stand in that form. Returns `None` where they do not, and at the end.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Damaged`] where a column cannot hold so much.
    pub(in crate::load) fn next_columns(
        &mut self,
        most: usize,
        dirt: &mut Dirt,
    ) -> Result<Option<RecordBatch>, LoadError> {
        let Stage::Topics { qrels, .. } = &mut self.stage else { return Ok(None) };
        let Some(topics) = qrels.ascending().filter(|_| !self.has_topics) else { return Ok(None) };
        topics.next_sessions(most, dirt).map_err(|source| LoadError::Damaged {
            path: self.qrels.first().cloned().unwrap_or_default(),
            format: "table of judgments",
            source: Box::new(source),
        })
    }

    /// Returns the next session, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns what reading the judgments meets.
    pub(in crate::load) fn next_session(&mut self, dirt: &mut Dirt) -> Result<Option<Session>, LoadError> {
        loop {
            match &mut self.stage {
                Stage::Topics { share, qrels, next } => {
                    if let Some(topic) = next_topic(&mut self.topics, next, |topic| share.holds(&topic.id)) {
                        let judgments = qrels.take(&topic.id, dirt).unwrap_or_default();
                        return Ok(Some(of_topic(topic, judgments, dirt)));
                    }
                    let rest = Box::new(std::mem::take(qrels).into_rest());
                    self.stage = Stage::Rest { share: *share, rest };
                }
                Stage::Rest { share, rest } => {
                    if let Some((topic, judgments)) = rest.next() {
                        let judgments = settled(judgments, dirt);
                        return Ok(Some(without_topic(topic, judgments, self.has_topics, dirt)));
                    }
                    let Some(share) = share.next() else { return Ok(None) };
                    // The shares before it are let go before this one is read.
                    self.stage = Stage::Unjudged { next: usize::MAX };
                    let qrels = Qrels::read(&self.qrels, share, dirt)?;
                    self.stage = Stage::Topics { share, qrels, next: 0 };
                }
                Stage::Streamed { judged, places } => {
                    if let Some((id, judgments)) = judged.next(dirt)? {
                        let place = places.get(&id).and_then(|place| self.topics.get_mut(*place));
                        return Ok(Some(match place.and_then(Option::take) {
                            Some(topic) => of_topic(topic, judgments, dirt),
                            None => without_topic(id, judgments, self.has_topics, dirt),
                        }));
                    }
                    self.stage = Stage::Unjudged { next: 0 };
                }
                Stage::Unjudged { next } => {
                    let topic = next_topic(&mut self.topics, next, |_| true);
                    return Ok(topic.map(|topic| of_topic(topic, Vec::new(), dirt)));
                }
            }
        }
    }
}

fn next_topic(topics: &mut [Option<Topic>], next: &mut usize, is_wanted: impl Fn(&Topic) -> bool) -> Option<Topic> {
    while let Some(topic) = topics.get_mut(*next) {
        *next += 1;
        if topic.as_ref().is_some_and(&is_wanted) {
            return topic.take();
        }
    }
    None
}

fn of_topic(topic: Topic, judgments: Vec<Judgment>, dirt: &mut Dirt) -> Session {
    if judgments.is_empty() {
        dirt.add(DirtKind::TopicWithoutJudgments);
    }
    let details: Map<String, Value> = topic.details.into_iter().map(|(tag, text)| (tag, Value::from(text))).collect();
    let inputs = (!details.is_empty()).then(|| Value::Object(details).to_string());
    Session { session_id: topic.id, query: topic.query, inputs, judgments, ..Session::default() }
}

fn without_topic(session_id: String, judgments: Vec<Judgment>, has_topics: bool, dirt: &mut Dirt) -> Session {
    if has_topics {
        dirt.add(DirtKind::JudgmentsWithoutTopic);
    }
    Session { session_id, judgments, ..Session::default() }
}
