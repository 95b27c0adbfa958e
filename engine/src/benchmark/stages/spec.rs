//! A stage as written: keys that every stage may have, and those of its kind.

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::http::HttpSpec;
use super::{
    Bm25Spec, BoostSpec, DedupeSpec, FilterHitsSpec, FuseSpec, PluginSpec, PostgresSpec, RecordedSpec, RerankSpec,
    SqlSpec, TruncateSpec, VectorSpec,
};

/// A stage of a retriever.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StageSpec {
    /// The name under which the stage stands in the report; its kind where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What an error of this stage means; `fail` where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_error: Option<OnStageError>,
    /// Number of hits that a source is asked for; the benchmark's `depth` where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<NonZeroUsize>,
    /// What it does.
    #[serde(flatten)]
    pub kind: StageKindSpec,
}

/// What an error of a stage means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnStageError {
    /// The session fails.
    #[default]
    Fail,
    /// The session goes on without the stage: a transform hands on the hits that it was given, a branch of a `fuse` is left
    /// out. The report counts how often.
    Skip,
}

/// What a stage does.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StageKindSpec {
    /// Source: rankings from a file, a TREC run or a Parquet table in the rankings schema.
    Recorded(RecordedSpec),
    /// Source: the list that the session was shown.
    Shown(ShownSpec),
    /// Source: BM25 over the text fields of a corpus.
    Bm25(Bm25Spec),
    /// Source: the nearest vectors of a corpus.
    Vector(VectorSpec),
    /// Source: a query over corpora.
    Sql(SqlSpec),
    /// Source: a query of a Postgres database.
    Postgres(Box<PostgresSpec>),
    /// Source: several lists of hits made into one.
    Fuse(FuseSpec),
    /// Source: a component that answers searches.
    Plugin(PluginSpec),
    /// Transform: takes hits out by what a corpus says of them.
    Filter(FilterHitsSpec),
    /// Transform: changes scores by what a corpus says of the hits.
    Boost(BoostSpec),
    /// Transform: leaves the best hit of all that have the same value.
    Dedupe(DedupeSpec),
    /// Transform: cuts the list off.
    Truncate(TruncateSpec),
    /// Transform: has a component order the top of the list anew.
    Rerank(RerankSpec),
    /// Source: a search endpoint that is asked over HTTP.
    Http(Box<HttpSpec>),
}

/// The keys of a `shown` stage: none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownSpec {}

/// The kinds by name.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KindName {
    Recorded,
    Shown,
    Bm25,
    Vector,
    Sql,
    Postgres,
    Fuse,
    Plugin,
    Filter,
    Boost,
    Dedupe,
    Truncate,
    Rerank,
    Http,
}

impl KindName {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Shown => "shown",
            Self::Bm25 => "bm25",
            Self::Vector => "vector",
            Self::Sql => "sql",
            Self::Postgres => "postgres",
            Self::Fuse => "fuse",
            Self::Plugin => "plugin",
            Self::Filter => "filter",
            Self::Boost => "boost",
            Self::Dedupe => "dedupe",
            Self::Truncate => "truncate",
            Self::Rerank => "rerank",
            Self::Http => "http",
        }
    }
}

impl StageKindSpec {
    /// Returns the kind as written.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Recorded(_) => KindName::Recorded,
            Self::Shown(_) => KindName::Shown,
            Self::Bm25(_) => KindName::Bm25,
            Self::Vector(_) => KindName::Vector,
            Self::Sql(_) => KindName::Sql,
            Self::Postgres(_) => KindName::Postgres,
            Self::Fuse(_) => KindName::Fuse,
            Self::Plugin(_) => KindName::Plugin,
            Self::Filter(_) => KindName::Filter,
            Self::Boost(_) => KindName::Boost,
            Self::Dedupe(_) => KindName::Dedupe,
            Self::Truncate(_) => KindName::Truncate,
            Self::Rerank(_) => KindName::Rerank,
            Self::Http(_) => KindName::Http,
        }
        .as_str()
    }

    /// Reads the keys of a kind.
    pub(super) fn read<'de, D: serde::Deserializer<'de>>(kind: KindName, keys: D) -> Result<Self, D::Error> {
        Ok(match kind {
            KindName::Recorded => Self::Recorded(RecordedSpec::deserialize(keys)?),
            KindName::Shown => Self::Shown(ShownSpec::deserialize(keys)?),
            KindName::Bm25 => Self::Bm25(Bm25Spec::deserialize(keys)?),
            KindName::Vector => Self::Vector(VectorSpec::deserialize(keys)?),
            KindName::Sql => Self::Sql(SqlSpec::deserialize(keys)?),
            KindName::Postgres => Self::Postgres(Box::new(PostgresSpec::deserialize(keys)?)),
            KindName::Fuse => Self::Fuse(FuseSpec::deserialize(keys)?),
            KindName::Plugin => Self::Plugin(PluginSpec::deserialize(keys)?),
            KindName::Filter => Self::Filter(FilterHitsSpec::deserialize(keys)?),
            KindName::Boost => Self::Boost(BoostSpec::deserialize(keys)?),
            KindName::Dedupe => Self::Dedupe(DedupeSpec::deserialize(keys)?),
            KindName::Truncate => Self::Truncate(TruncateSpec::deserialize(keys)?),
            KindName::Rerank => Self::Rerank(RerankSpec::deserialize(keys)?),
            KindName::Http => Self::Http(Box::new(HttpSpec::deserialize(keys)?)),
        })
    }

    /// Returns whether the kind finds hits; other kinds change those that they are given.
    #[must_use]
    pub fn is_source(&self) -> bool {
        match self {
            Self::Recorded(_) | Self::Shown(_) | Self::Bm25(_) | Self::Vector(_) | Self::Sql(_) => true,
            Self::Postgres(_) | Self::Fuse(_) | Self::Plugin(_) | Self::Http(_) => true,
            Self::Filter(_) | Self::Boost(_) | Self::Dedupe(_) | Self::Truncate(_) | Self::Rerank(_) => false,
        }
    }
}
