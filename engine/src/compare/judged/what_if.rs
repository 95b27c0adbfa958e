//! What could the unjudged items of one session do to the difference between two rankings?
//!
//! Every unjudged item of both top k is either worth nothing or has the highest grade. For nDCG the extremes are exact: for
//! each number of relevant items the ideal is the same whichever they are, so that the best choice is the items whose discount
//! gains most, and the number is tried. For another metric four choices are tried: none, all, those that stand higher in the
//! candidate's list, and those that do not.

use std::num::NonZeroUsize;

use rematch_metrics::preset::Preset;
use rematch_metrics::top_lists::{EitherItem, TopLists};
use rematch_metrics::{GainFunction, Metric, RankedGrades};

use super::read::JudgedSession;
use crate::benchmark::Plan;

/// What the unjudged items of one session could do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    /// Unjudged items in either top k.
    pub(super) unjudged: usize,
    /// The difference as judged.
    pub(super) delta: f64,
    /// The lowest difference.
    pub(super) lowest: f64,
    /// The highest difference.
    pub(super) highest: f64,
    /// The difference where all of them have the highest grade.
    pub(super) all: f64,
}

/// An unjudged item, and how the difference changes when it has the highest grade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Potential {
    /// The item, with its places from 0 in the baseline's and the candidate's list.
    pub(super) item: EitherItem,
    /// The difference then - the difference as judged.
    pub(super) change: f64,
}

/// Looks at one session after the other; what was found of the last one stays until the next.
pub(super) struct WhatIf {
    metric: Metric,
    gain: GainFunction,
    cutoff: NonZeroUsize,
    max_grade: f64,
    /// The gain of that grade.
    best: f64,
    /// Whose conventions the metric follows.
    preset: Preset,
    /// Whether the difference follows from discounts alone.
    is_ndcg: bool,
    /// Of each rank from 0 down to the cutoff.
    discounts: Vec<f64>,
    /// Of the first ranks together, from none on.
    discount_sums: Vec<f64>,
    /// Those that help the candidate most come first; equal ones as the lists have them.
    unjudged: Vec<Unjudged>,
    /// Those of them that only the baseline's list holds, as it has them.
    lost: Vec<Unjudged>,
    /// Both lists' grades, rank by rank; for another metric than nDCG.
    ranked: [Vec<Option<f64>>; 2],
    /// All grades of the session; for another metric than nDCG.
    judged: Vec<f64>,
    /// The positive gains of the session, best first; for nDCG.
    gains: Vec<f64>,
    /// The candidate's discounted gain as judged, less the baseline's; for nDCG.
    numerator: f64,
    /// The ideal by the number of relevant items more, from none to as many as there are ranks; for nDCG.
    ideals: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Unjudged {
    item: EitherItem,
    /// The discount at the candidate's rank, less that at the baseline's.
    advantage: f64,
}

impl Unjudged {
    /// Where the lists have the item: those of the baseline's come first.
    fn place(&self) -> (bool, Option<u8>, Option<u8>) {
        (self.item.first.is_none(), self.item.first, self.item.second)
    }
}

impl WhatIf {
    /// Returns what looks at sessions by a plan's primary metric. `None` where it has no cutoff that the parts' lists reach, or
    /// drops unjudged items.
    pub(super) fn new(plan: &Plan, max_grade: f64) -> Option<Self> {
        let metric = plan.primary_metric().filter(|metric| !metric.judged_only())?;
        let cutoff = metric.cutoff().filter(|cutoff| cutoff.get() <= plan.list_depth())?;
        Some(Self::by(metric, plan.relevance.gain, cutoff, max_grade, plan.relevance.compatibility.into()))
    }

    fn by(metric: Metric, gain: GainFunction, cutoff: NonZeroUsize, max_grade: f64, preset: Preset) -> Self {
        let gain = match metric {
            Metric::Ndcg { gain: Some(named), .. } => named,
            _ => gain,
        };
        let discounts: Vec<f64> = (0..cutoff.get()).map(|rank| 1.0 / (rank as f64 + 2.0).log2()).collect();
        let mut discount_sums = vec![0.0];
        discount_sums.extend(discounts.iter().scan(0.0, |sum, discount| {
            *sum += discount;
            Some(*sum)
        }));
        Self {
            metric,
            gain,
            cutoff,
            max_grade,
            best: gain.gain(max_grade),
            preset,
            is_ndcg: matches!(metric, Metric::Ndcg { .. }) && matches!(preset, Preset::Strict | Preset::TrecEval),
            discounts,
            discount_sums,
            unjudged: Vec::new(),
            lost: Vec::new(),
            ranked: [Vec::new(), Vec::new()],
            judged: Vec::new(),
            gains: Vec::new(),
            numerator: 0.0,
            ideals: Vec::new(),
        }
    }

    /// Returns the ranks looked at.
    pub(super) fn cutoff(&self) -> NonZeroUsize {
        self.cutoff
    }

    /// Looks at a session with the baseline's and the candidate's list. `None` where the metric is undefined as judged.
    pub(super) fn look(&mut self, session: JudgedSession<'_>, lists: &TopLists) -> Option<Range> {
        self.take_up(session, lists);
        let delta = self.delta(|_| false)?;
        if self.unjudged.is_empty() {
            return Some(Range { unjudged: 0, delta, lowest: delta, highest: delta, all: delta });
        }
        let all = self.delta(|_| true)?;
        let (lowest, highest) =
            if self.is_ndcg { self.extremes_of_ndcg(delta) } else { self.extremes_of_cases(delta, all) };
        let finite = [delta, lowest, highest, all].iter().all(|delta| delta.is_finite());
        finite.then_some(Range { unjudged: self.unjudged.len(), delta, lowest, highest, all })
    }

    /// Returns what each unjudged item of the session that was looked at last could change.
    pub(super) fn potentials(&self) -> Vec<Potential> {
        let Some(delta) = self.delta(|_| false) else { return Vec::new() };
        let change = |one: usize| Some(self.delta(|index| index == one)? - delta);
        let potential =
            |(index, unjudged): (usize, &Unjudged)| Some(Potential { item: unjudged.item, change: change(index)? });
        self.unjudged.iter().enumerate().filter_map(potential).collect()
    }

    fn take_up(&mut self, session: JudgedSession<'_>, lists: &TopLists) {
        if !self.is_ndcg {
            self.judged.clear();
            self.judged.extend(session.grades.iter().map(|(_, grade)| *grade));
            for (ranked, ranks) in self.ranked.iter_mut().zip(lists.lengths(self.cutoff)) {
                ranked.clear();
                ranked.resize(ranks, None);
            }
        }
        self.unjudged.clear();
        self.lost.clear();
        self.numerator = 0.0;
        lists.items(self.cutoff).for_each(|item| {
            let advantage = self.discount(item.second) - self.discount(item.first);
            match (session.grade(item.key), item.second) {
                (None, Some(_)) => self.unjudged.push(Unjudged { item, advantage }),
                (None, None) => self.lost.push(Unjudged { item, advantage }),
                (Some(grade), _) if self.is_ndcg => self.numerator += self.gain.gain(grade) * advantage,
                (Some(grade), _) => set(&mut self.ranked, &item, Some(grade)),
            }
        });
        // Sorting takes few steps: what only one list holds is in order, if those of the baseline's come last and backwards.
        self.unjudged.extend(self.lost.iter().rev());
        let by_advantage = |one: &Unjudged, other: &Unjudged| other.advantage.total_cmp(&one.advantage);
        self.unjudged
            .sort_unstable_by(|one, other| by_advantage(one, other).then_with(|| one.place().cmp(&other.place())));
        if self.is_ndcg {
            self.find_ideals(session);
        }
    }

    fn discount(&self, rank: Option<u8>) -> f64 {
        rank.and_then(|rank| self.discounts.get(usize::from(rank))).copied().unwrap_or(0.0)
    }

    /// Finds the ideal for each number of relevant items more.
    fn find_ideals(&mut self, session: JudgedSession<'_>) {
        self.gains.clear();
        self.gains.extend(session.grades.iter().map(|(_, grade)| self.gain.gain(*grade)).filter(|gain| *gain > 0.0));
        self.gains.sort_unstable_by(|one, other| other.total_cmp(one));
        self.ideals.clear();
        self.ideals.resize(self.unjudged.len().min(self.discounts.len()) + 1, 0.0);
        // None of the judged items is better than the highest grade, so that the new ones come first, and the others go down.
        for (rank, gain) in self.gains.iter().enumerate() {
            for (rest, discount) in self.ideals.iter_mut().zip(self.discounts.get(rank..).unwrap_or_default()) {
                *rest += discount * gain;
            }
        }
        for (ideal, discounts) in self.ideals.iter_mut().zip(&self.discount_sums) {
            *ideal += self.best * discounts;
        }
    }

    /// The difference where the unjudged items that `relevant` picks have the highest grade.
    fn delta(&self, relevant: impl Fn(usize) -> bool) -> Option<f64> {
        let picked =
            || self.unjudged.iter().enumerate().filter(|(index, _)| relevant(*index)).map(|(_, unjudged)| unjudged);
        if self.is_ndcg {
            let (mut advantage, mut picks) = (0.0, 0);
            for unjudged in picked() {
                advantage += unjudged.advantage;
                picks += 1;
            }
            return self.ndcg_delta(advantage, picks);
        }
        let (mut ranked, mut judged) = (self.ranked.clone(), self.judged.clone());
        for unjudged in picked() {
            set(&mut ranked, &unjudged.item, Some(self.max_grade));
            judged.push(self.max_grade);
        }
        let [baseline, candidate] = ranked.each_ref().map(|ranked| {
            let grades = RankedGrades { ranked, judged: &judged };
            self.preset.evaluate(&self.metric, &grades, self.gain)
        });
        Some(candidate? - baseline?)
    }

    /// The difference of nDCG with so many relevant items more, whose discounts are `advantage` more in the candidate's list.
    fn ndcg_delta(&self, advantage: f64, relevant: usize) -> Option<f64> {
        let ideal = self.ideals.get(relevant).or(self.ideals.last()).copied().unwrap_or(0.0);
        match ideal > 0.0 && ideal.is_finite() {
            true => Some((self.numerator + self.best * advantage) / ideal),
            false => self.preset.undefined_is_zero().then_some(0.0),
        }
    }

    /// The lowest and the highest difference of nDCG over all choices of relevant items.
    fn extremes_of_ndcg(&self, delta: f64) -> (f64, f64) {
        let highest = self.extreme_of_ndcg(delta, self.unjudged.iter(), 1.0);
        (self.extreme_of_ndcg(delta, self.unjudged.iter().rev(), -1.0), highest)
    }

    /// The difference that is furthest in the direction of `sign`; the items come in the order in which they lead there.
    fn extreme_of_ndcg<'a>(&self, delta: f64, items: impl Iterator<Item = &'a Unjudged>, sign: f64) -> f64 {
        let (mut advantage, mut found) = (0.0, delta);
        for (index, item) in items.enumerate() {
            // Items that do not lead there only make the ideal larger, and a difference that is there already smaller.
            if sign * item.advantage <= 0.0 && sign * (self.numerator + self.best * advantage) >= 0.0 {
                break;
            }
            advantage += item.advantage;
            if let Some(delta) = self.ndcg_delta(advantage, index + 1) {
                found = if sign > 0.0 { found.max(delta) } else { found.min(delta) };
            }
        }
        found
    }

    fn extremes_of_cases(&self, delta: f64, all: f64) -> (f64, f64) {
        let higher = self.unjudged.iter().take_while(|unjudged| unjudged.advantage > 0.0).count();
        let cases = [Some(delta), Some(all), self.delta(|index| index < higher), self.delta(|index| index >= higher)];
        let cases = cases.into_iter().flatten();
        (cases.clone().fold(delta, f64::min), cases.fold(delta, f64::max))
    }
}

/// Gives an item a grade wherever it stands.
fn set(ranked: &mut [Vec<Option<f64>>; 2], item: &EitherItem, grade: Option<f64>) {
    for (ranked, rank) in ranked.iter_mut().zip([item.first, item.second]) {
        if let Some(slot) = rank.and_then(|rank| ranked.get_mut(usize::from(rank))) {
            *slot = grade;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compare::similarity;

    /// Fewer than `most` of as many keys as `keys`, in any order.
    fn list(keys: u64, most: usize) -> impl Strategy<Value = Vec<u64>> {
        Just((0..keys).collect::<Vec<u64>>())
            .prop_shuffle()
            .prop_flat_map(move |list| (0..most).prop_map(move |length| list[..length].to_vec()))
    }

    /// A session's judgments and both lists; keys are small numbers.
    fn session() -> impl Strategy<Value = (Vec<(u64, f64)>, Vec<u64>, Vec<u64>)> {
        let list = || list(9, 5);
        let grades = prop::collection::btree_map(0_u64..9, (-1_i32..4).prop_map(f64::from), 0..6);
        (grades.prop_map(|grades| grades.into_iter().collect()), list(), list())
    }

    fn lists(a: &[u64], b: &[u64]) -> TopLists {
        let mut lists = similarity::top_lists();
        lists.compare(a.iter().copied(), b.iter().copied());
        lists
    }

    fn what_if(metric: &str, preset: Preset) -> WhatIf {
        let metric: Metric = metric.parse().unwrap();
        WhatIf::by(metric, GainFunction::Linear, metric.cutoff().unwrap(), 3.0, preset)
    }

    /// The difference with some grades more, from the definitions.
    fn plain(what_if: &WhatIf, grades: &[(u64, f64)], more: &[u64], a: &[u64], b: &[u64]) -> Option<f64> {
        let grade = |key: &u64| match more.contains(key) {
            true => Some(3.0),
            false => grades.iter().find(|(other, _)| other == key).map(|(_, grade)| *grade),
        };
        let mut judged: Vec<f64> = grades.iter().map(|(_, grade)| *grade).collect();
        judged.extend(more.iter().map(|_| 3.0));
        let value = |list: &[u64]| {
            let ranked: Vec<Option<f64>> = list.iter().map(grade).collect();
            what_if.preset.evaluate(&what_if.metric, &RankedGrades { ranked: &ranked, judged: &judged }, what_if.gain)
        };
        Some(value(b)? - value(a)?)
    }

    proptest! {
        #[test]
        fn ranges_are_those_of_all_choices(
            (grades, a, b) in session(),
            metric in prop::sample::select(&["nDCG@3", "nDCG(dcg='exp-log2')@4", "P@3", "RBP(p=0.8)@4", "R@3", "RR@4", "AP@3"][..]),
            preset in prop::sample::select(&[Preset::Strict, Preset::TrecEval, Preset::Ranx, Preset::Elasticsearch][..]),
        ) {
            let mut what_if = what_if(metric, preset);
            let found = what_if.look(JudgedSession { grades: &grades }, &lists(&a, &b));
            let k = what_if.cutoff.get();
            let (a, b) = (&a[..a.len().min(k)], &b[..b.len().min(k)]);
            let mut unjudged: Vec<u64> = a.iter().chain(b).copied().filter(|key| grades.iter().all(|(other, _)| other != key)).collect();
            unjudged.sort_unstable();
            unjudged.dedup();
            let delta = plain(&what_if, &grades, &[], a, b);
            prop_assert_eq!(found.is_some(), delta.is_some());
            let (Some(found), Some(delta)) = (found, delta) else { return Ok(()) };
            prop_assert_eq!(found.unjudged, unjudged.len());
            prop_assert!((found.delta - delta).abs() < 1e-12);
            let all = plain(&what_if, &grades, &unjudged, a, b).unwrap();
            prop_assert!((found.all - all).abs() < 1e-12);
            let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
            for choice in 0..1_u32 << unjudged.len() {
                let more: Vec<u64> =
                    unjudged.iter().enumerate().filter(|(index, _)| choice >> index & 1 == 1).map(|(_, key)| *key).collect();
                let delta = plain(&what_if, &grades, &more, a, b).unwrap();
                (lowest, highest) = (lowest.min(delta), highest.max(delta));
            }
            prop_assert!(found.lowest <= found.delta && found.delta <= found.highest);
            prop_assert!(lowest - 1e-12 <= found.lowest && found.highest <= highest + 1e-12);
            // Where no ideal depends on the choice, or it does only by their number, the extremes are exact.
            let ours = matches!(preset, Preset::Strict | Preset::TrecEval);
            if ours && (metric.starts_with("nDCG") || metric.starts_with('P') || metric.starts_with("RBP")) {
                prop_assert!((found.lowest - lowest).abs() < 1e-12 && (found.highest - highest).abs() < 1e-12);
            }
            for potential in what_if.potentials() {
                let then = plain(&what_if, &grades, &[potential.item.key], a, b).unwrap();
                prop_assert!((potential.change - (then - delta)).abs() < 1e-12);
                let ranks = [a, b].map(|list| list.iter().position(|key| *key == potential.item.key).map(|rank| rank as u8));
                prop_assert_eq!([potential.item.first, potential.item.second], ranks);
            }
        }
    }

    /// The range of nDCG as the module describes it, every sum anew and in the order of the items: reports have its bits.
    fn spelled_out(what_if: &WhatIf, grades: &[(u64, f64)], lists: &TopLists) -> Option<(Range, Vec<Potential>)> {
        let (discounts, best) = (&what_if.discounts, what_if.gain.gain(what_if.max_grade));
        let discount = |rank: Option<u8>| rank.map_or(0.0, |rank| discounts[usize::from(rank)]);
        let mut gains: Vec<f64> =
            grades.iter().map(|(_, grade)| what_if.gain.gain(*grade)).filter(|gain| *gain > 0.0).collect();
        gains.sort_by(|one, other| other.total_cmp(one));
        let (mut numerator, mut unjudged) = (0.0, Vec::new());
        for item in lists.items(what_if.cutoff) {
            let advantage = discount(item.second) - discount(item.first);
            match grades.iter().find(|(key, _)| *key == item.key) {
                Some((_, grade)) => numerator += what_if.gain.gain(*grade) * advantage,
                None => unjudged.push((item, advantage)),
            }
        }
        unjudged.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let delta = |picked: &[f64], advantage: f64| {
            let filled = picked.len().min(discounts.len());
            let rest: f64 = discounts[filled..].iter().zip(&gains).map(|(discount, gain)| discount * gain).sum();
            let ideal = best * discounts[..filled].iter().fold(0.0, |sum, discount| sum + discount) + rest;
            match ideal > 0.0 {
                true => Some((numerator + best * advantage) / ideal),
                false => what_if.preset.undefined_is_zero().then_some(0.0),
            }
        };
        let of = |picked: &[f64]| delta(picked, picked.iter().fold(0.0, |sum, advantage| sum + advantage));
        let advantages: Vec<f64> = unjudged.iter().map(|(_, advantage)| *advantage).collect();
        let extreme = |advantages: &[f64], sign: f64| {
            let (mut found, mut advantage) = (of(&[])?, 0.0);
            for (index, one) in advantages.iter().enumerate() {
                if sign * one <= 0.0 && sign * (numerator + best * advantage) >= 0.0 {
                    break;
                }
                advantage += one;
                if let Some(delta) = delta(&advantages[..=index], advantage) {
                    found = if sign > 0.0 { found.max(delta) } else { found.min(delta) };
                }
            }
            Some(found)
        };
        let backwards: Vec<f64> = advantages.iter().rev().copied().collect();
        let range = Range {
            unjudged: unjudged.len(),
            delta: of(&[])?,
            lowest: extreme(&backwards, -1.0)?,
            highest: extreme(&advantages, 1.0)?,
            all: of(&advantages)?,
        };
        let potential = |(item, advantage): &(EitherItem, f64)| {
            Some(Potential { item: *item, change: of(&[*advantage])? - range.delta })
        };
        Some((range, unjudged.iter().filter_map(potential).collect()))
    }

    /// More judgments than are looked through from the first on, and lists that go on below every cutoff.
    fn long_session() -> impl Strategy<Value = (Vec<(u64, f64)>, Vec<u64>, Vec<u64>)> {
        let list = || list(40, 25);
        let grades = prop::collection::btree_map(0_u64..50, (-1_i32..4).prop_map(f64::from), 0..24);
        let lists = prop_oneof![(list(), list()), list().prop_map(|list| (list.clone(), list))];
        (grades, lists).prop_map(|(grades, (a, b))| (grades.into_iter().collect(), a, b))
    }

    proptest! {
        #[test]
        fn sums_that_are_kept_have_the_bits_of_those_that_are_made_anew(
            (grades, a, b) in long_session(),
            metric in prop::sample::select(&["nDCG@1", "nDCG@5", "nDCG(dcg='exp-log2')@10", "nDCG@20"][..]),
            preset in prop::sample::select(&[Preset::Strict, Preset::TrecEval][..]),
        ) {
            let (mut what_if, lists) = (what_if(metric, preset), lists(&a, &b));
            // What was looked at before must not matter.
            what_if.look(JudgedSession { grades: &[(3, 1.0)] }, &super::tests::lists(&b, &a));
            let found = what_if.look(JudgedSession { grades: &grades }, &lists);
            let expected = spelled_out(&what_if, &grades, &lists);
            let bits = |range: Range| {
                (range.unjudged, [range.delta, range.lowest, range.highest, range.all].map(f64::to_bits))
            };
            prop_assert_eq!(found.map(bits), expected.as_ref().map(|(range, _)| bits(*range)));
            if let Some((_, potentials)) = expected {
                prop_assert_eq!(what_if.potentials(), potentials);
            }
            // What stands below the cutoff changes nothing.
            let k = what_if.cutoff.get();
            let cut = super::tests::lists(&a[..a.len().min(k)], &b[..b.len().min(k)]);
            prop_assert_eq!(what_if.look(JudgedSession { grades: &grades }, &cut).map(bits), found.map(bits));
        }
    }

    #[test]
    fn a_newcomer_at_the_top_can_turn_a_loss() {
        let mut what_if = what_if("nDCG@2", Preset::Strict);
        let found = what_if.look(JudgedSession { grades: &[(1, 3.0)] }, &lists(&[1, 2], &[9, 1])).unwrap();
        assert!(found.delta < 0.0 && found.lowest < found.delta && found.highest > 0.0);
        let potentials = what_if.potentials();
        assert_eq!(potentials.iter().map(|one| one.item.key).collect::<Vec<_>>(), [9, 2]);
        assert!(potentials[0].change > 0.0 && potentials[1].change < 0.0);
    }
}
