//! What users rely on, tested end to end through the command line: one binary, one module per topic.
//!
//! Tests that read the shared reference data find it by the environment variable `REMATCH_SHARED` and are skipped, loudly,
//! where it is not set.

mod cloud_stores;
mod live_servers;
mod plugin_server;
mod preset_engine;
mod rematch;
mod s3_server;
mod sample;
mod search_server;
mod shared;
mod workbench;

mod artefacts;
mod changes;
mod clouds;
mod cluster;
mod compatibility;
mod doctor;
mod documentation;
mod durability;
mod esci_ubi;
mod explain;
mod exposure;
mod failpoints;
mod formats;
mod gates;
mod gates_clicks;
mod init;
mod leases;
mod lists;
mod live;
mod live_scifact;
mod object_store;
mod plan;
mod plugin_tools;
mod plugins;
mod presets;
mod ranking_cache;
mod rejudge;
mod replay_http;
mod reproducible;
mod runs;
mod sample_data;
mod scifact;
mod scorers;
mod select;
mod server;
mod statistics;
mod stopping;
mod terminal;
mod transforms;
mod trec_covid;
mod trec_eval_golden;
mod validated;
mod verify;
mod wrong_input;
