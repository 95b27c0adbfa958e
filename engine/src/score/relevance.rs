//! Gains: how much an item is worth in a session (design: "Gains").

use std::collections::BTreeMap;

use crate::benchmark::RelevancePlan;
use crate::benchmark::spec::Combine;
use crate::session::Session;

/// Default weight by interaction kind; any other kind weighs [`OTHER_KIND_WEIGHT`].
pub const DEFAULT_WEIGHTS: [(&str, f64); 15] = [
    ("impression", 0.0),
    ("view", 0.0),
    ("skip", 0.0),
    ("negative_feedback", 0.0),
    ("return_to_results", 0.0),
    ("click", 1.0),
    ("dwell", 1.0),
    ("long_view", 1.0),
    ("play", 1.0),
    ("bookmark", 1.5),
    ("wishlist", 1.5),
    ("share", 1.5),
    ("save", 1.5),
    ("add_to_cart", 2.0),
    ("purchase", 5.0),
];

/// Weight of an interaction kind that is not listed.
pub const OTHER_KIND_WEIGHT: f64 = 1.0;

/// Returns the weight of an interaction kind.
#[must_use]
pub(crate) fn weight(plan: &RelevancePlan, kind: &str) -> f64 {
    plan.weights.get(kind).copied().unwrap_or(OTHER_KIND_WEIGHT)
}

/// Returns the gain of an item with interactions of these kinds, each named once; they are sorted, so that a sum does not
/// depend on the order of the acts.
#[must_use]
pub(crate) fn gain_of_kinds(plan: &RelevancePlan, kinds: &mut [&str]) -> f64 {
    kinds.sort_unstable();
    let weights = kinds.iter().map(|kind| weight(plan, kind));
    match plan.combine {
        Combine::Max => weights.fold(0.0, f64::max),
        Combine::Sum => weights.sum(),
    }
}

/// A session's items and their worth. Every item that was judged, or that the user acted on, has an entry; an item
/// without one is unjudged.
///
/// Nearly every hit that is looked up has no entry, so that saying no is what must be fast: a set of 256 bits, one of
/// which an item's fingerprint picks, answers most questions without comparing texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Relevance {
    /// The items, ascending, one after the other.
    items: String,
    /// Where each of them ends, and its grade.
    gains: Vec<(usize, f64)>,
    /// Fingerprints of the items with their places in `gains`, ascending; none of [`FEW`] items, which are looked through.
    fingerprints: Vec<(u64, usize)>,
    filter: [u64; 4],
}

/// Items of which a text is found as fast as its fingerprint.
const FEW: usize = 8;

impl Relevance {
    /// Returns the gains of `session`: its judgments where it has any (the last grade of an item counts), else the
    /// weights of its interactions.
    #[must_use]
    pub fn of(session: &Session, plan: &RelevancePlan) -> Self {
        if session.judgments.is_empty() {
            Self::from_interactions(session, plan)
        } else {
            Self::from_judgments(session)
        }
    }

    fn from_judgments(session: &Session) -> Self {
        let graded = session.judgments.iter().map(|judgment| (judgment.item_id.as_str(), f64::from(judgment.grade)));
        let mut gains: Vec<(&str, f64)> = graded.collect();
        // Stable: of several grades of one item the last stays last.
        gains.sort_by(|left, right| left.0.cmp(right.0));
        gains.reverse();
        gains.dedup_by(|earlier, kept| earlier.0 == kept.0);
        gains.reverse();
        Self::of_gains(&gains)
    }

    fn from_interactions(session: &Session, plan: &RelevancePlan) -> Self {
        let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for interaction in &session.interactions {
            let seen = kinds.entry(&interaction.item_id).or_default();
            if !seen.contains(&interaction.kind.as_str()) {
                seen.push(&interaction.kind);
            }
        }
        let gains = kinds.into_iter().map(|(item, mut kinds)| (item, gain_of_kinds(plan, &mut kinds)));
        Self::of_gains(&gains.collect::<Vec<_>>())
    }

    /// Items ascend, and each stands once.
    fn of_gains(gains: &[(&str, f64)]) -> Self {
        let prints = || gains.iter().map(|(item, _)| fingerprint(item));
        let mut filter = [0; 4];
        for (word, bit) in prints().map(place_in_filter) {
            if let Some(word) = filter.get_mut(word) {
                *word |= bit;
            }
        }
        let mut fingerprints: Vec<(u64, usize)> = Vec::new();
        if gains.len() > FEW {
            fingerprints.extend(prints().zip(0..));
            fingerprints.sort_unstable();
        }
        let mut items = String::with_capacity(gains.iter().map(|(item, _)| item.len()).sum());
        let ends = gains.iter().map(|(item, grade)| {
            items.push_str(item);
            (items.len(), *grade)
        });
        let gains = ends.collect();
        Self { items, gains, fingerprints, filter }
    }

    /// Returns the grade of `item_id` (it may be negative), or `None` for an unjudged item.
    #[must_use]
    #[inline]
    pub fn grade(&self, item_id: &str) -> Option<f64> {
        let print = fingerprint(item_id);
        let (word, bit) = place_in_filter(print);
        if self.filter.get(word)? & bit == 0 { None } else { self.find(item_id, print) }
    }

    #[cold]
    fn find(&self, item_id: &str, print: u64) -> Option<f64> {
        if self.gains.len() <= FEW {
            return self.iter().find(|(item, _)| *item == item_id).map(|(_, grade)| grade);
        }
        let first = self.fingerprints.partition_point(|(other, _)| *other < print);
        let same = self.fingerprints.get(first..)?.iter().take_while(|(other, _)| *other == print);
        same.map(|(_, place)| self.entry(*place)).find(|(item, _)| *item == item_id).map(|(_, grade)| grade)
    }

    /// Returns the item at a place, and its grade.
    fn entry(&self, place: usize) -> (&str, f64) {
        let start = place.checked_sub(1).and_then(|before| self.gains.get(before)).map_or(0, |(end, _)| *end);
        let (end, grade) = self.gains.get(place).copied().unwrap_or_default();
        (self.items.get(start..end).unwrap_or_default(), grade)
    }

    /// Returns the gain of `item_id`: its grade, at least 0; 0 for an unjudged item.
    #[must_use]
    pub fn gain(&self, item_id: &str) -> f64 {
        self.grade(item_id).unwrap_or(0.0).max(0.0)
    }

    /// Iterates over every judged item with its grade, in order of item id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        (0..self.gains.len()).map(|place| self.entry(place))
    }

    /// Returns whether any item has a positive gain.
    #[cfg(test)]
    #[must_use]
    pub fn any_relevant(&self) -> bool {
        self.gains.iter().any(|(_, grade)| *grade > 0.0)
    }
}

/// A number that differs for most texts: of their length and last 8 bytes, because ids that are counted up differ there.
#[inline]
fn fingerprint(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let last = match bytes.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last),
        None => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    // The golden ratio spreads neighbours over the upper bits (Knuth, The Art of Computer Programming 3, 6.4).
    (last ^ (bytes.len() as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The word and the bit of a filter that a fingerprint picks, by its upper bits.
fn place_in_filter(fingerprint: u64) -> (usize, u64) {
    let word = (fingerprint >> 62) as usize;
    (word, 1 << (fingerprint >> 56 & 63))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::session::Judgment;

    proptest! {
        #[test]
        fn grades_are_those_of_a_map_that_keeps_the_last(
            judged in prop::collection::vec(("[a-c]{0,3}|d000000[0-9]{1,3}", -2_i8..4), 0..40),
            asked in prop::collection::vec("[a-c]{0,3}|d000000[0-9]{1,3}", 0..40),
        ) {
            let judgments = judged.iter().map(|(item, grade)| Judgment { item_id: item.clone(), grade: f32::from(*grade) });
            let relevance = Relevance::from_judgments(&Session { judgments: judgments.collect(), ..Session::default() });
            let oracle: BTreeMap<&str, f64> =
                judged.iter().map(|(item, grade)| (item.as_str(), f64::from(*grade))).collect();
            for item in judged.iter().map(|(item, _)| item).chain(&asked) {
                prop_assert_eq!(relevance.grade(item), oracle.get(item.as_str()).copied());
            }
            prop_assert!(relevance.iter().eq(oracle.iter().map(|(item, grade)| (*item, *grade))));
        }
    }
}
