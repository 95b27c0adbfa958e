//! Filters as clients write them, `{"AND": [{"field": "price", "operator": "lt", "value": 100}]}`, and as SQL.

use serde_json::{Map, Value};

use crate::platform::error::ApiError;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    does: Does,
    /// Whether capitals and small letters differ; they do not where nothing is said.
    case_sensitive: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Does {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    /// None of them.
    Not(Vec<Condition>),
    Test {
        field: String,
        operator: Operator,
        value: Value,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
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
    Exists,
    IsNull,
}

/// The operators by the names that clients give them.
const OPERATORS: [(&str, Operator); 13] = [
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
    ("exists", Operator::Exists),
    ("is_null", Operator::IsNull),
];

/// How columns and values are written in some SQL.
pub trait Dialect {
    /// Returns the column of a field.
    ///
    /// # Errors
    ///
    /// Returns 422 for a field that there is not.
    fn column(&mut self, field: &str) -> Result<String, ApiError>;

    /// Returns a text, number or truth that is compared with the column of `field`.
    ///
    /// # Errors
    ///
    /// Returns 422 for a value that the field cannot have.
    fn value(&mut self, field: &str, value: &Value) -> Result<String, ApiError>;
}

impl Condition {
    /// Reads a condition. An object with several of `AND`, `OR` and `NOT` means all of them.
    ///
    /// # Errors
    ///
    /// Returns 422 for what is no condition.
    pub fn parse(filters: &Map<String, Value>) -> Result<Self, ApiError> {
        Self::read(filters, false)
    }

    fn read(filters: &Map<String, Value>, outer_case: bool) -> Result<Self, ApiError> {
        let case_sensitive = match filters.get("case_sensitive") {
            None | Some(Value::Null) => outer_case,
            Some(Value::Bool(sensitive)) => *sensitive,
            Some(_) => return Err(wrong("`case_sensitive` is neither `true` nor `false`")),
        };
        if filters.contains_key("field") {
            return Ok(Self { does: test(filters)?, case_sensitive });
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
        Ok(Self { does: Does::All(parts), case_sensitive })
    }

    /// Returns the condition as an expression that is true or false, never null.
    ///
    /// # Errors
    ///
    /// Returns what the dialect refuses.
    pub fn to_sql(&self, dialect: &mut dyn Dialect) -> Result<String, ApiError> {
        match &self.does {
            Does::All(parts) => joined(parts, " AND ", "true", dialect),
            Does::Any(parts) => joined(parts, " OR ", "false", dialect),
            Does::Not(parts) => Ok(format!("NOT {}", joined(parts, " OR ", "false", dialect)?)),
            Does::Test { field, operator, value } => {
                let tested = self.test_to_sql(field, *operator, value, dialect)?;
                Ok(format!("(({tested}) IS TRUE)"))
            }
        }
    }

    fn test_to_sql(
        &self,
        field: &str,
        operator: Operator,
        value: &Value,
        dialect: &mut dyn Dialect,
    ) -> Result<String, ApiError> {
        let column = dialect.column(field)?;
        let compared = |sign: &str, dialect: &mut dyn Dialect| self.compared(&column, sign, field, value, dialect);
        match operator {
            Operator::Equal if value.is_null() => Ok(format!("{column} IS NULL")),
            Operator::NotEqual if value.is_null() => Ok(format!("{column} IS NOT NULL")),
            Operator::Equal => compared("=", dialect),
            Operator::NotEqual => compared("<>", dialect),
            Operator::Greater => compared(">", dialect),
            Operator::Less => compared("<", dialect),
            Operator::AtLeast => compared(">=", dialect),
            Operator::AtMost => compared("<=", dialect),
            Operator::In => self.one_of(&column, field, value, dialect),
            Operator::NotIn => Ok(format!("NOT {}", self.one_of(&column, field, value, dialect)?)),
            Operator::Contains => {
                self.text(&column, field, value, dialect, |column, text| format!("instr({column}, {text}) > 0"))
            }
            Operator::StartsWith => self.text(&column, field, value, dialect, |column, text| {
                format!("substr({column}, 1, length({text})) = {text}")
            }),
            Operator::EndsWith => self.text(&column, field, value, dialect, |column, text| {
                let begin = format!("length({column}) - length({text})");
                format!("({begin} >= 0 AND substr({column}, {begin} + 1) = {text})")
            }),
            Operator::Exists => Ok(format!("{column} IS {}NULL", if truth(value)? { "NOT " } else { "" })),
            Operator::IsNull => Ok(format!("{column} IS {}NULL", if truth(value)? { "" } else { "NOT " })),
        }
    }

    fn compared(
        &self,
        column: &str,
        sign: &str,
        field: &str,
        value: &Value,
        dialect: &mut dyn Dialect,
    ) -> Result<String, ApiError> {
        let written = scalar(field, value, dialect)?;
        if value.is_string() && !self.case_sensitive {
            return Ok(format!("lower({column}) {sign} lower({written})"));
        }
        Ok(format!("{column} {sign} {written}"))
    }

    fn one_of(&self, column: &str, field: &str, value: &Value, dialect: &mut dyn Dialect) -> Result<String, ApiError> {
        let Some(values) = value.as_array() else {
            return Err(wrong(format!("the value for `{field}` is no list, as `in` and `nin` need")));
        };
        let mut tests = vec!["false".to_owned()];
        for value in values {
            tests.push(self.compared(column, "=", field, value, dialect)?);
        }
        Ok(format!("(({}) IS TRUE)", tests.join(" OR ")))
    }

    fn text(
        &self,
        column: &str,
        field: &str,
        value: &Value,
        dialect: &mut dyn Dialect,
        test: impl Fn(&str, &str) -> String,
    ) -> Result<String, ApiError> {
        if !value.is_string() {
            return Err(wrong(format!("the value for `{field}` is no text")));
        }
        let written = dialect.value(field, value)?;
        if self.case_sensitive {
            return Ok(test(column, &written));
        }
        Ok(test(&format!("lower({column})"), &format!("lower({written})")))
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

fn test(filters: &Map<String, Value>) -> Result<Does, ApiError> {
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
        return Err(wrong(format!("there is no operator `{name}` here; expected one of `{}`", all.join("`, `"))));
    };
    let value = filters.get("value").cloned().unwrap_or_default();
    Ok(Does::Test { field: field.to_owned(), operator: *operator, value })
}

fn joined(parts: &[Condition], sign: &str, none: &str, dialect: &mut dyn Dialect) -> Result<String, ApiError> {
    if parts.is_empty() {
        return Ok(none.to_owned());
    }
    let written: Result<Vec<String>, ApiError> = parts.iter().map(|part| part.to_sql(dialect)).collect();
    Ok(format!("({})", written?.join(sign)))
}

fn scalar(field: &str, value: &Value, dialect: &mut dyn Dialect) -> Result<String, ApiError> {
    if value.is_array() || value.is_object() || value.is_null() {
        return Err(wrong(format!("the value for `{field}` is neither a text nor a number nor a truth")));
    }
    dialect.value(field, value)
}

fn truth(value: &Value) -> Result<bool, ApiError> {
    match value {
        Value::Null => Ok(true),
        Value::Bool(value) => Ok(*value),
        _ => Err(wrong("`exists` and `is_null` take `true` or `false`")),
    }
}

/// Returns the mistake of a filter.
pub fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::invalid(&["body", "filters"], "value_error", message)
}

/// The SQL of a corpus's columns: values are literals.
#[derive(Debug)]
pub struct OfCorpus;

impl Dialect for OfCorpus {
    fn column(&mut self, field: &str) -> Result<String, ApiError> {
        Ok(format!("\"{}\"", field.replace('"', "\"\"")))
    }

    fn value(&mut self, _: &str, value: &Value) -> Result<String, ApiError> {
        Ok(match value {
            Value::String(text) => format!("'{}'", text.replace('\'', "''")),
            other => other.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sql(filters: Value) -> Result<String, String> {
        let condition = Condition::parse(filters.as_object().unwrap()).map_err(|error| error.message)?;
        condition.to_sql(&mut OfCorpus).map_err(|error| error.message)
    }

    #[test]
    fn trees_become_one_expression() {
        let tree = json!({ "AND": [
            { "field": "price", "operator": "lt", "value": 100 },
            { "OR": [{ "field": "brand", "value": "O'Neill" }, { "field": "stars", "operator": "gte", "value": 4.5 }] },
            { "NOT": [{ "field": "sold", "operator": "is_null", "value": true }] },
        ] });
        assert_eq!(
            sql(tree).unwrap(),
            "((((\"price\" < 100) IS TRUE) AND ((((lower(\"brand\") = lower('O''Neill')) IS TRUE) OR \
             ((\"stars\" >= 4.5) IS TRUE))) AND (NOT (((\"sold\" IS NULL) IS TRUE)))))"
        );
    }

    #[test]
    fn an_empty_list_of_alternatives_holds_never_and_an_empty_filter_always() {
        assert_eq!(sql(json!({ "OR": [] })).unwrap(), "(false)");
        assert_eq!(sql(json!({})).unwrap(), "true");
        assert_eq!(
            sql(json!({ "field": "a", "operator": "in", "value": [] })).unwrap(),
            "((((false) IS TRUE)) IS TRUE)"
        );
    }

    #[test]
    fn quotes_cannot_leave_their_place() {
        let filter =
            json!({ "field": "a\" OR \"b", "operator": "contains", "value": "'); DROP", "case_sensitive": true });
        assert_eq!(sql(filter).unwrap(), "((instr(\"a\"\" OR \"\"b\", '''); DROP') > 0) IS TRUE)");
    }

    #[test]
    fn what_is_no_filter_is_said() {
        let refusal = |filters| sql(filters).unwrap_err();
        assert!(refusal(json!({ "XOR": [] })).contains("`XOR` is no part of a filter"));
        assert!(
            refusal(json!({ "field": "a", "operator": "geo_radius", "value": 1 })).contains("expected one of `eq`")
        );
        assert!(refusal(json!({ "field": "a", "value": { "type": "dynamic" } })).contains("neither a text"));
        assert!(refusal(json!({ "AND": [1] })).contains("no object"));
        assert!(refusal(json!({ "field": "a", "operator": "in", "value": 1 })).contains("no list"));
    }
}
