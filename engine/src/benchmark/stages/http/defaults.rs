//! What a preset knows about its search engine, so that a benchmark file need not say it.

use super::{AbsentHits, ScoreDirection, TimingUnit};

/// What a preset fills in where the stage says nothing. All texts are templates or JSONPaths as in
/// [`HttpSpec`](super::HttpSpec).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HttpDefaults {
    /// The method; `None` is `POST` where there is a body, else `GET`.
    pub method: Option<&'static str>,
    /// Template of the path, with a leading `/`; taken where the written URL has no path, or only `/`.
    pub path: Option<&'static str>,
    /// Template of the query string, without `?`; taken where the written URL has none.
    pub query: Option<&'static str>,
    /// Headers; one of the same name in the stage replaces it.
    pub headers: &'static [(&'static str, &'static str)],
    /// Template of the body. In a JSON body each `{{ value }}` prints as JSON, strings with their quotes; `| tojson` does
    /// the same wherever it stands.
    pub body: Option<&'static str>,
    /// The body's media type; `None` is `application/json`.
    pub content_type: Option<&'static str>,
    /// JSONPath of the item ids, best first; `None` has to be written in the stage.
    pub ids: Option<&'static str>,
    /// JSONPath of the scores.
    pub scores: Option<&'static str>,
    /// Whether higher or lower scores are better.
    pub score_direction: ScoreDirection,
    /// What an answer without the list that `ids` walks over means. `Empty` only for engines that leave the list out
    /// when nothing matches.
    pub absent_hits: AbsentHits,
    /// JSONPath that finds something only in answers that are errors, whatever their status.
    pub error: Option<&'static str>,
    /// Timings that the server reports: name, JSONPath, unit.
    pub timings: &'static [(&'static str, &'static str, TimingUnit)],
    /// What the templates take from `parameters`. Other names are refused, unless the preset is `generic`.
    pub parameters: &'static [ParameterDefault],
}

/// A parameter of a preset's templates, `parameters.<name>`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParameterDefault {
    /// Its name.
    pub name: &'static str,
    /// Its value where none is written, as JSON text; `None` has to be written.
    pub default: Option<&'static str>,
    /// What it is, for the message that asks for it: a noun phrase such as `the fields that are searched`.
    pub description: &'static str,
}

impl HttpDefaults {
    /// What holds where no search engine is named.
    pub const GENERIC: Self = Self {
        method: None,
        path: None,
        query: None,
        headers: &[],
        body: None,
        content_type: None,
        ids: None,
        scores: None,
        score_direction: ScoreDirection::Higher,
        absent_hits: AbsentHits::Error,
        error: None,
        timings: &[],
        parameters: &[],
    };
}
