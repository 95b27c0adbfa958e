//! The items that users acted on, and what each act was worth; and the taxonomy nodes of a chunk's sessions.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::ops::Range;

use datafusion::arrow::array::{Array, AsArray, ListArray, RecordBatch, StringArray, StructArray};
use datafusion::arrow::datatypes::UInt32Type;

use super::columns::{Damaged, field, list, texts};
use crate::benchmark::RelevancePlan;
use crate::rows::list_range;
use crate::schema::column;
use crate::score::relevance::weight;

/// Kinds of interaction that have a mean rank of their own.
const CLICK: &str = "click";
const PURCHASE: &str = "purchase";

/// A session whose user acted on something.
pub(super) struct TouchedSession {
    /// Its row in the chunk.
    pub(super) row: usize,
    /// The distinct items, as [`crate::session::Session::touched_items`] orders them.
    pub(super) items: Vec<TouchedItem>,
}

/// One item that the user of a session acted on.
pub(super) struct TouchedItem {
    pub(super) clicked: bool,
    pub(super) purchased: bool,
    /// Whether one of the acts has a positive weight, so that it matters where the item went.
    pub(super) interesting: bool,
    /// Where the item stood when the session was logged.
    pub(super) logged: Option<NonZeroUsize>,
}

/// Reads what the users of a chunk did. `more` reads further columns of the chunk, which few runs need.
pub(super) fn read(
    relevance: &RelevancePlan,
    sessions: &RecordBatch,
    more: impl Fn(&str) -> Result<RecordBatch, Damaged>,
) -> Result<Vec<TouchedSession>, Damaged> {
    let acts = Acts::of(list(sessions, column::INTERACTIONS)?)?;
    let mut found = Vec::new();
    for row in 0..sessions.num_rows() {
        let range = list_range(acts.list, row);
        if !range.is_empty() {
            found.push((row, acts.session(range, relevance)));
        }
    }
    if found.iter().any(|(_, drafts)| drafts.iter().any(|draft| draft.item.logged.is_none())) {
        let batch = more(column::SHOWN)?;
        let shown = list(&batch, column::SHOWN)?;
        let items: &StringArray = texts(field(structs(shown, column::SHOWN)?, column::ITEM_ID)?, column::ITEM_ID)?;
        for (row, drafts) in &mut found {
            let range = list_range(shown, *row);
            for draft in drafts.iter_mut().filter(|draft| draft.item.logged.is_none()) {
                let rank = range.clone().position(|index| items.value(index) == draft.id);
                draft.item.logged = rank.and_then(|rank| NonZeroUsize::new(rank + 1));
            }
        }
    }
    let session = |(row, drafts): (usize, Vec<Draft<'_>>)| TouchedSession {
        row,
        items: drafts.into_iter().map(|draft| draft.item).collect(),
    };
    Ok(found.into_iter().map(session).collect())
}

pub(super) fn structs<'a>(list: &'a ListArray, name: &str) -> Result<&'a StructArray, Damaged> {
    list.values().as_struct_opt().ok_or_else(|| super::columns::mismatch(name, list.values().data_type()))
}

struct Draft<'a> {
    id: &'a str,
    item: TouchedItem,
}

struct Acts<'a> {
    list: &'a ListArray,
    items: &'a StringArray,
    kinds: &'a StringArray,
    positions: &'a datafusion::arrow::array::UInt32Array,
}

impl<'a> Acts<'a> {
    fn of(list: &'a ListArray) -> Result<Self, Damaged> {
        let acts = structs(list, column::INTERACTIONS)?;
        let positions = field(acts, column::POSITION)?;
        let positions = positions
            .as_primitive_opt::<UInt32Type>()
            .ok_or_else(|| super::columns::mismatch(column::POSITION, positions.data_type()))?;
        let items = texts(field(acts, column::ITEM_ID)?, column::ITEM_ID)?;
        Ok(Self { list, items, kinds: texts(field(acts, column::KIND)?, column::KIND)?, positions })
    }

    fn session(&self, acts: Range<usize>, relevance: &RelevancePlan) -> Vec<Draft<'a>> {
        let mut drafts: Vec<Draft<'a>> = Vec::new();
        for act in acts {
            let (id, kind) = (self.items.value(act), self.kinds.value(act));
            let place = drafts.iter().position(|draft| draft.id == id).unwrap_or_else(|| {
                let item = TouchedItem { clicked: false, purchased: false, interesting: false, logged: None };
                drafts.push(Draft { id, item });
                drafts.len() - 1
            });
            let Some(draft) = drafts.get_mut(place) else { continue };
            draft.item.clicked |= kind == CLICK;
            draft.item.purchased |= kind == PURCHASE;
            draft.item.interesting |= weight(relevance, kind) > 0.0;
            if draft.item.logged.is_none() && self.positions.is_valid(act) {
                draft.item.logged = usize::try_from(self.positions.value(act)).ok().and_then(NonZeroUsize::new);
            }
        }
        drafts
    }
}

/// Returns the rows under every taxonomy node that occurs, ancestors included; a row once, however many of its paths pass
/// through the node.
pub(super) fn nodes(sessions: &RecordBatch) -> Result<BTreeMap<String, Vec<u32>>, Damaged> {
    let taxonomy = list(sessions, column::TAXONOMY)?;
    let mut nodes: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    if taxonomy.values().is_empty() {
        return Ok(nodes);
    }
    let paths = texts(taxonomy.values(), column::TAXONOMY)?;
    let mut known: HashMap<&str, Vec<String>> = HashMap::new();
    for (row, number) in (0..sessions.num_rows()).zip(0_u32..) {
        for index in list_range(taxonomy, row) {
            let path = paths.value(index);
            for node in known.entry(path).or_insert_with(|| ancestry(path)) {
                match nodes.get_mut(node) {
                    Some(rows) if rows.last() == Some(&number) => {}
                    Some(rows) => rows.push(number),
                    None => {
                        nodes.insert(node.clone(), vec![number]);
                    }
                }
            }
        }
    }
    Ok(nodes)
}

/// The node at a path and all its ancestors.
fn ancestry(path: &str) -> Vec<String> {
    let mut nodes: Vec<String> = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        nodes.push(nodes.last().map_or_else(|| segment.to_owned(), |parent| format!("{parent}/{segment}")));
    }
    nodes
}
