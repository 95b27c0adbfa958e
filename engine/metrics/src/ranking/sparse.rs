//! Many metrics of one ranking after the other, in which most items have no grade.

use std::num::NonZeroUsize;

use super::graded::{Discounted, Grades, best_first, depth};
use super::{GainFunction, RankedGrades, Relevance, average_precision, ndcg, precision, recall, reciprocal_rank};
use crate::metric::Metric;
use crate::sum::CompensatedSum;

/// The grades of one ranking of one session, kept as those that are there and not rank by rank.
///
/// A hundred hits have a few grades, and a benchmark asks eleven metrics for them: nDCG, recall, precision, reciprocal rank and
/// average precision look at those alone, and what several cutoffs need is summed up once. Values have the same bits as those of
/// [`RankedGrades`], by which every other metric is evaluated.
#[derive(Debug, Clone)]
pub struct SparseGrades {
    gain: GainFunction,
    /// Rank - 1 and grade, best rank first.
    found: Vec<(usize, f64)>,
    hits: usize,
    judged: Vec<f64>,
    /// All grades, best first.
    best_first: Vec<f64>,
    /// The discounted gain of the first found ones together, from none on.
    found_sums: Vec<f64>,
    /// That of the best items of the session.
    ideal_sums: Vec<f64>,
    /// How many of the first found ones have a grade above 0, from none on.
    found_above_zero: Vec<usize>,
    /// How many items of the session have.
    above_zero: usize,
    /// The grades rank by rank, once somebody asks; nothing before.
    ranked: Vec<Option<f64>>,
}

impl SparseGrades {
    /// Returns no grades; `gain` is the benchmark's gain function.
    #[must_use]
    pub fn new(gain: GainFunction) -> Self {
        Self {
            gain,
            found: Vec::new(),
            hits: 0,
            judged: Vec::new(),
            best_first: Vec::new(),
            found_sums: vec![0.0],
            ideal_sums: vec![0.0],
            found_above_zero: vec![0],
            above_zero: 0,
            ranked: Vec::new(),
        }
    }

    /// Takes another ranking: the grade at each rank, and all grades of the session, of which the same is asked as of
    /// [`RankedGrades`].
    pub fn set(&mut self, ranked: impl Iterator<Item = Option<f64>>, judged: impl Iterator<Item = f64>) {
        self.found.clear();
        self.hits = 0;
        for grade in ranked {
            if let Some(grade) = grade {
                self.found.push((self.hits, grade));
            }
            self.hits += 1;
        }
        self.judged.clear();
        self.judged.extend(judged);
        self.ranked.clear();
        self.sum_up();
    }

    fn sum_up(&mut self) {
        let gain = self.gain;
        self.best_first.clone_from(&self.judged);
        let gains = best_first(&mut self.best_first).iter().map(|grade| gain.gain(*grade)).filter(|gain| *gain > 0.0);
        set_sums(&mut self.ideal_sums, gains.enumerate());
        set_sums(&mut self.found_sums, self.found.iter().map(|(index, grade)| (*index, gain.gain(*grade))));
        self.above_zero = self.judged.iter().filter(|&&grade| Relevance::AboveZero.holds(grade)).count();
        self.found_above_zero.truncate(1);
        let mut above_zero = 0;
        self.found_above_zero.extend(self.found.iter().map(|(_, grade)| {
            above_zero += usize::from(Relevance::AboveZero.holds(*grade));
            above_zero
        }));
    }

    /// Returns how many of the first `depth` items have a grade.
    #[must_use]
    pub fn graded(&self, depth: usize) -> usize {
        self.found.partition_point(|(index, _)| *index < depth)
    }

    /// Returns the grades rank by rank.
    pub fn rank_by_rank(&mut self) -> RankedGrades<'_> {
        if self.ranked.is_empty() {
            self.ranked.resize(self.hits, None);
            for (index, grade) in &self.found {
                if let Some(rank) = self.ranked.get_mut(*index) {
                    *rank = Some(*grade);
                }
            }
        }
        RankedGrades { ranked: &self.ranked, judged: &self.judged }
    }

    /// Returns what [`Metric::evaluate`] says of these grades.
    #[must_use]
    pub fn evaluate(&mut self, metric: &Metric) -> Option<f64> {
        match *metric {
            Metric::Ndcg { gain, judged_only: false, cutoff } => ndcg::value(self, gain.unwrap_or(self.gain), cutoff),
            Metric::Recall { relevance, judged_only: false, cutoff } => recall::value(self, relevance, cutoff),
            Metric::Precision { relevance, judged_only: false, cutoff } => precision::value(self, relevance, cutoff),
            Metric::ReciprocalRank { relevance, judged_only: false, cutoff } => {
                reciprocal_rank::value(self, relevance, cutoff)
            }
            Metric::AveragePrecision { relevance, judged_only: false, cutoff } => {
                average_precision::value(self, relevance, cutoff)
            }
            _ => {
                let gain = self.gain;
                metric.evaluate(&self.rank_by_rank(), gain)
            }
        }
    }

    /// Returns the benchmark's gain function.
    #[must_use]
    pub fn gain(&self) -> GainFunction {
        self.gain
    }
}

/// Sums up the gains of ranks, given by their indexes, down to each of them; the first sum is of none.
fn set_sums(sums: &mut Vec<f64>, gains: impl Iterator<Item = (usize, f64)>) {
    sums.truncate(1);
    let mut sum = CompensatedSum::default();
    sums.extend(gains.map(|(index, gain)| {
        ndcg::add_discounted(&mut sum, index, gain);
        sum.total()
    }));
}

/// Returns the sum of the first, of all where there are not so many.
fn first<T: Copy + Default>(sums: &[T], number: usize) -> T {
    sums.get(number).or(sums.last()).copied().unwrap_or_default()
}

impl Grades for SparseGrades {
    fn found(&self, cutoff: Option<NonZeroUsize>) -> impl Iterator<Item = (usize, f64)> {
        self.found.iter().copied().take_while(move |(index, _)| *index < depth(cutoff))
    }

    fn relevant(&self, relevance: Relevance) -> Option<NonZeroUsize> {
        match relevance {
            Relevance::AboveZero => NonZeroUsize::new(self.above_zero),
            Relevance::AtLeast(_) => RankedGrades { ranked: &[], judged: &self.judged }.relevant(relevance),
        }
    }

    fn relevant_found(&self, relevance: Relevance, cutoff: NonZeroUsize) -> usize {
        match relevance {
            Relevance::AboveZero => first(&self.found_above_zero, self.graded(cutoff.get())),
            Relevance::AtLeast(_) => self.found(Some(cutoff)).filter(|(_, grade)| relevance.holds(*grade)).count(),
        }
    }

    fn discounted(&self, gain: GainFunction, cutoff: Option<NonZeroUsize>) -> Discounted {
        if gain == self.gain {
            let found = first(&self.found_sums, self.graded(depth(cutoff)));
            return Discounted { found, ideal: first(&self.ideal_sums, depth(cutoff)) };
        }
        let gains = |grade: f64| gain.gain(grade);
        let ideal = self.best_first.iter().map(|&grade| gains(grade)).filter(|gain| *gain > 0.0);
        Discounted {
            found: ndcg::discounted(self.found(cutoff).map(|(index, grade)| (index, gains(grade)))),
            ideal: ndcg::discounted(ideal.take(depth(cutoff)).enumerate()),
        }
    }
}
