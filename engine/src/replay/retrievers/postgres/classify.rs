//! Which kind of failure an error of the client library is, and whether another attempt may fare better.

use std::error::Error as _;
use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::replay::RetrieveErrorKind as Kind;
use crate::replay::remote::AttemptError;

/// Returns the failure that an error means.
pub(super) fn failure(error: &Error) -> AttemptError {
    if let Some(told) = error.as_db_error() {
        return told_by_server(told);
    }
    let words = words(error);
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    // The library tells these apart in its words only.
    let said = error.to_string();
    if said.contains("TLS") || cause.is_some_and(is_tls) {
        return AttemptError::lasting(
            Kind::Tls,
            format!(
                "no encrypted connection: {words}; `certificate-authority` names whom to trust, `sslmode` whether to encrypt"
            ),
        );
    }
    if said.starts_with("authentication error") || said.starts_with("invalid configuration") {
        let message =
            format!("the server wants credentials: {words}; `password-env` names the variable of the password");
        return AttemptError::lasting(Kind::Unauthorised, message);
    }
    if cause.is_some_and(|cause| cause.to_string().contains("failed to lookup address information")) {
        return AttemptError::passing(Kind::Dns, format!("the host's name does not resolve: {words}"));
    }
    if said.starts_with("timeout") || cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut) {
        return AttemptError::passing(Kind::Timeout, format!("no connection in time: {words}"));
    }
    if cause.is_some() || error.is_closed() || said.starts_with("error c") {
        return AttemptError::passing(Kind::Connect, format!("no connection: {words}"));
    }
    AttemptError::lasting(Kind::Sql, words)
}

/// The server's own errors, by the class of their SQLSTATE.
fn told_by_server(told: &DbError) -> AttemptError {
    let code = told.code();
    let message = format!("{} (SQLSTATE {})", told.message(), code.code());
    if *code == SqlState::QUERY_CANCELED {
        let message = format!("{message}; a longer `timeout` gives the server more time");
        return AttemptError::passing(Kind::Timeout, message);
    }
    if *code == SqlState::TOO_MANY_CONNECTIONS {
        return AttemptError::passing(
            Kind::RateLimited,
            format!("{message}; a lower `concurrency` takes fewer connections"),
        );
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return AttemptError::lasting(Kind::Unauthorised, message);
    }
    match code.code().get(..2).unwrap_or_default() {
        "28" => AttemptError::lasting(Kind::Unauthorised, message),
        // Connections that end, and servers that start or stop.
        "08" | "57" => AttemptError::passing(Kind::Connect, message),
        // Conflicts with other transactions, want of memory or disk, trouble of the system.
        "40" | "53" | "58" | "XX" => AttemptError::passing(Kind::Server, message),
        _ => AttemptError::lasting(Kind::Sql, message),
    }
}

fn is_tls(cause: &io::Error) -> bool {
    cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Returns the words of an error and of its causes.
fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !words.contains(&said) {
            words = format!("{words}: {said}");
        }
        cause = inner.source();
    }
    words
}
