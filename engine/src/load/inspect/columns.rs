//! The fields of JSON objects that arrive one by one.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::model::InspectedColumn;

/// The fields met, by the first row that has them, then by name.
#[derive(Default)]
pub(super) struct JsonColumns {
    rows: u64,
    columns: Vec<(String, BTreeSet<&'static str>, u64)>,
    positions: HashMap<String, usize>,
}

impl JsonColumns {
    /// Takes one object into account.
    pub(super) fn note(&mut self, record: &Value) {
        self.rows += 1;
        for (name, value) in record.as_object().into_iter().flatten() {
            let position = match self.positions.get(name) {
                Some(position) => *position,
                None => {
                    self.positions.insert(name.clone(), self.columns.len());
                    self.columns.push((name.clone(), BTreeSet::new(), 0));
                    self.columns.len() - 1
                }
            };
            if let Some((_, kinds, present)) = self.columns.get_mut(position)
                && !value.is_null()
            {
                kinds.insert(kind(value));
                *present += 1;
            }
        }
    }

    /// Returns the columns.
    pub(super) fn finish(self) -> Vec<InspectedColumn> {
        let rows = self.rows;
        let column = |(name, kinds, present): (String, BTreeSet<&str>, u64)| {
            let kinds: Vec<&str> = kinds.into_iter().collect();
            let data_type = if kinds.is_empty() { "null".into() } else { kinds.join(" or ") };
            InspectedColumn { name, data_type, missing: Some(rows - present) }
        };
        self.columns.into_iter().map(column).collect()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
