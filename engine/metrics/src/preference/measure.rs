//! The measures of preferences, with trec_eval's names.

use std::fmt;
use std::str::FromStr;

use super::counts::{Fulfilled, GroupCounts, PreferenceCounts};
use crate::sum::{count, sum, whole};

/// A measure of preferences, read from and printed as its name in trec_eval 9 (2008). Higher is better.
///
/// `_ret` asks of preferences of which both items were returned, `_imp` of those with at least one, and the others of all: an item
/// that was not returned comes after all that were, and a preference between two of them is not fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PreferenceMeasure {
    /// `prefs_num_prefs_poss`: how many preferences there are.
    Possible,
    /// `prefs_num_prefs_ful`: how many are fulfilled.
    Fulfilled,
    /// `prefs_num_prefs_ful_ret`: how many of those with both items returned.
    FulfilledOfReturned,
    /// `prefs_simp`: the fulfilled share of all judges' preferences, in [0, 1].
    Simple(Which),
    /// `prefs_pair`: the fulfilled share of each pair of items, over the judges, averaged over the pairs, in [0, 1].
    Pair(Which),
    /// `prefs_avgjg`: the fulfilled share of each judge's preferences, averaged over the judges, in [0, 1].
    AveragedOverJudges(Which),
    /// `prefs_avgjg_Rnonrel`, `prefs_avgjg_Rnonrel_ret`: the same with as many items that are not relevant as relevant ones.
    AsManyNonrelevant {
        /// Whether only what was returned counts.
        returned: bool,
    },
}

/// Which preferences are asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    /// All.
    All,
    /// Those of which at least one item was returned: `_imp`.
    Implied,
    /// Those of which both were: `_ret`.
    Returned,
}

/// A name that no measure of preferences has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown measure of preferences `{found}`, expected one of {}", names())]
pub struct UnknownPreferenceMeasure {
    /// The name as written.
    pub found: String,
}

const ALL: [(&str, PreferenceMeasure); 14] = {
    use PreferenceMeasure::{
        AsManyNonrelevant, AveragedOverJudges, Fulfilled, FulfilledOfReturned, Pair, Possible, Simple,
    };
    [
        ("prefs_num_prefs_poss", Possible),
        ("prefs_num_prefs_ful", Fulfilled),
        ("prefs_num_prefs_ful_ret", FulfilledOfReturned),
        ("prefs_simp", Simple(Which::All)),
        ("prefs_simp_imp", Simple(Which::Implied)),
        ("prefs_simp_ret", Simple(Which::Returned)),
        ("prefs_pair", Pair(Which::All)),
        ("prefs_pair_imp", Pair(Which::Implied)),
        ("prefs_pair_ret", Pair(Which::Returned)),
        ("prefs_avgjg", AveragedOverJudges(Which::All)),
        ("prefs_avgjg_imp", AveragedOverJudges(Which::Implied)),
        ("prefs_avgjg_ret", AveragedOverJudges(Which::Returned)),
        ("prefs_avgjg_Rnonrel", AsManyNonrelevant { returned: false }),
        ("prefs_avgjg_Rnonrel_ret", AsManyNonrelevant { returned: true }),
    ]
};

fn names() -> String {
    ALL.map(|(name, _)| format!("`{name}`")).join(", ")
}

impl FromStr for PreferenceMeasure {
    type Err = UnknownPreferenceMeasure;

    /// Reads a name.
    ///
    /// # Errors
    ///
    /// Where no measure has it.
    fn from_str(name: &str) -> Result<Self, UnknownPreferenceMeasure> {
        let known = ALL.iter().find(|(known, _)| *known == name.trim());
        known.map(|(_, measure)| *measure).ok_or_else(|| UnknownPreferenceMeasure { found: name.to_owned() })
    }
}

impl fmt::Display for PreferenceMeasure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ALL.iter().find(|(_, measure)| measure == self).map_or("", |(name, _)| name);
        formatter.write_str(name)
    }
}

impl PreferenceMeasure {
    /// Returns the measure's value; `None` where there is no preference that it asks of (trec_eval prints 0).
    #[must_use]
    pub fn evaluate(self, counts: &PreferenceCounts) -> Option<f64> {
        let total = |of: fn(&GroupCounts) -> u64| Some(whole(counts.groups.iter().map(of).sum()));
        match self {
            Self::Possible => total(|group| group.all().possible),
            Self::Fulfilled => total(|group| group.all().fulfilled),
            Self::FulfilledOfReturned => total(|group| group.both.fulfilled),
            Self::Simple(which) => {
                let all = counts.groups.iter().map(|group| of(group, which));
                share(all.fold(Fulfilled::default(), Fulfilled::plus))
            }
            Self::Pair(which) => over_pairs(counts, which),
            Self::AveragedOverJudges(which) => {
                // A judge without such a preference counts 0.
                let shares: Vec<Option<f64>> = counts.groups.iter().map(|group| share(of(group, which))).collect();
                let any = shares.iter().any(Option::is_some);
                any.then(|| sum(shares.iter().map(|share| share.unwrap_or(0.0))) / count(shares.len()))
            }
            Self::AsManyNonrelevant { returned } => {
                let shares = counts.groups.iter().map(|group| as_many_nonrelevant(group, counts.returned, returned));
                let shares: Option<Vec<f64>> = shares.collect();
                shares
                    .filter(|shares| !shares.is_empty())
                    .map(|shares| sum(shares.iter().copied()) / count(shares.len()))
            }
        }
    }
}

fn of(group: &GroupCounts, which: Which) -> Fulfilled {
    match which {
        Which::All => group.all(),
        Which::Implied => group.both.plus(group.one),
        Which::Returned => group.both,
    }
}

fn share(Fulfilled { fulfilled, possible }: Fulfilled) -> Option<f64> {
    (possible > 0).then(|| whole(fulfilled) / whole(possible))
}

fn over_pairs(counts: &PreferenceCounts, which: Which) -> Option<f64> {
    let votes = |first: usize, second: usize| counts.votes.get(&(first, second)).copied().unwrap_or(0);
    let mut shares = Vec::new();
    for &(one, other) in counts.votes.keys() {
        let (first, second) = (one.min(other), one.max(other));
        // A pair that is voted on both ways is seen twice, and counts once.
        if one > other && votes(first, second) > 0 {
            continue;
        }
        let asked = match which {
            Which::All => true,
            Which::Implied => first < counts.returned,
            Which::Returned => second < counts.returned,
        };
        if asked {
            let (kept, broken) = (votes(first, second), votes(second, first));
            shares.push(if first < counts.returned { whole(kept) / whole(kept + broken) } else { 0.0 });
        }
    }
    (!shares.is_empty()).then(|| sum(shares.iter().copied()) / count(shares.len()))
}

/// As many items that are not relevant as relevant ones: with fewer, the missing ones count as if they came last; with more, the
/// lower ones are left out. `None` where nothing is possible then.
///
/// As trec_eval does it, where all items of a judge are compared with all: what is left of the items that are not relevant is
/// compared with the whole of them too, the item itself included.
fn as_many_nonrelevant(group: &GroupCounts, returned: usize, only_returned: bool) -> Option<f64> {
    let [[relevant, relevant_returned], [others, others_returned]] = [group.relevant, group.others];
    let [many, few] = if only_returned { [relevant_returned, others_returned] } else { [relevant, others] };
    if many >= few {
        let known = if only_returned { group.both } else { group.all() };
        let missing = many - few;
        return share(known.plus(Fulfilled { fulfilled: relevant_returned * missing, possible: relevant * missing }));
    }
    let left = if only_returned && group.complete { relevant_returned } else { relevant };
    let dropped = group.items.iter().filter(|item| item.level == 0.0).nth(usize::try_from(left).unwrap_or(usize::MAX));
    let stays = |place: usize| {
        let is_zero = |item: &&super::group::Place| item.place == place && item.level == 0.0;
        dropped.is_none_or(|dropped| place < dropped.place) || !group.items.iter().any(|item| is_zero(&item))
    };
    let asked = |place: usize| !only_returned || place < returned;
    let mut found = Fulfilled::default();
    let mut add = |better: usize, worse: usize| {
        found.fulfilled += u64::from(better < worse && better < returned);
        found.possible += 1;
    };
    for &(better, worse) in &group.pairs {
        if asked(better) && asked(worse) && stays(better) && stays(worse) {
            add(better, worse);
        }
    }
    if group.complete {
        let zeros = || group.items.iter().filter(|item| item.level == 0.0 && asked(item.place)).map(|item| item.place);
        for other in zeros() {
            zeros().filter(|place| stays(*place)).for_each(|place| add(other, place));
        }
    }
    share(found)
}

#[cfg(test)]
mod tests {
    use super::super::Preference;
    use super::*;

    #[test]
    fn names_read_back_and_unknown_ones_are_told_the_others() {
        for (name, measure) in ALL {
            assert_eq!((name.parse(), measure.to_string().as_str()), (Ok(measure), name));
        }
        let refused = "prefs_best".parse::<PreferenceMeasure>().unwrap_err().to_string();
        assert!(
            refused.starts_with("unknown measure of preferences `prefs_best`, expected one of `prefs_num"),
            "{refused}"
        );
    }

    #[test]
    fn judges_who_disagree_share_a_pair() {
        let line = |group, item, level| Preference { group, sub_group: "", item, level };
        let lines = [line("one", "a", 1.0), line("one", "b", 0.0), line("two", "a", 0.0), line("two", "b", 1.0)];
        let lines = [&lines[..], &[line("three", "a", 1.0), line("three", "b", 0.0)]].concat();
        let counts = PreferenceCounts::of(&["a", "b"], &lines).unwrap();
        let value = |name: &str| name.parse::<PreferenceMeasure>().unwrap().evaluate(&counts);
        for name in ["prefs_simp", "prefs_pair", "prefs_avgjg", "prefs_avgjg_Rnonrel"] {
            assert!((value(name).unwrap() - 2.0 / 3.0).abs() < 1e-15, "{name}");
        }
        assert_eq!((value("prefs_num_prefs_poss"), value("prefs_num_prefs_ful_ret")), (Some(3.0), Some(2.0)));
        let nothing = PreferenceCounts::of(&[], &[]).unwrap();
        assert_eq!("prefs_pair".parse::<PreferenceMeasure>().unwrap().evaluate(&nothing), None);
    }
}
