//! JSONPaths (RFC 9535), parsed once.

use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

/// A JSONPath.
///
/// Paths of names and indexes, which nearly all are, are walked here: the library spells out the place of each node that it
/// finds, which costs more than reading the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    segments: Vec<Segment>,
    steps: Option<Vec<Step>>,
}

/// A step to at most one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Name(String),
    Index(i64),
}

impl JsonPath {
    /// Parses a path such as `$.hits[*].id`.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('$') {
            return Err(format!("`{text}` is not a JSONPath: it starts with `$`, such as `$.hits[*].id`"));
        }
        let query = parse_json_path(text).map_err(|error| {
            // The library draws the place in several lines; the last one says what was expected.
            let error = error.to_string();
            let last = error.lines().last().unwrap_or("").trim().trim_start_matches("= ");
            format!("`{text}` is not a JSONPath: {last}")
        })?;
        Ok(Self::of(query.segments))
    }

    pub(super) fn of(segments: Vec<Segment>) -> Self {
        let steps = segments.iter().map(Step::of).collect();
        Self { segments, steps }
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Returns the steps of a path to at most one node.
    pub(super) fn steps(&self) -> Option<&[Step]> {
        self.steps.as_deref()
    }

    /// Returns the nodes that the path finds in `root`, in order.
    #[must_use]
    pub fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        match &self.steps {
            Some(steps) => walk(root, steps).into_iter().collect(),
            None => {
                let query = JpQuery::new(self.segments.clone());
                // The library fails where the path ends in a value that is not in the document; none of ours can.
                js_path_process(&query, root).into_iter().flatten().map(|node| node.val).collect()
            }
        }
    }
}

impl std::fmt::Display for JsonPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("$")?;
        for segment in &self.segments {
            write_segment(formatter, segment)?;
        }
        Ok(())
    }
}

fn write_segment(formatter: &mut std::fmt::Formatter<'_>, segment: &Segment) -> std::fmt::Result {
    match segment {
        Segment::Selector(Selector::Name(name)) if is_plain(name) => write!(formatter, ".{name}"),
        Segment::Selector(Selector::Name(name)) => write!(formatter, "['{name}']"),
        Segment::Selector(Selector::Wildcard) => formatter.write_str("[*]"),
        Segment::Selector(Selector::Index(index)) => write!(formatter, "[{index}]"),
        other => write!(formatter, "{other}"),
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|character| character.is_alphanumeric() || character == '_')
}

impl Step {
    fn of(segment: &Segment) -> Option<Self> {
        match segment {
            Segment::Selector(Selector::Name(name)) => Some(Self::Name(name.clone())),
            Segment::Selector(Selector::Index(index)) => Some(Self::Index(*index)),
            _ => None,
        }
    }
}

/// Returns the node at the end of `steps`, if it is there.
pub(super) fn walk<'a>(root: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    let mut node = root;
    for step in steps {
        node = match step {
            Step::Name(name) => node.as_object()?.get(name)?,
            Step::Index(index) => {
                let elements = node.as_array()?;
                let length = i64::try_from(elements.len()).ok()?;
                let index = if *index < 0 { length.checked_add(*index)? } else { *index };
                elements.get(usize::try_from(index).ok()?)?
            }
        };
    }
    Some(node)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_what_the_library_finds() {
        let document = json!({
            "took": 3, "a b": [1, 2, 3], "nested": { "list": [{ "id": "x" }, { "id": 7, "s": null }, {}] }, "null": null,
        });
        let paths = [
            "$",
            "$.took",
            "$['a b'][0]",
            "$['a b'][-1]",
            "$['a b'][-4]",
            "$['a b'][9]",
            "$.nested.list[*].id",
            "$.nested.list[1].s",
            "$..id",
            "$.nope.deeper",
            "$.took.deeper",
            "$.took[0]",
            "$.null",
            "$.nested.list[0:2].id",
            "$.nested.list[?@.id == 'x'].id",
            "$.nested.*",
            "$['took', 'null']",
        ];
        for path in paths {
            let query = parse_json_path(path).unwrap();
            let expected: Vec<&Value> =
                js_path_process(&query, &document).unwrap().into_iter().map(|node| node.val).collect();
            assert_eq!(JsonPath::parse(path).unwrap().find(&document), expected, "{path}");
        }
    }

    #[test]
    fn a_text_that_is_no_path_is_refused() {
        for text in ["", "hits", "$.", "$[", "$.a[?]", "$.hits[*", "$$", "$.a..", "$['a"] {
            assert!(JsonPath::parse(text).unwrap_err().contains("is not a JSONPath"), "{text}");
        }
    }
}
