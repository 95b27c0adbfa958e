//! Deltas of which the truth is known: how they are spread, and how those of one visit go together.

use rematch_metrics::stats::ClusterSum;

/// A way in which deltas come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    pub(crate) name: &'static str,
    /// Searches of one visit.
    pub(crate) searches: u64,
    skewed: bool,
}

/// The share of the variance that searches of one visit have in common.
const SHARED: f64 = 0.3;

pub(crate) const WORLDS: [World; 6] = [
    World { name: "normal", searches: 1, skewed: false },
    World { name: "normal", searches: 4, skewed: false },
    World { name: "normal", searches: 10, skewed: false },
    World { name: "half ties, few wins", searches: 1, skewed: true },
    World { name: "half ties, few wins", searches: 4, skewed: true },
    World { name: "half ties, few wins", searches: 10, skewed: true },
];

impl World {
    /// Returns the standard deviation of a delta.
    pub(crate) fn deviation(&self) -> f64 {
        // Variance .4 · .05² / 3 + .1 · .2² / 3 of the skewed one.
        if self.skewed { f64::sqrt(0.001 / 3.0 + 0.004 / 3.0) } else { 1.0 }
    }

    /// Returns by how much a visit's searches are worth less than as many visits of one: 1 + (m - 1) · shared variance.
    pub(crate) fn design_effect(&self) -> f64 {
        1.0 + (self.searches as f64 - 1.0) * SHARED
    }

    /// Returns the deltas of a visit, of mean 0.
    ///
    /// A search repeats what the visit has in common with a probability whose square is the shared variance, and is its own
    /// otherwise, so that a single delta is spread alike however many there are.
    pub(crate) fn visit(&self, seed: u64, visit: u64) -> impl Iterator<Item = f64> + use<> {
        let world = *self;
        (0..self.searches).map(move |search| {
            let repeats = world.searches > 1 && uniform(seed, visit, 3 * search) < SHARED.sqrt();
            world.delta(seed, visit, if repeats { 1 << 20 } else { 3 * search + 1 })
        })
    }

    /// Returns the deltas of a comparison with the number of each one's visit.
    pub(crate) fn comparison(&self, seed: u64, visits: u64) -> (Vec<f64>, Vec<usize>) {
        let searches = usize::try_from(self.searches).unwrap_or_default();
        let deltas: Vec<f64> = (0..visits).flat_map(|visit| self.visit(seed, visit)).collect();
        let numbers = (0..deltas.len()).map(|at| at / searches).collect();
        (deltas, numbers)
    }

    /// Returns a visit as the sum of its deltas, each moved by `effect`.
    pub(crate) fn summed(&self, seed: u64, visit: u64, effect: f64) -> ClusterSum {
        ClusterSum { pairs: self.searches, sum: self.visit(seed, visit).map(|delta| delta + effect).sum() }
    }

    fn delta(&self, seed: u64, visit: u64, what: u64) -> f64 {
        let (kind, amount) = (uniform(seed, visit, what), uniform(seed, visit, what + 1));
        match kind {
            _ if !self.skewed => (-2.0 * kind.ln()).sqrt() * (std::f64::consts::TAU * amount).cos(),
            kind if kind < 0.5 => 0.0,
            kind if kind < 0.9 => -0.05 * amount,
            _ => 0.2 * amount,
        }
    }
}

/// Returns a number between 0 and 1, neither included, that is a function of the three: SplitMix64 (Steele, Lea and Flood 2014).
fn uniform(seed: u64, visit: u64, what: u64) -> f64 {
    let mixed = |state: u64| {
        let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let bits = mixed(mixed(mixed(seed ^ 0x5EED).wrapping_add(visit)).wrapping_add(what));
    ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}
