//! Topics in the formats that TREC tracks have used.

use std::collections::HashMap;
use std::path::Path;

use super::markup::{sgml_topics, xml_topics};
use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::files::Lines;

/// A topic: what was searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::load) struct Topic {
    pub(in crate::load) id: String,
    pub(in crate::load) query: Option<String>,
    /// Everything else that the topic says, by name: `question`, `description`, `narrative`.
    pub(in crate::load) details: Vec<(String, String)>,
    /// 1-based line of the file.
    pub(in crate::load) row: u64,
}

/// Returns the topics of a file in its order; XML and SGML are told by their first character.
///
/// # Errors
///
/// Returns [`LoadError::Io`] when the file cannot be read, [`LoadError::Row`] for a topic that cannot be understood and
/// [`LoadError::Duplicate`] for a topic id that occurs twice.
pub(in crate::load) fn read_topics(path: &Path, dirt: &mut Dirt) -> Result<Vec<Topic>, LoadError> {
    let mut lines = Lines::open(path)?;
    let mut text = String::new();
    while let Some((_, line)) = lines.next_line()? {
        text.push_str(line);
        text.push('\n');
    }
    let topics = if !text.trim_start().starts_with('<') {
        line_topics(&text, dirt)
    } else if text.contains("<topic ") || text.contains("<topic>") {
        xml_topics(&text)
    } else {
        sgml_topics(&text)
    };
    let topics = topics.map_err(|(row, reason)| LoadError::Row { path: path.to_owned(), row, reason })?;
    refuse_duplicates(path, &topics)?;
    let empty = topics.iter().filter(|topic| topic.query.is_none()).count();
    dirt.add_many(DirtKind::EmptyQuery, empty as u64);
    Ok(topics)
}

/// Looks at the first line of a file of topics; XML and SGML say nothing by one.
///
/// # Errors
///
/// Returns an error that [`read_topics`] returns too.
pub(in crate::load) fn look_at_topics(path: &Path) -> Result<(), LoadError> {
    let mut lines = Lines::open(path)?;
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            continue;
        }
        if !line.trim_start().starts_with('<') {
            line_topic(line, row).map_err(|reason| LoadError::Row { path: path.to_owned(), row, reason })?;
        }
        break;
    }
    Ok(())
}

fn refuse_duplicates(path: &Path, topics: &[Topic]) -> Result<(), LoadError> {
    let mut met: HashMap<&str, u64> = HashMap::new();
    for topic in topics {
        if let Some(first) = met.insert(&topic.id, topic.row) {
            let (path, row, id) = (path.to_owned(), topic.row, topic.id.clone());
            return Err(LoadError::Duplicate { path, row, what: "topic", id, first });
        }
    }
    Ok(())
}

fn line_topics(text: &str, dirt: &mut Dirt) -> Result<Vec<Topic>, (u64, String)> {
    let mut topics = Vec::new();
    for (line, row) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            dirt.add(DirtKind::BlankLine);
            continue;
        }
        topics.push(line_topic(line, row).map_err(|reason| (row, reason))?);
    }
    Ok(topics)
}

fn line_topic(line: &str, row: u64) -> Result<Topic, String> {
    let (id, query) = line.split_once('\t').ok_or("found no tab, expected `id TAB text` (or topics in XML or SGML)")?;
    if id.trim().is_empty() {
        return Err("the topic has no id, expected `id TAB text`".into());
    }
    Ok(Topic { id: id.trim().to_owned(), query: one_line(query), details: Vec::new(), row })
}

/// Returns the text with its runs of white space as single spaces, or `None` where there is nothing else.
pub(super) fn one_line(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}
