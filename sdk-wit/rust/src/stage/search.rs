//! Sessions, hits and items as an author wants to see them: views into columns.

use std::ops::Range;

use crate::bindings::rematch::scoring::stage_types::{self, HitRows, Sessions, Texts};

/// An item, by its number. Equal numbers are equal items; nothing else may be read from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Item(u32);

impl Item {
    /// Returns the item's number, as the columns have it.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

/// A hit that a re-ranker gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// 1-based rank so far.
    pub rank: u32,
    /// What was found.
    pub item: Item,
    /// Its score so far, higher is better; `None` where there is none, or [`Columns::HIT_SCORES`](super::Columns) was not
    /// asked for.
    pub score: Option<f64>,
}

/// One session, as a search engine sees it. Each method says which [`Columns`](super::Columns) it reads.
///
/// # Panics
///
/// A method whose columns the description does not ask for panics and says which: to go on with nothing would be silently
/// wrong.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    sessions: &'a Sessions,
    index: usize,
}

impl<'a> Search<'a> {
    pub(super) fn all(sessions: &'a Sessions) -> impl Iterator<Item = Self> {
        (0..sessions.len as usize).map(move |index| Self { sessions, index })
    }

    /// Returns the id of the session. Reads `SESSION_IDS`.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.text(&self.sessions.session_ids, "SESSION_IDS")
    }

    /// Returns the query; empty where there is none. Reads `QUERIES`.
    #[must_use]
    pub fn query(&self) -> &'a str {
        self.text(&self.sessions.queries, "QUERIES")
    }

    /// Returns the query as a vector; empty where there is none. Reads `QUERY_VECTORS`.
    #[must_use]
    pub fn query_vector(&self) -> &'a [f32] {
        let vectors = &self.sessions.query_vectors;
        &vectors.values[rows(&vectors.offsets, self.index, "QUERY_VECTORS")]
    }

    /// Returns further inputs of the search, as JSON text; empty where there are none. Reads `INPUTS`.
    #[must_use]
    pub fn inputs(&self) -> &'a str {
        self.text(&self.sessions.inputs, "INPUTS")
    }

    /// Returns when the session took place, in milliseconds since the Unix epoch, UTC. Reads `TIMES`.
    #[must_use]
    pub fn time(&self) -> Option<i64> {
        let times = &self.sessions.times;
        match (times.values.get(self.index), times.known.get(self.index)) {
            (Some(&time), Some(&known)) => known.then_some(time),
            _ => was_not_asked_for("TIMES"),
        }
    }

    /// Iterates over the taxonomy paths, the primary one first. Reads `TAXONOMY`.
    pub fn taxonomy(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let taxonomy = &self.sessions.taxonomy;
        rows(&taxonomy.offsets, self.index, "TAXONOMY").filter_map(|row| text(&taxonomy.paths, row))
    }

    pub(super) fn hits(&self, hits: &HitRows) -> Vec<Candidate> {
        let rows = rows(&hits.offsets, self.index, "HIT_SCORES");
        let hit = |(rank, row): (u32, usize)| {
            let scores = &hits.scores;
            let known = scores.known.get(row).is_some_and(|known| *known);
            let score = scores.values.get(row).copied().filter(|_| known);
            Candidate { rank, item: Item(hits.items[row]), score }
        };
        (1..).zip(rows).map(hit).collect()
    }

    fn text(&self, column: &'a Texts, name: &str) -> &'a str {
        text(column, self.index).unwrap_or_else(|| was_not_asked_for(name))
    }
}

/// What the corpus says of items.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a>(&'a stage_types::Items);

impl<'a> Items<'a> {
    pub(super) fn new(items: &'a stage_types::Items) -> Self {
        Self(items)
    }

    /// Iterates over all items.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Item> + use<> {
        (0..self.0.len as usize).map(|number| Item(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// Returns the id of an item. Reads `ITEM_IDS`.
    ///
    /// # Panics
    ///
    /// Panics where the description does not ask for that.
    #[must_use]
    pub fn id(&self, item: Item) -> &'a str {
        text(&self.0.ids, item.0 as usize).unwrap_or_else(|| was_not_asked_for("ITEM_IDS"))
    }

    /// Returns what the corpus says of an item; `None` where it says nothing. Reads `ITEM_FIELDS`.
    ///
    /// # Errors
    ///
    /// Returns an error where the benchmark does not give the stage that field.
    pub fn field(&self, name: &str, item: Item) -> Result<Option<&'a str>, String> {
        let Some(field) = self.0.fields.iter().find(|field| field.name == name) else {
            return Err(format!(
                "the benchmark gives no item field `{name}`; name it in the stage's `items = {{ corpus = \"...\", \
                 fields = [\"{name}\"] }}`"
            ));
        };
        Ok(text(&field.values, item.0 as usize).filter(|text| !text.is_empty()))
    }
}

/// Returns the text at `index`; `None` beyond the last one.
fn text(column: &Texts, index: usize) -> Option<&str> {
    let (start, end) = (*column.offsets.get(index)?, *column.offsets.get(index + 1)?);
    match std::str::from_utf8(&column.bytes[start as usize..end as usize]) {
        Ok(text) => Some(text),
        Err(error) => panic!("text {index} of a column is no UTF-8: {error}"),
    }
}

fn rows(offsets: &[u32], session: usize, column: &str) -> Range<usize> {
    match (offsets.get(session), offsets.get(session + 1)) {
        (Some(&start), Some(&end)) => start as usize..end as usize,
        _ => was_not_asked_for(column),
    }
}

/// Ends the call: a column that the host was not asked for is empty.
#[cold]
#[inline(never)]
fn was_not_asked_for(column: &str) -> ! {
    panic!("the stage reads a column that its description does not ask for; add `Columns::{column}` to `needs`")
}
