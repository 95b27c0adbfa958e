//! A condition as it was written, read and checked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::platform::error::ApiError;

/// A condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What it does.
    pub does: Does,
    /// Whether capitals and small letters differ; they do not where nothing is said.
    pub case_sensitive: bool,
}

/// What a condition does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// All of them hold.
    All(Vec<Condition>),
    /// One of them holds.
    Any(Vec<Condition>),
    /// None of them holds.
    Not(Vec<Condition>),
    /// A field has, or has not, some value.
    Test(Test),
}

/// A test of one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// The field.
    pub field: String,
    /// How it is tested.
    pub operator: Operator,
    /// With what.
    pub value: Value,
}

/// How a field is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "`OPERATORS` has their names on the wire, which say all")]
pub enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    AtLeast,
    AtMost,
    In,
    NotIn,
    Contains,
    StartsWith,
    EndsWith,
    Regex,
    Exists,
    IsNull,
    Text,
    Phrase,
    Words,
    GeoRadius,
    GeoBoundingBox,
    GeoPolygon,
}

/// The operators by the names that clients give them.
const OPERATORS: [(&str, Operator); 20] = [
    ("eq", Operator::Equal),
    ("ne", Operator::NotEqual),
    ("gt", Operator::Greater),
    ("lt", Operator::Less),
    ("gte", Operator::AtLeast),
    ("lte", Operator::AtMost),
    ("in", Operator::In),
    ("nin", Operator::NotIn),
    ("contains", Operator::Contains),
    ("starts_with", Operator::StartsWith),
    ("ends_with", Operator::EndsWith),
    ("regex", Operator::Regex),
    ("exists", Operator::Exists),
    ("is_null", Operator::IsNull),
    ("text", Operator::Text),
    ("phrase", Operator::Phrase),
    ("words", Operator::Words),
    ("geo_radius", Operator::GeoRadius),
    ("geo_bounding_box", Operator::GeoBoundingBox),
    ("geo_polygon", Operator::GeoPolygon),
];

/// How deeply conditions may stand in one another. A worker is told of them as JSON, each three levels deep, and reads 128.
const DEEPEST: usize = 30;

impl Operator {
    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        OPERATORS.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

impl Condition {
    /// Reads a condition. An object with several of `AND`, `OR` and `NOT` means all of them.
    ///
    /// # Errors
    ///
    /// Returns 422 for what is no condition, and for conditions that stand too deeply in one another.
    pub fn parse(filters: &Map<String, Value>) -> Result<Self, ApiError> {
        let condition = Self::read(filters, false)?;
        let depth = condition.depth();
        if depth > DEEPEST {
            return Err(wrong(format!("conditions stand {depth} deep in one another; expected {DEEPEST} at most")));
        }
        Ok(condition)
    }

    /// Returns how many conditions stand in one another, this one included.
    fn depth(&self) -> usize {
        match &self.does {
            Does::All(parts) | Does::Any(parts) | Does::Not(parts) => {
                1 + parts.iter().map(Self::depth).max().unwrap_or(0)
            }
            Does::Test(_) => 1,
        }
    }

    fn read(filters: &Map<String, Value>, outer_case: bool) -> Result<Self, ApiError> {
        let case_sensitive = match filters.get("case_sensitive") {
            None | Some(Value::Null) => outer_case,
            Some(Value::Bool(sensitive)) => *sensitive,
            Some(_) => return Err(wrong("`case_sensitive` is neither `true` nor `false`")),
        };
        if filters.contains_key("field") {
            return Ok(Self { does: Does::Test(test(filters)?), case_sensitive });
        }
        let mut parts = Vec::new();
        for (key, value) in filters {
            let make = match key.as_str() {
                "AND" => Does::All,
                "OR" => Does::Any,
                "NOT" => Does::Not,
                "case_sensitive" => continue,
                key => {
                    let message = format!("`{key}` is no part of a filter; expected `AND`, `OR`, `NOT` or `field`");
                    return Err(wrong(message));
                }
            };
            if !value.is_null() {
                parts.push(Self { does: make(members(key, value, case_sensitive)?), case_sensitive });
            }
        }
        match <[Self; 1]>::try_from(parts) {
            Ok([only]) => Ok(only),
            Err(parts) => Ok(Self { does: Does::All(parts), case_sensitive }),
        }
    }
}

fn members(key: &str, value: &Value, case_sensitive: bool) -> Result<Vec<Condition>, ApiError> {
    let Some(parts) = value.as_array() else { return Err(wrong(format!("`{key}` is no list of conditions"))) };
    let read = |part: &Value| match part.as_object() {
        Some(part) => Condition::read(part, case_sensitive),
        None => Err(wrong(format!("a condition under `{key}` is no object"))),
    };
    parts.iter().map(read).collect()
}

fn test(filters: &Map<String, Value>) -> Result<Test, ApiError> {
    let known = ["field", "operator", "value", "case_sensitive"];
    if let Some(key) = filters.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(wrong(format!("`{key}` is no part of a condition; expected `field`, `operator` and `value`")));
    }
    let Some(field) = filters.get("field").and_then(Value::as_str) else { return Err(wrong("`field` is no text")) };
    let name = match filters.get("operator") {
        None | Some(Value::Null) => "eq",
        Some(Value::String(name)) => name,
        Some(_) => return Err(wrong("`operator` is no text")),
    };
    let Some((_, operator)) = OPERATORS.iter().find(|(known, _)| *known == name) else {
        let all: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
        return Err(wrong(format!("there is no operator `{name}`; expected one of `{}`", all.join("`, `"))));
    };
    let value = filters.get("value").cloned().unwrap_or_default();
    Ok(Test { field: field.to_owned(), operator: *operator, value })
}

/// Returns the mistake of a filter.
pub fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::invalid(&["body", "filters"], "value_error", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_filter_is_said() {
        let refusal = |filters: Value| Condition::parse(filters.as_object().unwrap()).unwrap_err().message;
        assert!(refusal(json!({ "XOR": [] })).contains("`XOR` is no part of a filter"));
        assert!(refusal(json!({ "field": "a", "operator": "near", "value": 1 })).contains("no operator `near`"));
        assert!(refusal(json!({ "field": "a", "operator": "near", "value": 1 })).contains("`geo_polygon`"));
        assert!(refusal(json!({ "field": "a", "weight": 1 })).contains("`weight` is no part of a condition"));
        assert!(refusal(json!({ "AND": [1] })).contains("no object"));
        assert!(refusal(json!({ "AND": {} })).contains("no list of conditions"));
    }

    #[test]
    fn conditions_stand_in_one_another_down_to_a_limit() {
        let read = |levels: usize| {
            let test = json!({ "field": "a", "value": 1 });
            let tree = (1..levels).fold(test, |inner, _| json!({ "AND": [inner] }));
            Condition::parse(tree.as_object().unwrap())
        };
        let deepest = read(DEEPEST).unwrap();
        assert_eq!(deepest.depth(), DEEPEST);
        // As a worker is told of it: within an order.
        let told = serde_json::to_string(&json!([[[[[[deepest]]]]]])).unwrap();
        assert!(serde_json::from_str::<Value>(&told).is_ok());
        assert!(read(DEEPEST + 1).unwrap_err().message.contains("31 deep in one another; expected 30 at most"));
    }

    #[test]
    fn every_operator_has_one_name() {
        for (name, operator) in OPERATORS {
            assert_eq!(operator.name(), name);
            let filter = json!({ "field": "a", "operator": name });
            let read = Condition::parse(filter.as_object().unwrap()).unwrap();
            assert!(matches!(read.does, Does::Test(Test { operator: found, .. }) if found == operator));
        }
    }
}
