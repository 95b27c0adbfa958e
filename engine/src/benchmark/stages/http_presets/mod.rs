//! What is known of each search engine that has a preset: one file per engine, with the source of its facts.
//!
//! A preset is data. `contracts/` holds for each the request that must be sent and answers as the engine gives them,
//! with what has to be read from them; `engine/PRESETS.md` is generated from both.
//!
//! Not for: sending requests, nor reading answers.

mod anserini;
mod catalogue;
mod chroma;
mod datasette;
#[cfg(test)]
mod documentation;
mod elasticsearch;
mod groonga;
mod meilisearch;
mod opensearch;
mod qdrant;
mod solr;
mod typesense;
mod vespa;
mod weaviate;

pub use catalogue::{PRESETS, preset_defaults};
