//! A value taken apart, as plain data.

use serde::Serialize;

/// The values of a metric in one session, taken apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breakdown {
    /// The session.
    pub session_id: String,
    /// What was searched; `null` where the session has no query text.
    pub query: Option<String>,
    /// The metric.
    pub metric: String,
    /// What an item is worth to the metric, in words.
    pub gain: String,
    /// What a rank is worth, in words.
    pub discount: String,
    /// What the sum of gain times discount is divided by, in words.
    pub normaliser: String,
    /// Where the grades come from: `judgments`, or `interactions` where nobody judged the session.
    pub grades_from: &'static str,
    /// Each retriever's ranking, the baseline first.
    pub retrievers: Vec<ArmBreakdown>,
    /// The best order of what is judged, down to the metric's cutoff; equal grades by ascending id.
    pub ideal: ArmBreakdown,
}

/// One ranking.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ArmBreakdown {
    /// The retriever; empty for the ideal.
    pub retriever_id: String,
    /// Why there is no ranking: the kind of failure; `null` where there is one.
    pub failed: Option<String>,
    /// The metric's value; `null` where it is undefined.
    pub value: Option<f64>,
    /// What the sum of gain times discount is divided by; `null` where the value is undefined.
    pub divided_by: Option<f64>,
    /// What no rank brings; 0 for nearly every metric.
    pub unranked: f64,
    /// Rank by rank.
    pub ranks: Vec<RankBreakdown>,
}

/// One rank.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RankBreakdown {
    /// The rank, from 1.
    pub rank: usize,
    /// The item there.
    pub item_id: String,
    /// Its grade; `null` where it is unjudged.
    pub grade: Option<f64>,
    /// What it is worth to the metric.
    pub gain: f64,
    /// What a gain of 1 is worth at this rank.
    pub discount: f64,
    /// Gain times discount over the divisor: this rank's share of the value.
    pub contribution: f64,
}
