//! Judgments that say which of two items is better, or that several people made apart: trec_eval's `prefs`, `qrels_prefs` and
//! `qrels_jg`.
//!
//! A session of a benchmark carries one set of grades, so that these are functions of the library and no [`Metric`](crate::Metric)
//! of a run: who has preferences evaluates them here. [`PreferenceCounts`] holds what a ranking does to preferences,
//! [`PreferenceMeasure`] what trec_eval makes of the counts, and [`averaged_over_groups`] is any metric, averaged over people.

mod counts;
mod group;
mod groups_of_judges;
mod measure;

pub use counts::{PreferenceCounts, PreferenceError};
pub use group::Preference;
pub use groups_of_judges::averaged_over_groups;
pub use measure::{PreferenceMeasure, UnknownPreferenceMeasure};
