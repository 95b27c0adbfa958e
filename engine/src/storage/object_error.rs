//! What went wrong in an object store, in words, with what to do about it.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use object_store::Error;

use super::location::{ObjectUrl, Scheme};
use crate::outbound::refusal_behind;

/// Why an object cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("`{url}`: {advice}")]
struct ObjectError {
    url: String,
    advice: String,
    #[source]
    source: Error,
}

/// Returns the error of a store with the advice that fits it.
pub(super) fn explained(url: &ObjectUrl, source: Error) -> io::Error {
    let (kind, advice) = advice(url, &source);
    io::Error::new(kind, ObjectError { url: url.to_string(), advice, source })
}

/// Returns an error for what lies there and is not what it was.
pub(super) fn changed(url: &ObjectUrl) -> io::Error {
    io::Error::other(format!("`{url}` was changed while it was read; run again when nobody writes it"))
}

fn advice(url: &ObjectUrl, error: &Error) -> (ErrorKind, String) {
    if let Some(refusal) = refusal_behind(error) {
        return (ErrorKind::PermissionDenied, refusal.to_string());
    }
    let said = chain(error);
    let has = |fragments: &[&str]| fragments.iter().any(|fragment| said.contains(fragment));
    let bucket = &url.authority;
    if has(&["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]) {
        return (ErrorKind::NotFound, format!("there is no bucket `{bucket}`; check its name{}", settings(url.scheme)));
    }
    match error {
        Error::NotFound { .. } => {
            (ErrorKind::NotFound, "there is no such object; check its name, upper and lower case differ".into())
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => (ErrorKind::PermissionDenied, denied(url)),
        Error::Precondition { .. } => {
            (ErrorKind::Other, "it was changed while it was read; run again when nobody writes it".into())
        }
        Error::AlreadyExists { .. } => (ErrorKind::AlreadyExists, "it is there already".into()),
        _ if has(&["scheme is not allowed", "URL scheme"]) => (
            ErrorKind::InvalidInput,
            format!("its endpoint is plain http; set `{}_ALLOW_HTTP=true` where that is meant", prefix(url.scheme)),
        ),
        _ if has(&["Account must be specified"]) => {
            (ErrorKind::InvalidInput, "it needs a storage account; set `AZURE_STORAGE_ACCOUNT_NAME`".into())
        }
        _ if has(&[
            "metadata/instance",
            "169.254.169.254",
            "metadata.google.internal",
            "latest/api/token",
            "instance credentials",
        ]) =>
        {
            (ErrorKind::PermissionDenied, format!("no credentials were found{}", credentials(url.scheme)))
        }
        _ if has(&[
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "ExpiredToken",
            "AuthenticationFailed",
            "AuthorizationFailure",
            "403 Forbidden",
        ]) =>
        {
            (ErrorKind::PermissionDenied, denied(url))
        }
        _ if has(&["without LOCATION"]) => {
            (ErrorKind::Other, format!("the bucket `{bucket}` lies in another region; set `AWS_REGION`"))
        }
        _ if has(&["error sending request", "Connect", "dns error", "timed out"]) => {
            let settings = settings(url.scheme);
            (
                ErrorKind::Other,
                format!("its store cannot be reached, however often it was tried; check the network{settings}"),
            )
        }
        _ => (ErrorKind::Other, "the store refused or failed".into()),
    }
}

fn denied(url: &ObjectUrl) -> String {
    match url.scheme {
        Scheme::Http => {
            "the server asks for credentials, which cannot be given; download the file and give its path".into()
        }
        scheme => format!("access is denied{}", credentials(scheme)),
    }
}

fn credentials(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::S3 => {
            "; set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` of an account that may (`AWS_SKIP_SIGNATURE=true` reads public buckets)"
        }
        Scheme::Google => "; set `GOOGLE_SERVICE_ACCOUNT` to the key file of an account that may",
        Scheme::Azure => "; set `AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ACCOUNT_KEY`",
        Scheme::Http => "",
    }
}

fn settings(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::S3 => ", `AWS_ENDPOINT_URL` and `AWS_REGION`",
        Scheme::Azure => " and `AZURE_STORAGE_ACCOUNT_NAME`",
        Scheme::Google => " and `GOOGLE_BASE_URL`, where it is set",
        Scheme::Http => "",
    }
}

/// How the variables of a store begin.
fn prefix(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::S3 | Scheme::Http => "AWS",
        Scheme::Google => "GOOGLE",
        Scheme::Azure => "AZURE",
    }
}

/// Returns everything that an error and its causes say.
fn chain(error: &Error) -> String {
    let mut said = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push_str(&format!(" {error}"));
        cause = error.source();
    }
    said
}
