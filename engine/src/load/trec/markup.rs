//! Topics in XML and in the SGML of the early tracks, whose tags need not be closed.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::QName;

use super::topics::{Topic, one_line};

/// A 1-based line, and what is wrong there.
type Fault = (u64, String);

/// Returns the topics of an XML file: `<topic number="1">` around `<query>`, `<question>`, `<narrative>`, or around the
/// text itself.
pub(super) fn xml_topics(text: &str) -> Result<Vec<Topic>, Fault> {
    let mut reader = Reader::from_str(text);
    let mut topics = Vec::new();
    let mut open: Option<XmlTopic> = None;
    let (mut position, mut row) = (0, 1);
    loop {
        // The position stands before the event that is read next: only what was passed since is counted.
        let before = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        row += text.get(position..before).map_or(0, newlines);
        position = before;
        let event = reader.read_event();
        match event.map_err(|error| (row, format!("not well-formed XML: {error}")))? {
            Event::Eof if open.is_some() => return Err((row, "the file ends inside a topic, it is cut off".into())),
            Event::Eof if topics.is_empty() => return Err(no_topic()),
            Event::Eof => return Ok(topics),
            Event::Start(tag) | Event::Empty(tag) if is_topic(tag.name()) && open.is_some() => {
                let reason = format!("`<{}>` inside a topic, expected `</topic>`", String::from_utf8_lossy(&tag));
                return Err((row, reason));
            }
            Event::Start(tag) if is_topic(tag.name()) => open = Some(XmlTopic::open(&tag, row)?),
            Event::Empty(tag) if is_topic(tag.name()) => topics.push(XmlTopic::open(&tag, row)?.close()),
            Event::End(tag) if is_topic(tag.name()) => {
                topics.extend(open.take().map(XmlTopic::close));
            }
            event => {
                if let Some(topic) = &mut open {
                    topic.take(event, row)?;
                }
            }
        }
    }
}

fn is_topic(name: QName<'_>) -> bool {
    name.local_name().as_ref() == b"topic"
}

fn no_topic() -> Fault {
    (1, "found no topic, expected `<top>` or `<topic number=\"...\">`".into())
}

/// A topic whose end tag has not come yet.
struct XmlTopic {
    topic: Topic,
    /// The fields met, by tag; the tag of text that stands in the topic itself is empty.
    fields: Vec<(String, String)>,
    path: Vec<String>,
}

impl XmlTopic {
    fn open(tag: &BytesStart<'_>, row: u64) -> Result<Self, Fault> {
        let mut id = None;
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| (row, format!("not well-formed XML: {error}")))?;
            if matches!(attribute.key.as_ref(), b"number" | b"id") {
                let value =
                    attribute.unescape_value().map_err(|error| (row, format!("not well-formed XML: {error}")))?;
                id = one_line(&value);
            }
        }
        let id = id.ok_or_else(|| (row, "the topic has no attribute `number`".to_owned()))?;
        Ok(Self { topic: Topic { id, row, ..Topic::default() }, fields: Vec::new(), path: Vec::new() })
    }

    fn take(&mut self, event: Event<'_>, row: u64) -> Result<(), Fault> {
        let fault = |error: &dyn std::fmt::Display| (row, format!("not well-formed XML: {error}"));
        match event {
            Event::Start(tag) => self.path.push(String::from_utf8_lossy(tag.local_name().as_ref()).to_lowercase()),
            Event::End(_) => {
                self.path.pop();
            }
            Event::Text(text) => self.append(&text.decode().map_err(|error| fault(&error))?),
            Event::CData(text) => self.append(&text.decode().map_err(|error| fault(&error))?),
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|error| fault(&error))?;
                let character = unescape(&format!("&{name};")).map_err(|error| fault(&error))?.into_owned();
                self.append(&character);
            }
            _ => {}
        }
        Ok(())
    }

    fn append(&mut self, text: &str) {
        let tag = self.path.first().map_or("", String::as_str);
        match self.fields.iter_mut().find(|(known, _)| known == tag) {
            Some((_, known)) => known.push_str(text),
            None => self.fields.push((tag.to_owned(), text.to_owned())),
        }
    }

    fn close(self) -> Topic {
        with_fields(self.topic, self.fields, &["query", "title", "", "question"])
    }
}

/// Takes the query from the first of `preferred` that says something; the other fields become details.
fn with_fields(mut topic: Topic, fields: Vec<(String, String)>, preferred: &[&str]) -> Topic {
    let mut fields: Vec<(String, String)> =
        fields.into_iter().filter_map(|(tag, text)| Some((tag, one_line(&text)?))).collect();
    let query = preferred.iter().find_map(|tag| fields.iter().position(|(name, _)| name == tag));
    topic.query = query.map(|position| fields.remove(position).1);
    topic.details = fields.into_iter().filter(|(tag, _)| !tag.is_empty()).collect();
    topic
}

/// Returns the topics of an SGML file: `<top>`, `<num> Number: 301`, `<title> text`, each field ending where the next tag
/// starts.
pub(super) fn sgml_topics(text: &str) -> Result<Vec<Topic>, Fault> {
    let mut topics = Vec::new();
    let mut open: Option<(u64, Vec<(String, String)>)> = None;
    let mut rest = text;
    let mut row = 1;
    while let Some((before, tag, after)) = next_tag(rest) {
        if let Some((_, fields)) = &mut open
            && let Some((_, field)) = fields.last_mut()
        {
            field.push_str(before);
        }
        row += newlines(before);
        match tag.to_lowercase().as_str() {
            "top" => {
                if open.is_some() {
                    return Err((row, "a topic starts inside another, expected `</top>`".into()));
                }
                open = Some((row, Vec::new()));
            }
            "/top" => topics.extend(open.take().map(sgml_topic).transpose()?),
            name => {
                if let Some((_, fields)) = &mut open {
                    // Text after an end tag belongs to no field.
                    fields.push((name.trim_start_matches('/').to_owned(), String::new()));
                    if name.starts_with('/') {
                        fields.push((String::new(), String::new()));
                    }
                }
            }
        }
        rest = after;
    }
    if open.is_some() {
        return Err((row, "the file ends inside a topic, it is cut off".into()));
    }
    if topics.is_empty() {
        return Err(no_topic());
    }
    Ok(topics)
}

fn newlines(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}

/// Returns what stands before the next tag, its name, and what stands after it. A `<` that starts no tag is text.
fn next_tag(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let start = from + text.get(from..)?.find('<')?;
        let inside = text.get(start + 1..)?;
        let length = inside.find(|character: char| !character.is_ascii_alphanumeric() && character != '/');
        let length = length.unwrap_or(inside.len());
        let (name, after) = inside.split_at(length);
        let is_tag = name.trim_start_matches('/').starts_with(|character: char| character.is_ascii_alphabetic());
        if is_tag && let Some(after) = after.strip_prefix('>') {
            return Some((&text[..start], name, after));
        }
        from = start + 1;
    }
}

fn sgml_topic((row, fields): (u64, Vec<(String, String)>)) -> Result<Topic, Fault> {
    let mut kept = Vec::new();
    let mut id = None;
    for (tag, text) in fields {
        let text = unescape(&text).map_or_else(|_| text.clone(), std::borrow::Cow::into_owned);
        match tag.as_str() {
            "num" if id.is_none() => id = one_line(text.trim().trim_start_matches("Number:")),
            "title" => kept.push(("title".into(), without_label(&text, "Topic:"))),
            "desc" => kept.push(("description".into(), without_label(&text, "Description:"))),
            "narr" => kept.push(("narrative".into(), without_label(&text, "Narrative:"))),
            "" | "num" => {}
            _ => kept.push((tag, text)),
        }
    }
    let id = id.ok_or_else(|| (row, "the topic has no `<num>`".to_owned()))?;
    Ok(with_fields(Topic { id, row, ..Topic::default() }, kept, &["title"]))
}

fn without_label(text: &str, label: &str) -> String {
    let text = text.trim();
    text.strip_prefix(label).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_topics_carry_query_and_details() {
        let text = "<topics task=\"x\">\n  <topic number=\"1\">\n <query>a &amp; b&#33;</query>\n\
                    <question>what\n is it</question><!-- note --><narrative><![CDATA[x < y]]></narrative>\n</topic>\n\
                    <topic number=\"2\">plain text</topic></topics>";
        let topics = xml_topics(text).expect("topics");
        assert_eq!((topics[0].id.as_str(), topics[0].query.as_deref()), ("1", Some("a & b!")));
        let details = [("question", "what is it"), ("narrative", "x < y")];
        assert_eq!(topics[0].details, details.map(|(tag, text)| (tag.to_owned(), text.to_owned())));
        assert_eq!((topics[0].row, topics[1].row), (2, 7));
        assert_eq!(topics[1].query.as_deref(), Some("plain text"));
    }

    #[test]
    fn sgml_topics_need_no_end_tags() {
        let text = "<top>\n<num> Number: 301\n<title> Topic: International Organized Crime\n\n<desc> Description:\n\
                    who & why < 3\n<narr> Narrative:\nlong\ntext\n</top>\n\n\
                    <top><num> 2</num> <title>\nclosed\ntitle .\n</title>\n</top>";
        let topics = sgml_topics(text).expect("topics");
        assert_eq!((topics[0].id.as_str(), topics[0].query.as_deref()), ("301", Some("International Organized Crime")));
        assert_eq!(topics[0].details[0], ("description".into(), "who & why < 3".into()));
        assert_eq!((topics[1].id.as_str(), topics[1].query.as_deref()), ("2", Some("closed title .")));
        assert_eq!(topics[1].row, 12);
        assert!(topics[1].details.is_empty());
    }

    #[test]
    fn damaged_markup_is_named_by_line() {
        assert_eq!(xml_topics("<topics>\n<topic number=\"1\"><query>a</q></topic>").expect_err("a fault").0, 2);
        assert!(xml_topics("<topics>\n<topic number=\"1\"><query>a").is_err());
        assert!(xml_topics("<topics>\n<topic><query>a</query></topic>").expect_err("a fault").1.contains("number"));
        let nested = xml_topics("<topics>\n<topic number=\"1\">\n<topic number=\"2\">a</topic></topic></topics>");
        assert!(nested.expect_err("a fault").1.contains("inside a topic"));
        assert!(xml_topics("<topics a=\"<topic \"></topics>").is_err());
        let empty = xml_topics("<topics><topic number=\"1\"/></topics>").expect("topics");
        assert_eq!((empty[0].id.as_str(), &empty[0].query), ("1", &None));
        assert!(sgml_topics("<top><num> 1 <title> a").expect_err("a fault").1.contains("cut off"));
        assert!(sgml_topics("<top><title> a </top>").expect_err("a fault").1.contains("<num>"));
        assert!(sgml_topics("<html>\n<b>x</b>").expect_err("a fault").1.contains("no topic"));
        assert!(sgml_topics("<<<<<").is_err());
    }
}
