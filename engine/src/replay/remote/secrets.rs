//! Credentials: where they come from, and how they are kept out of everything that is shown or stored.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::escaped;

/// Looks up the environment variable that holds a secret. The program hands one in; the library reads no environment.
pub type Secrets = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Returns a lookup that finds nothing.
#[must_use]
pub fn no_secrets() -> Secrets {
    Arc::new(|_| None)
}

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";

/// A secret; neither [`Debug`] nor [`fmt::Display`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the secret in the environment variable `variable`.
    ///
    /// # Errors
    ///
    /// Returns an error when the variable is not set, or empty.
    pub fn look_up(secrets: &Secrets, variable: &str) -> Result<Self, SecretError> {
        match secrets(variable) {
            None => Err(SecretError::Unset { variable: variable.to_owned() }),
            Some(value) if value.trim().is_empty() => Err(SecretError::Empty { variable: variable.to_owned() }),
            Some(value) => Ok(Self(value)),
        }
    }

    /// Returns the secret itself, for the place that it was made for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

/// Why there is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The variable is not set.
    #[error("the environment variable `{variable}`, which holds credentials, is not set")]
    Unset {
        /// Its name.
        variable: String,
    },
    /// The variable holds nothing.
    #[error("the environment variable `{variable}`, which holds credentials, is empty")]
    Empty {
        /// Its name.
        variable: String,
    },
}

/// Takes secrets out of texts, since servers like to repeat in their errors what they were sent.
#[derive(Clone, Default)]
pub struct Redaction {
    /// The secrets as they are sent, longest first.
    forms: Vec<String>,
}

impl Redaction {
    /// Adds a form in which a secret is sent. It is found inside of a JSON text, a URL or a page too, however it is escaped.
    pub fn add(&mut self, form: &str) {
        if form.is_empty() {
            return;
        }
        self.forms.push(form.to_owned());
        self.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        self.forms.dedup();
    }

    /// Returns `text` without the secrets. A text that was cut may end in half a secret, so that this comes before the cut.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut redacted = String::new();
        let (mut rest, mut kept) = (text, 0);
        while let Some(next) = rest.chars().next() {
            let position = text.len() - rest.len();
            let Some(after) = self.forms.iter().find_map(|form| escaped::strip_prefix(rest, form)) else {
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
                continue;
            };
            redacted.push_str(text.get(kept..position).unwrap_or_default());
            redacted.push_str(REDACTED);
            kept = text.len() - after.len();
            rest = after;
        }
        if kept == 0 {
            return Cow::Borrowed(text);
        }
        redacted.push_str(text.get(kept..).unwrap_or_default());
        Cow::Owned(redacted)
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Redaction").field("forms", &self.forms.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let secrets: Secrets = Arc::new(|variable| (variable == "TOKEN").then(|| "hunter2".to_owned()));
        let secret = Secret::look_up(&secrets, "TOKEN").unwrap();
        assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "[redacted] [redacted] [redacted]");
        assert_eq!(secret.expose(), "hunter2");
        let error = Secret::look_up(&secrets, "OTHER").unwrap_err();
        assert_eq!(error.to_string(), "the environment variable `OTHER`, which holds credentials, is not set");
        let empty: Secrets = Arc::new(|_| Some("  ".to_owned()));
        assert!(matches!(Secret::look_up(&empty, "TOKEN"), Err(SecretError::Empty { .. })));
    }

    #[test]
    fn texts_lose_secrets_in_every_form() {
        let mut redaction = Redaction::default();
        redaction.add("p\"a ss/word");
        for text in ["p\"a ss/word", "p\\\"a ss/word", "p%22a+ss%2Fword", "p%22a%20ss%2Fword"] {
            assert_eq!(redaction.redact(&format!("got `{text}`!")), "got `[redacted]`!");
        }
        assert!(matches!(redaction.redact("nothing"), Cow::Borrowed("nothing")));
        assert_eq!(redaction.redact("p\"a ss/wor p\"a ss/word"), "p\"a ss/wor [redacted]");
        assert!(!format!("{redaction:?}").contains("word"));
    }
}
