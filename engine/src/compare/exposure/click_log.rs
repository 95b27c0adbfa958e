//! The sessions that nobody judged, as the log tells them: what users could see, and what they did with it.

use std::num::NonZeroUsize;

use datafusion::arrow::array::{Array, ListArray, PrimitiveArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Float64Type, UInt32Type};

use crate::benchmark::RelevancePlan;
use crate::compare::columns::{Damaged, as_numbers, field, list, texts};
use crate::compare::touched::structs;
use crate::rows::list_range;
use crate::schema::column;
use crate::score::relevance::gain_of_kinds;

/// The columns that a click log is read from.
pub(in crate::compare) const COLUMNS: [&str; 3] = [column::SHOWN, column::INTERACTIONS, column::JUDGMENTS];

/// A session that no judge graded, and in which something was shown or acted on.
pub(in crate::compare) struct LoggedSession {
    /// Its row in the chunk.
    pub(in crate::compare) row: usize,
    /// What the user could act on, as [`crate::session::Session::exposed_items`] orders it.
    pub(in crate::compare) items: Vec<LoggedItem>,
}

/// An item that a user could act on.
pub(in crate::compare) struct LoggedItem {
    /// What the user's acts on it are worth; 0 without acts.
    pub(super) gain: f64,
    /// Where it stood.
    pub(super) rank: Option<NonZeroUsize>,
    /// The probability, by the log, of standing there.
    pub(super) propensity: Option<f64>,
}

/// A chunk's click log.
pub(super) struct ClickLog<'a> {
    shown: &'a ListArray,
    shown_items: &'a StringArray,
    propensities: &'a PrimitiveArray<Float64Type>,
    acts: &'a ListArray,
    act_items: &'a StringArray,
    kinds: &'a StringArray,
    positions: &'a PrimitiveArray<UInt32Type>,
    judgments: &'a ListArray,
}

/// An item with its id, while a session is put together.
pub(super) struct Draft<'a> {
    pub(super) id: &'a str,
    kinds: Vec<&'a str>,
    /// Whether the log shows it.
    pub(super) shown: bool,
    /// Whether an act said where the item stood.
    positioned: bool,
    pub(super) item: LoggedItem,
}

impl<'a> ClickLog<'a> {
    /// Reads the columns [`COLUMNS`].
    pub(super) fn of(sessions: &'a RecordBatch) -> Result<Self, Damaged> {
        let (shown, acts) = (list(sessions, column::SHOWN)?, list(sessions, column::INTERACTIONS)?);
        let (of_shown, of_acts) = (structs(shown, column::SHOWN)?, structs(acts, column::INTERACTIONS)?);
        let positions = field(of_acts, column::POSITION)?;
        let propensities = field(of_shown, column::PROPENSITY)?;
        Ok(Self {
            shown,
            shown_items: texts(field(of_shown, column::ITEM_ID)?, column::ITEM_ID)?,
            propensities: as_numbers(propensities, column::PROPENSITY)?,
            acts,
            act_items: texts(field(of_acts, column::ITEM_ID)?, column::ITEM_ID)?,
            kinds: texts(field(of_acts, column::KIND)?, column::KIND)?,
            positions: as_numbers(positions, column::POSITION)?,
            judgments: list(sessions, column::JUDGMENTS)?,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.shown.len()
    }

    /// Returns the items of a row that no judge graded; none where there are no items or there is a judge.
    pub(super) fn items(&self, row: usize, relevance: &RelevancePlan) -> Vec<Draft<'a>> {
        let mut drafts: Vec<Draft<'a>> = Vec::new();
        if !list_range(self.judgments, row).is_empty() {
            return drafts;
        }
        for (rank, index) in (1..).zip(list_range(self.shown, row)) {
            let id = self.shown_items.value(index);
            if drafts.iter().any(|draft| draft.id == id) {
                continue;
            }
            let propensity = self.propensities.is_valid(index).then(|| self.propensities.value(index));
            let item = LoggedItem { gain: 0.0, rank: NonZeroUsize::new(rank), propensity };
            drafts.push(Draft { id, kinds: Vec::new(), shown: true, positioned: false, item });
        }
        for act in list_range(self.acts, row) {
            let (id, kind) = (self.act_items.value(act), self.kinds.value(act));
            let place = drafts.iter().position(|draft| draft.id == id).unwrap_or_else(|| {
                let item = LoggedItem { gain: 0.0, rank: None, propensity: None };
                drafts.push(Draft { id, kinds: Vec::new(), shown: false, positioned: false, item });
                drafts.len() - 1
            });
            let Some(draft) = drafts.get_mut(place) else { continue };
            if !draft.kinds.contains(&kind) {
                draft.kinds.push(kind);
            }
            // What the act says of its position is closer to what the user saw than the list as it was served.
            if !draft.positioned && self.positions.is_valid(act) {
                let position = usize::try_from(self.positions.value(act)).ok().and_then(NonZeroUsize::new);
                draft.positioned = position.is_some();
                draft.item.rank = position.or(draft.item.rank);
            }
        }
        for draft in drafts.iter_mut().filter(|draft| !draft.kinds.is_empty()) {
            draft.item.gain = gain_of_kinds(relevance, &mut draft.kinds).max(0.0);
        }
        drafts
    }

    /// Returns the logged sessions of the chunk.
    pub(super) fn sessions(&self, relevance: &RelevancePlan) -> Vec<LoggedSession> {
        let session = |row: usize| LoggedSession {
            row,
            items: self.items(row, relevance).into_iter().map(|draft| draft.item).collect(),
        };
        (0..self.rows()).map(session).filter(|session| !session.items.is_empty()).collect()
    }
}
