//! TREC topics and judgments (qrels): one session per topic, its id the topic's.
//!
//! Topics may be XML (`<topic number="1"><query>`), classic SGML (`<top><num> Number: 301 <title>`) or lines of
//! `id TAB text`. Judgments are lines of `topic iteration document grade`, separated by spaces or tabs; lines that start
//! with `#` are comments (a `#` inside a document id is not), the iteration is not used and may be any text, grades are
//! whole numbers and may be negative. A document judged twice for a topic counts once: with the last grade where the two
//! differ. Both kinds of repeats are counted. gzip is allowed for both files.
//!
//! Judgments may also be a flat table (Parquet or Arrow, by its first bytes): one row per judgment, with the columns `q_id`,
//! `doc_id` and `score` or one of their other usual names; its grades may have fractions.
//!
//! Judgments that do not fit in memory are streamed or read several times, and sessions then come in another order.
//! Otherwise sessions come in order of first appearance, topics first. A topic without judgments, and judgments without a topic, are
//! sessions too, and are counted: where the numbers of both files do not mean the same, the counts show it.
//!
//! Not for: TREC runs, which are rankings.

mod ascending;
mod grouped;
mod judgment_rows;
mod markup;
mod qrels;
mod sessions;
#[cfg(test)]
mod tests;
mod topics;

pub(super) use grouped::{Grouping, Qrels, Share, settled};
pub(super) use judgment_rows::{BEIR_HEADER, look_at_judgments};
pub(super) use qrels::{is_comment, parse_grade, parse_qrel};
pub(super) use sessions::TrecSessions;
pub(super) use topics::read_topics;
