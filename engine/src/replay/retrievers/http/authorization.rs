//! Credentials as they go over the wire.

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use url::Url;

use super::{HttpError, HttpPart};
use crate::benchmark::stages::http::{AuthPlan, UserPlan};
use crate::replay::remote::{Redaction, Secret, Secrets};

/// What proves to the server who asks. None of it shows in [`Debug`].
#[derive(Debug, Default)]
pub(super) struct Credentials {
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    /// A parameter of the query string.
    pub(super) parameter: Option<(String, Secret)>,
    /// Takes them out of whatever the server says.
    pub(super) redaction: Redaction,
}

impl Credentials {
    /// Looks up the credentials of `plan`.
    pub(super) fn look_up(plan: &AuthPlan, secrets: &Secrets) -> Result<Self, HttpError> {
        let look_up = |variable: &str| {
            Secret::look_up(secrets, variable).map_err(|error| HttpError::new(HttpPart::Auth, error.to_string()))
        };
        let mut credentials = Self::default();
        match plan {
            AuthPlan::None => {}
            AuthPlan::Bearer { token_env } => {
                let token = look_up(token_env)?;
                credentials.send_in(AUTHORIZATION, &format!("Bearer {}", token.expose()), &token, token_env)?;
            }
            AuthPlan::Basic { user, password_env } => {
                let password = look_up(password_env)?;
                let user = match user {
                    UserPlan::Name(name) => name.clone(),
                    UserPlan::Env(variable) => {
                        let user = look_up(variable)?;
                        credentials.redaction.add(user.expose());
                        user.expose().to_owned()
                    }
                };
                let value = basic(&user, &password);
                let encoded = value.trim_start_matches("Basic ").to_owned();
                credentials.redaction.add(&encoded);
                credentials.send_in(AUTHORIZATION, &value, &password, password_env)?;
            }
            AuthPlan::Header { name, prefix, value_env } => {
                let secret = look_up(value_env)?;
                let header = HeaderName::try_from(name.as_str())
                    .map_err(|_| HttpError::new(HttpPart::Auth, format!("`{name}` is not the name of a header")))?;
                credentials.send_in(header, &format!("{prefix}{}", secret.expose()), &secret, value_env)?;
            }
            AuthPlan::Query { name, value_env } => {
                let secret = look_up(value_env)?;
                credentials.redaction.add(secret.expose());
                credentials.parameter = Some((name.clone(), secret));
            }
        }
        Ok(credentials)
    }

    fn send_in(&mut self, name: HeaderName, value: &str, secret: &Secret, variable: &str) -> Result<(), HttpError> {
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            let message = format!("what the environment variable `{variable}` holds cannot stand in a header; is there a line break in it?");
            HttpError::new(HttpPart::Auth, message)
        })?;
        value.set_sensitive(true);
        self.redaction.add(secret.expose());
        self.header = Some((name, value));
        Ok(())
    }

    /// Adds the credentials that belong into the URL.
    pub(super) fn add_to(&self, url: &mut Url) {
        if let Some((name, secret)) = &self.parameter {
            url.query_pairs_mut().append_pair(name, secret.expose());
        }
    }
}

/// Returns the value of the header of basic authentication (RFC 7617).
fn basic(user: &str, password: &Secret) -> String {
    format!("Basic {}", base64(format!("{user}:{}", password.expose()).as_bytes()))
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4_usize {
            let index = usize::try_from(word >> (18 - 6 * position) & 63).unwrap_or(0);
            let character = ALPHABET.get(index).copied().map_or('=', char::from);
            text.push(if position > group.len() { '=' } else { character });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (text, encoded) in cases {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
        let secrets: Secrets = Arc::new(|_| Some("open sesame".to_owned()));
        let password = Secret::look_up(&secrets, "P").unwrap();
        assert_eq!(basic("Aladdin", &password), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn no_secret_shows_and_every_form_is_redacted() {
        let secrets: Secrets = Arc::new(|variable| (variable != "UNSET").then(|| format!("s3cret&{variable}")));
        let plans = [
            AuthPlan::Bearer { token_env: "TOKEN".into() },
            AuthPlan::Basic { user: UserPlan::Env("USER".into()), password_env: "PASSWORD".into() },
            AuthPlan::Header { name: "X-Api-Key".into(), prefix: "Key ".into(), value_env: "KEY".into() },
            AuthPlan::Query { name: "key".into(), value_env: "KEY".into() },
        ];
        for plan in plans {
            let credentials = Credentials::look_up(&plan, &secrets).unwrap();
            let mut url: Url = "http://h/p?a=b".parse().unwrap();
            credentials.add_to(&mut url);
            let header = credentials.header.as_ref().map(|(_, value)| value.to_str().unwrap().to_owned());
            let sent = format!("{url} {}", header.unwrap_or_default());
            let shown = credentials.redaction.redact(&sent).into_owned();
            for form in ["s3cret", "s3cret%26", &base64(b"s3cret&USER:s3cret&PASSWORD")] {
                assert!(!shown.contains(form), "{plan:?}: {shown}");
            }
            assert!(shown.contains("[redacted]") && !format!("{credentials:?}").contains("s3cret"), "{credentials:?}");
        }
        let unset = AuthPlan::Bearer { token_env: "UNSET".into() };
        let error = Credentials::look_up(&unset, &secrets).unwrap_err();
        assert_eq!(error.to_string(), "`auth`: the environment variable `UNSET`, which holds credentials, is not set");
        let broken: Secrets = Arc::new(|_| Some("two\nlines".to_owned()));
        let error = Credentials::look_up(&AuthPlan::Bearer { token_env: "T".into() }, &broken).unwrap_err();
        assert!(error.message.contains("line break") && !error.message.contains("two"), "{error}");
    }
}
