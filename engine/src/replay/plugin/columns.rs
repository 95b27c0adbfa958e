//! Sessions, hits and items as the columns of the WIT: only what the component asks for is built and sent.

use crate::sandbox::bindings::stages::rematch::scoring::stage_types::{self, Columns};
use crate::sandbox::columns::{ColumnTooLong, Interner, Offsets, Optional, Taxonomy, Texts, Vectors};
use crate::session::Session;

use super::reranker::Handed;
use crate::load::{DocumentReader, ItemFields, LoadError};

/// The columns of sessions.
#[derive(Debug, Default)]
pub(super) struct SessionColumns {
    len: u32,
    session_ids: Texts,
    times: Optional<i64>,
    queries: Texts,
    query_vectors: Vectors,
    inputs: Texts,
    taxonomy: Taxonomy,
}

impl SessionColumns {
    pub(super) fn of<'a>(
        sessions: impl ExactSizeIterator<Item = &'a Session> + Clone,
        needs: Columns,
    ) -> Result<Self, ColumnTooLong> {
        let mut columns = Self { len: u32::try_from(sessions.len()).map_err(|_| ColumnTooLong)?, ..Self::default() };
        let all = || sessions.clone();
        if needs.contains(Columns::SESSION_IDS) {
            columns.session_ids = Texts::of(all().map(|session| session.session_id.as_str()))?;
        }
        if needs.contains(Columns::TIMES) {
            all().for_each(|session| columns.times.push(session.timestamp));
        }
        if needs.contains(Columns::QUERIES) {
            columns.queries = Texts::of(all().map(|session| session.query.as_deref().unwrap_or_default()))?;
        }
        if needs.contains(Columns::QUERY_VECTORS) {
            columns.query_vectors = Vectors::of(all())?;
        }
        if needs.contains(Columns::INPUTS) {
            columns.inputs = Texts::of(all().map(|session| session.inputs.as_deref().unwrap_or_default()))?;
        }
        if needs.contains(Columns::TAXONOMY) {
            columns.taxonomy = Taxonomy::of(all())?;
        }
        Ok(columns)
    }

    pub(super) fn lower(&self) -> stage_types::Sessions<'_> {
        stage_types::Sessions {
            len: self.len,
            session_ids: self.session_ids.lower_for_stage(),
            times: self.times.lower_for_stage(),
            queries: self.queries.lower_for_stage(),
            query_vectors: self.query_vectors.lower_for_stage(),
            inputs: self.inputs.lower_for_stage(),
            taxonomy: self.taxonomy.lower_for_stage(),
        }
    }
}

/// The columns of hits and of the items that they name.
#[derive(Debug, Default)]
pub(super) struct HitColumns {
    pub(super) offsets: Offsets,
    pub(super) items: Vec<u32>,
    scores: Optional<f64>,
    pub(super) named: ItemColumns,
}

impl HitColumns {
    pub(super) fn of(rows: &[Handed<'_>], needs: Columns, fields: Option<&ItemFields>) -> Result<Self, ColumnTooLong> {
        let mut columns = Self { offsets: Offsets::begin(), ..Self::default() };
        let mut interner = Interner::default();
        for row in rows {
            for hit in row.hits {
                columns.items.push(interner.number(&hit.item_id)?);
                if needs.contains(Columns::HIT_SCORES) {
                    columns.scores.push(hit.score);
                }
            }
            columns.offsets.end(columns.items.len())?;
        }
        columns.named.len = u32::try_from(interner.iter().count()).map_err(|_| ColumnTooLong)?;
        if needs.contains(Columns::ITEM_IDS) {
            columns.named.ids = interner.texts()?;
        }
        if let Some(fields) = fields.filter(|_| needs.contains(Columns::ITEM_FIELDS)) {
            for (index, name) in fields.names().iter().enumerate() {
                let values = interner.iter().map(|item| fields.value(item, index));
                columns.named.fields.push((name.clone(), Texts::of(values)?));
            }
        }
        Ok(columns)
    }

    pub(super) fn lower(&self) -> stage_types::HitRows<'_> {
        stage_types::HitRows {
            offsets: self.offsets.as_slice(),
            items: &self.items,
            scores: self.scores.lower_for_stage(),
        }
    }
}

/// The columns of items.
#[derive(Debug, Default)]
pub(super) struct ItemColumns {
    len: u32,
    ids: Texts,
    fields: Vec<(String, Texts)>,
}

impl ItemColumns {
    /// Reads every document of a corpus, in its order; also returns the ids, which the component may not have asked for.
    pub(super) fn read(
        plan: &crate::benchmark::ItemsPlan,
        needs: Columns,
    ) -> Result<Result<(Self, Vec<String>), ColumnTooLong>, LoadError> {
        let names: &[String] = if needs.contains(Columns::ITEM_FIELDS) { &plan.fields } else { &[] };
        let mut fields: Vec<(String, Texts)> = names.iter().map(|name| (name.clone(), Texts::begin())).collect();
        let mut ids = Vec::new();
        for document in DocumentReader::open(&plan.corpus, names)? {
            let document = document?;
            for ((_, column), text) in fields.iter_mut().zip(&document.fields) {
                if column.push(text).is_err() {
                    return Ok(Err(ColumnTooLong));
                }
            }
            ids.push(document.id);
        }
        Ok(Self::of(&ids, fields, needs).map(|columns| (columns, ids)))
    }

    fn of(ids: &[String], fields: Vec<(String, Texts)>, needs: Columns) -> Result<Self, ColumnTooLong> {
        let len = u32::try_from(ids.len()).map_err(|_| ColumnTooLong)?;
        let ids = match needs.contains(Columns::ITEM_IDS) {
            true => Texts::of(ids.iter().map(String::as_str))?,
            false => Texts::default(),
        };
        Ok(Self { len, ids, fields })
    }

    /// Returns the fields in the generated types, borrowed.
    pub(super) fn lower_fields(&self) -> Vec<stage_types::ItemField<'_>> {
        self.fields
            .iter()
            .map(|(name, values)| stage_types::ItemField { name, values: values.lower_for_stage() })
            .collect()
    }

    /// Returns the items in the generated types, borrowed; `fields` are those of [`ItemColumns::lower_fields`].
    pub(super) fn lower<'a>(&'a self, fields: &'a [stage_types::ItemField<'a>]) -> stage_types::Items<'a> {
        stage_types::Items { len: self.len, ids: self.ids.lower_for_stage(), fields }
    }
}
