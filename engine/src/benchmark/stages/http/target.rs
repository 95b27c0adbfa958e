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
    has_credentials: bool,
    keys: &KeyPath,
) -> Result<String, Diagnostic> {
    let written = written.trim();
    // Where a user and a password stand in URLs, or a query string, which may hold a key.
    let may_hold_secret = written.contains(['@', '?']);
    let after_scheme = ["http://", "https://"].iter().find_map(|scheme| {
        let head = written.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| written.get(scheme.len()..)).flatten()
    });
    let Some(after_scheme) = after_scheme else {
        let mistake = if may_hold_secret {
            context.secret_mistake(keys, "this is not a URL that begins with `http://` or `https://`")
        } else {
            context.mistake(keys, format!("`{written}` is not a URL that begins with `http://` or `https://`"))
        };
        return Err(mistake.with_help("only what follows the scheme may be a template"));
    };
    let end = find_outside_templates(after_scheme, &['/', '?', '#']).unwrap_or(after_scheme.len());
    let (authority, rest) = after_scheme.split_at(end);
    if authority.is_empty() {
        return Err(if may_hold_secret {
            context.secret_mistake(keys, "the URL has no host")
        } else {
            context.mistake(keys, format!("`{written}` has no host"))
        });
    }
    if find_outside_templates(authority, &['@']).is_some() {
        let mistake =
            context.secret_mistake(keys, "the URL holds a user or a password, and benchmark files hold no secrets");
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
    if has_credentials && authority.contains('{') {
        // After the secrets of the query string, since the line is shown.
        let mistake =
            context.mistake(keys, "the host is a template, and a session could have the credentials sent elsewhere");
        return Err(mistake.with_help("write the host out, followed by a `/`, or leave `auth` out"));
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
            let mistake =
                context.secret_mistake(keys, format!("`{name}` looks like a secret, and benchmark files hold none"));
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
    // Before other mistakes, which show the line that they are in.
    if let Some(name) = written.keys().find(|name| is_secret(name)) {
        let message = format!("`{name}` carries a secret, and benchmark files hold none");
        let help = format!("`auth = {{ header = \"{name}\", value-env = \"VARIABLE\" }}` names where it is");
        return Err(context.secret_mistake(&keys.key(name), message).with_help(help));
    }
    for (name, value) in written {
        let place = keys.key(name);
        let lowered = name.to_ascii_lowercase();
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

/// Words that make the name of a header or of a parameter that of a secret.
const SECRET_WORDS: [&str; 23] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "authkey",
    "authorization",
    "authtoken",
    "bearer",
    "clientsecret",
    "cookie",
    "credential",
    "credentials",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "secretkey",
    "sig",
    "signature",
    "subscriptionkey",
    "token",
];

/// What is a secret in front of the word `key`; many other keys are not.
const SECRET_KEYS: [&str; 10] =
    ["access", "account", "api", "auth", "functions", "license", "master", "private", "secret", "subscription"];

/// Whether the name is one of a secret, going by its whole words: `max_tokens` is none.
fn is_secret(name: &str) -> bool {
    let words = words(name);
    let is_key = |pair: &[String]| matches!(pair, [kind, key] if key == "key" && SECRET_KEYS.contains(&kind.as_str()));
    words.iter().any(|word| SECRET_WORDS.contains(&word.as_str()))
        || words.windows(2).any(is_key)
        || matches!(words.as_slice(), [.., last] if last == "auth")
}

/// Returns the words of a name such as `X-Api-Key`, `api_key` or `apiKey`, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for character in name.chars() {
        let is_new =
            !character.is_ascii_alphanumeric() || before.is_ascii_lowercase() && character.is_ascii_uppercase();
        if is_new {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_ascii_alphanumeric()) {
            word.push(character.to_ascii_lowercase());
        }
        before = character;
    }
    words.retain(|word| !word.is_empty());
    words
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_by_their_whole_words() {
        let secret = [
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "X-Api-Key",
            "apiKey",
            "apikey",
            "api_key",
            "access_key",
            "subscription-key",
            "Ocp-Apim-Subscription-Key",
            "sig",
            "X-Amz-Signature",
            "X-Amz-Security-Token",
            "access_token",
            "accessToken",
            "ClientSecret",
            "X-Auth",
            "password",
        ];
        assert!(secret.iter().all(|name| is_secret(name)), "{:?}", secret.map(is_secret));
        let plain = [
            "drop_tokens_threshold",
            "typo_tokens_threshold",
            "max_tokens",
            "tokenizer",
            "significant",
            "routing-key",
            "sort_key",
            "keyword",
            "author",
            "X-Tenant",
            "secretary",
            "",
        ];
        assert!(!plain.iter().any(|name| is_secret(name)), "{:?}", plain.map(is_secret));
    }
}
