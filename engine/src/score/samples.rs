//! Sessions to try a scorer on: a dozen that differ in everything that a scorer can see, those of a file, and any number
//! of generated ones.

mod built_in;
mod generated;

use rematch_metrics::GainFunction;

use super::relevance::DEFAULT_WEIGHTS;
use super::{Case, Relevance};
use crate::benchmark::RelevancePlan;
use crate::benchmark::spec::{Combine, Compatibility};
use crate::session::{Hit, Ranking, Session};

pub use built_in::documents;

/// Fields of the made-up documents that a component is shown, where nobody names others.
pub const ITEM_FIELDS: [&str; 6] = ["title", "description", "category", "brand", "price", "date"];

/// The column of their ids.
pub const ITEM_ID: &str = "item_id";

/// Returns the made-up documents with those fields as JSON lines, a table that a component's plan can name.
#[must_use]
pub fn document_lines(fields: &[String]) -> String {
    let lines = documents(fields).into_iter().map(|document| {
        let mut object = serde_json::Map::new();
        object.insert(ITEM_ID.to_owned(), document.id.into());
        object.extend(fields.iter().cloned().zip(document.fields.into_iter().map(Into::into)));
        serde_json::Value::Object(object).to_string() + "\n"
    });
    lines.collect()
}

/// Sessions, each with a ranking and its gains: what [`Case`]s borrow.
#[derive(Debug, Clone, Default)]
pub struct SampleCases {
    sessions: Vec<Session>,
    rankings: Vec<Ranking>,
    relevance: Vec<Relevance>,
}

impl SampleCases {
    /// Returns the built-in samples. They differ in all that a scorer may trip over: no hits, nothing relevant, negative
    /// grades, purchases with values, propensities, missing scores, empty texts and texts of many scripts, vectors,
    /// taxonomy, labelled outcomes and times.
    #[must_use]
    pub fn built_in() -> Self {
        built_in::sessions().into_iter().collect()
    }

    /// Returns `sessions` with the lists that were shown as their rankings.
    #[must_use]
    pub fn of_shown(sessions: impl IntoIterator<Item = Session>) -> Self {
        let shown = |session: &Session| {
            session.shown.iter().map(|item| Hit { item_id: item.item_id.clone(), score: item.score }).collect()
        };
        let ranked = sessions.into_iter().map(|session| {
            let hits = shown(&session);
            (session, hits)
        });
        ranked.collect()
    }

    /// Returns `sessions` sessions, alike in kind and different in content, with `hits` hits each, of which about three
    /// quarters of `relevant` relevant items are some. The same numbers give the same sessions.
    #[must_use]
    pub fn generated(sessions: usize, hits: usize, relevant: usize) -> Self {
        (0..sessions).map(|index| generated::session(index, hits, relevant)).collect()
    }

    /// Returns the sessions.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// Returns the samples as cases, in their order.
    #[must_use]
    pub fn cases(&self) -> Vec<Case<'_>> {
        let answers = self.rankings.iter().zip(&self.relevance);
        let rows = self.sessions.iter().zip(answers);
        rows.map(|(session, (ranking, relevance))| Case { session, ranking, relevance }).collect()
    }
}

/// Joins each session with the hits that answer it.
impl FromIterator<(Session, Vec<Hit>)> for SampleCases {
    fn from_iter<I: IntoIterator<Item = (Session, Vec<Hit>)>>(rows: I) -> Self {
        let plan = relevance_plan();
        let mut samples = Self::default();
        for (session, hits) in rows {
            samples.relevance.push(Relevance::of(&session, &plan));
            samples.rankings.push(Ranking {
                session_id: session.session_id.clone(),
                retriever_id: "sample".to_owned(),
                hits,
                ..Ranking::default()
            });
            samples.sessions.push(session);
        }
        samples
    }
}

/// Returns how gains are found where no benchmark says it: every default.
#[must_use]
pub fn relevance_plan() -> RelevancePlan {
    RelevancePlan {
        gain: GainFunction::Linear,
        combine: Combine::Max,
        weights: DEFAULT_WEIGHTS.iter().map(|(kind, weight)| ((*kind).to_owned(), *weight)).collect(),
        compatibility: Compatibility::Strict,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_built_in_samples_are_all_different_and_cover_every_input() {
        let samples = SampleCases::built_in();
        let ids: BTreeSet<&str> = samples.sessions().iter().map(|session| session.session_id.as_str()).collect();
        assert_eq!(ids.len(), samples.sessions().len());
        let cases = samples.cases();
        let any = |has: &dyn Fn(&Case<'_>) -> bool| cases.iter().any(has) && !cases.iter().all(has);
        assert!(any(&|case| case.ranking.hits.is_empty()));
        assert!(any(&|case| case.relevance.any_relevant()));
        assert!(any(&|case| case.relevance.iter().any(|(_, grade)| grade < 0.0)));
        assert!(any(&|case| case.ranking.hits.iter().any(|hit| hit.score.is_none())));
        assert!(any(&|case| case.session.interactions.iter().any(|act| act.value.is_some())));
        assert!(any(&|case| case.session.interactions.iter().any(|act| act.timestamp.is_some())));
        assert!(any(&|case| case.session.shown.iter().any(|item| item.propensity.is_some())));
        assert!(any(&|case| case.session.query_vector.is_some()));
        assert!(any(&|case| case.session.query.is_some()));
        assert!(any(&|case| case.session.query.as_deref() == Some("")));
        assert!(any(&|case| case.session.inputs.is_some()));
        assert!(any(&|case| case.session.expected.is_some()));
        assert!(any(&|case| case.session.timestamp.is_some()));
        assert!(any(&|case| case.session.taxonomy.len() > 1));
    }

    #[test]
    fn json_of_the_samples_is_json() {
        for session in SampleCases::built_in().sessions() {
            for text in [&session.inputs, &session.expected].into_iter().flatten() {
                serde_json::from_str::<serde_json::Value>(text).unwrap();
            }
        }
    }

    #[test]
    fn some_items_have_a_document_with_the_fields_asked_for_and_some_have_none() {
        let documents = documents(&["category".to_owned(), "anything".to_owned()]);
        let known: BTreeSet<&str> = documents.iter().map(|document| document.id.as_str()).collect();
        let samples = SampleCases::built_in();
        let hits = || samples.rankings.iter().flat_map(|ranking| &ranking.hits);
        assert!(hits().any(|hit| known.contains(hit.item_id.as_str())));
        assert!(hits().any(|hit| !known.contains(hit.item_id.as_str())));
        assert!(documents.iter().all(|document| document.fields.len() == 2));
        assert!(documents.iter().all(|document| document.fields.iter().all(|value| !value.is_empty())));
        assert_eq!(known.len(), documents.len());
    }

    #[test]
    fn generated_sessions_have_the_size_asked_for_and_are_the_same_every_time() {
        let samples = SampleCases::generated(50, 20, 4);
        let cases = samples.cases();
        assert_eq!(cases.len(), 50);
        for case in &cases {
            let ids: BTreeSet<&str> = case.ranking.hits.iter().map(|hit| hit.item_id.as_str()).collect();
            assert_eq!(ids.len(), 20, "an item stands there twice");
            assert_eq!(case.session.judgments.len(), 4);
        }
        let found =
            |case: &Case<'_>| case.ranking.hits.iter().filter(|hit| case.relevance.gain(&hit.item_id) > 0.0).count();
        let found: usize = cases.iter().map(found).sum();
        assert!((100..200).contains(&found), "{found} of 200 relevant items are found");
        let again = SampleCases::generated(50, 20, 4);
        assert_eq!((again.sessions, again.rankings), (samples.sessions.clone(), samples.rankings.clone()));
    }

    #[test]
    fn shown_lists_become_rankings_with_their_scores() {
        let samples = SampleCases::of_shown(SampleCases::built_in().sessions().to_vec());
        for case in samples.cases() {
            let shown: Vec<&str> = case.session.shown.iter().map(|item| item.item_id.as_str()).collect();
            let hits: Vec<&str> = case.ranking.hits.iter().map(|hit| hit.item_id.as_str()).collect();
            assert_eq!(shown, hits);
        }
    }
}
