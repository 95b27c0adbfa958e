//! What a corpus says of the items that plugins see.

use std::collections::HashMap;

use super::LoadError;
use super::documents::DocumentReader;
use crate::benchmark::ItemsPlan;

/// Some fields of every document of a corpus, by item id.
#[derive(Debug, Clone, Default)]
pub struct ItemFields {
    names: Vec<String>,
    documents: HashMap<String, Vec<String>>,
}

impl ItemFields {
    /// Reads the fields of a corpus into memory.
    ///
    /// # Errors
    ///
    /// Returns an error when the corpus cannot be read or has no such field.
    pub fn load(plan: &ItemsPlan) -> Result<Self, LoadError> {
        let mut documents = HashMap::new();
        for document in DocumentReader::open(&plan.corpus, &plan.fields)? {
            let document = document?;
            documents.insert(document.id, document.fields);
        }
        Ok(Self { names: plan.fields.clone(), documents })
    }

    /// Returns the fields of the documents given, each with one value per name.
    #[must_use]
    pub fn of(names: Vec<String>, documents: HashMap<String, Vec<String>>) -> Self {
        Self { names, documents }
    }

    /// Returns the fields' names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the value of the field at `index` of the names; empty where the item or its value is not known.
    #[must_use]
    pub fn value(&self, item_id: &str, index: usize) -> &str {
        self.documents.get(item_id).and_then(|values| values.get(index)).map_or("", String::as_str)
    }
}
