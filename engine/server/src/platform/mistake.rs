//! What is wrong with a body or a query: where it stands, and in the words of JSON in the place of those of Rust.

use std::error::Error;
use std::iter::successors;

use axum::extract::rejection::QueryRejection;
use serde_path_to_error::{Path, Segment};
use url::form_urlencoded;

use super::error::ApiError;

/// Characters of a message: it repeats what was sent.
const LONGEST: usize = 500;

/// Whole numbers that Rust tells apart and JSON does not.
const WITHOUT_SIGN: [&str; 5] = ["u8", "u16", "u32", "u64", "usize"];

const WITH_SIGN: [&str; 5] = ["i8", "i16", "i32", "i64", "isize"];

/// Returns what is wrong with a body that is JSON.
pub(super) fn of_body(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let message = error.inner().to_string();
    // The position says little to whoever sent one line.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    told("body", error.path(), message, None)
}

/// Returns "this is no JSON".
pub(super) fn no_json(error: serde_json::Error) -> ApiError {
    ApiError::bad_request(format!("the body is not JSON: {error}"))
}

/// Returns what is wrong with the query of a URL.
pub(super) fn of_query(rejection: &QueryRejection, query: &str) -> ApiError {
    let causes = successors(Some(rejection as &(dyn Error + 'static)), |&error| error.source());
    let mut causes =
        causes.filter_map(|error| error.downcast_ref::<serde_path_to_error::Error<serde::de::value::Error>>());
    let Some(cause) = causes.next() else {
        return ApiError::invalid(&["query"], "type_error", rejection.body_text());
    };
    let name = cause.path().to_string();
    let value = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| *key == name).map(|(_, value)| value);
    told("query", cause.path(), &cause.inner().to_string(), value.as_deref())
}

fn told(part: &str, path: &Path, message: &str, value: Option<&str>) -> ApiError {
    let kind = kind_of(message);
    let mut location = vec![part.to_owned()];
    for segment in path {
        match segment {
            Segment::Seq { index } => location.push(index.to_string()),
            Segment::Map { key } => location.push(key.clone()),
            // The name that is not known stands in no place of its own.
            Segment::Enum { variant } if kind != "enum" => location.push(variant.clone()),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    // What is missing has no place, and what was read as a whole before tells of none inside.
    let names_a_field =
        ["missing field", "unknown field", "duplicate field"].iter().any(|word| message.starts_with(word));
    if let Some(field) = message.split('`').nth(1).filter(|_| names_a_field)
        && location.last().is_none_or(|last| last != field)
    {
        location.push(field.to_owned());
    }
    let message = if names_a_field { message.to_owned() } else { in_words(&name_of(path, kind), message, value) };
    let location: Vec<&str> = location.iter().map(String::as_str).collect();
    ApiError::invalid(&location, kind, shortened(&message))
}

/// Returns "sample.strata[0]"; nothing for the whole.
fn name_of(path: &Path, kind: &str) -> String {
    let mut name = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => name.push_str(&format!("[{index}]")),
            Segment::Enum { .. } if kind == "enum" => {}
            Segment::Map { key: part } | Segment::Enum { variant: part } => {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(part);
            }
            Segment::Unknown => {}
        }
    }
    name
}

fn kind_of(message: &str) -> &'static str {
    match message {
        message if message.starts_with("unknown field") => "extra_forbidden",
        message if message.starts_with("missing field") => "missing",
        message if message.starts_with("unknown variant") => "enum",
        _ => "type_error",
    }
}

/// Returns "`limit` is `abc`; expected a whole number, 0 or more". A parameter of a query has its value; of a body, what was found
/// stands in the message.
fn in_words(name: &str, message: &str, value: Option<&str>) -> String {
    let subject = if name.is_empty() { "it".to_owned() } else { format!("`{name}`") };
    let of_text = match message {
        "invalid digit found in string" | "cannot parse integer from empty string" => Some("a whole number, 0 or more"),
        "number too large to fit in target type" => Some("a smaller number"),
        "number too small to fit in target type" => Some("a larger number"),
        "invalid float literal" | "cannot parse float from empty string" => Some("a number"),
        "provided string was not `true` or `false`" => Some("`true` or `false`"),
        _ => None,
    };
    if let (Some(expected), Some(value)) = (of_text, value) {
        return format!("{subject} is `{}`; expected {expected}", shortened(value));
    }
    let found = ["invalid type: ", "invalid value: "].iter().find_map(|prefix| message.strip_prefix(prefix));
    if let Some((found, expected)) = found.and_then(|found| found.rsplit_once(", expected ")) {
        return format!("{subject} is {}; expected {}", found_in_words(found), expected_in_words(expected));
    }
    let variant = message.strip_prefix("unknown variant ").and_then(|rest| rest.rsplit_once(", expected "));
    match variant {
        Some((found, expected)) => format!("{subject} is {}; expected {expected}", shortened(found)),
        None if name.is_empty() => message.to_owned(),
        None => format!("{subject}: {message}"),
    }
}

fn found_in_words(found: &str) -> String {
    match found.split_once(' ') {
        _ if found == "sequence" => "a list".to_owned(),
        _ if found == "map" => "an object".to_owned(),
        Some(("integer", number)) => format!("the number {}", number.trim_matches('`')),
        Some(("floating", number)) => format!("the number {}", number.trim_start_matches("point ").trim_matches('`')),
        Some(("boolean", value)) => value.to_owned(),
        Some(("string", text)) => format!("the text {}", shortened(text)),
        _ => shortened(found),
    }
}

fn expected_in_words(expected: &str) -> String {
    let words = match expected {
        "a sequence" => "a list",
        "a map" => "an object",
        "a boolean" => "`true` or `false`",
        "string or map" => "a string or an object",
        "f32" | "f64" => "a number",
        expected if expected.starts_with("struct ") => "an object",
        expected if WITHOUT_SIGN.contains(&expected) => "a whole number, 0 or more",
        expected if WITH_SIGN.contains(&expected) => "a whole number",
        expected => expected,
    };
    words.to_owned()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
