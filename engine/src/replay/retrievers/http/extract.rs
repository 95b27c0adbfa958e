//! From an answer to hits.

use std::collections::HashSet;

use serde_json::Value;

use super::list_path::{ListPath, Listed, described};
use super::path::JsonPath;
use super::timings::AnswerTiming;
use super::{HttpError, HttpPart};
use crate::benchmark::stages::http::{AbsentHits, HttpPlan, ScoreDirection};
use crate::replay::Timing;
use crate::session::Hit;

/// Where an answer holds ids, scores, errors and timings.
#[derive(Debug, Clone)]
pub struct Extraction {
    ids: ListPath,
    scores: Option<ListPath>,
    score_direction: ScoreDirection,
    absent_hits: AbsentHits,
    error: Option<JsonPath>,
    timings: Vec<AnswerTiming>,
}

impl Extraction {
    /// Parses the paths of `plan`.
    ///
    /// # Errors
    ///
    /// Returns the first path that is none.
    pub fn compile(plan: &HttpPlan) -> Result<Self, HttpError> {
        let list = |part: HttpPart, text: &str| ListPath::parse(text).map_err(|words| HttpError::new(part, words));
        let path = |part: HttpPart, text: &str| JsonPath::parse(text).map_err(|words| HttpError::new(part, words));
        let mut timings = Vec::with_capacity(plan.timings.len());
        for (name, timing) in &plan.timings {
            let path = path(HttpPart::Timing(name.clone()), &timing.path)?;
            timings.push(AnswerTiming { name: name.clone(), path, unit: timing.unit });
        }
        Ok(Self {
            ids: list(HttpPart::Ids, &plan.ids)?,
            scores: plan.scores.as_deref().map(|text| list(HttpPart::Scores, text)).transpose()?,
            score_direction: plan.score_direction,
            absent_hits: plan.absent_hits,
            error: plan.error.as_deref().map(|text| path(HttpPart::Error, text)).transpose()?,
            timings,
        })
    }

    /// Returns the first `depth` hits of `answer`, in its order; of an item that occurs twice the first stays.
    ///
    /// # Errors
    ///
    /// Returns in words how the answer differs from what the paths were written for.
    pub fn hits(&self, answer: &Value, depth: usize) -> Result<Vec<Hit>, String> {
        let ids = match self.ids.find(answer) {
            Listed::Nodes(nodes) => nodes,
            Listed::Misfit(words) => return Err(format!("{words}; is `ids` right for these answers?")),
            Listed::Absent if self.absent_hits == AbsentHits::Empty && self.ids.could_be_there(answer) => Vec::new(),
            Listed::Absent => {
                let list = self.ids.list();
                return Err(format!("the answer has no list `{list}`; is `ids` right for these answers?"));
            }
        };
        let scores = match &self.scores {
            Some(path) => self.scores(path, answer, ids.len())?,
            None => vec![None; ids.len()],
        };
        let mut hits = Vec::with_capacity(depth.min(ids.len()));
        let mut seen = HashSet::with_capacity(depth.min(ids.len()));
        for (rank, (id, score)) in (1..).zip(ids.into_iter().zip(scores)) {
            if hits.len() == depth {
                break;
            }
            let item_id = item_id(id, rank)?;
            if seen.insert(item_id.clone()) {
                hits.push(Hit { item_id, score });
            }
        }
        check_order(&hits)?;
        Ok(hits)
    }

    fn scores(&self, path: &ListPath, answer: &Value, ids: usize) -> Result<Vec<Option<f64>>, String> {
        let scores = match path.find(answer) {
            Listed::Nodes(nodes) => nodes,
            Listed::Misfit(words) => return Err(format!("{words}; {SCORES_FIX}")),
            Listed::Absent if ids == 0 => Vec::new(),
            Listed::Absent => return Err(format!("the answer has no list `{}`; {SCORES_FIX}", path.list())),
        };
        if scores.len() != ids {
            return Err(format!("{ids} ids and {} scores were found; {SCORES_FIX}", scores.len()));
        }
        (1..).zip(scores).map(|(rank, score)| self.score(score, rank)).collect()
    }

    fn score(&self, score: &Value, rank: usize) -> Result<Option<f64>, String> {
        // Weaviate writes its scores as texts.
        let number = score.as_f64().or_else(|| score.as_str()?.parse().ok());
        match (score, number.filter(|score| score.is_finite())) {
            (Value::Null, _) => Ok(None),
            (_, Some(score)) => Ok(Some(match self.score_direction {
                ScoreDirection::Higher => score,
                ScoreDirection::Lower => 0.0 - score,
            })),
            _ => Err(format!("the score at rank {rank} is {}, expected a number or null", described(score))),
        }
    }

    /// Returns what the answer says went wrong, if it does. Null, `false`, 0 and empty texts, lists and objects say nothing.
    #[must_use]
    pub fn error(&self, answer: &Value) -> Option<String> {
        let says_something = |found: &&Value| match found {
            Value::Null | Value::Bool(false) => false,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(elements) => !elements.is_empty(),
            Value::Object(members) => !members.is_empty(),
            Value::Bool(true) => true,
        };
        let found = self.error.as_ref()?.find(answer).into_iter().find(says_something)?;
        Some(match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    /// Returns the timings in the answer.
    #[must_use]
    pub fn timings(&self, answer: &Value) -> Vec<Timing> {
        self.timings.iter().filter_map(|timing| timing.read(answer)).collect()
    }
}

const SCORES_FIX: &str = "is `scores` right for these answers? `scores = \"\"` leaves them out";

fn item_id(id: &Value, rank: usize) -> Result<String, String> {
    match id {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Value::String(_) => Err(format!("the id at rank {rank} is empty")),
        other => Err(format!("the id at rank {rank} is {}, expected a text or a whole number", described(other))),
    }
}

/// Scores that rise from hit to hit belong to another order than the server's, or were read the wrong way round.
fn check_order(hits: &[Hit]) -> Result<(), String> {
    let mut before: Option<f64> = None;
    for (rank, hit) in (1..).zip(hits) {
        let Some(score) = hit.score else { continue };
        if let Some(before) = before.filter(|before| score > *before) {
            return Err(format!(
                "the score at rank {rank} is better than one before it ({score} follows {before}); is `score-direction` right? \
                 where the order is not that of the scores, `scores = \"\"` leaves them out"
            ));
        }
        before = Some(score);
    }
    Ok(())
}
