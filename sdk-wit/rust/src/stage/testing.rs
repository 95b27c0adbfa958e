//! Running a stage on sample sessions, natively, by the very calls that the component's exports make.

use std::cell::RefCell;

use super::{Columns, Reranker, Retriever, call};
use crate::bindings::rematch::scoring::stage_types::{
    Answers, Failure, HitRows, ItemField, Items, OptionalNumbers, OptionalTimes, Sessions, TaxonomyRows, Texts, Vectors,
};

/// A session to try a stage on.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    id: String,
    query: String,
    inputs: String,
    vector: Vec<f32>,
    time: Option<i64>,
    taxonomy: Vec<String>,
    hits: Vec<(String, Option<f64>)>,
}

impl Sample {
    /// Returns a session without anything but its id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    /// Sets the query.
    #[must_use]
    pub fn query(self, query: &str) -> Self {
        Self { query: query.to_owned(), ..self }
    }

    /// Sets further inputs, as JSON text.
    #[must_use]
    pub fn inputs(self, inputs: &str) -> Self {
        Self { inputs: inputs.to_owned(), ..self }
    }

    /// Sets the query as a vector.
    #[must_use]
    pub fn vector(self, vector: &[f32]) -> Self {
        Self { vector: vector.to_vec(), ..self }
    }

    /// Sets when it took place, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn time(self, time: i64) -> Self {
        Self { time: Some(time), ..self }
    }

    /// Adds a taxonomy path.
    #[must_use]
    pub fn taxonomy(mut self, path: &str) -> Self {
        self.taxonomy.push(path.to_owned());
        self
    }

    /// Adds hits without scores, best first.
    #[must_use]
    pub fn hits<'a>(mut self, items: impl IntoIterator<Item = &'a str>) -> Self {
        self.hits.extend(items.into_iter().map(|item| (item.to_owned(), None)));
        self
    }

    /// Adds hits with scores, best first.
    #[must_use]
    pub fn scored_hits<'a>(mut self, items: impl IntoIterator<Item = (&'a str, f64)>) -> Self {
        self.hits.extend(items.into_iter().map(|(item, score)| (item.to_owned(), Some(score))));
        self
    }
}

/// What one session got, in the order that the host makes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    hits: Vec<(String, f64)>,
    error: Option<String>,
}

impl Answer {
    /// Returns the items, best first.
    #[must_use]
    pub fn items(&self) -> Vec<&str> {
        self.hits.iter().map(|(item, _)| item.as_str()).collect()
    }

    /// Returns the scores, in the order of the items.
    #[must_use]
    pub fn scores(&self) -> Vec<f64> {
        self.hits.iter().map(|(_, score)| *score).collect()
    }

    /// Returns why the session could not be answered.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// Runs stages on sample sessions, and holds what they answer against the contract.
#[derive(Debug, Clone, Default)]
pub struct Harness {
    params: Option<String>,
    items: Vec<String>,
    fields: Vec<(String, Vec<(String, String)>)>,
}

impl Harness {
    /// Returns a harness without parameters, items and fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the parameters, as JSON text.
    #[must_use]
    pub fn params(self, params: &str) -> Self {
        Self { params: Some(params.to_owned()), ..self }
    }

    /// Sets the items of the corpus, for a retriever.
    #[must_use]
    pub fn items<'a>(self, items: impl IntoIterator<Item = &'a str>) -> Self {
        Self { items: items.into_iter().map(str::to_owned).collect(), ..self }
    }

    /// Adds a field of the items: the value of each item that has one.
    #[must_use]
    pub fn field<'a>(mut self, name: &str, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let values = values.into_iter().map(|(item, value)| (item.to_owned(), value.to_owned()));
        self.fields.push((name.to_owned(), values.collect()));
        self
    }

    /// Has the hits of sessions ordered anew.
    ///
    /// # Errors
    ///
    /// Says why the parameters are refused, or how the answers break the contract.
    pub fn rerank<R: Reranker>(&self, samples: impl IntoIterator<Item = Sample>) -> Result<Vec<Answer>, String> {
        let samples: Vec<Sample> = samples.into_iter().collect();
        let needs = R::describe().needs;
        let mut named: Vec<String> = Vec::new();
        let mut hits = HitRows {
            offsets: vec![0],
            items: Vec::new(),
            scores: OptionalNumbers { values: Vec::new(), known: Vec::new() },
        };
        for (item, score) in samples.iter().flat_map(|sample| &sample.hits) {
            let number = named.iter().position(|known| known == item).unwrap_or_else(|| {
                named.push(item.clone());
                named.len() - 1
            });
            hits.items.push(index(number));
            if needs.contains(Columns::HIT_SCORES) {
                hits.scores.values.push(score.unwrap_or_default());
                hits.scores.known.push(score.is_some());
            }
        }
        let mut end = 0;
        for sample in &samples {
            end += sample.hits.len();
            hits.offsets.push(index(end));
        }
        let reply = call::rerank::<R>(&sessions(&samples, needs), &hits, &self.columns(&named, needs), self.text());
        let given = |session: usize| -> Vec<&str> { samples[session].hits.iter().map(|(item, _)| item.as_str()).collect() };
        let mut answers = answers(reply, samples.len(), &named, |session, item| given(session).contains(&item))?;
        for (session, answer) in answers.iter_mut().enumerate().filter(|(_, answer)| answer.error.is_none()) {
            for item in given(session) {
                if !answer.hits.iter().any(|(known, _)| known == item) {
                    answer.hits.push((item.to_owned(), f64::NEG_INFINITY));
                }
            }
        }
        Ok(answers)
    }

    /// Has sessions answered, with at most `depth` items each.
    ///
    /// # Errors
    ///
    /// Says why the parameters or the items are refused, or how the answers break the contract.
    pub fn retrieve<R: Retriever>(
        &self,
        samples: impl IntoIterator<Item = Sample>,
        depth: u32,
    ) -> Result<Vec<Answer>, String> {
        let samples: Vec<Sample> = samples.into_iter().collect();
        let needs = R::describe().needs;
        let opened: RefCell<Option<R>> = RefCell::new(None);
        call::open(&opened, &self.columns(&self.items, needs), self.text()).map_err(words)?;
        let reply = call::retrieve(&opened, &sessions(&samples, needs), depth);
        let mut answers = answers(reply, samples.len(), &self.items, |_, _| true)?;
        answers.iter_mut().for_each(|answer| answer.hits.truncate(depth as usize));
        Ok(answers)
    }

    fn text(&self) -> &str {
        self.params.as_deref().unwrap_or("{}")
    }

    fn columns(&self, items: &[String], needs: Columns) -> Items {
        let field = |(name, values): &(String, Vec<(String, String)>)| {
            let value = |item: &String| values.iter().find(|(known, _)| known == item).map_or("", |(_, value)| value);
            ItemField { name: name.clone(), values: texts(items.iter().map(value)) }
        };
        Items {
            len: index(items.len()),
            ids: texts(items.iter().map(String::as_str).filter(|_| needs.contains(Columns::ITEM_IDS))),
            fields: self.fields.iter().filter(|_| needs.contains(Columns::ITEM_FIELDS)).map(field).collect(),
        }
    }
}

fn sessions(samples: &[Sample], needs: Columns) -> Sessions {
    let asked = |column: Columns| samples.iter().filter(move |_| needs.contains(column));
    let mut vectors = Vectors { offsets: Vec::new(), values: Vec::new() };
    let mut taxonomy = TaxonomyRows { offsets: Vec::new(), paths: texts([]) };
    if needs.contains(Columns::QUERY_VECTORS) {
        vectors.offsets.push(0);
    }
    for sample in asked(Columns::QUERY_VECTORS) {
        vectors.values.extend(&sample.vector);
        vectors.offsets.push(index(vectors.values.len()));
    }
    if needs.contains(Columns::TAXONOMY) {
        taxonomy.offsets.push(0);
        taxonomy.paths = texts(samples.iter().flat_map(|sample| &sample.taxonomy).map(String::as_str));
    }
    let mut paths = 0;
    for sample in asked(Columns::TAXONOMY) {
        paths += sample.taxonomy.len();
        taxonomy.offsets.push(index(paths));
    }
    Sessions {
        len: index(samples.len()),
        session_ids: texts(asked(Columns::SESSION_IDS).map(|sample| sample.id.as_str())),
        times: OptionalTimes {
            values: asked(Columns::TIMES).map(|sample| sample.time.unwrap_or_default()).collect(),
            known: asked(Columns::TIMES).map(|sample| sample.time.is_some()).collect(),
        },
        queries: texts(asked(Columns::QUERIES).map(|sample| sample.query.as_str())),
        query_vectors: vectors,
        inputs: texts(asked(Columns::INPUTS).map(|sample| sample.inputs.as_str())),
        taxonomy,
    }
}

fn texts<'a>(all: impl IntoIterator<Item = &'a str>) -> Texts {
    let mut column = Texts { offsets: vec![0], bytes: Vec::new() };
    for text in all {
        column.bytes.extend_from_slice(text.as_bytes());
        column.offsets.push(index(column.bytes.len()));
    }
    column
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn words(failure: Failure) -> String {
    match failure {
        Failure::InvalidParams(message) => format!("refused its parameters: {message}"),
        Failure::Internal(message) => message,
    }
}

/// Turns a reply into answers as the host does; the error says how it breaks the contract.
fn answers(
    reply: Result<Answers, Failure>,
    sessions: usize,
    items: &[String],
    is_given: impl Fn(usize, &str) -> bool,
) -> Result<Vec<Answer>, String> {
    let reply = reply.map_err(words)?;
    let mut answers = Vec::with_capacity(sessions);
    for session in 0..sessions {
        if let Some(error) = reply.errors.iter().find(|error| error.index as usize == session) {
            answers.push(Answer { hits: Vec::new(), error: Some(error.message.clone()) });
            continue;
        }
        let mut hits: Vec<(String, f64)> = Vec::new();
        for row in reply.offsets[session] as usize..reply.offsets[session + 1] as usize {
            let (number, score) = (reply.items[row], reply.scores[row]);
            let item = items.get(number as usize).filter(|item| is_given(session, item));
            let Some(item) = item else {
                return Err(format!("session {session} has the item {number}, which it was not given"));
            };
            if hits.iter().any(|(known, _)| known == item) || !score.is_finite() {
                return Err(format!("session {session} has `{item}` twice, or with the score {score}"));
            }
            hits.push((item.clone(), score));
        }
        hits.sort_by(|(_, left), (_, right)| right.total_cmp(left));
        answers.push(Answer { hits, error: None });
    }
    Ok(answers)
}
