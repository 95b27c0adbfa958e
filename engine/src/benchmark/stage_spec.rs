//! One stage of a retriever, as written. Its keys depend on its kind, so they are checked here, with the file's spans.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

/// A stage of a retriever.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum StageSpec {
    /// Source: rankings from a file, a TREC run or a Parquet table in the rankings schema.
    Recorded {
        /// The file; gzip allowed for TREC runs.
        path: String,
        /// Which retriever's rows of a Parquet table to take, where it holds several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retriever_id: Option<String>,
        /// The column of a Parquet table that holds the session id; by default the first of `session_id`, `query_id`,
        /// `q_id` and `qid`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_column: Option<String>,
        /// The column of a Parquet table that holds the list of hits: items, or structs with `item_id` and `score`; by
        /// default `hits`. A table without one has a row per hit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hits_column: Option<String>,
        /// What a session without a ranking means; `error`, or `empty` under `compatibility = "trec-eval"`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missing: Option<Missing>,
    },
    /// Source: the list that the session was shown.
    Shown {},
    /// Source: BM25 over the text fields of a corpus.
    Bm25 {
        /// Name of the corpus.
        corpus: String,
        /// Boost by field.
        fields: BTreeMap<String, f64>,
        /// Term-frequency saturation, at least 0; 1.2 where it is not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        k1: Option<f64>,
        /// Length normalisation, 0 to 1; 0.75 where it is not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        b: Option<f64>,
        /// How fields combine; `bm25f` where it is not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        combine_fields: Option<CombineFields>,
    },
}

/// How the fields of a BM25 stage combine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CombineFields {
    /// Boosted term frequencies and lengths add up before saturation, as if the fields were one text.
    #[default]
    Bm25f,
    /// Boosted BM25 scores of the fields add up.
    Sum,
}

/// What a session without a recorded ranking means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The session fails with kind `not_recorded` and drops out of every pair.
    Error,
    /// The session has an empty ranking.
    Empty,
}

/// The union of all stages' keys; what does not belong to the kind is refused afterwards, by name.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawStage {
    kind: Kind,
    path: Option<String>,
    retriever_id: Option<String>,
    session_column: Option<String>,
    hits_column: Option<String>,
    missing: Option<Missing>,
    corpus: Option<String>,
    fields: Option<BTreeMap<String, f64>>,
    k1: Option<f64>,
    b: Option<f64>,
    combine_fields: Option<CombineFields>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Recorded,
    Shown,
    Bm25,
}

impl StageSpec {
    /// Returns the stage's kind as written.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Recorded { .. } => "recorded",
            Self::Shown {} => "shown",
            Self::Bm25 { .. } => "bm25",
        }
    }
}

impl<'de> Deserialize<'de> for StageSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut raw = RawStage::deserialize(deserializer)?;
        let stage = match raw.kind {
            Kind::Recorded => Self::Recorded {
                path: required(raw.path.take(), "recorded", "path")?,
                retriever_id: raw.retriever_id.take(),
                session_column: raw.session_column.take(),
                hits_column: raw.hits_column.take(),
                missing: raw.missing.take(),
            },
            Kind::Shown => Self::Shown {},
            Kind::Bm25 => Self::Bm25 {
                corpus: required(raw.corpus.take(), "bm25", "corpus")?,
                fields: required(raw.fields.take(), "bm25", "fields")?,
                k1: raw.k1.take(),
                b: raw.b.take(),
                combine_fields: raw.combine_fields.take(),
            },
        };
        match raw.first_left() {
            Some(key) => Err(de::Error::custom(format!("a `{}` stage takes no key `{key}`", stage.kind()))),
            None => Ok(stage),
        }
    }
}

impl RawStage {
    fn first_left(&self) -> Option<&'static str> {
        let left = [
            ("path", self.path.is_some()),
            ("retriever-id", self.retriever_id.is_some()),
            ("session-column", self.session_column.is_some()),
            ("hits-column", self.hits_column.is_some()),
            ("missing", self.missing.is_some()),
            ("corpus", self.corpus.is_some()),
            ("fields", self.fields.is_some()),
            ("k1", self.k1.is_some()),
            ("b", self.b.is_some()),
            ("combine-fields", self.combine_fields.is_some()),
        ];
        left.into_iter().find(|(_, present)| *present).map(|(key, _)| key)
    }
}

fn required<T, E: de::Error>(value: Option<T>, kind: &str, key: &str) -> Result<T, E> {
    value.ok_or_else(|| E::custom(format!("a `{kind}` stage needs the key `{key}`")))
}
