//! What a person can do about a failure, by its kind.

use super::RetrieveErrorKind as Kind;

impl Kind {
    /// Returns the kind of that name, or `None` for another text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Returns what to do about a failure of this kind, as one sentence without its full stop.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoQuery => {
                "the stage needs a query text; give one, or use a source that works from `inputs` or a vector"
            }
            Self::NotRecorded => {
                "ask for a session that the recording holds, or set `missing = \"empty\"` of the stage"
            }
            Self::RecordedFailure => "the recording itself says that this search failed; record it again",
            Self::NotShown => "ask for a session that was logged with its list of results",
            Self::Index => "check the corpus with `rematch inspect`",
            Self::Connect => "start the server, or correct host and port of the stage's `url`",
            Self::Dns => "correct the host of the stage's `url`, or the name server of this machine",
            Self::Outbound => "name a host of the public internet, or have the server's operator allow this one",
            Self::Tls => {
                "give the server a valid certificate, or name its authority by `certificate-authority`; \
                          for a server that speaks plain HTTP write `http://`"
            }
            Self::Timeout => "look whether the server is overloaded, or raise `timeout` of the retriever",
            Self::RateLimited => "lower `rate` or `concurrency` of the retriever",
            Self::Unauthorised => "check `auth` of the stage, and the environment variable that holds the secret",
            Self::BadRequest => {
                "correct `url`, `body` or `parameters` of the stage; `rematch probe` shows what the server says"
            }
            Self::Server => "look into the server's log",
            Self::Redirect => "write the URL that the server redirects to, or allow `redirects` of the retriever",
            Self::Body => "check with `rematch probe` that the URL answers with JSON, and that `max-body` suffices",
            Self::Extraction => "correct `ids` and `scores` of the stage; `rematch probe` proposes paths",
            Self::Breaker => "bring the server back, then go on with `rematch resume`",
            Self::Template => "correct the template, or give the session what it asks for",
            Self::Sql => "correct the stage's SQL",
            Self::Vector => "give the session a query vector of as many numbers as the index has dimensions",
            Self::Plugin => "run the component alone with `rematch plugin test`",
            Self::Internal => "this is a bug; please report it",
        }
    }
}

const ALL: [Kind; 23] = [
    Kind::NoQuery,
    Kind::NotRecorded,
    Kind::RecordedFailure,
    Kind::NotShown,
    Kind::Index,
    Kind::Connect,
    Kind::Dns,
    Kind::Outbound,
    Kind::Tls,
    Kind::Timeout,
    Kind::RateLimited,
    Kind::Unauthorised,
    Kind::BadRequest,
    Kind::Server,
    Kind::Redirect,
    Kind::Body,
    Kind::Extraction,
    Kind::Breaker,
    Kind::Template,
    Kind::Sql,
    Kind::Vector,
    Kind::Plugin,
    Kind::Internal,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_advice_without_a_full_stop() {
        for kind in ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            assert!(!kind.advice().ends_with('.') && !kind.advice().contains("  "), "{}", kind.advice());
        }
        assert_eq!(Kind::parse("bad luck"), None);
    }
}
