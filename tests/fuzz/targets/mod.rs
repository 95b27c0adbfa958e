//! The targets by name; one file for those that read the same things.

mod component;
mod corpus;
mod logs_table;
mod recorded;
mod sessions_table;
mod sessions_text;
mod spec;
mod store;

use crate::folder::Folder;

/// What is done with an input.
pub(crate) type Target = fn(&Folder, &[u8]);

/// Every target, by the name of its corpus.
pub(crate) const ALL: [(&str, Target); 15] = [
    ("sessions-parquet", sessions_table::parquet),
    ("sessions-arrow", sessions_table::arrow),
    ("sessions-jsonl", sessions_text::jsonl),
    ("sessions-csv", sessions_text::csv),
    ("ubi", sessions_text::ubi),
    ("ubi-table", logs_table::behaviour),
    ("trec", sessions_text::trec),
    ("trec-table", logs_table::judgments),
    ("beir", sessions_text::beir),
    ("recorded-table", recorded::table),
    ("recorded-run", recorded::run),
    ("corpus", corpus::corpus),
    ("spec", spec::spec),
    ("store", store::store),
    ("component", component::component),
];
