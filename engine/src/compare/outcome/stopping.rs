//! How a run that stops when it is decided went.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A run that was looked at after every chunk, and stopped when every candidate was decided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stopping {
    /// In words, for people.
    pub statement: String,
    /// Whether every candidate was decided; if not, the whole sample was replayed. Of a run that replayed all, it says whether
    /// every verdict is better or worse.
    pub decided: bool,
    /// Looks that were taken, one after each chunk.
    pub looks: u64,
    /// Sessions that every retriever replayed.
    pub sessions_replayed: u64,
    /// Sessions of the sample that were not replayed, because the answer was clear. They are no failures.
    pub sessions_not_replayed: u64,
    /// Searches that were not sent: sessions not replayed, times retrievers.
    pub replays_saved: u64,
    /// Those as a share of all of the sample.
    pub share_saved: f64,
    /// What is looked at: the anytime-valid confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas.
    pub method: String,
    /// How often, over all looks and candidates together, equal retrievers may be called different.
    pub significance: f64,
    /// Whether what clicks say on common support was looked at, and not the primary metric itself.
    #[serde(default)]
    pub by_clicks: bool,
    /// Users, visits or sessions alone before which nothing is decided.
    pub first_look_clusters: u64,
    /// Number of them in the sample: fewer than the first look needs, and the run cannot stop early.
    #[serde(default)]
    pub sample_clusters: u64,
    /// Number of them at which the interval is narrowest.
    pub tuned_for_clusters: u64,
    /// ρ of the boundary.
    pub rho: f64,
    /// The last look at each candidate, by its id.
    pub candidates: BTreeMap<String, SequenceLook>,
}

/// The last look at the primary metric of one candidate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SequenceLook {
    /// Whether the look decides: its p, times the number of candidates, is below the significance. After a whole sample nothing
    /// is left to wait for: then, whether the verdict is better or worse.
    pub decided: bool,
    /// Why there is no interval; `null` where there is one.
    pub undecidable: Option<String>,
    /// Users, visits or sessions alone.
    pub clusters: u64,
    /// Pairs of sessions.
    pub pairs: u64,
    /// Mean difference, candidate - baseline.
    pub delta: Option<f64>,
    /// Its cluster-robust standard error.
    pub standard_error: Option<f64>,
    /// How many standard errors the interval reaches to each side; a fixed sample takes 1.96.
    pub boundary: Option<f64>,
    /// The 95 % interval, which holds the true difference at all looks at once in 95 of 100 runs.
    pub ci95: Option<[f64; 2]>,
    /// The p that holds whenever one looks.
    pub p: Option<f64>,
    /// The same under each of the assumed curves, where clicks decide by one that is assumed: a look decides where all agree.
    #[serde(default)]
    pub curves: Vec<CurveLook>,
}

/// The last look under one assumed curve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurveLook {
    /// The curve is 1 / rank^exponent.
    pub exponent: f64,
    /// The anytime-valid 95 % interval of the difference.
    pub ci95: Option<[f64; 2]>,
    /// The p that holds whenever one looks.
    pub p: Option<f64>,
}
