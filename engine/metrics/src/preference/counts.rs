//! Which preferences a ranking fulfils.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{Conflict, Group, Place, Preference};

/// Why preferences cannot be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreferenceError {
    /// A judge prefers an item to itself, by what follows from the preferences, or calls it relevant and not.
    #[error("the preferences of `{group}` contradict each other at item `{item}`, expected each item at one level")]
    Contradiction {
        /// The judge.
        group: String,
        /// The item.
        item: String,
    },
}

/// How many preferences are fulfilled (the better item comes first), of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fulfilled {
    pub(super) fulfilled: u64,
    pub(super) possible: u64,
}

impl Fulfilled {
    fn add(&mut self, fulfilled: bool) {
        self.fulfilled += u64::from(fulfilled);
        self.possible += 1;
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { fulfilled: self.fulfilled + other.fulfilled, possible: self.possible + other.possible }
    }
}

/// The counts of one judge.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GroupCounts {
    /// Preferences of which both items were returned, exactly one, and neither.
    pub(super) both: Fulfilled,
    pub(super) one: Fulfilled,
    pub(super) neither: u64,
    /// Relevant and other items, and those of them that were returned.
    pub(super) relevant: [u64; 2],
    pub(super) others: [u64; 2],
    /// The preferences as places.
    pub(super) pairs: Vec<(usize, usize)>,
    /// The items by place, and whether all are compared with all.
    pub(super) items: Vec<Place>,
    pub(super) complete: bool,
}

/// What a ranking does to the preferences of all judges.
///
/// An item that was not returned comes after all that were. Memory grows with the number of preferences, which is at most half the
/// square of a judge's items.
#[derive(Debug, Clone, PartialEq)]
pub struct PreferenceCounts {
    /// Judged items that were returned: their places come before those of the others.
    pub(super) returned: usize,
    pub(super) groups: Vec<GroupCounts>,
    /// How often, over the judges, the first place is preferred to the second.
    pub(super) votes: BTreeMap<(usize, usize), u64>,
}

impl PreferenceCounts {
    /// Counts the preferences that a ranking, best item first, fulfils.
    ///
    /// # Errors
    ///
    /// Where a judge's own preferences contradict each other; different judges may.
    pub fn of(ranking: &[&str], preferences: &[Preference<'_>]) -> Result<Self, PreferenceError> {
        let judged: BTreeSet<&str> = preferences.iter().map(|preference| preference.item).collect();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for item in ranking.iter().filter(|item| judged.contains(*item)) {
            let next = places.len();
            places.entry(item).or_insert(next);
        }
        let returned = places.len();
        for item in &judged {
            let next = places.len();
            places.entry(item).or_insert(next);
        }
        let mut groups: BTreeMap<&str, BTreeMap<&str, Vec<Place>>> = BTreeMap::new();
        for preference in preferences {
            let place = places.get(preference.item).copied().unwrap_or_default();
            let of_group = groups.entry(preference.group).or_default().entry(preference.sub_group).or_default();
            of_group.push(Place { place, level: preference.level });
        }
        let mut counts = Self { returned, groups: Vec::new(), votes: BTreeMap::new() };
        for (name, sub_groups) in groups {
            let group = Group::new(sub_groups.into_values().collect());
            let found = GroupCounts::of(&group, returned).map_err(|Conflict(place)| {
                let item = places.iter().find(|(_, found)| **found == place).map_or("", |(item, _)| item);
                PreferenceError::Contradiction { group: name.to_owned(), item: item.to_owned() }
            })?;
            for pair in &found.pairs {
                *counts.votes.entry(*pair).or_default() += 1;
            }
            counts.groups.push(found);
        }
        Ok(counts)
    }
}

impl GroupCounts {
    fn of(group: &Group, returned: usize) -> Result<Self, Conflict> {
        let mut found = Self {
            both: Fulfilled::default(),
            one: Fulfilled::default(),
            neither: 0,
            relevant: [0; 2],
            others: [0; 2],
            pairs: group.pairs()?,
            items: group.items()?,
            complete: group.complete().is_some(),
        };
        for item in &found.items {
            let counts = if item.level > 0.0 { &mut found.relevant } else { &mut found.others };
            let [all, of_returned] = counts;
            *all += 1;
            *of_returned += u64::from(item.place < returned);
        }
        for (better, worse) in &found.pairs {
            match (*better < returned, *worse < returned) {
                (true, true) => found.both.add(better < worse),
                (false, false) => found.neither += 1,
                (better_is_there, _) => found.one.add(better_is_there),
            }
        }
        Ok(found)
    }

    /// Returns what is fulfilled of all possible preferences; one whose items were both not returned is not.
    pub(super) fn all(&self) -> Fulfilled {
        self.both.plus(self.one).plus(Fulfilled { fulfilled: 0, possible: self.neither })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(sub_group: &'a str, item: &'a str, level: f64) -> Preference<'a> {
        Preference { group: "judge", sub_group, item, level }
    }

    #[test]
    fn what_follows_from_two_comparisons_is_a_preference_too() {
        let lines = [line("1", "a", 2.0), line("1", "b", 1.0), line("2", "b", 2.0), line("2", "c", 1.0)];
        let counts = PreferenceCounts::of(&["a", "c"], &lines).unwrap();
        // a before b and c before b hold, b before c does not.
        assert_eq!(counts.groups[0].both, Fulfilled { fulfilled: 1, possible: 1 });
        assert_eq!(counts.groups[0].one, Fulfilled { fulfilled: 1, possible: 2 });
    }

    #[test]
    fn a_judge_who_prefers_in_a_circle_is_refused_with_the_item() {
        let lines = [line("1", "a", 2.0), line("1", "b", 1.0), line("2", "b", 2.0), line("2", "a", 1.0)];
        let refused = PreferenceCounts::of(&[], &lines).unwrap_err().to_string();
        assert!(refused.contains("`judge` contradict each other at item `a`"), "{refused}");
        let both = [line("1", "a", 1.0), line("2", "a", 0.0), line("2", "b", 1.0)];
        assert!(PreferenceCounts::of(&[], &both).is_err());
        let twice = [line("1", "a", 1.0), line("1", "a", 0.0)];
        assert!(PreferenceCounts::of(&["a"], &twice).is_err());
    }

    #[test]
    fn nothing_judged_and_nothing_returned_count_nothing() {
        assert_eq!(PreferenceCounts::of(&["a"], &[]).unwrap().groups.len(), 0);
        let counts = PreferenceCounts::of(&[], &[line("1", "a", 1.0), line("1", "b", 0.0)]).unwrap();
        assert_eq!((counts.returned, counts.groups[0].neither), (0, 1));
        assert_eq!(PreferenceCounts::of(&["a", "a", "b"], &[line("1", "a", 1.0)]).unwrap().returned, 1);
    }
}
