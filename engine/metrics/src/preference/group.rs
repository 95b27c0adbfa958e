//! One judge's preferences among items.

/// One line of preference judgments: an item and how good it is beside the others of the same judge and sub-group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preference<'a> {
    /// Whose judgment it is: each judge's preferences are consistent, those of two may conflict.
    pub group: &'a str,
    /// Items are compared within it; several of one judge are linked by the items that they share.
    pub sub_group: &'a str,
    /// The item.
    pub item: &'a str,
    /// An item is preferred to all of a lower level; above 0 it is relevant, 0 it is not.
    pub level: f64,
}

/// An item of a group: its place among all judged items, those that were returned first, and its level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) place: usize,
    pub(super) level: f64,
}

/// The preferences of one judge.
pub(super) struct Group {
    /// By sub-group, best level first, then by place.
    sub_groups: Vec<Vec<Place>>,
}

/// Preferences that cannot hold together: an item above itself, or relevant and not.
pub(super) struct Conflict(pub(super) usize);

impl Group {
    pub(super) fn new(mut sub_groups: Vec<Vec<Place>>) -> Self {
        for items in &mut sub_groups {
            items.sort_by(|a, b| b.level.total_cmp(&a.level).then(a.place.cmp(&b.place)));
        }
        Self { sub_groups }
    }

    /// Returns the items of the only sub-group; `None` where there are several, of which the preferences are partial.
    pub(super) fn complete(&self) -> Option<&[Place]> {
        match self.sub_groups.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Returns every item once, by place.
    pub(super) fn items(&self) -> Result<Vec<Place>, Conflict> {
        let mut items: Vec<Place> = self.sub_groups.iter().flatten().copied().collect();
        items.sort_by_key(|item| item.place);
        for (one, other) in items.iter().zip(items.iter().skip(1)) {
            let conflict = match self.complete() {
                Some(_) => one.level != other.level,
                None => (one.level > 0.0) != (other.level > 0.0),
            };
            if one.place == other.place && conflict {
                return Err(Conflict(one.place));
            }
        }
        // Of several sub-groups, the last one's level stands; only whether it is above 0 matters.
        items.dedup_by_key(|item| item.place);
        Ok(items)
    }

    /// Returns each preference as the places of the better and the worse item, those that follow from others included.
    pub(super) fn pairs(&self) -> Result<Vec<(usize, usize)>, Conflict> {
        let items = self.items()?;
        let number = |place: usize| items.binary_search_by_key(&place, |item| item.place).unwrap_or_default();
        let size = items.len();
        let mut above = vec![false; size * size];
        for sub_group in &self.sub_groups {
            for better in sub_group {
                for worse in sub_group.iter().filter(|worse| worse.level < better.level) {
                    if let Some(cell) = above.get_mut(number(better.place) * size + number(worse.place)) {
                        *cell = true;
                    }
                }
            }
        }
        if self.sub_groups.len() > 1 {
            close(&mut above, size);
        }
        let mut pairs = Vec::new();
        for (row, better) in above.chunks(size.max(1)).zip(&items) {
            for (worse, _) in items.iter().zip(row).filter(|(_, above)| **above) {
                if worse.place == better.place {
                    return Err(Conflict(better.place));
                }
                pairs.push((better.place, worse.place));
            }
        }
        Ok(pairs)
    }
}

/// Adds what follows: above what is above something is above it (Warshall 1962).
fn close(above: &mut [bool], size: usize) {
    let at = |above: &[bool], row: usize, column: usize| above.get(row * size + column).copied().unwrap_or(false);
    for middle in 0..size {
        for row in 0..size {
            if !at(above, row, middle) {
                continue;
            }
            for column in 0..size {
                if at(above, middle, column)
                    && let Some(cell) = above.get_mut(row * size + column)
                {
                    *cell = true;
                }
            }
        }
    }
}
