//! The page at `/docs`: the OpenAPI document, for people. It is made once, here, and loads nothing but its style sheet: it
//! works without a network, and under a policy that allows no script.

use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value as Shown, context};
use serde::Serialize;
use serde_json::Value;

use super::openapi::{TOKEN, is_method};

/// Our own style sheet, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Levels of a schema that are written out; below them stands its kind.
const LEVELS: usize = 6;

/// The operations of one tag.
#[derive(Serialize)]
struct Chapter<'a> {
    name: &'a str,
    description: &'a str,
    operations: Vec<Operation<'a>>,
}

#[derive(Serialize)]
struct Operation<'a> {
    id: &'a str,
    method: String,
    path: &'a str,
    summary: &'a str,
    description: &'a str,
    scope: &'a str,
    deprecated: bool,
    parameters: Vec<Parameter<'a>>,
    request: Vec<Content<'a>>,
    responses: Vec<Answer<'a>>,
}

#[derive(Serialize)]
struct Parameter<'a> {
    name: &'a str,
    place: &'a str,
    kind: String,
    required: bool,
    description: &'a str,
}

#[derive(Serialize)]
struct Content<'a> {
    media_type: &'a str,
    kind: String,
    /// The name of a schema of the page.
    schema: Option<&'a str>,
}

#[derive(Serialize)]
struct Answer<'a> {
    status: &'a str,
    description: &'a str,
    contents: Vec<Content<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    name: &'a str,
    description: &'a str,
    kind: String,
    fields: Vec<Parameter<'a>>,
}

/// Returns the page.
///
/// # Errors
///
/// Returns an error when the template and the model disagree.
pub fn page(document: &Value) -> Result<Bytes, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.add_template("docs.html", include_str!("docs.html.jinja"))?;
    let chapters = Shown::from(Serde(chapters(document)));
    let models = Shown::from(Serde(models(document)));
    let info = document.get("info").unwrap_or(&Value::Null);
    let paragraphs: Vec<String> = text(info, "description").split("\n\n").map(ToOwned::to_owned).collect();
    let page = environment.get_template("docs.html")?.render(context! {
        title => text(info, "title"), version => text(info, "version"), paragraphs, chapters, models
    })?;
    Ok(Bytes::from(page))
}

/// Serves the page.
pub fn serve(page: &Bytes) -> impl IntoResponse + use<> {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (POLICY_HEADER, POLICY)];
    (headers, page.clone())
}

const POLICY_HEADER: HeaderName = header::CONTENT_SECURITY_POLICY;

/// Serves the style sheet.
pub async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("docs.css"))
}

fn chapters(document: &Value) -> Vec<Chapter<'_>> {
    let tags = document.get("tags").and_then(Value::as_array).into_iter().flatten();
    let mut chapters: Vec<Chapter<'_>> = tags
        .map(|tag| Chapter { name: text(tag, "name"), description: text(tag, "description"), operations: Vec::new() })
        .collect();
    for (path, methods) in members(document, "paths") {
        for (method, operation) in methods.as_object().into_iter().flatten().filter(|(method, _)| is_method(method)) {
            let tag = operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or("Other");
            let shown = operation_of(path, method, operation);
            match chapters.iter_mut().find(|chapter| chapter.name == tag) {
                Some(chapter) => chapter.operations.push(shown),
                None => chapters.push(Chapter { name: tag, description: "", operations: vec![shown] }),
            }
        }
    }
    chapters.retain(|chapter| !chapter.operations.is_empty());
    chapters
}

fn operation_of<'a>(path: &'a str, method: &str, operation: &'a Value) -> Operation<'a> {
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let scope = operation.pointer(&format!("/security/0/{TOKEN}/0")).and_then(Value::as_str);
    let request = operation.get("requestBody").map(contents).unwrap_or_default();
    let responses = members(operation, "responses").map(|(status, answer)| Answer {
        status,
        description: text(answer, "description"),
        contents: contents(answer),
    });
    Operation {
        id: text(operation, "operationId"),
        method: method.to_uppercase(),
        path,
        summary: text(operation, "summary"),
        description: text(operation, "description"),
        scope: scope.unwrap_or_default(),
        deprecated: flag(operation, "deprecated"),
        parameters: parameters.map(parameter_of).collect(),
        request,
        responses: responses.collect(),
    }
}

fn parameter_of(parameter: &Value) -> Parameter<'_> {
    Parameter {
        name: text(parameter, "name"),
        place: text(parameter, "in"),
        kind: kind_of(parameter.get("schema").unwrap_or(&Value::Null), 0),
        required: flag(parameter, "required"),
        description: text(parameter, "description"),
    }
}

fn contents(body: &Value) -> Vec<Content<'_>> {
    let content = members(body, "content").map(|(media_type, content)| {
        let schema = content.get("schema").unwrap_or(&Value::Null);
        Content { media_type, kind: kind_of(schema, 0), schema: name_of(schema) }
    });
    content.collect()
}

fn models(document: &Value) -> Vec<Model<'_>> {
    let components = document.get("components").unwrap_or(&Value::Null);
    let model = |(name, schema)| Model {
        name,
        description: text(schema, "description"),
        kind: kind_of(schema, 0),
        fields: fields_of(schema),
    };
    members(components, "schemas").map(model).collect()
}

fn fields_of(schema: &Value) -> Vec<Parameter<'_>> {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let own = members(schema, "properties").map(|(name, field)| Parameter {
        name,
        place: "",
        kind: kind_of(field, 0),
        required: required.contains(&name),
        description: text(field, "description"),
    });
    let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    own.chain(parts.flat_map(fields_of)).collect()
}

/// Returns a schema in words: `list of Token`, `string or null`, `"a" or "b"`.
fn kind_of(schema: &Value, level: usize) -> String {
    if level > LEVELS {
        return "...".to_owned();
    }
    if let Some(name) = name_of(schema) {
        return name.to_owned();
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return joined(choices.iter().map(Value::to_string));
    }
    if let Some(only) = schema.get("const") {
        return only.to_string();
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(choices) = schema.get(key).and_then(Value::as_array) {
            return joined(choices.iter().map(|choice| kind_of(choice, level + 1)));
        }
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return if schema.get("allOf").is_some() { "object" } else { "any" }.to_owned(),
    };
    joined(kinds.into_iter().map(|kind| match kind {
        "array" => format!("list of {}", kind_of(schema.get("items").unwrap_or(&Value::Null), level + 1)),
        "object" => match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => format!("map of {}", kind_of(values, level + 1)),
            _ => kind.to_owned(),
        },
        kind => match schema.get("format").and_then(Value::as_str) {
            Some(format) if kind != "null" => format!("{kind} ({format})"),
            _ => kind.to_owned(),
        },
    }))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" or ")
}

/// Returns the name of the schema that a reference names.
fn name_of(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")
}

fn members<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    value.get(key).and_then(Value::as_object).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_has_every_operation_and_schema_and_no_markup_of_theirs() {
        let document = json!({
            "info": { "title": "T", "version": "1", "description": "first\n\nsecond <b>" },
            "tags": [{ "name": "Things", "description": "All" }, { "name": "Empty" }],
            "paths": { "/v1/things/{id}": { "get": {
                "operationId": "get_thing", "tags": ["Things"], "summary": "<script>alert(1)</script>",
                "security": [{ "token": ["read"] }],
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
                "responses": { "200": { "description": "ok", "content": {
                    "application/json": { "schema": { "type": "array", "items": { "$ref": "#/components/schemas/Thing" } } } } } }
            } } },
            "components": { "schemas": { "Thing": { "type": "object", "properties": {
                "size": { "type": ["integer", "null"], "format": "int64" } } } } }
        });
        let page = String::from_utf8(page(&document).unwrap().to_vec()).unwrap().replace("&#x2f;", "/");
        for part in ["get_thing", "/v1/things/{id}", "list of Thing", "integer (int64) or null", "id=\"schema-Thing\""]
        {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("Empty"));
    }
}
