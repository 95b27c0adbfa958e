//! From a preset's name to its data.

use super::super::http::{HttpDefaults, Preset};
use super::{
    anserini, chroma, datasette, elasticsearch, groonga, meilisearch, opensearch, qdrant, solr, typesense, vespa,
    weaviate,
};

/// Every preset, in the order of their documentation.
pub const PRESETS: [Preset; 13] = [
    Preset::Elasticsearch,
    Preset::Opensearch,
    Preset::Solr,
    Preset::Vespa,
    Preset::Qdrant,
    Preset::Weaviate,
    Preset::Typesense,
    Preset::Meilisearch,
    Preset::Chroma,
    Preset::Datasette,
    Preset::Groonga,
    Preset::Anserini,
    Preset::Generic,
];

/// Returns what `preset` fills in where a stage says nothing.
#[must_use]
pub fn preset_defaults(preset: Preset) -> HttpDefaults {
    match preset {
        Preset::Elasticsearch => elasticsearch::DEFAULTS,
        Preset::Opensearch => opensearch::DEFAULTS,
        Preset::Solr => solr::DEFAULTS,
        Preset::Vespa => vespa::DEFAULTS,
        Preset::Qdrant => qdrant::DEFAULTS,
        Preset::Weaviate => weaviate::DEFAULTS,
        Preset::Typesense => typesense::DEFAULTS,
        Preset::Meilisearch => meilisearch::DEFAULTS,
        Preset::Chroma => chroma::DEFAULTS,
        Preset::Datasette => datasette::DEFAULTS,
        Preset::Groonga => groonga::DEFAULTS,
        Preset::Anserini => anserini::DEFAULTS,
        Preset::Generic => HttpDefaults::GENERIC,
    }
}
