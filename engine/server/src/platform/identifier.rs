//! Identifiers: a prefix that says what it names, and 128 bits that sort by time.

use uuid::Uuid;

/// Returns a new identifier, `bench_0198c0f2...`: later ones sort after earlier ones.
#[must_use]
pub fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::now_v7().simple())
}
