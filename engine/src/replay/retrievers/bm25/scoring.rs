//! Scores over the postings, document by document in windows, so that memory per search does not grow with the corpus.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use tantivy::postings::BlockSegmentPostings;

use super::super::top::{Candidate, Top};
use super::CorpusIndex;
use super::analysis::analyze;
use crate::benchmark::spec::CombineFields;
use crate::replay::{Reads, RetrieveError, RetrieveErrorKind, Retrieved, Retriever};
use crate::session::{Hit, Session};

/// Documents scored together; the accumulators of one window stay in the processor's cache.
const WINDOW: u32 = 4096;

/// The settings of a BM25 search.
#[derive(Debug, Clone, PartialEq)]
pub struct Bm25Settings {
    /// Boost by field, above 0.
    pub fields: BTreeMap<String, f64>,
    /// Term-frequency saturation, at least 0.
    pub k1: f64,
    /// Length normalisation, 0 to 1.
    pub b: f64,
    /// How fields combine.
    pub combine_fields: CombineFields,
}

/// Ranks the documents of a corpus by BM25, as Lucene 8 and later define it:
///
/// `score(d) = Σ count(t) · idf(t) · tf / (tf + k1 · (1 − b + b · length / average))` over the query's distinct terms `t`,
/// with `idf(t) = ln(1 + (N − df + 0.5) / (df + 0.5))`, `N` the documents that have any text and `average` their mean
/// length. Any term of the query is enough to match.
///
/// [`CombineFields::Sum`] adds the boosted scores of the fields, each with its own statistics.
/// [`CombineFields::Bm25f`] adds up boosted frequencies and boosted lengths first, as if the fields were one text
/// (Robertson, Zaragoza & Taylor 2004; Lucene's `CombinedFieldQuery`); `df` then counts the documents that hold the term
/// in any of the fields, where Lucene approximates it by the largest field's count.
///
/// Ties are in ascending order of the item id. A query without terms has an empty answer.
#[derive(Debug)]
pub struct Bm25Retriever {
    index: Arc<CorpusIndex>,
    groups: Vec<Group>,
}

/// Fields that are scored as one text.
#[derive(Debug)]
struct Group {
    /// Names with the boost of their frequencies and lengths.
    fields: Vec<(String, f64)>,
    /// Factor of the group's score.
    weight: f64,
    /// Documents that have any text.
    documents: u32,
    /// By document: what the term frequency is weighed against.
    saturation: Vec<f64>,
}

/// One query term in one group.
struct Clause<'a> {
    /// Group weight × count in the query × inverse document frequency.
    weight: f64,
    saturation: &'a [f64],
    cursors: Vec<(Cursor, f64)>,
}

impl Bm25Retriever {
    /// Returns a retriever over `index`. A field of the settings that was not indexed counts as empty.
    #[must_use]
    pub fn new(index: Arc<CorpusIndex>, settings: &Bm25Settings) -> Self {
        let fields = || settings.fields.iter().map(|(name, boost)| (name.clone(), *boost));
        let group = |fields, weight| Group::new(&index, fields, weight, settings.k1, settings.b);
        let groups = match settings.combine_fields {
            CombineFields::Bm25f => vec![group(fields().collect(), 1.0)],
            CombineFields::Sum => fields().map(|(name, boost)| group(vec![(name, 1.0)], boost)).collect(),
        };
        Self { index, groups }
    }

    /// Returns the best `depth` items for a query text.
    ///
    /// # Errors
    ///
    /// Returns an error when the index cannot be read.
    pub fn search(&self, query: &str, depth: usize) -> io::Result<Vec<Hit>> {
        let mut clauses = self.clauses(query)?;
        if clauses.is_empty() || depth == 0 {
            return Ok(Vec::new());
        }
        let documents = u32::try_from(self.index.documents()).unwrap_or(u32::MAX);
        let mut top = Top::new(depth);
        let mut window = Window::default();
        let mut base = 0;
        while base < documents {
            let end = base.saturating_add(WINDOW).min(documents);
            if window.score(base, end, &mut clauses) {
                window.drain(base, &mut top, |document| self.index.id_order(document));
            }
            base = end;
        }
        let hit = |candidate: Candidate| Hit {
            item_id: self.index.item_id(candidate.id_order).to_owned(),
            score: Some(candidate.score),
        };
        Ok(top.into_sorted().into_iter().map(hit).collect())
    }

    /// Returns the clauses that match anything, always in the same order, so that sums round the same way.
    fn clauses(&self, query: &str) -> io::Result<Vec<Clause<'_>>> {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for term in analyze(query) {
            *counts.entry(term).or_default() += 1;
        }
        let mut clauses = Vec::new();
        for (term, count) in &counts {
            for group in &self.groups {
                let document_frequency = group.document_frequency(&self.index, term)?;
                if document_frequency > 0 {
                    let idf = inverse_document_frequency(group.documents, document_frequency);
                    let weight = group.weight * f64::from(*count) * idf;
                    let cursors = group.cursors(&self.index, term)?;
                    clauses.push(Clause { weight, saturation: &group.saturation, cursors });
                }
            }
        }
        Ok(clauses)
    }
}

#[async_trait]
impl Retriever for Bm25Retriever {
    fn kind(&self) -> &'static str {
        "bm25"
    }

    fn reads(&self) -> Reads {
        Reads::QUERY
    }

    async fn retrieve(&self, session: &Session, depth: usize) -> Result<Retrieved, RetrieveError> {
        let message = "the session has no query text, which `bm25` needs";
        let query = session.query.as_deref();
        let query = query.ok_or_else(|| RetrieveError::new(RetrieveErrorKind::NoQuery, message))?;
        let hits = self.search(query, depth);
        hits.map(Retrieved::from).map_err(|error| RetrieveError::new(RetrieveErrorKind::Index, error.to_string()))
    }
}

impl Group {
    fn new(index: &CorpusIndex, fields: Vec<(String, f64)>, weight: f64, k1: f64, b: f64) -> Self {
        let mut lengths = vec![0.0; index.documents()];
        for (name, boost) in &fields {
            for (total, length) in lengths.iter_mut().zip(index.lengths(name)) {
                *total += boost * f64::from(*length);
            }
        }
        let documents = u32::try_from(lengths.iter().filter(|length| **length > 0.0).count()).unwrap_or(u32::MAX);
        let average = lengths.iter().sum::<f64>() / f64::from(documents);
        let saturation = lengths.iter().map(|length| k1 * (1.0 - b + b * length / average)).collect();
        Self { fields, weight, documents, saturation }
    }

    fn cursors(&self, index: &CorpusIndex, term: &str) -> io::Result<Vec<(Cursor, f64)>> {
        let mut cursors = Vec::new();
        for (name, boost) in &self.fields {
            if let Some(postings) = index.postings(name, term)? {
                cursors.push((Cursor { postings, position: 0 }, *boost));
            }
        }
        Ok(cursors)
    }

    /// Returns the number of documents that hold `term` in any field of the group.
    fn document_frequency(&self, index: &CorpusIndex, term: &str) -> io::Result<u32> {
        let mut cursors = self.cursors(index, term)?;
        if let [(cursor, _)] = cursors.as_slice() {
            return Ok(cursor.postings.doc_freq());
        }
        let mut seen = vec![0_u64; if cursors.is_empty() { 0 } else { index.documents().div_ceil(64) }];
        for (cursor, _) in &mut cursors {
            cursor.visit_until(u32::MAX, |document, _| {
                if let Some(word) = seen.get_mut(document as usize / 64) {
                    *word |= 1 << (document % 64);
                }
            });
        }
        Ok(seen.iter().map(|word| word.count_ones()).sum())
    }
}

fn inverse_document_frequency(documents: u32, document_frequency: u32) -> f64 {
    let (documents, frequency) = (f64::from(documents), f64::from(document_frequency));
    (1.0 + (documents - frequency + 0.5) / (frequency + 0.5)).ln()
}

/// A place in a postings list.
struct Cursor {
    postings: BlockSegmentPostings,
    position: usize,
}

impl Cursor {
    /// Hands on the documents before `end` that were not handed on yet, with the term's frequency.
    fn visit_until(&mut self, end: u32, mut visit: impl FnMut(u32, u32)) {
        while let Some(last) = self.postings.docs().last() {
            let documents = self.postings.docs().get(self.position..).unwrap_or_default();
            let frequencies = self.postings.freqs().get(self.position..).unwrap_or_default();
            let within = match *last < end {
                true => documents.len(),
                false => documents.partition_point(|document| *document < end),
            };
            for (document, frequency) in documents.iter().zip(frequencies).take(within) {
                visit(*document, *frequency);
            }
            if within < documents.len() {
                self.position += within;
                return;
            }
            self.postings.advance();
            self.position = 0;
        }
    }
}

/// Accumulators for a range of documents.
struct Window {
    frequencies: Vec<f64>,
    scores: Vec<f64>,
    /// Slots with a frequency of the current term.
    with_term: Vec<usize>,
}

impl Default for Window {
    fn default() -> Self {
        let zeros = || vec![0.0; WINDOW as usize];
        Self { frequencies: zeros(), scores: zeros(), with_term: Vec::with_capacity(WINDOW as usize) }
    }
}

impl Window {
    /// Adds the scores of the documents from `base` to before `end`. Returns whether there is any.
    fn score(&mut self, base: u32, end: u32, clauses: &mut [Clause<'_>]) -> bool {
        let mut any = false;
        for clause in clauses {
            // One field is scored as it is read: there is nothing to add up first.
            if let [(cursor, boost)] = clause.cursors.as_mut_slice() {
                let saturation = clause.saturation.get(base as usize..).unwrap_or_default();
                cursor.visit_until(end, |document, frequency| {
                    let slot = (document - base) as usize;
                    let frequency = *boost * f64::from(frequency);
                    self.scores[slot] += clause.weight * frequency / (frequency + saturation[slot]);
                    any = true;
                });
                continue;
            }
            for (cursor, boost) in &mut clause.cursors {
                cursor.visit_until(end, |document, frequency| {
                    let slot = (document - base) as usize;
                    if self.frequencies[slot] == 0.0 {
                        self.with_term.push(slot);
                    }
                    self.frequencies[slot] += *boost * f64::from(frequency);
                });
            }
            any |= !self.with_term.is_empty();
            for slot in self.with_term.drain(..) {
                let frequency = std::mem::take(&mut self.frequencies[slot]);
                self.scores[slot] += clause.weight * frequency / (frequency + clause.saturation[base as usize + slot]);
            }
        }
        any
    }

    /// Hands on the documents that may be among the best, and forgets all scores.
    fn drain(&mut self, base: u32, top: &mut Top, id_order: impl Fn(u32) -> u32) {
        const LANES: usize = 16;
        let mut least = top.least_score();
        for (first, scores) in (base..).step_by(LANES).zip(self.scores.chunks_mut(LANES)) {
            // Counting compiles to comparisons of several scores at once; most chunks have nothing to hand on.
            if scores.iter().map(|score| u64::from(*score >= least)).sum::<u64>() > 0 {
                for (document, score) in (first..).zip(scores.iter().copied()) {
                    if score >= least {
                        top.push(Candidate { score, id_order: id_order(document) });
                        least = top.least_score();
                    }
                }
            }
            scores.fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::load::Document;

    const FIELDS: [&str; 2] = ["body", "title"];
    const WORDS: [&str; 6] = ["alpha", "beta", "gamma", "delta", "omega", "the"];

    /// Documents with their ids and the texts of both fields.
    type Corpus = Vec<(String, [String; 2])>;

    fn index(corpus: &Corpus) -> Arc<CorpusIndex> {
        let names: Vec<String> = FIELDS.map(str::to_owned).to_vec();
        let documents = corpus.iter().map(|(id, fields)| Ok(Document { id: id.clone(), fields: fields.to_vec() }));
        Arc::new(CorpusIndex::from_documents(&names, documents).unwrap())
    }

    fn settings(boosts: [f64; 2], combine_fields: CombineFields) -> Bm25Settings {
        let fields = FIELDS.iter().zip(boosts).map(|(name, boost)| ((*name).to_owned(), boost)).collect();
        Bm25Settings { fields, k1: 0.9, b: 0.4, combine_fields }
    }

    /// The definition, term by term and document by document.
    fn brute_force(corpus: &Corpus, query: &str, settings: &Bm25Settings) -> Vec<(String, f64)> {
        let texts: Vec<[Vec<String>; 2]> =
            corpus.iter().map(|(_, fields)| [0, 1].map(|f| analyze(&fields[f]))).collect();
        let boosts = FIELDS.map(|name| settings.fields[name]);
        let groups: Vec<([f64; 2], f64)> = match settings.combine_fields {
            CombineFields::Bm25f => vec![(boosts, 1.0)],
            CombineFields::Sum => vec![([1.0, 0.0], boosts[0]), ([0.0, 1.0], boosts[1])],
        };
        let mut scores = vec![0.0; corpus.len()];
        for (boosts, weight) in groups {
            let length = |text: &[Vec<String>; 2]| (0..2).map(|f| boosts[f] * text[f].len() as f64).sum::<f64>();
            let frequency = |text: &[Vec<String>; 2], term: &String| {
                (0..2).map(|f| boosts[f] * text[f].iter().filter(|word| *word == term).count() as f64).sum::<f64>()
            };
            let count = texts.iter().filter(|text| length(text) > 0.0).count() as f64;
            let average = texts.iter().map(length).sum::<f64>() / count;
            for term in analyze(query) {
                let holding = texts.iter().filter(|text| frequency(text, &term) > 0.0).count() as f64;
                let idf = (1.0 + (count - holding + 0.5) / (holding + 0.5)).ln();
                for (score, text) in scores.iter_mut().zip(&texts) {
                    let frequency = frequency(text, &term);
                    if frequency > 0.0 {
                        let norm = settings.k1 * (1.0 - settings.b + settings.b * length(text) / average);
                        *score += weight * idf * frequency / (frequency + norm);
                    }
                }
            }
        }
        let mut ranked: Vec<(String, f64)> =
            corpus.iter().map(|(id, _)| id.clone()).zip(scores).filter(|(_, score)| *score > 0.0).collect();
        ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        ranked
    }

    fn text(longest: usize) -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..longest).prop_map(|words| words.join(" "))
    }

    fn corpora() -> impl Strategy<Value = Corpus> {
        let documents = prop::collection::btree_map("[a-z]{1,3}", [text(8), text(4)], 0..12);
        // Not in the order of the ids, so that ties test something.
        documents.prop_map(|documents| documents.into_iter().rev().collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn agrees_with_the_definition(
            corpus in corpora(),
            query in text(6),
            boosts in [0.25..4.0, 0.25..4.0],
            depth in 0_usize..15,
        ) {
            let index = index(&corpus);
            for combine_fields in [CombineFields::Bm25f, CombineFields::Sum] {
                let settings = settings(boosts, combine_fields);
                let hits = Bm25Retriever::new(index.clone(), &settings).search(&query, depth).unwrap();
                let all = brute_force(&corpus, &query, &settings);
                prop_assert_eq!(hits.len(), all.len().min(depth));
                for (hit, (_, score)) in hits.iter().zip(&all) {
                    prop_assert!((hit.score.unwrap() - score).abs() < 1e-12, "{hit:?} {score}");
                    let (_, own) = all.iter().find(|(id, _)| *id == hit.item_id).unwrap();
                    prop_assert!((own - score).abs() < 1e-12, "{hit:?} stands where {score} belongs");
                }
                for pair in hits.windows(2) {
                    prop_assert!(pair[0].score >= pair[1].score);
                    prop_assert!(pair[0].score > pair[1].score || pair[0].item_id < pair[1].item_id);
                }
            }
        }
    }

    #[test]
    fn documents_of_every_window_and_block_are_found() {
        let number = 2 * WINDOW + 37;
        let text =
            |number: u32| [if number.is_multiple_of(2) { "alpha" } else { "beta alpha" }.to_owned(), String::new()];
        let corpus: Corpus = (0..number).map(|number| (format!("{number:05}"), text(number))).collect();
        let retriever = Bm25Retriever::new(index(&corpus), &settings([1.0, 1.0], CombineFields::Bm25f));
        let hits = retriever.search("alpha", usize::MAX).unwrap();
        assert_eq!(hits.iter().map(|hit| &hit.item_id).collect::<BTreeSet<_>>().len(), number as usize);
        let head: Vec<&str> = hits.iter().take(3).map(|hit| hit.item_id.as_str()).collect();
        assert_eq!(head, ["00000", "00002", "00004"], "shorter documents first, ties by id");
        assert_eq!(retriever.search("beta", usize::MAX).unwrap().len(), number as usize / 2);
    }

    #[test]
    fn degenerate_inputs_have_empty_answers() {
        let nothing = Bm25Retriever::new(index(&Vec::new()), &settings([1.0, 1.0], CombineFields::Sum));
        assert_eq!(nothing.search("alpha", 10).unwrap(), []);
        let empty = vec![("a".to_owned(), [String::new(), String::new()])];
        let retriever = Bm25Retriever::new(index(&empty), &settings([1.0, 1.0], CombineFields::Bm25f));
        for query in ["alpha", "", "the of", "?!"] {
            assert_eq!(retriever.search(query, 10).unwrap(), [], "{query}");
        }
    }

    #[test]
    fn terms_with_odd_spaces_are_found() {
        // A narrow no-break space does not end a word.
        let corpus = vec![("a".to_owned(), ["1\u{202f}000 euros".to_owned(), String::new()])];
        let retriever = Bm25Retriever::new(index(&corpus), &settings([1.0, 1.0], CombineFields::Bm25f));
        assert_eq!(retriever.search("1\u{202f}000", 10).unwrap().len(), 1);
        assert_eq!(retriever.search("1 000", 10).unwrap().len(), 0);
    }

    #[test]
    fn a_repeated_query_term_counts_twice() {
        let corpus = vec![("a".to_owned(), ["alpha beta".to_owned(), String::new()])];
        let retriever = Bm25Retriever::new(index(&corpus), &settings([1.0, 1.0], CombineFields::Bm25f));
        let score = |query| retriever.search(query, 1).unwrap()[0].score.unwrap();
        assert!((score("alpha alpha") - 2.0 * score("alpha")).abs() < 1e-12);
    }
}
