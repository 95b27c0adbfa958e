//! OpenSearch User Behavior Insights: `ubi_queries` and `ubi_events` become one session per query.
//!
//! Both may be NDJSON (gzip allowed; the bulk format and hits with `_source` too) or Parquet, with the nested names of the
//! UBI specification or with flat dotted ones (`event_attributes.object.object_id`).
//!
//! | session | from |
//! |---|---|
//! | `session_id` | `query_id` |
//! | `visit_id` | the first event's `session_id`, else the query's `client_id` |
//! | `user_id` | `client_id` |
//! | `query`, `timestamp` | `user_query`, `timestamp` of the query row |
//! | `inputs` | `query_attributes`, where there are any |
//! | `shown` | `query_response_hit_ids`; where the log has none, the impressions in order of position (counted) |
//! | `interactions` | the events that name an object; `kind` is `action_name` in lower case with underscores |
//!
//! **Repeated `query_id`.** The search plugin logs a row per shard request, and often only one of them lists hits. One row
//! is kept whole, the first that lists hits or else the first; rows are never merged, and all repeats are counted.
//!
//! **Positions.** Some clients count `event_attributes.position.ordinal` from 0, some from 1, some do both over time.
//! Positions of sessions are always 1-based: an item of the served list has the position that the list gives it wherever
//! the logged ordinal fits one of the two bases. Elsewhere the base of the application decides: what the served lists
//! show; without them, 0 where any ordinal is 0. Where an application does both, each session decides for itself. All
//! shifts are counted.
//!
//! **Applications.** A log of several applications is refused unless one is chosen; they are never mixed.
//!
//! Queries and events are joined in memory by `query_id`, at some hundred bytes per event: as a whole where the memory limit
//! allows it, else in several passes, each over a share of the ids.
//!
//! Not for: judging whether a click means relevance.

mod events;
mod join;
mod position;
mod queries;
mod records;
#[cfg(test)]
mod tests;

pub(super) use events::{IMPRESSION, Ordinal, contradicts, event_kind, is_click, logged_ordinal};
pub(super) use join::UbiSessions;
pub(super) use records::{Records, look, plain_text, ubi_instant};
