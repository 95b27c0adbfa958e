//! Paths to the list of hits: an answer without hits must differ from an answer that the path does not fit.

use jsonpath_rust::parser::model::{Segment, Selector};
use serde_json::Value;

use super::path::{JsonPath, Step, walk};

/// A JSONPath whose nodes are one per hit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ListPath {
    whole: JsonPath,
    /// The path of the list that it walks over; `None` for a path that searches the whole answer.
    list: Option<JsonPath>,
    /// The steps from an entry of the list to its value, where every entry must have one.
    in_entry: Option<Vec<Step>>,
    /// Where the list is one of several: the path of what holds them, which may itself be empty.
    holder: Option<Box<ListPath>>,
}

/// What a path finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Listed<'a> {
    /// A node for each hit.
    Nodes(Vec<&'a Value>),
    /// The list is not there, or null.
    Absent,
    /// The path does not fit the answer, in words.
    Misfit(String),
}

impl ListPath {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        JsonPath::parse(text).map(Self::of)
    }

    fn of(whole: JsonPath) -> Self {
        let segments = whole.segments();
        let many = |segment: &Segment| !matches!(segment, Segment::Selector(Selector::Name(_) | Selector::Index(_)));
        let Some(last) = segments.iter().rposition(many) else {
            // The path of the list itself, whose elements are the values.
            return Self { list: Some(whole.clone()), in_entry: Some(Vec::new()), whole, holder: None };
        };
        let (before, after) = segments.split_at(last);
        let (is_every, is_search) = match after.first() {
            Some(Segment::Selector(Selector::Wildcard)) => (true, false),
            Some(Segment::Descendant(_)) => (false, true),
            _ => (false, false),
        };
        let list = (!is_search).then(|| JsonPath::of(before.to_vec()));
        let rest = JsonPath::of(after.iter().skip(1).cloned().collect());
        let in_entry = rest.steps().filter(|_| is_every).map(<[Step]>::to_vec);
        let holder = list.as_ref().filter(|list| list.steps().is_none()).cloned();
        Self { whole, list, in_entry, holder: holder.map(|holder| Box::new(Self::of(holder))) }
    }

    /// Returns what the path finds in `answer`.
    pub(super) fn find<'a>(&self, answer: &'a Value) -> Listed<'a> {
        let Some(list) = &self.list else { return Listed::Nodes(self.whole.find(answer)) };
        let mut entries: Vec<&Value> = Vec::new();
        let (mut found, mut absent) = (0, 0);
        for node in list.find(answer) {
            found += 1;
            match node {
                Value::Array(elements) => entries.extend(elements),
                Value::Null => absent += 1,
                other => return Listed::Misfit(format!("`{list}` is {}, expected a list", described(other))),
            }
        }
        if found == absent {
            let no_lists = |holder: &Self| holder.find(answer) == Listed::Nodes(Vec::new());
            let empty = found == 0 && self.holder.as_deref().is_some_and(no_lists);
            return if empty { Listed::Nodes(Vec::new()) } else { Listed::Absent };
        }
        let Some(in_entry) = &self.in_entry else { return Listed::Nodes(self.whole.find(answer)) };
        let mut nodes = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            match walk(entry, in_entry) {
                Some(node) => nodes.push(node),
                None => return Listed::Misfit(format!("`{}` finds nothing in entry {index} of `{list}`", self.whole)),
            }
        }
        Listed::Nodes(nodes)
    }

    /// Returns the path of the list, in words.
    pub(super) fn list(&self) -> String {
        self.list.as_ref().unwrap_or(&self.whole).to_string()
    }
}

/// Returns what a value is, in words, with the value itself where it is short.
pub(super) fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 40 => format!("the text `{}`", text.escape_debug()),
        Value::String(_) => "a long text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(path: &str, answer: &Value) -> Result<Vec<Value>, String> {
        match ListPath::parse(path).unwrap().find(answer) {
            Listed::Nodes(nodes) => Ok(nodes.into_iter().cloned().collect()),
            Listed::Absent => Err("absent".into()),
            Listed::Misfit(words) => Err(words),
        }
    }

    #[test]
    fn an_empty_list_is_no_hits_and_a_missing_one_is_a_misfit() {
        let path = "$.hits.hits[*]._id";
        assert_eq!(find(path, &json!({ "hits": { "hits": [] } })), Ok(vec![]));
        assert_eq!(find(path, &json!({ "hits": { "hits": [{ "_id": "a" }] } })), Ok(vec![json!("a")]));
        assert_eq!(find(path, &json!({ "hits": {} })), Err("absent".into()));
        assert_eq!(find(path, &json!({ "hits": { "hits": null } })), Err("absent".into()));
        assert_eq!(find(path, &json!([])), Err("absent".into()));
        assert_eq!(
            find(path, &json!({ "hits": { "hits": { "a": 1 } } })),
            Err("`$.hits.hits` is an object, expected a list".into())
        );
        assert_eq!(
            find(path, &json!({ "hits": { "hits": [{ "_id": 1 }, { "id": 2 }] } })),
            Err("`$.hits.hits[*]._id` finds nothing in entry 1 of `$.hits.hits`".into())
        );
    }

    #[test]
    fn other_shapes_of_paths_find_their_lists() {
        let answer = json!({ "ids": [["a", "b"]], "rows": [["x", 1], ["y", 2]], "mixed": [{ "id": 1 }, { "ad": 2 }] });
        assert_eq!(find("$.ids[0][*]", &answer), Ok(vec![json!("a"), json!("b")]));
        assert_eq!(find("$.ids[0]", &answer), Ok(vec![json!("a"), json!("b")]));
        assert_eq!(find("$.rows[*][0]", &answer), Ok(vec![json!("x"), json!("y")]));
        assert_eq!(find("$.mixed[?@.id].id", &answer), Ok(vec![json!(1)]));
        assert_eq!(find("$.nope[?@.id].id", &answer), Err("absent".into()));
        assert_eq!(find("$.rows[0:1][1]", &answer), Ok(vec![json!(1)]));
        assert_eq!(find("$..id", &answer), Ok(vec![json!(1)]));
        assert_eq!(find("$..nope", &answer), Ok(vec![]));
        assert_eq!(find("$[*].id", &json!([{ "id": "a" }])), Ok(vec![json!("a")]));
        assert_eq!(
            find("$[*].id", &json!({ "error": "no such table" })),
            Err("`$` is an object, expected a list".into())
        );
        let groups = json!({ "groups": [{ "docs": [{ "id": 1 }] }, { "docs": [{ "id": 2 }] }] });
        let path = "$.groups[*].docs[*].id";
        assert_eq!(find(path, &groups), Ok(vec![json!(1), json!(2)]));
        assert_eq!(find(path, &json!({ "groups": [] })), Ok(vec![]));
        assert_eq!(find(path, &json!({ "groups": [{}] })), Err("absent".into()));
        assert_eq!(find(path, &json!({})), Err("absent".into()));
    }
}
