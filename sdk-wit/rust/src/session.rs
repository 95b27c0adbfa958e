//! One session with one ranking, as an author wants to see it.

use crate::batch::{known, rows, was_not_asked_for};
use crate::{Batch, CompensatedSum, HitRows, InteractionRows, ShownRows, Texts, dcg, discount, position};

/// An item, by its number in the batch. Equal numbers are equal items; nothing else may be read from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Item(u32);

impl Item {
    /// Returns the item's number, as the columns of the batch have it.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

/// One session with the ranking that a retriever returned for it: a view, cheap to copy.
///
/// Each method says which [`Columns`](crate::Columns) it reads.
///
/// # Panics
///
/// A method whose columns the description does not ask for panics and says which: the host leaves them empty, and a score
/// of nothing would be silently wrong.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    batch: &'a Batch,
    index: usize,
}

impl<'a> Session<'a> {
    pub(crate) fn new(batch: &'a Batch, index: usize) -> Self {
        Self { batch, index }
    }

    /// Returns the session's index in its batch.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the id of the session. Reads `SESSION_IDS`.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.text(&self.batch.session_ids, "SESSION_IDS")
    }

    /// Returns the query; empty where there is none. Reads `QUERIES`.
    #[must_use]
    pub fn query(&self) -> &'a str {
        self.text(&self.batch.queries, "QUERIES")
    }

    /// Returns the query as a vector; empty where there is none. Reads `QUERY_VECTORS`.
    #[must_use]
    pub fn query_vector(&self) -> &'a [f32] {
        let vectors = &self.batch.query_vectors;
        &vectors.values[rows(&vectors.offsets, self.index, "QUERY_VECTORS")]
    }

    /// Returns further inputs of the search, as JSON text; empty where there are none. Reads `INPUTS`.
    #[must_use]
    pub fn inputs(&self) -> &'a str {
        self.text(&self.batch.inputs, "INPUTS")
    }

    /// Returns the labelled outcome of a sample, as JSON text; empty where there is none. Reads `EXPECTED`.
    #[must_use]
    pub fn expected(&self) -> &'a str {
        self.text(&self.batch.expected, "EXPECTED")
    }

    /// Returns when the session took place, in milliseconds since the Unix epoch, UTC. Reads `TIMES`.
    #[must_use]
    pub fn time(&self) -> Option<i64> {
        known(&self.batch.times.values, &self.batch.times.known, self.index, "TIMES")
    }

    /// Iterates over the taxonomy paths, such as `home/kitchen`, the primary one first. Reads `TAXONOMY`.
    pub fn taxonomy(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let taxonomy = &self.batch.taxonomy;
        rows(&taxonomy.offsets, self.index, "TAXONOMY").filter_map(|row| taxonomy.paths.get(row))
    }

    /// Iterates over the ranking, best hit first; may be empty. Reads `HITS`.
    pub fn hits(&self) -> impl ExactSizeIterator<Item = Hit<'a>> + use<'a> {
        let hits = &self.batch.hits;
        let rows = rows(&hits.offsets, self.index, "HITS");
        let items = &hits.items[rows.clone()];
        items.iter().enumerate().map(move |(at, &item)| {
            let rank = u32::try_from(at + 1).unwrap_or(u32::MAX);
            Hit { rank, item: Item(item), rows: hits, row: rows.start + at }
        })
    }

    /// Returns the number of hits. Reads `HITS`.
    #[must_use]
    pub fn depth(&self) -> usize {
        rows(&self.batch.hits.offsets, self.index, "HITS").len()
    }

    /// Returns the item numbers of the ranking, best hit first. Reads `HITS`.
    #[must_use]
    pub fn hit_numbers(&self) -> &'a [u32] {
        &self.batch.hits.items[rows(&self.batch.hits.offsets, self.index, "HITS")]
    }

    /// Returns the 1-based rank of an item; `None` where it was not returned. Reads `HITS`.
    #[must_use]
    pub fn rank(&self, item: Item) -> Option<u32> {
        position(self.hit_numbers(), item.0).and_then(|at| u32::try_from(at + 1).ok())
    }

    /// Iterates over the hits whose worth is known, by ascending rank. Reads `JUDGED`.
    pub fn judged(&self) -> impl ExactSizeIterator<Item = JudgedHit> + use<'a> {
        let judged = &self.batch.judged;
        let rows = rows(&judged.offsets, self.index, "JUDGED");
        let ranks = judged.ranks[rows.clone()].iter();
        ranks.zip(&judged.grades[rows]).map(|(&rank, &grade)| JudgedHit { rank, grade })
    }

    /// Returns the positive grades of all items of the session, returned or not, largest first. Reads `JUDGED`.
    #[must_use]
    pub fn ideal(&self) -> &'a [f64] {
        &self.batch.ideal.gains[rows(&self.batch.ideal.offsets, self.index, "JUDGED")]
    }

    /// Iterates over every item of known worth, returned or not, with its grade, in order of the items' texts. A grade is
    /// the judge's, or the weight of what the user did with the item; it may be negative. Reads `RELEVANCE`.
    pub fn relevance(&self) -> impl ExactSizeIterator<Item = (Item, f64)> + use<'a> {
        let relevance = &self.batch.relevance;
        let rows = rows(&relevance.offsets, self.index, "RELEVANCE");
        let items = relevance.items[rows.clone()].iter();
        items.zip(&relevance.grades[rows]).map(|(&item, &grade)| (Item(item), grade))
    }

    /// Returns the grade of an item; `None` where nobody judged it or acted on it. Reads `RELEVANCE`.
    #[must_use]
    pub fn grade(&self, item: Item) -> Option<f64> {
        let relevance = &self.batch.relevance;
        let rows = rows(&relevance.offsets, self.index, "RELEVANCE");
        position(&relevance.items[rows.clone()], item.0).map(|at| relevance.grades[rows.start + at])
    }

    /// Iterates over what the user did, in recorded order. Reads `INTERACTIONS`.
    pub fn interactions(&self) -> impl ExactSizeIterator<Item = Interaction<'a>> + use<'a> {
        let acts = &self.batch.interactions;
        rows(&acts.offsets, self.index, "INTERACTIONS").map(|row| {
            let kind = acts.kind_names.get(acts.kinds[row] as usize);
            Interaction { item: Item(acts.items[row]), kind: kind.unwrap_or_default(), rows: acts, row }
        })
    }

    /// Iterates over the list that the user saw when the search was recorded, from its top. Reads `SHOWN`.
    pub fn shown(&self) -> impl ExactSizeIterator<Item = Shown<'a>> + use<'a> {
        let shown = &self.batch.shown;
        let rows = rows(&shown.offsets, self.index, "SHOWN");
        let start = rows.start;
        rows.map(move |row| {
            let rank = u32::try_from(row - start + 1).unwrap_or(u32::MAX);
            Shown { rank, item: Item(shown.items[row]), rows: shown, row }
        })
    }

    /// Returns the text of an item. Reads `ITEM_IDS`.
    #[must_use]
    pub fn item_id(&self, item: Item) -> &'a str {
        self.batch.item_ids.get(item.0 as usize).unwrap_or_else(|| was_not_asked_for("ITEM_IDS"))
    }

    /// Returns what the corpus says of an item; `None` where it says nothing. Reads `ITEM_FIELDS`.
    ///
    /// # Errors
    ///
    /// Returns an error where the benchmark does not give the scorer that field.
    pub fn item_field(&self, name: &str, item: Item) -> Result<Option<&'a str>, String> {
        let Some(field) = self.batch.item_field(name) else {
            return Err(format!(
                "the benchmark gives no item field `{name}`; name it in the scorer's `items = {{ corpus = \"...\", \
                 fields = [\"{name}\"] }}`"
            ));
        };
        Ok(field.get(item.0 as usize).filter(|text| !text.is_empty()))
    }

    /// Returns the discounted gain of the top `k` hits: the sum of grade / log2(rank + 1), where negative grades count as
    /// 0. Reads `JUDGED`.
    #[must_use]
    pub fn dcg(&self, k: usize) -> f64 {
        let top = self.judged().take_while(|hit| hit.rank as usize <= k);
        top.map(|hit| hit.grade.max(0.0) * discount(hit.rank)).collect::<CompensatedSum>().total()
    }

    /// Returns the largest discounted gain that a ranking could have at `k`; 0 where no item has a positive grade. Reads
    /// `JUDGED`.
    #[must_use]
    pub fn ideal_dcg(&self, k: usize) -> f64 {
        let ideal = self.ideal();
        dcg(&ideal[..k.min(ideal.len())])
    }

    /// Returns nDCG@k with linear gain, as Rematch's own metric has it, in [0, 1]; `None` where no item has a positive
    /// grade. Reads `JUDGED`.
    #[must_use]
    pub fn ndcg(&self, k: usize) -> Option<f64> {
        let ideal = self.ideal_dcg(k);
        (ideal > 0.0 && ideal.is_finite()).then(|| self.dcg(k) / ideal)
    }

    fn text(&self, column: &'a Texts, name: &str) -> &'a str {
        column.get(self.index).unwrap_or_else(|| was_not_asked_for(name))
    }
}

/// One hit of a ranking.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    /// 1-based rank.
    pub rank: u32,
    /// What was returned.
    pub item: Item,
    rows: &'a HitRows,
    row: usize,
}

impl Hit<'_> {
    /// Returns the retriever's score, higher is better; `None` where the retriever gives none. Reads `HIT_SCORES`.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        known(&self.rows.scores.values, &self.rows.scores.known, self.row, "HIT_SCORES")
    }
}

/// One hit whose worth is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JudgedHit {
    /// 1-based rank.
    pub rank: u32,
    /// The judge's grade, or the weight of what the user did with the item; may be negative.
    pub grade: f64,
}

/// One thing that a user did.
#[derive(Debug, Clone, Copy)]
pub struct Interaction<'a> {
    /// What it was done with.
    pub item: Item,
    /// What was done: `click`, `purchase`, ...
    pub kind: &'a str,
    rows: &'a InteractionRows,
    row: usize,
}

impl Interaction<'_> {
    /// Returns the 1-based position at which the item was shown. Reads `INTERACTION_DETAILS`.
    #[must_use]
    pub fn position(&self) -> Option<u32> {
        let position = self.rows.positions.get(self.row).copied();
        Some(position.unwrap_or_else(|| was_not_asked_for("INTERACTION_DETAILS"))).filter(|position| *position > 0)
    }

    /// Returns when it was done, in milliseconds since the Unix epoch, UTC. Reads `INTERACTION_DETAILS`.
    #[must_use]
    pub fn time(&self) -> Option<i64> {
        known(&self.rows.times.values, &self.rows.times.known, self.row, "INTERACTION_DETAILS")
    }

    /// Returns the number that goes with the kind: seconds of a dwell, price of a purchase. Reads `INTERACTION_DETAILS`.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        known(&self.rows.values.values, &self.rows.values.known, self.row, "INTERACTION_DETAILS")
    }
}

/// One item of the list that the user saw.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// 1-based rank in the list.
    pub rank: u32,
    /// What was shown.
    pub item: Item,
    rows: &'a ShownRows,
    row: usize,
}

impl Shown<'_> {
    /// Returns the score that the logged retriever gave.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        known(&self.rows.scores.values, &self.rows.scores.known, self.row, "SHOWN")
    }

    /// Returns the probability, in (0, 1], that the item was shown at this rank.
    #[must_use]
    pub fn propensity(&self) -> Option<f64> {
        known(&self.rows.propensities.values, &self.rows.propensities.known, self.row, "SHOWN")
    }
}
