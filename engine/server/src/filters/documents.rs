//! Whether a condition holds of a document.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use rematch_engine::replay::retrievers::bm25::analysis::analyze;
use serde_json::{Map, Value};

use super::condition::{Condition, Does, Operator, Test, wrong};
use super::geo::{Place, Point};
use crate::platform::error::ApiError;
use crate::platform::instant;

/// Bytes of a regular expression that is compiled.
const REGEX_BYTES: usize = 1 << 20;

/// A condition that is ready to be asked of documents.
///
/// A field is a column, or a path through objects, `metadata.brand`. Of a list, one element must pass the test (for `ne` and
/// `nin`, all must). What is not there passes no test but `nin`, `exists: false`, `is_null: true` and `eq: null`; values of
/// different types are neither equal nor in order. Texts that are both times are compared as times.
#[derive(Debug)]
pub struct Predicate {
    does: Logic,
}

#[derive(Debug)]
enum Logic {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Not(Vec<Predicate>),
    Test(String, How),
}

#[derive(Debug)]
enum How {
    /// Something is there, or is not.
    Exists(bool),
    /// Something is there that is not equal.
    NotEqual(Value, Case),
    Ordered(&'static [Ordering], Value, Case),
    OneOf(Vec<Value>, Case),
    NoneOf(Vec<Value>, Case),
    /// An element of a list, or a part of a text.
    Contains(Value, Case),
    Prefix(String, Case),
    Suffix(String, Case),
    Regex(Regex),
    /// These words, one after the other.
    Phrase(Vec<String>),
    /// The stems of these words, anywhere.
    Words(Vec<String>),
    Lies(Place),
}

/// How letters are compared.
#[derive(Debug, Clone, Copy)]
enum Case {
    Sensitive,
    Folded,
}

impl Case {
    fn of(self, text: &str) -> String {
        match self {
            Self::Sensitive => text.to_owned(),
            Self::Folded => text.to_lowercase(),
        }
    }
}

impl Predicate {
    /// Makes a condition ready.
    ///
    /// # Errors
    ///
    /// Returns 422 for a value that its operator does not take.
    pub fn of(condition: &Condition) -> Result<Self, ApiError> {
        let all = |parts: &[Condition]| parts.iter().map(Self::of).collect::<Result<Vec<_>, _>>();
        let does = match &condition.does {
            Does::All(parts) => Logic::All(all(parts)?),
            Does::Any(parts) => Logic::Any(all(parts)?),
            Does::Not(parts) => Logic::Not(all(parts)?),
            Does::Test(test) => Logic::Test(test.field.clone(), how(test, condition.case_sensitive)?),
        };
        Ok(Self { does })
    }

    /// Returns the fields that it asks for.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<&str> {
        match &self.does {
            Logic::All(parts) | Logic::Any(parts) | Logic::Not(parts) => parts.iter().flat_map(Self::fields).collect(),
            Logic::Test(field, _) => BTreeSet::from([field.as_str()]),
        }
    }

    /// Returns whether it holds of a document.
    #[must_use]
    pub fn holds(&self, document: &Map<String, Value>) -> bool {
        match &self.does {
            Logic::All(parts) => parts.iter().all(|part| part.holds(document)),
            Logic::Any(parts) => parts.iter().any(|part| part.holds(document)),
            Logic::Not(parts) => !parts.iter().any(|part| part.holds(document)),
            Logic::Test(field, how) => {
                let mut found = Vec::new();
                collect(document, field, &mut found);
                how.holds(&found)
            }
        }
    }
}

/// Returns the column in which a field lies: the one of its name, or else of the first part of its path.
#[must_use]
pub fn column_of(field: &str, is_column: impl Fn(&str) -> bool) -> Option<&str> {
    if is_column(field) {
        return Some(field);
    }
    field.split('.').next().filter(|first| is_column(first))
}

/// Collects what stands in a field, without nulls. Objects in lists are looked into, one by one.
fn collect<'a>(members: &'a Map<String, Value>, field: &str, found: &mut Vec<&'a Value>) {
    if let Some(value) = members.get(field) {
        if !value.is_null() {
            found.push(value);
        }
        return;
    }
    let Some((first, rest)) = field.split_once('.') else { return };
    match members.get(first) {
        Some(Value::Object(inner)) => collect(inner, rest, found),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_object).for_each(|one| collect(one, rest, found)),
        _ => {}
    }
}

/// Calls for every value that is no list, those in lists one by one.
fn leaves<'a>(found: &[&'a Value]) -> impl Iterator<Item = &'a Value> {
    found.iter().flat_map(|value| value.as_array().map_or(std::slice::from_ref(*value), Vec::as_slice))
}

fn how(test: &Test, case_sensitive: bool) -> Result<How, ApiError> {
    let case = if case_sensitive { Case::Sensitive } else { Case::Folded };
    let value = || test.value.clone();
    Ok(match test.operator {
        Operator::Equal if test.value.is_null() => How::Exists(false),
        Operator::NotEqual if test.value.is_null() => How::Exists(true),
        Operator::Equal => How::Ordered(&[Ordering::Equal], scalar(test)?, case),
        Operator::NotEqual => How::NotEqual(scalar(test)?, case),
        Operator::Greater => How::Ordered(&[Ordering::Greater], scalar(test)?, case),
        Operator::Less => How::Ordered(&[Ordering::Less], scalar(test)?, case),
        Operator::AtLeast => How::Ordered(&[Ordering::Greater, Ordering::Equal], scalar(test)?, case),
        Operator::AtMost => How::Ordered(&[Ordering::Less, Ordering::Equal], scalar(test)?, case),
        Operator::In => How::OneOf(list(test)?, case),
        Operator::NotIn => How::NoneOf(list(test)?, case),
        Operator::Contains => How::Contains(scalar(test)?, case),
        Operator::Text => How::Contains(Value::from(text(test)?), Case::Folded),
        Operator::StartsWith => How::Prefix(case.of(text(test)?), case),
        Operator::EndsWith => How::Suffix(case.of(text(test)?), case),
        Operator::Regex => How::Regex(regex(test, case_sensitive)?),
        Operator::Exists => How::Exists(truth(&value())?),
        Operator::IsNull => How::Exists(!truth(&value())?),
        Operator::Phrase => How::Phrase(words(text(test)?)),
        Operator::Words => How::Words(analyze(text(test)?)),
        Operator::GeoRadius | Operator::GeoBoundingBox | Operator::GeoPolygon => How::Lies(Place::of(test)?),
    })
}

fn scalar(test: &Test) -> Result<Value, ApiError> {
    if test.value.is_array() || test.value.is_object() || test.value.is_null() {
        let field = &test.field;
        return Err(wrong(format!("the value for `{field}` is neither a text nor a number nor a truth")));
    }
    Ok(test.value.clone())
}

fn text(test: &Test) -> Result<&str, ApiError> {
    test.value.as_str().ok_or_else(|| wrong(format!("the value for `{}` is no text", test.field)))
}

fn list(test: &Test) -> Result<Vec<Value>, ApiError> {
    let told = || wrong(format!("the value for `{}` is no list, as `in` and `nin` need", test.field));
    let values = test.value.as_array().ok_or_else(told)?;
    values.iter().map(|value| scalar(&Test { value: value.clone(), ..test.clone() })).collect()
}

fn regex(test: &Test, case_sensitive: bool) -> Result<Regex, ApiError> {
    let built = RegexBuilder::new(text(test)?).case_insensitive(!case_sensitive).size_limit(REGEX_BYTES).build();
    built.map_err(|error| wrong(format!("the value for `{}` is no regular expression: {error}", test.field)))
}

/// Returns the truth that `exists` and `is_null` take, true where nothing is said.
///
/// # Errors
///
/// Returns 422 for anything else.
pub fn truth(value: &Value) -> Result<bool, ApiError> {
    match value {
        Value::Null => Ok(true),
        Value::Bool(value) => Ok(*value),
        _ => Err(wrong("`exists` and `is_null` take `true` or `false`")),
    }
}

/// Returns the words of a text, in small letters.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

impl How {
    fn holds(&self, found: &[&Value]) -> bool {
        match self {
            Self::Exists(wanted) => found.is_empty() != *wanted,
            Self::NotEqual(value, case) => {
                !found.is_empty() && !leaves(found).any(|leaf| order(leaf, value, *case) == Some(Ordering::Equal))
            }
            Self::NoneOf(values, case) => !leaves(found).any(|leaf| is_among(leaf, values, *case)),
            Self::Lies(place) => {
                found.iter().any(|value| Point::all_of(value).into_iter().any(|point| place.has(point)))
            }
            _ => leaves(found).any(|leaf| self.passes(leaf)),
        }
    }

    /// Returns whether one value passes.
    fn passes(&self, leaf: &Value) -> bool {
        let tells = |holds: &dyn Fn(&str) -> bool| leaf.as_str().is_some_and(holds);
        match self {
            Self::Ordered(orders, value, case) => {
                order(leaf, value, *case).is_some_and(|found| orders.contains(&found))
            }
            Self::OneOf(values, case) => is_among(leaf, values, *case),
            Self::Contains(Value::String(part), case) => tells(&|text| case.of(text).contains(&case.of(part))),
            Self::Contains(value, case) => order(leaf, value, *case) == Some(Ordering::Equal),
            Self::Prefix(start, case) => tells(&|text| case.of(text).starts_with(start)),
            Self::Suffix(end, case) => tells(&|text| case.of(text).ends_with(end)),
            Self::Regex(regex) => tells(&|text| regex.is_match(text)),
            Self::Phrase(phrase) => tells(&|text| {
                let words = words(text);
                !phrase.is_empty() && words.windows(phrase.len()).any(|window| window == phrase.as_slice())
            }),
            Self::Words(stems) => tells(&|text| {
                let known: BTreeSet<String> = analyze(text).into_iter().collect();
                !stems.is_empty() && stems.iter().all(|stem| known.contains(stem))
            }),
            Self::Exists(_) | Self::NotEqual(..) | Self::NoneOf(..) | Self::Lies(_) => false,
        }
    }
}

fn is_among(leaf: &Value, values: &[Value], case: Case) -> bool {
    values.iter().any(|value| order(leaf, value, case) == Some(Ordering::Equal))
}

/// Returns how two values stand to each other; `None` where their types differ.
fn order(one: &Value, other: &Value, case: Case) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
        },
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        (Value::String(one), Value::String(other)) => match (instant::parse(one), instant::parse(other)) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => Some(case.of(one).cmp(&case.of(other))),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn predicate(filters: Value) -> Result<Predicate, String> {
        let condition = Condition::parse(filters.as_object().unwrap()).map_err(|error| error.message)?;
        Predicate::of(&condition).map_err(|error| error.message)
    }

    fn lamp() -> Value {
        json!({
            "id": "p1", "brand": "O'Neill", "price": 99, "stars": 4.5, "sold": null, "new": true,
            "title": "Running lamps, dimmable", "tags": ["Home", "light"], "at": { "lat": 52.5, "lon": 13.4 },
            "shops": [[13.4, 52.5], [9.9, 53.5]], "since": "2026-01-01T00:00:00", "meta": { "colour": "red", "sizes": [1, 2] },
            "variants": [{ "sku": "a" }, { "sku": "b" }], "odd.name": 7,
        })
    }

    fn holds(filters: Value) -> bool {
        predicate(filters).unwrap().holds(lamp().as_object().unwrap())
    }

    fn test(field: &str, operator: &str, value: Value) -> Value {
        json!({ "field": field, "operator": operator, "value": value })
    }

    #[test]
    fn every_operator_says_what_its_name_says() {
        let near = |metres: u32| json!({ "center": { "lat": 52.52, "lon": 13.4 }, "radius": metres });
        let square = json!({ "exterior": { "points": [[13, 52], [14, 52], [14, 53], [13, 53]] } });
        for (field, operator, yes, no) in [
            ("price", "eq", json!(99.0), json!("99")),
            ("brand", "eq", json!("o'neill"), json!("neill")),
            ("new", "eq", json!(true), json!(1)),
            ("price", "ne", json!(98), json!(99)),
            ("price", "gt", json!(98.5), json!(99)),
            ("price", "lt", json!(100), json!(99)),
            ("price", "gte", json!(99), json!(100)),
            ("stars", "lte", json!(4.5), json!(4.4)),
            ("since", "gte", json!("2026-01-01T01:00:00+01:00"), json!("2026-01-01T00:00:01Z")),
            ("brand", "in", json!(["x", "O'NEILL"]), json!([])),
            ("brand", "nin", json!(["x"]), json!(["x", "O'NEILL"])),
            ("title", "contains", json!("LAMP"), json!("lampshade")),
            ("tags", "contains", json!("home"), json!("garden")),
            ("meta.sizes", "contains", json!(2), json!(3)),
            ("title", "starts_with", json!("run"), json!("lamps")),
            ("title", "ends_with", json!("ABLE"), json!("lamps")),
            ("title", "regex", json!("^running\\s+l.mps"), json!("^lamps")),
            ("brand", "exists", json!(true), json!(false)),
            ("sold", "is_null", json!(true), json!(false)),
            ("nowhere", "exists", json!(false), json!(null)),
            ("title", "text", json!("ing LAMPS"), json!("dim lamps")),
            ("title", "phrase", json!("lamps DIMMABLE"), json!("running dimmable")),
            ("title", "words", json!("lamp run"), json!("lamp walk")),
            ("at", "geo_radius", near(5000), near(100)),
            ("shops", "geo_polygon", square, json!({ "exterior": { "points": [[0, 0], [1, 0], [1, 1]] } })),
            (
                "at",
                "geo_bounding_box",
                json!({ "top_left": [13, 53], "bottom_right": [14, 52] }),
                json!({ "top_left": [1, 53], "bottom_right": [2, 52] }),
            ),
        ] {
            assert!(holds(test(field, operator, yes.clone())), "{field} {operator} {yes}");
            assert!(!holds(test(field, operator, no.clone())), "{field} {operator} {no}");
        }
    }

    #[test]
    fn lists_and_objects_are_looked_into() {
        assert!(holds(test("tags", "eq", json!("light"))) && !holds(test("tags", "ne", json!("light"))));
        assert!(holds(test("variants.sku", "eq", json!("b"))) && !holds(test("variants.sku", "nin", json!(["b"]))));
        assert!(holds(test("meta.colour", "eq", json!("red"))) && holds(test("odd.name", "eq", json!(7))));
        assert!(!holds(test("meta.colour.deep", "exists", json!(true))));
    }

    #[test]
    fn what_is_not_there_passes_only_what_says_so() {
        for (operator, value) in [("eq", json!(1)), ("ne", json!(1)), ("lt", json!(1)), ("contains", json!("a"))] {
            assert!(!holds(test("nowhere", operator, value.clone())), "{operator}");
            assert!(holds(json!({ "NOT": [test("nowhere", operator, value)] })), "{operator}");
        }
        assert!(holds(test("nowhere", "nin", json!([1]))) && holds(test("sold", "eq", json!(null))));
    }

    #[test]
    fn trees_mean_what_they_say_and_empty_ones_everything_or_nothing() {
        let (yes, no) = (test("price", "lt", json!(100)), test("price", "gt", json!(100)));
        assert!(holds(json!({ "AND": [yes, { "OR": [no, yes] }, { "NOT": [no] }] })));
        assert!(!holds(json!({ "AND": [yes, no] })) && !holds(json!({ "NOT": [no, yes] })));
        assert!(holds(json!({})) && !holds(json!({ "OR": [] })) && holds(json!({ "AND": [], "NOT": [] })));
        let sensitive = json!({ "AND": [test("brand", "eq", json!("o'neill"))], "case_sensitive": true });
        assert!(!holds(sensitive));
        assert!(!holds(json!({ "field": "title", "operator": "regex", "value": "RUN", "case_sensitive": true })));
    }

    #[test]
    fn a_value_that_an_operator_does_not_take_is_told() {
        let refusal = |operator: &str, value: Value| predicate(test("a", operator, value)).unwrap_err();
        assert!(refusal("in", json!(1)).contains("no list"));
        assert!(refusal("eq", json!({ "type": "dynamic" })).contains("neither a text"));
        assert!(refusal("regex", json!("(")).contains("no regular expression"));
        assert!(refusal("regex", json!("\\w{1000}{1000}")).contains("no regular expression"));
        assert!(refusal("exists", json!(1)).contains("`true` or `false`"));
        assert!(refusal("starts_with", json!(1)).contains("no text"));
        assert!(refusal("geo_radius", json!(1)).contains("`geo_radius` needs"));
    }

    #[test]
    fn a_field_lies_in_its_column_or_in_that_of_its_first_part() {
        let known = |name: &str| ["meta", "odd.name"].contains(&name);
        assert_eq!(column_of("meta.colour", known), Some("meta"));
        assert_eq!(column_of("odd.name", known), Some("odd.name"));
        assert_eq!(column_of("price", known), None);
    }
}
