//! nDCG, averaged over places of the ranking.

use super::{gain, ideal};
use crate::ranking::explanation::Weighing;
use crate::ranking::{RankedGrades, Relevance};
use crate::sum::count;

/// The discounted gain of the ideal ranking down to each rank, the first entry being rank 0.
struct Ideal(Vec<f64>);

impl Ideal {
    fn of(grades: &RankedGrades<'_>) -> Self {
        let mut cumulated = vec![0.0];
        let mut total = 0.0;
        for (index, gain) in ideal(grades.judged).into_iter().enumerate() {
            total += gain * discount(index);
            cumulated.push(total);
        }
        Self(cumulated)
    }

    /// Returns it at that rank; at its end beyond that.
    fn at(&self, rank: usize) -> f64 {
        self.0.get(rank).or(self.0.last()).copied().unwrap_or(0.0)
    }
}

fn discount(index: usize) -> f64 {
    1.0 / count(index + 2).log2()
}

/// Weighs a mean of nDCG over ranks, each counted as often as `times` says.
fn mean(grades: &RankedGrades<'_>, ranks: &[usize], relevance: Relevance) -> Option<Weighing> {
    grades.relevant(relevance)?;
    let ideal = Ideal::of(grades);
    let mut weights = vec![0.0; grades.ranked.len()];
    for &rank in ranks {
        let share = 1.0 / ideal.at(rank);
        weights.iter_mut().take(rank).for_each(|weight| *weight += share);
    }
    let gains = grades.ranked.iter().enumerate().map(|(index, &grade)| gain(grade) * discount(index));
    Some(Weighing::new(count(ranks.len()), gains.zip(weights)))
}

/// Weighs `ndcg_rel` of trec_eval: nDCG at the rank of each relevant item, averaged over all relevant ones; an item that was
/// not returned brings nDCG at the end. Undefined where nothing is relevant.
pub(super) fn weigh_over_relevant(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<Weighing> {
    let relevant = grades.relevant(relevance)?.get();
    let mut ranks: Vec<usize> = Vec::with_capacity(relevant);
    ranks.extend(
        (0..grades.ranked.len())
            .filter(|&index| grades.ranked.get(index).is_some_and(|&grade| relevance.holds_at(grade)))
            .map(|index| index + 1),
    );
    ranks.resize(relevant.max(ranks.len()), usize::MAX);
    mean(grades, &ranks, relevance)
}

/// Weighs `Rndcg` of trec_eval: nDCG at the rank by which all items of each level of relevance and those above could stand,
/// and at the end where the ranking is longer than that by more than one; averaged. Undefined where nothing is relevant.
pub(super) fn weigh_at_levels(grades: &RankedGrades<'_>, relevance: Relevance) -> Option<Weighing> {
    let ideal = ideal(grades.judged);
    // The last item of each level, from the highest on.
    let mut ranks: Vec<usize> = (1..=ideal.len()).filter(|&rank| ideal.get(rank) != ideal.get(rank - 1)).collect();
    if grades.ranked.len() > ideal.len() + 1 {
        ranks.push(usize::MAX);
    }
    mean(grades, &ranks, relevance)
}

#[cfg(test)]
mod tests {
    use super::super::TrecMeasure;
    use super::*;

    #[test]
    fn an_item_that_was_not_returned_brings_the_value_at_the_end() {
        let grades = RankedGrades { ranked: &[Some(1.0), None], judged: &[2.0, 1.0] };
        let value = TrecMeasure::NdcgOverRelevant.evaluate(&grades, Relevance::AboveZero).unwrap();
        // 1 of 2 at the first, and 1 of 2 + 1 / log2(3) at the end.
        let expected = (0.5 + 1.0 / (2.0 + 1.0 / 3.0_f64.log2())) / 2.0;
        assert!((value - expected).abs() < 1e-15);
    }

    #[test]
    fn each_level_of_relevance_has_its_place() {
        let grades = RankedGrades { ranked: &[Some(2.0), None, Some(1.0), None, None], judged: &[2.0, 1.0] };
        let value = TrecMeasure::NdcgAtLevels.evaluate(&grades, Relevance::AboveZero).unwrap();
        assert!((value - 0.9035).abs() < 5e-5);
    }
}
