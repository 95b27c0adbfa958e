//! What a search costs here, and with tantivy's own scorer over an index of the same terms. Run by hand, optimised:
//! `cargo test --release --workspace --lib -- --ignored --nocapture bm25::speed`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, Searcher, TantivyDocument, Term};

use super::analysis::analyze;
use super::{Bm25Retriever, Bm25Settings, CorpusIndex};
use crate::benchmark::spec::CombineFields;
use crate::load::Document;

const DOCUMENTS: usize = 100_000;
const WORDS: usize = 60;
const QUERIES: usize = 300;
const ROUNDS: usize = 5;

/// Words whose frequencies follow Zipf's law.
struct Words(u64);

impl Words {
    /// Returns a word that is rarer the nearer `least` is to 1.
    fn next(&mut self, least: f64) -> String {
        const VOCABULARY: f64 = 60_000.0;
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let uniform = (self.0 >> 33) as f64 / f64::from(1_u32 << 31);
        format!("w{:.0}", VOCABULARY.powf(least + (1.0 - least) * uniform).floor())
    }
}

/// An index as tantivy's users build it, over one segment.
fn bare(documents: &[Document]) -> (Searcher, Field) {
    let indexing =
        TextFieldIndexing::default().set_tokenizer("whitespace").set_index_option(IndexRecordOption::WithFreqs);
    let mut schema = Schema::builder();
    let field = schema.add_text_field("text", TextOptions::default().set_indexing_options(indexing));
    let index = Index::create_in_ram(schema.build());
    let mut writer = index.writer_with_num_threads::<TantivyDocument>(1, 400 << 20).unwrap();
    for document in documents {
        let mut indexed = TantivyDocument::new();
        indexed.add_text(field, analyze(&document.fields[0]).join(" "));
        writer.add_document(indexed).unwrap();
    }
    writer.commit().unwrap();
    (index.reader().unwrap().searcher(), field)
}

fn search_bare(searcher: &Searcher, field: Field, query: &str, depth: usize) -> usize {
    let clause = |term: String| {
        let term = TermQuery::new(Term::from_field_text(field, &term), IndexRecordOption::WithFreqs);
        (Occur::Should, Box::new(term) as Box<dyn Query>)
    };
    let query = BooleanQuery::new(analyze(query).into_iter().map(clause).collect());
    searcher.search(&query, &TopDocs::with_limit(depth).order_by_score()).unwrap().len()
}

#[test]
#[ignore = "measures, and means something only when it is optimised"]
fn searches_against_bare_tantivy() {
    let mut words = Words(1);
    let text = |words: &mut Words| (0..WORDS).map(|_| words.next(0.0)).collect::<Vec<_>>().join(" ");
    let documents: Vec<Document> =
        (0..DOCUMENTS).map(|number| Document { id: number.to_string(), fields: vec![text(&mut words)] }).collect();
    let queries: Vec<String> =
        (0..QUERIES).map(|number| (0..2 + number % 5).map(|_| words.next(0.3)).collect::<Vec<_>>().join(" ")).collect();
    let index = CorpusIndex::from_documents(&["text".to_owned()], documents.iter().cloned().map(Ok)).unwrap();
    let fields = BTreeMap::from([("text".to_owned(), 1.0)]);
    let settings = Bm25Settings { fields, k1: 1.2, b: 0.75, combine_fields: CombineFields::Bm25f };
    let retriever = Bm25Retriever::new(Arc::new(index), &settings);
    let (searcher, field) = bare(&documents);
    for depth in [10, 100, 1000] {
        let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let hits: usize = queries.iter().map(|query| retriever.search(query, depth).unwrap().len()).sum();
            ours = ours.min(started.elapsed().as_secs_f64());
            let started = Instant::now();
            let bare: usize = queries.iter().map(|query| search_bare(&searcher, field, query, depth)).sum();
            theirs = theirs.min(started.elapsed().as_secs_f64());
            assert_eq!(hits, bare);
        }
        let (queries, ratio) = (QUERIES as f64, theirs / ours);
        eprintln!("depth {depth}: {:.0} queries/s, tantivy {:.0}: {ratio:.2} times", queries / ours, queries / theirs);
        // The last depth is nearly all of the matches, whose ids are looked up here and not there.
        assert!(ratio >= if depth < 1000 { 0.9 } else { 0.8 }, "{ratio:.2}");
    }
}
