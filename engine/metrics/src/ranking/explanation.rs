//! Why a ranking has the value it has: one shape for every metric.

/// What each rank brings to a metric's value.
///
/// The value is the sum of the ranks' contributions and of what no rank brings, up to rounding; a rank's contribution is its
/// gain times its weight over the normaliser.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The ranks looked at, in their order.
    pub ranks: Vec<RankContribution>,
    /// What no rank brings: items that were not returned for `NumRel`, which counts them too, what the logarithm makes of the ranks'
    /// sum for `gm_map` and `gm_bpref`, else 0.
    pub unranked: f64,
    /// What the sum of gain times weight is divided by: the ideal for nDCG, the relevant items for recall, AP, bpref, infAP
    /// and R-precision, the cutoff for precision, the returned items for the judged share, else 1.
    pub normaliser: f64,
    /// The metric's value.
    pub value: f64,
}

/// What one rank brings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankContribution {
    /// The rank, from 1, in the ranking as it was returned.
    pub rank: usize,
    /// The grade of the item there; `None` where nobody judged it.
    pub grade: Option<f64>,
    /// What the item is worth to the metric: its gain for nDCG and RBP, the probability of contentment for ERR, 1 for a
    /// judged item for the judged share, 1 for a relevant item for most others; 0 for an item that is worth nothing.
    pub gain: f64,
    /// What a gain of 1 is worth at this rank of this ranking: the discount of nDCG, the precision here for AP, 0 below the
    /// first relevant item for reciprocal rank, and 0 where a condensed metric leaves the item out.
    pub weight: f64,
    /// Gain times weight over the normaliser: this rank's share of the value.
    pub contribution: f64,
}

/// What a metric makes of the ranks down to its cutoff.
pub(crate) struct Weighing {
    /// Gain and weight of each rank, from the first.
    pub(crate) ranks: Vec<(f64, f64)>,
    pub(crate) normaliser: f64,
    pub(crate) unranked: f64,
}

impl Weighing {
    pub(crate) fn new(normaliser: f64, ranks: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { ranks: ranks.into_iter().collect(), normaliser, unranked: 0.0 }
    }

    /// Puts ranks, grades and contributions beside the gains. `returned` is the whole ranking; `places` has the index in it
    /// of each rank that was weighed, ascending. Ranks between them are shown as worth nothing.
    pub(crate) fn explain(
        self,
        returned: &[Option<f64>],
        places: impl IntoIterator<Item = usize>,
        value: f64,
    ) -> Explanation {
        let mut ranks: Vec<RankContribution> = Vec::with_capacity(self.ranks.len());
        for ((gain, weight), place) in self.ranks.into_iter().zip(places) {
            while ranks.len() < place {
                ranks.push(contribution(returned, ranks.len(), (0.0, 0.0), self.normaliser));
            }
            ranks.push(contribution(returned, place, (gain, weight), self.normaliser));
        }
        Explanation { ranks, unranked: self.unranked, normaliser: self.normaliser, value }
    }
}

fn contribution(
    returned: &[Option<f64>],
    place: usize,
    (gain, weight): (f64, f64),
    normaliser: f64,
) -> RankContribution {
    let grade = returned.get(place).copied().flatten();
    RankContribution { rank: place + 1, grade, gain, weight, contribution: gain * weight / normaliser }
}

/// Returns 1 for a condition that holds, else 0.
pub(crate) fn one_if(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}
