//! The taxonomy nodes that gates name: are they those of the sample?

use std::collections::BTreeSet;

use super::GateError;
use crate::benchmark::{GateNodes, Plan};
use crate::compare::{CompareError, touched};
use crate::schema::column;
use crate::store::{StoreError, TableReader};

/// Checks the nodes that the plan's gates name against a sample, before anything is replayed. A node that nobody carries is
/// an error where the sample has one of nearly that name; else a small sample may just lack it, and the gate will be
/// inconclusive. Without such gates, nothing is read.
///
/// # Errors
///
/// Returns an error when a node is misspelt, or the sample cannot be read.
pub fn check_nodes(plan: &Plan, sample: &TableReader) -> Result<(), CompareError> {
    let named = plan.gates.iter().filter_map(|gate| match &gate.nodes {
        GateNodes::One(node) => Some(node.as_str()),
        GateNodes::Whole | GateNodes::Every => None,
    });
    let mut missing: BTreeSet<&str> = named.collect();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for group in 0..sample.groups() {
        if missing.is_empty() {
            return Ok(());
        }
        let sessions = sample.group_columns(group, &[column::TAXONOMY])?;
        let nodes = touched::nodes(&sessions).map_err(|error| StoreError::table(sample.path(), error))?;
        missing.retain(|node| !nodes.contains_key(*node));
        known.extend(nodes.into_keys());
    }
    for node in missing {
        if let Some(hint) = closest(node, known.iter().map(String::as_str)) {
            return Err(GateError::UnknownNode { node: node.to_owned(), hint: hint.to_owned() }.into());
        }
    }
    Ok(())
}

/// Words less alike than this are not meant.
const ALIKE: f64 = 0.75;

/// Returns the name that `word` most likely means, if any is close: a path that ends with it, or one of nearly its letters, in
/// the whole and in the last segment, since neighbours begin alike.
pub(super) fn closest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lowered = word.to_lowercase();
    let ending = format!("/{lowered}");
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        if name.ends_with(&ending) {
            return 1.0;
        }
        let alike = strsim::normalized_damerau_levenshtein;
        alike(&lowered, &name).min(alike(last(&lowered), last(&name)))
    };
    let scored = known.map(|name| (likeness(name), name)).filter(|(likeness, _)| *likeness >= ALIKE);
    scored.max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, name)| name)
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_recognised_by_a_wrong_letter_or_by_its_end() {
        let known = ["home", "home/kitchen", "home/garden", "books", "books/history"];
        for (word, expected) in [
            ("home/kitchn", Some("home/kitchen")),
            ("Home/Kitchen", Some("home/kitchen")),
            ("kitchen", Some("home/kitchen")),
            ("home/gadren", Some("home/garden")),
            ("book", Some("books")),
            ("toys", None),
            ("home/tools", None),
        ] {
            assert_eq!(closest(word, known.into_iter()), expected, "{word}");
        }
    }
}
