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

/// A session's items and their worth. Every item that was judged, or that the user acted on, has an entry; an item
/// without one is unjudged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Relevance {
    gains: BTreeMap<String, f64>,
}

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
        let gains = session.judgments.iter().map(|judgment| (judgment.item_id.clone(), f64::from(judgment.grade)));
        Self { gains: gains.collect() }
    }

    fn from_interactions(session: &Session, plan: &RelevancePlan) -> Self {
        let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for interaction in &session.interactions {
            let seen = kinds.entry(&interaction.item_id).or_default();
            if !seen.contains(&interaction.kind.as_str()) {
                seen.push(&interaction.kind);
            }
        }
        let weight = |kind: &str| plan.weights.get(kind).copied().unwrap_or(OTHER_KIND_WEIGHT);
        let gain = |kinds: &[&str]| match plan.combine {
            Combine::Max => kinds.iter().map(|kind| weight(kind)).fold(0.0, f64::max),
            Combine::Sum => {
                let mut sorted: Vec<&str> = kinds.to_vec();
                sorted.sort_unstable();
                sorted.iter().map(|kind| weight(kind)).sum()
            }
        };
        Self { gains: kinds.iter().map(|(item, kinds)| ((*item).to_owned(), gain(kinds))).collect() }
    }

    /// Returns the grade of `item_id` (it may be negative), or `None` for an unjudged item.
    #[must_use]
    pub fn grade(&self, item_id: &str) -> Option<f64> {
        self.gains.get(item_id).copied()
    }

    /// Returns the gain of `item_id`: its grade, at least 0; 0 for an unjudged item.
    #[must_use]
    pub fn gain(&self, item_id: &str) -> f64 {
        self.grade(item_id).unwrap_or(0.0).max(0.0)
    }

    /// Iterates over every judged item with its grade, in order of item id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.gains.iter().map(|(item, grade)| (item.as_str(), *grade))
    }

    /// Returns whether any item has a positive gain.
    #[must_use]
    pub fn any_relevant(&self) -> bool {
        self.gains.values().any(|grade| *grade > 0.0)
    }
}
