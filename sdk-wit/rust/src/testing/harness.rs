//! The host's part, natively.

use std::marker::PhantomData;

use super::batch::{Field, batch};
use super::sample::Sample;
use crate::bindings::exports::rematch::scoring::guest;
use crate::{Aggregate, Batch, Column, Description, Scorer, Scores, call};

/// What one session got.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    names: Vec<String>,
    values: Vec<Option<f64>>,
    output: String,
    error: Option<String>,
}

impl Outcome {
    /// Returns the score; `None` where it is undefined or an error.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.values.first().copied().flatten()
    }

    /// Returns a metric by its name; `None` where it is undefined or an error.
    ///
    /// # Panics
    ///
    /// Panics where the description has no metric of that name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<f64> {
        match self.names.iter().position(|known| known == name) {
            Some(at) => self.values[at],
            None => panic!("there is no metric `{name}`, only {:?}", self.names),
        }
    }

    /// Returns the text that goes with the score; may be empty.
    #[must_use]
    pub fn output(&self) -> &str {
        &self.output
    }

    /// Returns why the session could not be scored.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Returns whether both are the same, to the last bit of every value.
    fn equals(&self, other: &Self) -> bool {
        let bits = |outcome: &Self| outcome.values.iter().map(|value| value.map(f64::to_bits)).collect::<Vec<_>>();
        bits(self) == bits(other) && self.output == other.output && self.error == other.error
    }
}

/// Runs a scorer on sample sessions.
#[derive(Debug)]
pub struct Harness<S> {
    params: String,
    fields: Vec<Field>,
    scorer: PhantomData<S>,
}

impl<S: Scorer> Default for Harness<S> {
    fn default() -> Self {
        Self { params: "{}".to_owned(), fields: Vec::new(), scorer: PhantomData }
    }
}

impl<S: Scorer> Harness<S> {
    /// Returns a harness without parameters and item fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the parameters, a JSON object.
    #[must_use]
    pub fn params(mut self, json: &str) -> Self {
        json.clone_into(&mut self.params);
        self
    }

    /// Adds an item field, as `items = { corpus = "...", fields = [...] }` of a benchmark does: the text of each item that
    /// has one.
    #[must_use]
    pub fn field<'a>(mut self, name: &str, texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let texts = texts.into_iter().map(|(item, text)| (item.to_owned(), text.to_owned()));
        self.fields.push((name.to_owned(), texts.collect()));
        self
    }

    /// Scores the sessions in one batch and returns what each got.
    ///
    /// # Errors
    ///
    /// Returns an error where the scorer refuses its parameters or the batch, or where it breaks the contract: a
    /// description that the host would refuse, a value that is not finite or out of range, a score that changes with the
    /// session's neighbours, or by which of [`Scorer::score`] and [`Scorer::score_batch`] is asked.
    pub fn score(&self, samples: impl Into<Vec<Sample>>) -> Result<Vec<Outcome>, String> {
        let samples = samples.into();
        let description = S::describe();
        check_description(&description)?;
        // As the host does, to check the parameters.
        self.outcomes(&[], &description)?;
        let outcomes = self.outcomes(&samples, &description)?;
        self.check_neighbours(&samples, &outcomes, &description)?;
        self.check_by_session(&samples, &outcomes, &description)?;
        Ok(outcomes)
    }

    fn batch(&self, samples: &[Sample], description: &Description) -> Batch {
        batch(samples, description.needs, &self.fields)
    }

    fn outcomes(&self, samples: &[Sample], description: &Description) -> Result<Vec<Outcome>, String> {
        match call::score::<S>(&self.batch(samples, description), &self.params) {
            Ok(scores) => outcomes(&scores, samples, description),
            Err(guest::Failure::InvalidParams(reason)) => Err(format!("the parameters are refused: {reason}")),
            Err(guest::Failure::Internal(reason)) => Err(format!("the batch is refused: {reason}")),
        }
    }

    fn check_neighbours(&self, samples: &[Sample], found: &[Outcome], about: &Description) -> Result<(), String> {
        let reversed: Vec<Sample> = samples.iter().rev().cloned().collect();
        let mut reversed = self.outcomes(&reversed, about)?;
        reversed.reverse();
        for ((sample, outcome), reversed) in samples.iter().zip(found).zip(&reversed) {
            let alone = self.outcomes(std::slice::from_ref(sample), about)?;
            if !outcome.equals(reversed) || !alone.first().is_some_and(|alone| alone.equals(outcome)) {
                return Err(format!(
                    "session `{}` gets other scores among other sessions: {alone:?}, {outcome:?}",
                    sample.id
                ));
            }
        }
        Ok(())
    }

    fn check_by_session(&self, samples: &[Sample], found: &[Outcome], about: &Description) -> Result<(), String> {
        let batch = self.batch(samples, about);
        let scorer: S = call::configured(&self.params)?;
        let mut scores = Scores::new(&about.metrics, samples.len());
        for session in batch.sessions() {
            scores.set(session.index(), scorer.score(&session))?;
        }
        for ((sample, one), other) in samples.iter().zip(found).zip(outcomes(&scores.into_columns(), samples, about)?) {
            if !one.equals(&other) {
                return Err(format!("session `{}`: `score_batch` gives {one:?}, `score` gives {other:?}", sample.id));
            }
        }
        Ok(())
    }
}

impl<S: Aggregate> Harness<S> {
    /// Scores the sessions and sums them up as a run; `None` where that is undefined.
    ///
    /// # Errors
    ///
    /// Returns an error where [`Harness::score`] does, where the scorer cannot sum up, or where its sum is not finite.
    pub fn aggregate(&self, samples: impl Into<Vec<Sample>>) -> Result<Option<f64>, String> {
        let mut samples = samples.into();
        samples.sort_by(|left, right| left.id.cmp(&right.id));
        let outcomes = self.score(samples)?;
        let column = |metric: usize| {
            let values = || outcomes.iter().map(|outcome| outcome.values[metric]);
            Column {
                values: values().map(|value| value.unwrap_or(0.0)).collect(),
                known: values().map(|value| value.is_some()).collect(),
            }
        };
        let metrics: Vec<Column> = (0..S::describe().metrics.len()).map(column).collect();
        match call::aggregate::<S>(&metrics, &self.params)? {
            Some(value) if !value.is_finite() => Err(format!("the sum of the run is {value}, which is not finite")),
            value => Ok(value),
        }
    }
}

fn check_description(description: &Description) -> Result<(), String> {
    if description.name.is_empty() {
        return Err("the description has no name".to_owned());
    }
    if description.metrics.is_empty() {
        return Err("the description has no metric".to_owned());
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@()=".contains(&byte);
    for (at, metric) in description.metrics.iter().enumerate() {
        let name = &metric.name;
        if name.is_empty() || name.len() > 64 || !name.bytes().all(legal) {
            return Err(format!(
                "`{name}` is no name of a metric: expected 1 to 64 letters, digits and any of `-_.@()=`"
            ));
        }
        if description.metrics[..at].iter().any(|other| other.name == *name) {
            return Err(format!("two metrics are named `{name}`"));
        }
    }
    Ok(())
}

/// Reads the columns that a scorer returned as the host does.
fn outcomes(scores: &guest::Scores, samples: &[Sample], about: &Description) -> Result<Vec<Outcome>, String> {
    let (sessions, metrics) = (samples.len(), &about.metrics);
    if scores.values.len() != sessions * metrics.len() {
        return Err(format!("{} values for {} metrics of {sessions} sessions", scores.values.len(), metrics.len()));
    }
    let mut outcomes = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        let error = scores.errors.iter().find(|error| error.index as usize == index).map(|error| error.message.clone());
        let mut values = Vec::new();
        for (number, metric) in metrics.iter().enumerate() {
            let at = number * sessions + index;
            let undefined = error.is_some() || scores.undefined.iter().any(|undefined| *undefined as usize == at);
            let value = scores.values[at];
            let (low, high) = (metric.low.unwrap_or(f64::MIN), metric.high.unwrap_or(f64::MAX));
            // Written so that NaN is out of range.
            if !undefined && !(low..=high).contains(&value) {
                let Sample { id, .. } = sample;
                return Err(format!(
                    "`{}` of session `{id}` is {value}, expected one from {low} to {high}",
                    metric.name
                ));
            }
            values.push((!undefined).then_some(value));
        }
        let names = metrics.iter().map(|metric| metric.name.clone()).collect();
        let output = scores.outputs.get(index).unwrap_or_default().to_owned();
        outcomes.push(Outcome { names, values, output, error });
    }
    Ok(outcomes)
}
