//! The retrievers that served the shop when the searches were logged: plain BM25 and chance.
//!
//! It reads words in the simplest way on purpose: what the shop showed is history, and need not be what a retriever of
//! the engine would answer.

use std::collections::BTreeMap;

use super::draws::Draws;
use super::products::Product;

const SHOWN: usize = 10;

/// What a retriever reads, and how it weighs it.
pub(super) struct Settings {
    pub(super) reads_title: bool,
    pub(super) k1: f64,
    pub(super) b: f64,
    /// Greatest relative error of a score.
    pub(super) noise: f64,
}

/// `prod`: BM25 over title and description as one text.
pub(super) const PRODUCTION: Settings = Settings { reads_title: true, k1: 0.9, b: 0.4, noise: 0.1 };

/// `legacy`: its predecessor, which read descriptions only.
pub(super) const LEGACY: Settings = Settings { reads_title: false, k1: 1.2, b: 0.75, noise: 0.25 };

/// A retriever over the products.
pub(super) struct Retriever {
    settings: Settings,
    /// By product: number of words, and count by word.
    documents: Vec<(f64, BTreeMap<String, f64>)>,
    document_frequency: BTreeMap<String, f64>,
    mean_length: f64,
    /// Products by falling rating, which fill up a short list.
    best_rated: Vec<usize>,
}

impl Retriever {
    /// Returns a retriever that has read the products.
    pub(super) fn over(products: &[Product], settings: Settings) -> Self {
        let mut documents = Vec::with_capacity(products.len());
        let mut document_frequency: BTreeMap<String, f64> = BTreeMap::new();
        let mut total_length = 0.0;
        for product in products {
            let mut counts: BTreeMap<String, f64> = BTreeMap::new();
            let mut length = 0.0;
            let title = if settings.reads_title { product.title.as_str() } else { "" };
            for word in words(title).chain(words(&product.description)) {
                *counts.entry(word).or_default() += 1.0;
                length += 1.0;
            }
            for word in counts.keys() {
                *document_frequency.entry(word.clone()).or_default() += 1.0;
            }
            total_length += length;
            documents.push((length, counts));
        }
        let mut best_rated: Vec<usize> = (0..products.len()).collect();
        best_rated.sort_by(|one, other| products[*other].rating.total_cmp(&products[*one].rating));
        let mean_length = total_length / products.len().max(1) as f64;
        Self { settings, documents, document_frequency, mean_length, best_rated }
    }

    /// Returns the positions of the products shown for a query and their scores, best first; always a full page.
    pub(super) fn page(&self, query: &str, draws: &mut Draws) -> Vec<(usize, f64)> {
        let query: Vec<String> = words(query).collect();
        let mut page: Vec<(usize, f64)> = Vec::new();
        for position in 0..self.documents.len() {
            let score = self.score(&query, position);
            if score > 0.0 {
                let noise = draws.between(1.0 - self.settings.noise, 1.0 + self.settings.noise);
                page.push((position, rounded(score * noise)));
            }
        }
        page.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        page.truncate(SHOWN);
        let missing = SHOWN - page.len();
        let matched: Vec<usize> = page.iter().map(|(position, _)| *position).collect();
        let fill = self.best_rated.iter().filter(|position| !matched.contains(position)).take(missing);
        page.extend(fill.map(|position| (*position, 0.0)));
        page
    }

    fn score(&self, query: &[String], position: usize) -> f64 {
        let Settings { k1, b, .. } = self.settings;
        let (length, counts) = &self.documents[position];
        let normaliser = k1 * (1.0 - b + b * length / self.mean_length);
        query
            .iter()
            .filter_map(|word| Some((counts.get(word)?, self.document_frequency.get(word)?)))
            .map(|(count, frequency)| {
                let rarity = (1.0 + (self.documents.len() as f64 - frequency + 0.5) / (frequency + 0.5)).ln();
                rarity * count * (k1 + 1.0) / (count + normaliser)
            })
            .sum()
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Returns the score with four digits, as a log would keep it.
fn rounded(score: f64) -> f64 {
    (score * 1e4).round() / 1e4
}
