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
    /// Where the list is one of several: the path of what must have one each.
    holders: Option<JsonPath>,
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
            return Self { list: Some(whole.clone()), in_entry: Some(Vec::new()), whole, holder: None, holders: None };
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
        let holders = holder.as_ref().and_then(|holder| {
            let last = holder.segments().iter().rposition(many)?;
            Some(JsonPath::of(holder.segments().get(..=last)?.to_vec()))
        });
        Self { whole, list, in_entry, holder: holder.map(|holder| Box::new(Self::of(holder))), holders }
    }

    /// Returns what the path finds in `answer`.
    pub(super) fn find<'a>(&self, answer: &'a Value) -> Listed<'a> {
        let Some(list) = &self.list else {
            // What is searched for may be nowhere, or the answer be of another kind: that cannot be told.
            let nodes = self.whole.find(answer);
            return if nodes.is_empty() { Listed::Absent } else { Listed::Nodes(nodes) };
        };
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
        let holders = self.holders.as_ref().map_or(found, |holders| holders.find(answer).len());
        if absent > 0 || found < holders {
            let (lists, most) = (found - absent, holders.max(found));
            return Listed::Misfit(format!("only {lists} of {most} have a list `{list}`"));
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

    /// Whether an answer without the list has at least the object or the list that would hold it.
    pub(super) fn could_be_there(&self, answer: &Value) -> bool {
        let Some((_, before)) = self.list.as_ref().and_then(|list| list.segments().split_last()) else { return true };
        let found = JsonPath::of(before.to_vec()).find(answer);
        found.iter().any(|node| node.is_object() || node.is_array())
            || self.holder.as_ref().is_some_and(|holder| holder.could_be_there(answer))
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
        assert_eq!(find("$..nope", &answer), Err("absent".into()));
        assert_eq!(find("$..nope[*].id", &answer), Err("absent".into()));
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
        let words = Err("only 1 of 2 have a list `$.groups[*].docs`".to_owned());
        assert_eq!(find(path, &json!({ "groups": [{ "docs": [{ "id": 1 }] }, {}] })), words);
        assert_eq!(find(path, &json!({ "groups": [{ "docs": [{ "id": 1 }] }, { "docs": null }] })), words);
        let by_type = json!({ "Get": { "A": [{ "id": 1 }], "B": [] } });
        assert_eq!(find("$.Get[*][*].id", &by_type), Ok(vec![json!(1)]));
        assert_eq!(find(path, &json!({})), Err("absent".into()));
    }

    #[test]
    fn a_list_could_be_there_where_what_holds_it_is() {
        let could = |path: &str, answer: Value| ListPath::parse(path).unwrap().could_be_there(&answer);
        assert!(could("$.root.children[*].id", json!({ "root": { "fields": {} } })));
        for foreign in [json!({}), json!({ "root": null }), json!({ "message": "hello" }), json!([1]), json!("x")] {
            assert!(!could("$.root.children[*].id", foreign));
        }
        assert!(could("$.root.groups[*].docs[*].id", json!({ "root": {} })));
        assert!(!could("$.root.groups[*].docs[*].id", json!({ "x": 1 })));
        assert!(could("$.hits[*].id", json!({})) && !could("$.hits[*].id", json!("x")));
    }
}
