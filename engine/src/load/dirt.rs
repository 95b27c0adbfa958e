//! What is dirty in an input without making it unreadable: named kinds and how often each was met.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! dirt_kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A kind of dirt. The kinds are named in reports as [`DirtKind::as_str`] says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum DirtKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DirtKind {
            /// Every kind, in the order of the enum.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the kind's name in reports, such as `blank_line`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Returns what the kind counts, and what was done about it.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim_ascii_start(),)+
                }
            }
        }
    };
}

dirt_kinds! {
    /// Columns, or fields of a nested column, that the layout does not know; they were ignored.
    IgnoredColumn = "ignored_column",
    /// Lines with nothing in them; they were skipped.
    BlankLine = "blank_line",
    /// Comment lines; they were skipped.
    CommentLine = "comment_line",
    /// Sessions with an empty or missing query text.
    EmptyQuery = "empty_query",
    /// Interactions at position 0 in a file whose positions are 1-based; the position was kept as it is.
    PositionZero = "position_zero",
    /// Rows of one session that disagree on its query, user or another value; the first value was kept.
    ConflictingSessionValue = "conflicting_session_value",
    /// Rows that name an item but neither a kind of interaction nor a grade; the item was ignored.
    ItemWithoutAct = "item_without_act",
    /// Rows with an interaction, a position, a value or a grade but no item; they were ignored.
    ActWithoutItem = "act_without_item",
    /// Times that cannot be read; they were left out.
    UnparsableTimestamp = "unparsable_timestamp",
    /// Times without a zone; they were taken as UTC.
    TimestampWithoutZone = "timestamp_without_zone",

    /// Action lines of the OpenSearch bulk format between the rows; they were skipped.
    BulkActionLine = "bulk_action_line",
    /// Rows of another application than the one asked for; they were left out.
    OtherApplication = "other_application",
    /// Query rows without a `query_id`; they were left out.
    QueryWithoutId = "query_without_id",
    /// Query rows that repeat the `query_id` of an earlier row; one row per id was kept, nothing was merged.
    DuplicateQueryId = "duplicate_query_id",
    /// Repeated query rows whose text differs from that of the first row.
    DuplicateQueryIdOtherText = "duplicate_query_id_other_text",
    /// Sessions for which a later row of the same `query_id` was kept, because only that one lists the served items.
    LaterQueryRowKept = "later_query_row_kept",
    /// Sessions whose query row lists no served items; the list was built from the impressions, by position.
    ShownFromImpressions = "shown_from_impressions",
    /// Events whose `query_id` has no query row (or that have none); they were left out.
    EventWithoutQuery = "event_without_query",
    /// Events without `event_attributes.object.object_id`; they are not interactions.
    EventWithoutObject = "event_without_object",
    /// Events without `action_name`; they were left out.
    EventWithoutAction = "event_without_action",
    /// Clicks on an item that has no impression under the same `query_id`.
    ClickWithoutImpression = "click_without_impression",
    /// Events whose `message_type` says something else than their `action_name`, which was believed.
    MessageTypeContradictsAction = "message_type_contradicts_action",
    /// Clicks on a served item whose logged position counts from 1.
    ClickPositionOneBased = "click_position_one_based",
    /// Clicks on a served item whose logged position counts from 0.
    ClickPositionZeroBased = "click_position_zero_based",
    /// Interactions whose logged position counts from 0; 1 was added.
    PositionBaseZero = "position_base_zero",
    /// Sessions of an application that logs positions from 0 and from 1; the base was decided for each of them.
    PositionBaseMixed = "position_base_mixed",
    /// Interactions of such an application that nothing tells the base of; its more frequent base was assumed.
    PositionBaseAssumed = "position_base_assumed",
    /// Interactions whose position is negative, not a whole number, or 0 where positions count from 1; it was left out.
    PositionInvalid = "position_invalid",
    /// Interactions with an item that the served list does not hold.
    ItemNotShown = "item_not_shown",
    /// Interactions with a served item at a position that fits neither base; the logged position was kept.
    PositionContradictsShown = "position_contradicts_shown",

    /// Topics without any judgment.
    TopicWithoutJudgments = "topic_without_judgments",
    /// Judged topics that the topics file does not hold; their sessions have no query text.
    JudgmentsWithoutTopic = "judgments_without_topic",
    /// Judgments given twice with the same grade; one was kept.
    DuplicateJudgment = "duplicate_judgment",
    /// Judgments given twice with different grades; the last one counts.
    ContradictingJudgment = "contradicting_judgment",
    /// Judgments with a grade below 0; they count as judged and not relevant.
    NegativeGrade = "negative_grade",
    /// Judgments whose iteration is not a whole number; the iteration is not used.
    NonIntegerIteration = "non_integer_iteration",
    /// Queries without a judgment in the split that was read; they were left out.
    QueryOfOtherSplit = "query_of_other_split",
}

impl DirtKind {
    /// Returns the kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    /// Returns whether it is good to know and nothing is wrong: the layout is made so, or it was asked for.
    #[must_use]
    pub fn is_note(self) -> bool {
        matches!(
            self,
            Self::BlankLine
                | Self::CommentLine
                | Self::BulkActionLine
                | Self::OtherApplication
                | Self::QueryOfOtherSplit
                | Self::ShownFromImpressions
                | Self::ClickPositionOneBased
                | Self::ClickPositionZeroBased
                | Self::NonIntegerIteration
        )
    }
}

impl fmt::Display for DirtKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for DirtKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How often each kind of dirt was met. Serialises as a map from name to count; kinds that were not met are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Dirt {
    counts: BTreeMap<DirtKind, u64>,
}

impl Dirt {
    /// Returns how often the kind was met.
    #[must_use]
    pub fn count(&self, kind: DirtKind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    /// Returns the kinds that were met with their counts, in the order of [`DirtKind`].
    pub fn iter(&self) -> impl Iterator<Item = (DirtKind, u64)> + '_ {
        self.counts.iter().map(|(kind, count)| (*kind, *count))
    }

    /// Returns whether nothing was met.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub(super) fn add(&mut self, kind: DirtKind) {
        self.add_many(kind, 1);
    }

    pub(super) fn add_many(&mut self, kind: DirtKind, count: u64) {
        if count > 0 {
            *self.counts.entry(kind).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_its_own_name_and_a_description() {
        let names: BTreeSet<_> = DirtKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), DirtKind::ALL.len());
        assert!(DirtKind::ALL.iter().all(|kind| kind.description().ends_with('.')));
    }

    #[test]
    fn dirt_serialises_as_a_map_of_what_was_met() {
        let mut dirt = Dirt::default();
        dirt.add(DirtKind::BlankLine);
        dirt.add_many(DirtKind::NegativeGrade, 2);
        dirt.add_many(DirtKind::EmptyQuery, 0);
        let json = serde_json::to_string(&dirt).expect("JSON");
        assert_eq!(json, r#"{"blank_line":1,"negative_grade":2}"#);
    }
}
