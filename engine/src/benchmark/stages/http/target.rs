//! Where a request goes: the URL and the headers as written, without secrets.

use std::collections::BTreeMap;

use super::HttpDefaults;
use crate::benchmark::diagnostic::{Diagnostic, KeyPath};
use crate::benchmark::resolve::Context;

/// Returns the template of the whole URL: what is written, with the preset's path and query string where it has none.
pub(super) fn url(
    context: &Context<'_>,
    written: &str,
    usual: &HttpDefaults,
    keys: &KeyPath,
) -> Result<String, Diagnostic> {
    let written = written.trim();
    let after_scheme = ["http://", "https://"].iter().find_map(|scheme| {
        let head = written.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| written.get(scheme.len()..)).flatten()
    });
    let Some(after_scheme) = after_scheme else {
        let mistake =
            context.mistake(keys, format!("`{written}` is not a URL that begins with `http://` or `https://`"));
        return Err(mistake.with_help("only what follows the scheme may be a template"));
    };
    let end = find_outside_templates(after_scheme, &['/', '?', '#']).unwrap_or(after_scheme.len());
    let (authority, rest) = after_scheme.split_at(end);
    if authority.is_empty() {
        return Err(context.mistake(keys, format!("`{written}` has no host")));
    }
    if find_outside_templates(authority, &['@']).is_some() {
        // The text may be a password, so that it is not repeated.
        let mistake = context.mistake(keys, "the URL holds a user or a password, and benchmark files hold no secrets");
        return Err(
            mistake.with_help("`auth = { basic-user = \"...\", basic-password-env = \"VARIABLE\" }` names where it is")
        );
    }
    let (path, query) = match find_outside_templates(rest, &['?']) {
        Some(question_mark) => (rest.get(..question_mark).unwrap_or(""), rest.get(question_mark + 1..)),
        None => (rest, None),
    };
    if let Some(query) = query {
        check_query(context, query, keys)?;
    }
    let path = if matches!(path, "" | "/") { usual.path.unwrap_or(path) } else { path };
    let head = written.get(..written.len() - rest.len()).unwrap_or(written);
    Ok(match query.or(usual.query) {
        Some(query) => format!("{head}{path}?{query}"),
        None => format!("{head}{path}"),
    })
}

fn check_query(context: &Context<'_>, query: &str, keys: &KeyPath) -> Result<(), Diagnostic> {
    for parameter in query.split('&') {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if !value.is_empty() && !value.contains("{{") && (is_secret(name) || name.eq_ignore_ascii_case("key")) {
            let mistake = context.mistake(keys, format!("`{name}` looks like a secret, and benchmark files hold none"));
            let help = format!("`auth = {{ query = \"{name}\", value-env = \"VARIABLE\" }}` names where it is");
            return Err(mistake.with_help(help));
        }
    }
    Ok(())
}

/// Returns the headers of the preset and those written, by their names in small letters.
pub(super) fn headers(
    context: &Context<'_>,
    written: &BTreeMap<String, String>,
    usual: &HttpDefaults,
    keys: &KeyPath,
) -> Result<BTreeMap<String, String>, Diagnostic> {
    let usual = usual.headers.iter();
    let mut headers: BTreeMap<String, String> =
        usual.map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect();
    for (name, value) in written {
        let place = keys.key(name);
        let lowered = name.to_ascii_lowercase();
        if is_secret(&lowered) {
            let mistake = context.mistake(&place, format!("`{name}` carries a secret, and benchmark files hold none"));
            let help = format!("`auth = {{ header = \"{name}\", value-env = \"VARIABLE\" }}` names where it is");
            return Err(mistake.with_help(help));
        }
        if lowered == "content-type" {
            let mistake = context.mistake(&place, "the body's media type has a key of its own");
            return Err(mistake.with_help(format!("`content-type = \"{value}\"`")));
        }
        if FRAMING.contains(&lowered.as_str()) {
            return Err(context.mistake(&place, format!("`{name}` is set by what sends the request")));
        }
        if reqwest::header::HeaderName::try_from(name.as_str()).is_err() {
            return Err(context.mistake(&place, format!("`{name}` is not the name of a header")));
        }
        if reqwest::header::HeaderValue::try_from(value.as_str()).is_err() {
            return Err(context.mistake(&place, format!("what `{name}` is set to cannot stand in a header")));
        }
        headers.insert(lowered, value.clone());
    }
    Ok(headers)
}

/// Headers that say where the request ends, or how its answer is packed.
const FRAMING: [&str; 7] =
    ["accept-encoding", "connection", "content-encoding", "content-length", "te", "transfer-encoding", "upgrade"];

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    ["authorization", "cookie", "api-key", "apikey", "token", "secret", "password"]
        .iter()
        .any(|word| name.contains(word))
}

/// Returns where the first of `characters` stands that is not inside of `{{ }}` or `{% %}`.
fn find_outside_templates(text: &str, characters: &[char]) -> Option<usize> {
    let (mut inside, mut before) = (false, ' ');
    for (position, character) in text.char_indices() {
        match (before, character) {
            ('{', '{' | '%') => inside = true,
            ('}' | '%', '}') => inside = false,
            _ if !inside && characters.contains(&character) => return Some(position),
            _ => {}
        }
        before = character;
    }
    None
}
