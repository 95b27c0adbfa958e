//! The postings, document lengths and item ids of one corpus, built once and shared by every pipeline that searches it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tantivy::directory::RamDirectory;
use tantivy::index::InvertedIndexReader;
use tantivy::postings::BlockSegmentPostings;
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, TantivyDocument, TantivyError, Term};

use super::super::item_order::ItemOrder;
use super::analysis::analyze;
use crate::benchmark::CorpusPlan;
use crate::load::{Document, DocumentReader, LoadError};

/// Sizes the writer's hash table; the writer never flushes before the end.
const WRITER_BUDGET_BYTES: usize = 64 << 20;

/// Where indexing gives up: the writer addresses its postings with 32 bits, this is short of the limit.
const WRITER_LIMIT_BYTES: usize = 3 << 30;

/// Why a corpus cannot be indexed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The documents cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The index cannot be written or opened.
    #[error("the inverted index failed")]
    Tantivy(#[from] TantivyError),
    /// The corpus is larger than one index in memory can be.
    #[error("the postings of the first {documents} documents take {limit} bytes, the limit of an index in memory")]
    TooLarge {
        /// Documents that were read.
        documents: usize,
        /// The limit, bytes.
        limit: usize,
    },
}

/// An index over some text fields of a corpus, held in memory.
///
/// Documents are numbered in the order read. Terms come from [`analyze`]. Lengths are exact numbers of terms.
pub struct CorpusIndex {
    order: ItemOrder,
    fields: BTreeMap<String, IndexedField>,
}

struct IndexedField {
    field: Field,
    postings: Arc<InvertedIndexReader>,
    lengths: Vec<u32>,
}

impl std::fmt::Debug for CorpusIndex {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fields: Vec<&String> = self.fields.keys().collect();
        formatter.debug_struct("CorpusIndex").field("documents", &self.order.len()).field("fields", &fields).finish()
    }
}

impl CorpusIndex {
    /// Returns the index over `fields` of `corpus`.
    ///
    /// # Errors
    ///
    /// Returns an error when a document cannot be read, a field does not exist, or the index outgrows memory limits.
    pub fn build(corpus: &CorpusPlan, fields: &[String]) -> Result<Self, IndexError> {
        Self::from_documents(fields, DocumentReader::open(corpus, fields)?)
    }

    /// Looks at the columns and first rows of what an index would be built over.
    ///
    /// # Errors
    ///
    /// Returns an error that [`CorpusIndex::build`] returns too.
    pub fn look(corpus: &CorpusPlan, fields: &[String]) -> Result<(), IndexError> {
        Ok(DocumentReader::open(corpus, fields)?.look()?)
    }

    /// Returns the index over `documents`, whose texts are in the order of `fields`; ids must be unique.
    ///
    /// # Errors
    ///
    /// Returns the first error of `documents`, and an error when the index outgrows memory limits.
    pub fn from_documents(
        fields: &[String],
        documents: impl IntoIterator<Item = Result<Document, LoadError>>,
    ) -> Result<Self, IndexError> {
        let (schema, handles) = schema(fields.len());
        let builder = Index::builder().schema(schema);
        let mut writer =
            builder.single_segment_index_writer::<TantivyDocument>(RamDirectory::create(), WRITER_BUDGET_BYTES)?;
        let mut lengths = vec![Vec::new(); fields.len()];
        let mut ids = Vec::new();
        for document in documents {
            let document = document?;
            let mut indexed = TantivyDocument::new();
            for ((text, field), lengths) in document.fields.iter().zip(&handles).zip(&mut lengths) {
                let terms = analyze(text);
                lengths.push(u32::try_from(terms.len()).unwrap_or(u32::MAX));
                indexed.add_text(*field, terms.join(" "));
            }
            writer.add_document(indexed)?;
            ids.push(document.id);
            if writer.mem_usage() > WRITER_LIMIT_BYTES {
                return Err(IndexError::TooLarge { documents: ids.len(), limit: WRITER_LIMIT_BYTES });
            }
        }
        let fields = open_fields(&writer.finalize()?, fields, &handles, lengths)?;
        Ok(Self { order: ItemOrder::new(ids), fields })
    }

    /// Returns the number of documents.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.order.len()
    }

    /// Returns whether the field was indexed.
    #[cfg(test)]
    #[must_use]
    pub fn has_field(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Returns the field's number of terms by document; empty for a field that was not indexed.
    pub(super) fn lengths(&self, name: &str) -> &[u32] {
        self.fields.get(name).map_or(&[], |field| &field.lengths)
    }

    /// Returns the place of the document's item id among all ids in ascending order.
    pub(super) fn id_order(&self, document: u32) -> u32 {
        self.order.place(document)
    }

    /// Returns the item id at a place of the ascending order.
    pub(super) fn item_id(&self, id_order: u32) -> &str {
        self.order.item_id(id_order)
    }

    /// Returns the documents that hold `term` in the field, or `None` where there is none.
    pub(super) fn postings(&self, name: &str, term: &str) -> io::Result<Option<BlockSegmentPostings>> {
        let Some(field) = self.fields.get(name) else { return Ok(None) };
        let term = Term::from_field_text(field.field, term);
        field.postings.read_block_postings(&term, IndexRecordOption::WithFreqs)
    }
}

/// Returns a schema of that many fields. The writer is handed terms joined by spaces, because analysis happens before,
/// where terms can be counted. Field names are numbers: those of the corpus may hold characters that tantivy refuses.
fn schema(fields: usize) -> (Schema, Vec<Field>) {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("whitespace")
        .set_index_option(IndexRecordOption::WithFreqs)
        .set_fieldnorms(false);
    let options = TextOptions::default().set_indexing_options(indexing);
    let mut builder = Schema::builder();
    let handles =
        (0..fields).map(|number| builder.add_text_field(&format!("field{number}"), options.clone())).collect();
    (builder.build(), handles)
}

fn open_fields(
    index: &Index,
    names: &[String],
    handles: &[Field],
    lengths: Vec<Vec<u32>>,
) -> Result<BTreeMap<String, IndexedField>, TantivyError> {
    let searcher = index.reader()?.searcher();
    let mut fields = BTreeMap::new();
    for ((name, field), lengths) in names.iter().zip(handles).zip(lengths) {
        let postings = match searcher.segment_readers().first() {
            Some(segment) => segment.inverted_index(*field)?,
            None => Arc::new(InvertedIndexReader::empty(IndexRecordOption::WithFreqs)),
        };
        fields.insert(name.clone(), IndexedField { field: *field, postings, lengths });
    }
    Ok(fields)
}
