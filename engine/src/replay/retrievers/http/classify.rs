//! What kind of failure it is, whether it may pass, and what the user can do.

use std::io;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use rustls::CertificateError;

use super::client::causes;
use crate::benchmark::PolicyPlan;
use crate::outbound::{OutboundError, refusal_behind};
use crate::replay::RetrieveErrorKind as Kind;
use crate::replay::remote::{AttemptError, Redaction, Retry, retry_after};

/// Returns what the failure of a request is that `target` names and no answer came to.
pub(super) fn of_request(error: reqwest::Error, target: &str, policy: &PolicyPlan) -> AttemptError {
    let error = error.without_url();
    let words = causes_below(&error);
    match refusal_behind(&error) {
        // A name may resolve again.
        None | Some(OutboundError::Unresolved { .. }) => {}
        Some(refusal) => {
            return AttemptError::lasting(Kind::Outbound, format!("{target} is not asked: {refusal}"));
        }
    }
    if error.is_timeout() && error.is_connect() {
        let limit = policy.connect_timeout;
        let message =
            format!("{target}: no connection within {limit}; a longer `connect-timeout` gives the server more time");
        return AttemptError::passing(Kind::Timeout, message);
    }
    if error.is_dns() {
        return AttemptError::passing(
            Kind::Dns,
            format!("{target}: the host's name does not resolve ({words}); is the URL right?"),
        );
    }
    if let Some(fix) = first_cause(&error, |cause| cause.downcast_ref().map(tls_fix)) {
        return AttemptError::lasting(Kind::Tls, format!("{target}: {words}; {fix}"));
    }
    if error.is_connect() {
        let message = format!("{target}: no connection ({words}); is the server running, and is the URL right?");
        return AttemptError::passing(Kind::Connect, message);
    }
    if error.is_redirect() {
        return AttemptError::lasting(Kind::Redirect, format!("{target}: {words}"));
    }
    if error.is_builder() {
        return AttemptError::lasting(Kind::Template, format!("{target}: the request cannot be made ({words})"));
    }
    AttemptError::passing(Kind::Connect, format!("{target}: the connection ended before an answer began ({words})"))
}

/// Returns what the failure of an answer is that broke off after `received` bytes.
pub(super) fn of_body(error: reqwest::Error, target: &str, received: usize) -> AttemptError {
    let error = error.without_url();
    let words = causes_below(&error);
    if is_encoding(&error) && !words.starts_with(TRANSPORT) {
        return AttemptError::lasting(Kind::Body, format!("{target}: the answer cannot be decompressed ({words})"));
    }
    let message = format!("{target}: the answer breaks off after {received} bytes ({words})");
    AttemptError::passing(Kind::Body, message)
}

/// Returns what an answer with an unwelcome status is; `said` is what it says itself, without secrets.
pub(super) fn of_status(
    status: StatusCode,
    headers: &HeaderMap,
    target: &str,
    redaction: &Redaction,
    said: &str,
) -> AttemptError {
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let answered = format!("{target} answered {status}{said}");
    let (kind, fix) = match status.as_u16() {
        300..=399 => {
            let to = headers.get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.map(|to| format!(" to `{}`", snippet(&redaction.redact(to)))).unwrap_or_default();
            let fix =
                format!("it sends elsewhere{to}; write that URL, or allow `redirects` where it is on the same host");
            (Kind::Redirect, fix)
        }
        401 | 403 => (Kind::Unauthorised, "are the credentials in `auth` right?".to_owned()),
        404 => (Kind::BadRequest, "is the URL right?".to_owned()),
        429 => (Kind::RateLimited, "a lower `rate` or `concurrency` asks less of it".to_owned()),
        400..=499 => (Kind::BadRequest, String::new()),
        _ => (Kind::Server, String::new()),
    };
    let message = if fix.is_empty() { answered } else { format!("{answered}; {fix}") };
    let may_pass = matches!(status.as_u16(), 408 | 429 | 500 | 502..=504 | 507..=599);
    let asked = headers.get(RETRY_AFTER).and_then(|text| retry_after(text.to_str().ok()?, Timestamp::now()));
    let retry = match (may_pass, asked) {
        (false, _) => Retry::Never,
        (true, None) => Retry::Soon,
        (true, Some(wait)) => Retry::After(wait),
    };
    AttemptError { kind, message, retry }
}

/// Characters of an answer that are repeated in an error.
const SNIPPET: usize = 200;

/// Returns the first line or so of a text, fit to be printed.
pub(super) fn snippet(text: &str) -> String {
    let mut printable = String::with_capacity(SNIPPET);
    for (count, word) in text.split(|character: char| character.is_whitespace() || character.is_control()).enumerate() {
        if printable.chars().count() > SNIPPET {
            break;
        }
        if count > 0 && !printable.is_empty() && !word.is_empty() {
            printable.push(' ');
        }
        printable.push_str(word);
    }
    match printable.char_indices().nth(SNIPPET) {
        Some((end, _)) => format!("{}...", printable.get(..end).unwrap_or_default()),
        None => printable,
    }
}

/// The causes below the outermost error, which only says that there is one.
fn causes_below(error: &reqwest::Error) -> String {
    let words = std::error::Error::source(error).map_or_else(|| causes(error), causes);
    snippet(&words)
}

/// How a failure below the decompressor begins.
const TRANSPORT: &str = "error reading a body from connection";

/// Whether the bytes arrived, and make no sense to the decompressor.
fn is_encoding(error: &reqwest::Error) -> bool {
    let is_data = |cause: &(dyn std::error::Error + 'static)| {
        let kind = cause.downcast_ref::<io::Error>()?.kind();
        matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput).then_some(())
    };
    first_cause(error, is_data).is_some()
}

/// Returns what `read` makes of the first cause that it knows.
fn first_cause<T>(error: &reqwest::Error, read: impl Fn(&(dyn std::error::Error + 'static)) -> Option<T>) -> Option<T> {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(known) = read(cause) {
            return Some(known);
        }
        // An error of the operating system's kind may itself be one that was wrapped, which its `source` skips.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map_or_else(|| cause.source(), |wrapped| Some(wrapped));
    }
    None
}

fn tls_fix(error: &rustls::Error) -> &'static str {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    match error {
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "`certificate-authority` names a file of the authority that signed it"
        }
        rustls::Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        ) => "the server needs a new certificate",
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "the certificate is for another host than the URL's"
        }
        _ => "the server must speak TLS 1.2 or 1.3, and its certificate be trusted",
    }
}
