//! From sample sessions to the columns of a batch, as the host makes them.

use super::sample::Sample;
use crate::{
    Batch, Columns, HitRows, IdealGains, InteractionRows, ItemField, JudgedHits, OptionalNumbers, OptionalTimes,
    RelevanceRows, ShownRows, TaxonomyRows, Texts, Vectors,
};

/// What a benchmark gives a scorer of its items: the field's name, and the text of each item that has one.
pub(super) type Field = (String, Vec<(String, String)>);

/// Numbers for texts, in order of first appearance.
#[derive(Default)]
struct Interner(Vec<String>);

impl Interner {
    fn number(&mut self, text: &str) -> u32 {
        let found = self.0.iter().position(|known| known == text);
        index(found.unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        }))
    }
}

/// Returns the batch of `samples` with the columns that `needs` names; every other list is empty.
pub(super) fn batch(samples: &[Sample], needs: Columns, fields: &[Field]) -> Batch {
    let mut items = Interner::default();
    let mut batch = empty(samples.len());
    let asks = |columns| needs.contains(columns);
    if asks(Columns::JUDGED) {
        (batch.judged, batch.ideal) = judged(samples);
    }
    if asks(Columns::RELEVANCE) {
        batch.relevance = relevance(samples, &mut items);
    }
    if asks(Columns::HITS) {
        batch.hits = hits(samples, asks(Columns::HIT_SCORES), &mut items);
    }
    if asks(Columns::SHOWN) {
        batch.shown = shown(samples, &mut items);
    }
    if asks(Columns::INTERACTIONS) {
        batch.interactions = interactions(samples, asks(Columns::INTERACTION_DETAILS), &mut items);
    }
    fill_sessions(&mut batch, samples, needs);
    if asks(Columns::ITEM_IDS) {
        batch.item_ids = texts(items.0.iter().map(String::as_str));
    }
    if asks(Columns::ITEM_FIELDS) {
        batch.item_fields = fields.iter().map(|field| item_field(field, &items.0)).collect();
    }
    batch
}

fn fill_sessions(batch: &mut Batch, samples: &[Sample], needs: Columns) {
    let asks = |columns| needs.contains(columns);
    if asks(Columns::SESSION_IDS) {
        batch.session_ids = texts(samples.iter().map(|sample| sample.id.as_str()));
    }
    if asks(Columns::TIMES) {
        batch.times = times(samples.iter().map(|sample| sample.time));
    }
    if asks(Columns::QUERIES) {
        batch.queries = texts(samples.iter().map(|sample| sample.query.as_str()));
    }
    if asks(Columns::QUERY_VECTORS) {
        let offsets = offsets(samples.iter().map(|sample| sample.query_vector.len()));
        let values = samples.iter().flat_map(|sample| sample.query_vector.clone()).collect();
        batch.query_vectors = Vectors { offsets, values };
    }
    if asks(Columns::INPUTS) {
        batch.inputs = texts(samples.iter().map(|sample| sample.inputs.as_str()));
    }
    if asks(Columns::EXPECTED) {
        batch.expected = texts(samples.iter().map(|sample| sample.expected.as_str()));
    }
    if asks(Columns::TAXONOMY) {
        let offsets = offsets(samples.iter().map(|sample| sample.taxonomy.len()));
        let paths = texts(samples.iter().flat_map(|sample| sample.taxonomy.iter().map(String::as_str)));
        batch.taxonomy = TaxonomyRows { offsets, paths };
    }
}

fn judged(samples: &[Sample]) -> (JudgedHits, IdealGains) {
    let mut judged = JudgedHits { offsets: vec![0], ranks: Vec::new(), grades: Vec::new() };
    let mut ideal = IdealGains { offsets: vec![0], gains: Vec::new() };
    for sample in samples {
        let relevance = sample.relevance();
        for (at, (item, _)) in sample.hits.iter().enumerate() {
            if let Some((_, grade)) = relevance.iter().find(|(judged, _)| judged == item) {
                judged.ranks.push(index(at + 1));
                judged.grades.push(*grade);
            }
        }
        judged.offsets.push(index(judged.ranks.len()));
        let mut gains: Vec<f64> = relevance.iter().map(|(_, grade)| *grade).filter(|grade| *grade > 0.0).collect();
        gains.sort_by(|left, right| right.total_cmp(left));
        ideal.gains.append(&mut gains);
        ideal.offsets.push(index(ideal.gains.len()));
    }
    (judged, ideal)
}

fn relevance(samples: &[Sample], items: &mut Interner) -> RelevanceRows {
    let mut rows = RelevanceRows { offsets: vec![0], items: Vec::new(), grades: Vec::new() };
    for sample in samples {
        for (item, grade) in sample.relevance() {
            rows.items.push(items.number(item));
            rows.grades.push(grade);
        }
        rows.offsets.push(index(rows.items.len()));
    }
    rows
}

fn hits(samples: &[Sample], scores: bool, items: &mut Interner) -> HitRows {
    let hits = || samples.iter().flat_map(|sample| &sample.hits);
    HitRows {
        offsets: offsets(samples.iter().map(|sample| sample.hits.len())),
        items: hits().map(|(item, _)| items.number(item)).collect(),
        scores: numbers(hits().map(|(_, score)| *score).filter(|_| scores)),
    }
}

fn shown(samples: &[Sample], items: &mut Interner) -> ShownRows {
    let shown = || samples.iter().flat_map(|sample| &sample.shown);
    ShownRows {
        offsets: offsets(samples.iter().map(|sample| sample.shown.len())),
        items: shown().map(|(item, _, _)| items.number(item)).collect(),
        scores: numbers(shown().map(|(_, score, _)| *score)),
        propensities: numbers(shown().map(|(_, _, propensity)| *propensity)),
    }
}

fn interactions(samples: &[Sample], details: bool, items: &mut Interner) -> InteractionRows {
    let acts = || samples.iter().flat_map(|sample| &sample.acts);
    let detailed = || acts().filter(|_| details);
    let mut kinds = Interner::default();
    InteractionRows {
        offsets: offsets(samples.iter().map(|sample| sample.acts.len())),
        items: acts().map(|act| items.number(&act.item)).collect(),
        kinds: acts().map(|act| kinds.number(&act.kind)).collect(),
        kind_names: texts(kinds.0.iter().map(String::as_str)),
        positions: detailed().map(|act| act.position.unwrap_or(0)).collect(),
        times: times(detailed().map(|act| act.time)),
        values: numbers(detailed().map(|act| act.value)),
    }
}

fn item_field((name, known): &Field, items: &[String]) -> ItemField {
    let text = |item: &String| known.iter().find(|(name, _)| name == item).map_or("", |(_, text)| text);
    ItemField { name: name.clone(), values: texts(items.iter().map(text)) }
}

fn empty(sessions: usize) -> Batch {
    let no_texts = || Texts { offsets: Vec::new(), bytes: Vec::new() };
    Batch {
        len: index(sessions),
        judged: JudgedHits { offsets: Vec::new(), ranks: Vec::new(), grades: Vec::new() },
        ideal: IdealGains { offsets: Vec::new(), gains: Vec::new() },
        relevance: RelevanceRows { offsets: Vec::new(), items: Vec::new(), grades: Vec::new() },
        hits: HitRows { offsets: Vec::new(), items: Vec::new(), scores: numbers([]) },
        shown: ShownRows { offsets: Vec::new(), items: Vec::new(), scores: numbers([]), propensities: numbers([]) },
        interactions: InteractionRows {
            offsets: Vec::new(),
            items: Vec::new(),
            kinds: Vec::new(),
            kind_names: no_texts(),
            positions: Vec::new(),
            times: times([]),
            values: numbers([]),
        },
        session_ids: no_texts(),
        times: times([]),
        queries: no_texts(),
        query_vectors: Vectors { offsets: Vec::new(), values: Vec::new() },
        inputs: no_texts(),
        expected: no_texts(),
        taxonomy: TaxonomyRows { offsets: Vec::new(), paths: no_texts() },
        item_ids: no_texts(),
        item_fields: Vec::new(),
    }
}

fn numbers(values: impl IntoIterator<Item = Option<f64>>) -> OptionalNumbers {
    let (values, known) = values.into_iter().map(|value| (value.unwrap_or(0.0), value.is_some())).unzip();
    OptionalNumbers { values, known }
}

fn times(values: impl IntoIterator<Item = Option<i64>>) -> OptionalTimes {
    let (values, known) = values.into_iter().map(|value| (value.unwrap_or(0), value.is_some())).unzip();
    OptionalTimes { values, known }
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> Texts {
    let mut texts = Texts { offsets: vec![0], bytes: Vec::new() };
    for text in values {
        texts.bytes.extend_from_slice(text.as_bytes());
        texts.offsets.push(index(texts.bytes.len()));
    }
    texts
}

fn offsets(lengths: impl IntoIterator<Item = usize>) -> Vec<u32> {
    let mut end = 0;
    std::iter::once(0)
        .chain(lengths.into_iter().map(|length| {
            end += length;
            index(end)
        }))
        .collect()
}

fn index(number: usize) -> u32 {
    // Sample sessions are written by hand.
    u32::try_from(number).unwrap_or(u32::MAX)
}
