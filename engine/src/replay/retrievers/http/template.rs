//! Requests as templates, parsed once.

use std::collections::HashSet;
use std::fmt::Write as _;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, Template, UndefinedBehavior, Value};

use super::classify::snippet;
use super::variables::{NAMES, Subject, variables};
use super::{HttpError, HttpPart};
use crate::benchmark::stages::http::HttpPlan;
use crate::replay::{RetrieveError, RetrieveErrorKind};
use crate::session::{Hit, Session};

/// The templates of a request.
///
/// What is not defined is an error. Values in the URL are percent-encoded; in a JSON body they print as JSON.
#[derive(Debug)]
pub struct RequestTemplates {
    environment: Environment<'static>,
    has_body: bool,
    /// Whether a body must be one JSON text.
    is_json: bool,
    parameters: Value,
    used: HashSet<String>,
    /// How many `.` and `..` the path has as it is written.
    dots: usize,
}

/// A request's texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) url: String,
    pub(super) body: Option<String>,
}

const URL: &str = "url";
const BODY: &str = "body";
const JSON_BODY: &str = "body.json";
/// Instructions of one template: thousands of times what a request takes, and less than a second.
const FUEL: u64 = 2_000_000;

impl RequestTemplates {
    /// Parses the templates of `plan`. With `hits` the templates may speak of the hits to re-rank.
    ///
    /// # Errors
    ///
    /// Returns the template at fault: its syntax, or a variable that no session has.
    pub fn compile(plan: &HttpPlan, hits: bool) -> Result<Self, HttpError> {
        let is_json = is_json(&plan.content_type);
        let mut environment = environment();
        let mut used = HashSet::new();
        let mut add = |part: HttpPart, name: &'static str, text: &str| {
            let failed = |error: &Error| HttpError::new(part.clone(), described(error));
            environment.add_template_owned(name, text.to_owned()).map_err(|error| failed(&error))?;
            let template = environment.get_template(name).map_err(|error| failed(&error))?;
            for variable in template.undeclared_variables(false) {
                if environment.globals().any(|(global, _)| global == variable) {
                    continue;
                }
                let known = NAMES.contains(&variable.as_str()) && (hits || variable != "hits");
                if !known {
                    return Err(HttpError::new(part.clone(), unknown_variable(&variable, hits)));
                }
                used.insert(variable);
            }
            Ok(())
        };
        add(HttpPart::Url, URL, &plan.url)?;
        if let Some(body) = &plan.body {
            add(HttpPart::Body, if is_json { JSON_BODY } else { BODY }, body)?;
        }
        let parameters = Value::from(Serde(&plan.parameters));
        Ok(Self {
            environment,
            has_body: plan.body.is_some(),
            is_json,
            parameters,
            used,
            dots: dot_segments(&plan.url),
        })
    }

    /// Returns whether a template speaks of this parameter, or of all of them.
    #[must_use]
    pub fn uses_parameter(&self, name: &str) -> bool {
        let all = "parameters";
        let speaks = |(_, template): (&str, Template<'_, '_>)| {
            let undeclared = template.undeclared_variables(true);
            undeclared.contains(all)
                || undeclared.iter().any(|used| {
                    let rest = used
                        .strip_prefix(all)
                        .and_then(|rest| rest.strip_prefix('.'))
                        .and_then(|rest| rest.strip_prefix(name));
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                })
        };
        self.environment.templates().any(speaks)
    }

    /// Renders the request for a session that stands for all, so that a template that can never work is found early. What a
    /// session may or may not have is not defined here, and no mistake.
    ///
    /// # Errors
    ///
    /// Returns the template at fault.
    pub fn try_out(&self) -> Result<(), HttpError> {
        let session = Session {
            session_id: "session".into(),
            query: Some("a \"query\" & more".into()),
            query_vector: Some(vec![0.5, -0.25]),
            taxonomy: vec!["home/kitchen".into()],
            ..Session::default()
        };
        let hits = [Hit { item_id: "item".into(), score: Some(1.0) }];
        match self.try_render(&Subject { session: &session, depth: 10, hits: Some(&hits) }) {
            Err(Fault::Broken(part, words)) => Err(HttpError::new(part, words)),
            Ok(_) | Err(Fault::Missing(_) | Fault::Undefined(..)) => Ok(()),
        }
    }

    /// Returns the texts of the request for `subject`.
    ///
    /// # Errors
    ///
    /// Returns an error of kind `no_query` or `template`.
    pub(super) fn render(&self, subject: &Subject<'_>) -> Result<Rendered, RetrieveError> {
        self.try_render(subject).map_err(|fault| match fault {
            Fault::Missing(what) => {
                let words = format!("the session has no {what}, which the request needs");
                RetrieveError::new(RetrieveErrorKind::NoQuery, words)
            }
            Fault::Undefined(part, words) | Fault::Broken(part, words) => {
                RetrieveError::new(RetrieveErrorKind::Template, format!("the template of the `{part}` fails: {words}"))
            }
        })
    }

    fn try_render(&self, subject: &Subject<'_>) -> Result<Rendered, Fault> {
        let variables =
            variables(subject, &self.parameters, &self.used).map_err(|words| Fault::Broken(HttpPart::Body, words))?;
        let url = self.text(URL, HttpPart::Url, &variables, subject)?;
        if dot_segments(&url) > self.dots {
            let words = "a value makes a segment `.` or `..` of the path, which leads elsewhere";
            return Err(Fault::Broken(HttpPart::Url, words.to_owned()));
        }
        if !self.has_body {
            return Ok(Rendered { url, body: None });
        }
        let name = if self.is_json { JSON_BODY } else { BODY };
        let body = self.text(name, HttpPart::Body, &variables, subject)?;
        if self.is_json {
            let checked: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&body);
            checked.map_err(|error| Fault::Broken(HttpPart::Body, not_json(&error, &body)))?;
        }
        Ok(Rendered { url, body: Some(body) })
    }

    fn text(&self, name: &str, part: HttpPart, variables: &Value, subject: &Subject<'_>) -> Result<String, Fault> {
        let template = self.environment.get_template(name);
        template.and_then(|template| template.render(variables)).map_err(|error| {
            if error.kind() != ErrorKind::UndefinedError {
                return Fault::Broken(part, described(&error));
            }
            if subject.session.query.is_none() && self.used.contains("query") {
                return Fault::Missing("query text");
            }
            if subject.session.query_vector.is_none() && self.used.contains("vector") {
                return Fault::Missing("query vector");
            }
            Fault::Undefined(part, described(&error))
        })
    }
}

/// Why there is no request.
enum Fault {
    /// The session lacks what every request needs.
    Missing(&'static str),
    /// Something is not defined, which may be this session's own.
    Undefined(HttpPart, String),
    /// The template does not work.
    Broken(HttpPart, String),
}

/// Returns how many segments of the path are `.` or `..`, which whoever parses the URL resolves.
fn dot_segments(url: &str) -> usize {
    let path: String = url.chars().take_while(|character| !matches!(character, '?' | '#')).collect();
    let path = path.replace(['\t', '\n', '\r'], "").replace("%2e", ".").replace("%2E", ".");
    path.split(['/', '\\']).filter(|segment| matches!(segment.trim(), "." | "..")).count()
}

fn not_json(error: &serde_json::Error, body: &str) -> String {
    format!(
        "it gives no JSON ({error}): `{}`; a value prints with its quotes, so that `{{{{ query }}}}` stands alone",
        snippet(body)
    )
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|name| match name {
        URL => AutoEscape::Custom(URL.into()),
        JSON_BODY => AutoEscape::Json,
        _ => AutoEscape::None,
    });
    environment.set_formatter(write_value);
    environment.add_filter("tojson", to_json);
    environment.add_filter("urlencode", |value: &Value| percent_encoded(value).map(Value::from_safe_string));
    environment
}

fn write_value(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    match state.auto_escape() {
        AutoEscape::Custom(_) if !value.is_safe() => Ok(output.write_str(&percent_encoded(value)?)?),
        _ => minijinja::escape_formatter(output, state, value),
    }
}

/// The filter of this name that comes with the templates would write what is not defined as `null`.
fn to_json(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let json = serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, "cannot be written as JSON").with_source(error))?;
    Ok(Value::from_safe_string(json))
}

/// Everything but the unreserved characters of RFC 3986 is encoded, so that no value ends the part of the URL it is in.
fn percent_encoded(value: &Value) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if value.is_none() || (value.as_str().is_none() && value.try_iter().is_ok()) {
        let message = "only texts, numbers and booleans have a place in a URL; lists can be joined: `| join(',')`";
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    let text = value.to_string();
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}")?;
        }
    }
    Ok(encoded)
}

/// `application/json` and its kin; several JSON texts in a row are another matter.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

fn unknown_variable(variable: &str, hits: bool) -> String {
    let known: Vec<&str> = NAMES.into_iter().filter(|name| hits || *name != "hits").collect();
    format!("unknown variable `{variable}`, expected one of `{}`", known.join("`, `"))
}

fn described(error: &Error) -> String {
    let kind = error.kind().to_string();
    let what = match error.detail() {
        Some(detail) => format!("{kind}: {detail}"),
        None => kind,
    };
    match error.line() {
        Some(line) => format!("{what}, in line {line}"),
        None => what,
    }
}
