//! Why an endpoint cannot be asked at all.

/// Why an endpoint cannot be asked at all: a setting that makes no sense, or that this machine cannot fulfil.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}`: {message}")]
pub struct HttpError {
    /// The setting at fault.
    pub part: HttpPart,
    /// What is wrong with it, in words.
    pub message: String,
}

impl HttpError {
    pub(super) fn new(part: HttpPart, message: impl Into<String>) -> Self {
        Self { part, message: message.into() }
    }
}

/// A setting of an `http` stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpPart {
    /// `url`.
    Url,
    /// `method`.
    Method,
    /// A header, by name.
    Header(String),
    /// `auth`.
    Auth,
    /// `body`.
    Body,
    /// `content-type`.
    ContentType,
    /// `ids`.
    Ids,
    /// `scores`.
    Scores,
    /// `error`.
    Error,
    /// The path of a timing, by name.
    Timing(String),
    /// `certificate-authority`.
    CertificateAuthority,
    /// The TLS and connection machinery of this machine.
    Client,
}

impl HttpPart {
    /// Returns the keys below the stage's table under which the setting stands.
    pub(crate) fn keys(&self) -> Vec<&str> {
        match self {
            Self::Url => vec!["url"],
            Self::Method => vec!["method"],
            Self::Header(name) => vec!["headers", name],
            Self::Auth => vec!["auth"],
            Self::Body => vec!["body"],
            Self::ContentType => vec!["content-type"],
            Self::Ids => vec!["ids"],
            Self::Scores => vec!["scores"],
            Self::Error => vec!["error"],
            Self::Timing(name) => vec!["timings", name, "path"],
            Self::CertificateAuthority => vec!["certificate-authority"],
            Self::Client => vec![],
        }
    }
}

impl std::fmt::Display for HttpPart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client => formatter.write_str("http"),
            part => formatter.write_str(&part.keys().join(".")),
        }
    }
}
