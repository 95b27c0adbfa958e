//! What was dirty in the input, by its kinds.

use std::collections::BTreeMap;

use rematch_engine::load::DirtKind;

use crate::terminal::counted;

/// Kinds that are named; the rest is counted.
const KINDS: usize = 6;

/// Returns what is wrong with records of the input, such as `5 dirty records: empty_query 3, negative_grade 2`; `None` where
/// nothing is. Notes are no dirt.
pub(crate) fn dirty(counts: &BTreeMap<String, u64>) -> Option<String> {
    let found = of(counts, false);
    let records: u64 = found.iter().map(|(_, count)| count).sum();
    (records > 0).then(|| format!("{}: {}", counted(records, "dirty record"), listed(&found)))
}

/// Returns what is good to know and not wrong, such as `noted: blank_line 3`.
pub(crate) fn noted(counts: &BTreeMap<String, u64>) -> Option<String> {
    let found = of(counts, true);
    (!found.is_empty()).then(|| format!("noted: {}", listed(&found)))
}

fn of(counts: &BTreeMap<String, u64>, notes: bool) -> Vec<(&str, u64)> {
    // A kind of another version may be anything.
    let is_note = |name: &str| DirtKind::named(name).is_some_and(DirtKind::is_note);
    let counts = counts.iter().map(|(name, count)| (name.as_str(), *count));
    counts.filter(|(name, count)| *count > 0 && is_note(name) == notes).collect()
}

fn listed(found: &[(&str, u64)]) -> String {
    let kinds: Vec<String> = found.iter().take(KINDS).map(|(kind, count)| format!("{kind} {count}")).collect();
    let more = found.len().saturating_sub(KINDS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", kinds.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn kinds_are_named_and_notes_are_no_dirt() {
        let found = counts(&[("blank_line", 40), ("empty_query", 3), ("negative_grade", 2)]);
        assert_eq!(dirty(&found).unwrap(), "5 dirty records: empty_query 3, negative_grade 2");
        assert_eq!(noted(&found).unwrap(), "noted: blank_line 40");
        assert_eq!(dirty(&counts(&[("blank_line", 1)])), None);
        assert_eq!(dirty(&counts(&[("of_another_version", 1)])).unwrap(), "1 dirty record: of_another_version 1");
        assert_eq!(noted(&counts(&[("empty_query", 1)])), None);
    }

    #[test]
    fn many_kinds_are_cut_short() {
        let many: Vec<String> = (0..9).map(|number| format!("kind_{number}")).collect();
        let many: Vec<(&str, u64)> = many.iter().map(|name| (name.as_str(), 2)).collect();
        let said = dirty(&counts(&many)).unwrap();
        assert!(said.starts_with("18 dirty records: kind_0 2, ") && said.ends_with("kind_5 2 and 3 more"), "{said}");
    }
}
