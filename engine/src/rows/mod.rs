//! How do table rows become plain data, and back? Conversions between Arrow batches and [`crate::session`] structs.
//!
//! Not for: reading foreign layouts; a batch handed in here already has the schema of [`crate::schema`].

mod answers;
mod fields;
mod part;
mod rankings;
mod scores;
mod sessions;
mod top_items;

pub use answers::Answers;
pub(crate) use fields::list_range;
pub use part::{RankingFacts, ScoreColumns, SessionTies, part_to_batch};
pub use rankings::{lone_stage_column, rankings_from_batch, rankings_to_batch};
pub use scores::{scores_from_batch, scores_to_batch};
pub(crate) use sessions::{blank_sessions, judged_sessions};
pub use sessions::{sessions_from_batch, sessions_to_batch};
pub use top_items::{TopItems, item_key, top_keys};
