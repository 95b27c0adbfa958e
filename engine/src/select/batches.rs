//! Deals a sample into batches that are each a random draw of whole users: what a run that stops early replays one after the
//! other.
//!
//! A batch holds all sessions of its users (of a visit where no user is known, or as `[statistics] cluster-by` says), so that
//! nobody's sessions are split, and which users it holds depends on nothing but the seed and their names. Within a batch,
//! sessions come in the order of their ids.

use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::common::exec_err;
use datafusion::logical_expr::Expr;
use datafusion::prelude::col;
use sha2::{Digest, Sha256};

use super::functions;
use crate::benchmark::statistics::ClusterBy;
use crate::schema::column;

/// Batches of a whole sample, about: looks at what was found so far are between them.
const LOOKS: u64 = 40;

/// Sessions of a batch at least and at most, about: fewer are not worth a file, more make a look rare.
const SESSIONS: Range<u64> = 10..1000;

/// How sessions are dealt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batches {
    seed: u64,
    by: ClusterBy,
    count: u64,
}

impl Batches {
    /// Returns the batches of a sample of about this many sessions.
    pub(super) fn of(seed: u64, by: ClusterBy, sessions: u64) -> Self {
        let size = (sessions / LOOKS).clamp(SESSIONS.start, SESSIONS.end);
        Self { seed, by, count: sessions.div_ceil(size).max(1) }
    }

    /// Returns a session's batch as an expression over the session columns.
    pub(super) fn expression(self) -> Expr {
        let names = [column::SESSION_ID, column::USER_ID, column::VISIT_ID];
        let batches = functions::dealt(names.len(), move |arrays| {
            let texts = |index: usize| arrays.get(index).and_then(|array: &ArrayRef| array.as_string_opt::<i32>());
            let (Some(sessions), Some(users), Some(visits)) = (texts(0), texts(1), texts(2)) else {
                return exec_err!("ids of sessions, users or visits of another type");
            };
            Ok(self.numbers(sessions, users, visits))
        });
        batches.call(names.map(col).to_vec())
    }

    /// Returns the batch of each row of a batch of sessions; `None` where it lacks the columns.
    pub(super) fn of_rows(self, batch: &RecordBatch) -> Option<Int64Array> {
        let texts = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        Some(self.numbers(texts(column::SESSION_ID)?, texts(column::USER_ID)?, texts(column::VISIT_ID)?))
    }

    fn numbers(self, sessions: &StringArray, users: &StringArray, visits: &StringArray) -> Int64Array {
        let number = |row: usize| {
            let named = |texts: &'_ StringArray| texts.is_valid(row) && !texts.value(row).trim().is_empty();
            let user = named(users) && matches!(self.by, ClusterBy::Auto | ClusterBy::User);
            let visit = named(visits) && matches!(self.by, ClusterBy::Auto | ClusterBy::Visit);
            match (user, visit) {
                (true, _) => self.number(1, users.value(row)),
                (false, true) => self.number(2, visits.value(row)),
                (false, false) => self.number(3, sessions.value(row)),
            }
        };
        (0..sessions.len()).map(number).collect::<Vec<i64>>().into()
    }

    /// Returns the batch of a user (kind 1), a visit (2) or a session (3): the first 64 bits of SHA-256(seed, kind, name), spread
    /// evenly over the batches.
    fn number(self, kind: u8, name: &str) -> i64 {
        // What the draw of the sample hashes begins with the seed alone; a batch must not depend on whether it was drawn.
        let digest = Sha256::new()
            .chain_update(b"batch")
            .chain_update(self.seed.to_le_bytes())
            .chain_update([kind])
            .chain_update(name.as_bytes())
            .finalize();
        let head: [u8; 8] = std::array::from_fn(|index| digest[index]);
        let share = (u128::from(u64::from_be_bytes(head)) * u128::from(self.count)) >> 64;
        i64::try_from(share).unwrap_or_default()
    }
}

/// Returns the runs of equal numbers as ranges of rows.
pub(super) fn runs(numbers: &Int64Array) -> Vec<(i64, Range<usize>)> {
    let mut found: Vec<(i64, Range<usize>)> = Vec::new();
    for (row, number) in numbers.values().iter().enumerate() {
        match found.last_mut() {
            Some((last, rows)) if last == number => rows.end = row + 1,
            _ => found.push((*number, row..row + 1)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[Option<&str>]) -> StringArray {
        values.iter().copied().collect()
    }

    #[test]
    fn batches_have_ten_sessions_to_a_thousand() {
        for (sessions, count) in [(0, 1), (5, 1), (95, 10), (400, 40), (4000, 40), (100_000, 100)] {
            assert_eq!(Batches::of(1, ClusterBy::Auto, sessions).count, count, "{sessions}");
        }
    }

    #[test]
    fn sessions_of_one_user_are_dealt_together_and_strangers_are_spread() {
        let batches = Batches::of(7, ClusterBy::Auto, 4000);
        let ids: Vec<String> = (0..4000).map(|index| format!("s{index}")).collect();
        let sessions: StringArray = ids.iter().map(|id| Some(id.as_str())).collect();
        let nobody = StringArray::new_null(4000);
        let dealt = batches.numbers(&sessions, &nobody, &nobody);
        let sizes: Vec<usize> =
            (0..40).map(|batch| dealt.values().iter().filter(|one| **one == batch).count()).collect();
        assert!(sizes.iter().all(|size| (50..=160).contains(size)), "{sizes:?}");
        assert_ne!(dealt, Batches::of(8, ClusterBy::Auto, 4000).numbers(&sessions, &nobody, &nobody));

        let sessions = texts(&[Some("a"), Some("b"), Some("c"), Some("d"), Some("e")]);
        let users = texts(&[Some("u"), Some("u"), None, Some(" "), None]);
        let visits = texts(&[Some("v"), Some("w"), Some("v"), Some("v"), None]);
        let dealt = batches.numbers(&sessions, &users, &visits);
        assert_eq!(dealt.value(0), dealt.value(1));
        assert_eq!(dealt.value(2), dealt.value(3));
        let dealt = Batches::of(7, ClusterBy::Visit, 4000).numbers(&sessions, &users, &visits);
        assert!([2, 3].iter().all(|row| dealt.value(*row) == dealt.value(0)) && dealt.value(1) != dealt.value(0));
    }

    #[test]
    fn runs_are_ranges_of_equal_numbers() {
        assert_eq!(runs(&Int64Array::from(vec![3, 3, 4, 7, 7])), [(3, 0..2), (4, 2..3), (7, 3..5)]);
        assert!(runs(&Int64Array::from(Vec::<i64>::new())).is_empty());
    }
}
