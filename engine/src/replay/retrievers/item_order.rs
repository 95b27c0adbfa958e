//! Item ids in ascending order, by which ties are broken.

/// The item ids of a corpus, whose documents are numbered in the order read.
#[derive(Debug, Default)]
pub(super) struct ItemOrder {
    /// Item ids in ascending order.
    item_ids: Vec<String>,
    /// By document: the place of its item id in `item_ids`.
    places: Vec<u32>,
}

impl ItemOrder {
    /// Returns the order of ids given by document.
    pub(super) fn new(ids: Vec<String>) -> Self {
        let mut numbered: Vec<(String, usize)> = ids.into_iter().enumerate().map(|(number, id)| (id, number)).collect();
        numbered.sort_unstable();
        let mut places = vec![0; numbered.len()];
        let mut item_ids = Vec::with_capacity(numbered.len());
        for (place, (id, number)) in numbered.into_iter().enumerate() {
            if let Some(order) = places.get_mut(number) {
                *order = u32::try_from(place).unwrap_or(u32::MAX);
            }
            item_ids.push(id);
        }
        Self { item_ids, places }
    }

    /// Returns the number of documents.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns the place of the document's item id among all ids in ascending order.
    pub(super) fn place(&self, document: u32) -> u32 {
        self.places.get(document as usize).copied().unwrap_or(u32::MAX)
    }

    /// Returns the item id at a place of the ascending order.
    pub(super) fn item_id(&self, place: u32) -> &str {
        self.item_ids.get(place as usize).map_or("", String::as_str)
    }
}
