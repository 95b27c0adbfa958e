//! Cases as the columns of the WIT's `batch`: only what the component asks for is built and sent.

use crate::sandbox::bindings::exports::rematch::scoring::guest;
use crate::sandbox::columns::{ColumnTooLong, Interner, Offsets, Optional, Taxonomy, Texts, Vectors};
use crate::score::{Case, ItemFields};

/// The columns of a batch; what was not asked for is empty.
#[derive(Debug, Default)]
pub(super) struct Columns {
    len: u32,
    judged: Judged,
    relevance: Relevant,
    hits: Hits,
    shown: Shown,
    interactions: Interactions,
    session_ids: Texts,
    times: Optional<i64>,
    queries: Texts,
    query_vectors: Vectors,
    inputs: Texts,
    expected: Texts,
    taxonomy: Taxonomy,
    item_ids: Texts,
    item_fields: Vec<(String, Texts)>,
}

impl Columns {
    /// Joins and transposes `cases`. Items are numbered in order of first appearance; `fields` says what is known of them.
    pub(super) fn of(
        cases: &[Case<'_>],
        needs: guest::Columns,
        fields: Option<&ItemFields>,
    ) -> Result<Self, ColumnTooLong> {
        let mut items = Interner::default();
        let mut columns = Self { len: u32::try_from(cases.len()).map_err(|_| ColumnTooLong)?, ..Self::default() };
        columns.fill_rankings(cases, needs, &mut items)?;
        columns.fill_sessions(cases, needs, &mut items)?;
        if needs.contains(guest::Columns::ITEM_IDS) {
            columns.item_ids = items.texts()?;
        }
        if let Some(fields) = fields.filter(|_| needs.contains(guest::Columns::ITEM_FIELDS)) {
            for (index, name) in fields.names().iter().enumerate() {
                let values = items.iter().map(|item| fields.value(item, index));
                columns.item_fields.push((name.clone(), Texts::of(values)?));
            }
        }
        Ok(columns)
    }

    fn fill_rankings<'a>(
        &mut self,
        cases: &[Case<'a>],
        needs: guest::Columns,
        items: &mut Interner<'a>,
    ) -> Result<(), ColumnTooLong> {
        if needs.contains(guest::Columns::JUDGED) {
            self.judged = Judged::of(cases)?;
        }
        if needs.contains(guest::Columns::RELEVANCE) {
            self.relevance = Relevant::of(cases, items)?;
        }
        if needs.contains(guest::Columns::HITS) {
            self.hits = Hits::of(cases, needs.contains(guest::Columns::HIT_SCORES), items)?;
        }
        Ok(())
    }

    fn fill_sessions<'a>(
        &mut self,
        cases: &[Case<'a>],
        needs: guest::Columns,
        items: &mut Interner<'a>,
    ) -> Result<(), ColumnTooLong> {
        let sessions = || cases.iter().map(|case| case.session);
        if needs.contains(guest::Columns::SHOWN) {
            self.shown = Shown::of(cases, items)?;
        }
        if needs.contains(guest::Columns::INTERACTIONS) {
            let details = needs.contains(guest::Columns::INTERACTION_DETAILS);
            self.interactions = Interactions::of(cases, details, items)?;
        }
        if needs.contains(guest::Columns::SESSION_IDS) {
            self.session_ids = Texts::of(sessions().map(|session| session.session_id.as_str()))?;
        }
        if needs.contains(guest::Columns::TIMES) {
            sessions().for_each(|session| self.times.push(session.timestamp));
        }
        if needs.contains(guest::Columns::QUERIES) {
            self.queries = Texts::of(sessions().map(|session| session.query.as_deref().unwrap_or_default()))?;
        }
        if needs.contains(guest::Columns::QUERY_VECTORS) {
            self.query_vectors = Vectors::of(sessions())?;
        }
        if needs.contains(guest::Columns::INPUTS) {
            self.inputs = Texts::of(sessions().map(|session| session.inputs.as_deref().unwrap_or_default()))?;
        }
        if needs.contains(guest::Columns::EXPECTED) {
            self.expected = Texts::of(sessions().map(|session| session.expected.as_deref().unwrap_or_default()))?;
        }
        if needs.contains(guest::Columns::TAXONOMY) {
            self.taxonomy = Taxonomy::of(sessions())?;
        }
        Ok(())
    }

    /// Returns the fields of the items in the generated types, borrowed.
    pub(super) fn lower_item_fields(&self) -> Vec<guest::ItemField<'_>> {
        self.item_fields.iter().map(|(name, values)| guest::ItemField { name, values: values.lower() }).collect()
    }

    /// Returns the batch in the generated types, borrowed.
    ///
    /// `item_fields` are those of [`Columns::lower_item_fields`].
    pub(super) fn lower<'a>(&'a self, item_fields: &'a [guest::ItemField<'a>]) -> guest::Batch<'a> {
        guest::Batch {
            len: self.len,
            judged: guest::JudgedHits {
                offsets: self.judged.offsets.as_slice(),
                ranks: &self.judged.ranks,
                grades: &self.judged.grades,
            },
            ideal: guest::IdealGains { offsets: self.judged.ideal_offsets.as_slice(), gains: &self.judged.ideal_gains },
            relevance: guest::RelevanceRows {
                offsets: self.relevance.offsets.as_slice(),
                items: &self.relevance.items,
                grades: &self.relevance.grades,
            },
            hits: guest::HitRows {
                offsets: self.hits.offsets.as_slice(),
                items: &self.hits.items,
                scores: self.hits.scores.lower(),
            },
            shown: guest::ShownRows {
                offsets: self.shown.offsets.as_slice(),
                items: &self.shown.items,
                scores: self.shown.scores.lower(),
                propensities: self.shown.propensities.lower(),
            },
            interactions: self.interactions.lower(),
            session_ids: self.session_ids.lower(),
            times: self.times.lower(),
            queries: self.queries.lower(),
            query_vectors: self.query_vectors.lower(),
            inputs: self.inputs.lower(),
            expected: self.expected.lower(),
            taxonomy: self.taxonomy.lower(),
            item_ids: self.item_ids.lower(),
            item_fields,
        }
    }
}

#[derive(Debug, Default)]
struct Judged {
    offsets: Offsets,
    ranks: Vec<u32>,
    grades: Vec<f64>,
    ideal_offsets: Offsets,
    ideal_gains: Vec<f64>,
}

impl Judged {
    fn of(cases: &[Case<'_>]) -> Result<Self, ColumnTooLong> {
        let mut column = Self { offsets: Offsets::begin(), ideal_offsets: Offsets::begin(), ..Self::default() };
        for case in cases {
            for (rank, hit) in (1..).zip(&case.ranking.hits) {
                if let Some(grade) = case.relevance.grade(&hit.item_id) {
                    column.ranks.push(rank);
                    column.grades.push(grade);
                }
            }
            column.offsets.end(column.ranks.len())?;
            let mut gains: Vec<f64> =
                case.relevance.iter().map(|(_, grade)| grade).filter(|grade| *grade > 0.0).collect();
            gains.sort_unstable_by(|left, right| right.total_cmp(left));
            column.ideal_gains.append(&mut gains);
            column.ideal_offsets.end(column.ideal_gains.len())?;
        }
        Ok(column)
    }
}

#[derive(Debug, Default)]
struct Relevant {
    offsets: Offsets,
    items: Vec<u32>,
    grades: Vec<f64>,
}

impl Relevant {
    fn of<'a>(cases: &[Case<'a>], items: &mut Interner<'a>) -> Result<Self, ColumnTooLong> {
        let mut column = Self { offsets: Offsets::begin(), ..Self::default() };
        for case in cases {
            for (item, grade) in case.relevance.iter() {
                column.items.push(items.number(item)?);
                column.grades.push(grade);
            }
            column.offsets.end(column.items.len())?;
        }
        Ok(column)
    }
}

#[derive(Debug, Default)]
struct Hits {
    offsets: Offsets,
    items: Vec<u32>,
    scores: Optional<f64>,
}

impl Hits {
    fn of<'a>(cases: &[Case<'a>], scores: bool, items: &mut Interner<'a>) -> Result<Self, ColumnTooLong> {
        let mut column = Self { offsets: Offsets::begin(), ..Self::default() };
        for case in cases {
            for hit in &case.ranking.hits {
                column.items.push(items.number(&hit.item_id)?);
                if scores {
                    column.scores.push(hit.score);
                }
            }
            column.offsets.end(column.items.len())?;
        }
        Ok(column)
    }
}

#[derive(Debug, Default)]
struct Shown {
    offsets: Offsets,
    items: Vec<u32>,
    scores: Optional<f64>,
    propensities: Optional<f64>,
}

impl Shown {
    fn of<'a>(cases: &[Case<'a>], items: &mut Interner<'a>) -> Result<Self, ColumnTooLong> {
        let mut column = Self { offsets: Offsets::begin(), ..Self::default() };
        for case in cases {
            for shown in &case.session.shown {
                column.items.push(items.number(&shown.item_id)?);
                column.scores.push(shown.score);
                column.propensities.push(shown.propensity);
            }
            column.offsets.end(column.items.len())?;
        }
        Ok(column)
    }
}

#[derive(Debug, Default)]
struct Interactions {
    offsets: Offsets,
    items: Vec<u32>,
    kinds: Vec<u32>,
    kind_names: Texts,
    positions: Vec<u32>,
    times: Optional<i64>,
    values: Optional<f64>,
}

impl Interactions {
    fn of<'a>(cases: &[Case<'a>], details: bool, items: &mut Interner<'a>) -> Result<Self, ColumnTooLong> {
        let mut column = Self { offsets: Offsets::begin(), ..Self::default() };
        let mut kinds = Interner::default();
        for case in cases {
            for act in &case.session.interactions {
                column.items.push(items.number(&act.item_id)?);
                column.kinds.push(kinds.number(&act.kind)?);
                if details {
                    column.positions.push(act.position.unwrap_or(0));
                    column.times.push(act.timestamp);
                    column.values.push(act.value);
                }
            }
            column.offsets.end(column.items.len())?;
        }
        column.kind_names = kinds.texts()?;
        Ok(column)
    }

    fn lower(&self) -> guest::InteractionRows<'_> {
        guest::InteractionRows {
            offsets: self.offsets.as_slice(),
            items: &self.items,
            kinds: &self.kinds,
            kind_names: self.kind_names.lower(),
            positions: &self.positions,
            times: self.times.lower(),
            values: self.values.lower(),
        }
    }
}
