//! What the catalogue says of its items, by their keys.

use std::collections::{BTreeSet, HashMap};

use crate::benchmark::{ItemsPlan, ListsPlan};
use crate::load::LoadError;
use crate::load::documents::DocumentReader;
use crate::rows::item_key;

/// The items of a corpus: memory grows with it, by some hundred bytes an item.
#[derive(Default)]
pub(super) struct Catalogue {
    items: HashMap<u64, Item>,
    /// How many people know an item, all items together; `None` where no field says so.
    pub(super) people: Option<u64>,
    /// Whether items have labels.
    pub(super) labelled: bool,
}

/// One item.
#[derive(Default)]
pub(super) struct Item {
    /// Keys of its labels: the values of the fields, each with its field.
    pub(super) labels: BTreeSet<u64>,
    /// How many people know it; 0 where the field says nothing.
    pub(super) known_by: u64,
}

impl Catalogue {
    /// Reads the catalogue that a plan names; `None` where it names none.
    pub(super) fn read(plan: &ListsPlan) -> Result<Option<Self>, LoadError> {
        let Some((items, fields)) = read_of(plan) else { return Ok(None) };
        let mut found = Self { labelled: !items.fields.is_empty(), ..Self::default() };
        let mut people = 0_u64;
        for document in DocumentReader::open(&items.corpus, &fields)? {
            let document = document?;
            let labels = document.fields.iter().take(items.fields.len()).enumerate();
            let labels = labels.filter(|(_, value)| !value.trim().is_empty());
            let known_by = plan.popularity.as_ref().and_then(|_| document.fields.last()).map_or(0, |text| whole(text));
            people = people.saturating_add(known_by);
            let labels = labels.map(|(field, value)| item_key(&format!("{field} {value}"))).collect();
            found.items.insert(item_key(&document.id), Item { labels, known_by });
        }
        found.people = plan.popularity.as_ref().map(|_| people);
        Ok(Some(found))
    }

    /// Looks at the columns and the first item of the catalogue that a plan names, if it names one on this machine.
    pub(super) fn look(plan: &ListsPlan) -> Result<(), LoadError> {
        let Some((items, fields)) = read_of(plan) else { return Ok(()) };
        if items.corpus.is_behind_a_url() {
            return Ok(());
        }
        DocumentReader::open(&items.corpus, &fields)?.look()
    }

    /// Returns the number of items.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn get(&self, key: u64) -> Option<&Item> {
        self.items.get(&key)
    }
}

/// What a plan names as its catalogue, and the fields that are read of it.
fn read_of(plan: &ListsPlan) -> Option<(&ItemsPlan, Vec<String>)> {
    let items = plan.items.as_ref()?;
    Some((items, items.fields.iter().chain(&plan.popularity).cloned().collect()))
}

/// A whole number of people; 0 for what is none.
fn whole(text: &str) -> u64 {
    let text = text.trim();
    text.parse().or_else(|_| text.parse::<f64>().map(|number| number as u64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_whole_numbers_however_they_are_written() {
        let cases = [("12", 12), (" 7 ", 7), ("3.0", 3), ("1e3", 1000), ("", 0), ("many", 0), ("-4", 0), ("NaN", 0)];
        for (text, people) in cases {
            assert_eq!(whole(text), people, "{text}");
        }
    }
}
