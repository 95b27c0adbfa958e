//! Identifiers: a prefix that says what it names, and 128 bits that sort by time.

use uuid::Uuid;

/// Returns a new identifier, `bench_0198c0f2...`: later ones sort after earlier ones.
#[must_use]
pub fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::now_v7().simple())
}

/// Returns whether a text has the form of an identifier with that prefix.
#[must_use]
pub fn is_id(prefix: &str, text: &str) -> bool {
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    rest.is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_its_prefix_and_128_bits() {
        let id = new_id("run");
        assert!(is_id("run", &id) && !is_id("bench", &id) && !is_id("ru", &id));
        for none in ["", "run", "run_", "abc", &id[..id.len() - 1], &format!("{id}0"), &id.to_uppercase()] {
            assert!(!is_id("run", none), "{none}");
        }
    }
}
