//! Topics and their judgments become sessions.

use serde_json::{Map, Value};

use super::qrels::Qrels;
use super::topics::{Topic, read_topics};
use crate::benchmark::spec::TrecSpec;
use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::files;
use crate::session::Session;

/// Returns one session per topic, in order of first appearance: the topics, then what is judged without a topic.
///
/// # Errors
///
/// Returns [`LoadError::NoMatch`] or [`LoadError::Io`] when a file is missing or cannot be read, [`LoadError::Row`] for a
/// line that cannot be understood and [`LoadError::Duplicate`] for a topic id that occurs twice.
pub(in crate::load) fn read(spec: &TrecSpec, dirt: &mut Dirt) -> Result<Vec<Session>, LoadError> {
    let mut qrels = Qrels::default();
    for path in files::expand(&spec.qrels)? {
        qrels.read(&path, dirt)?;
    }
    let mut sessions = Vec::new();
    if let Some(pattern) = &spec.topics {
        for path in files::expand(pattern)? {
            for topic in read_topics(&path, dirt)? {
                let judgments = qrels.take(&topic.id).unwrap_or_default();
                if judgments.is_empty() {
                    dirt.add(DirtKind::TopicWithoutJudgments);
                }
                sessions.push(Session { judgments, ..of_topic(topic) });
            }
        }
    }
    for (session_id, judgments) in qrels.into_rest() {
        if spec.topics.is_some() {
            dirt.add(DirtKind::JudgmentsWithoutTopic);
        }
        sessions.push(Session { session_id, judgments, ..Session::default() });
    }
    Ok(sessions)
}

fn of_topic(topic: Topic) -> Session {
    let details: Map<String, Value> = topic.details.into_iter().map(|(tag, text)| (tag, Value::from(text))).collect();
    let inputs = (!details.is_empty()).then(|| Value::Object(details).to_string());
    Session { session_id: topic.id, query: topic.query, inputs, ..Session::default() }
}
