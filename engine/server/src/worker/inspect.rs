//! A look into a file that somebody brought.

use std::path::PathBuf;

use rematch_engine::load;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Failure;

/// A file to look into.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InspectOrder {
    /// Where it lies. Its name is part of what tells its format.
    pub path: PathBuf,
}

pub(super) fn inspect(order: &InspectOrder) -> Result<Value, Failure> {
    let folder = order.path.parent().map(|folder| format!("{}/", folder.display())).unwrap_or_default();
    let inspection = load::inspect(&order.path)
        .map_err(|error| Failure::new("unreadable_file", in_full(&error).replace(&folder, "")))?;
    let mut found = serde_json::to_value(&inspection).map_err(|error| Failure::new("internal", error))?;
    forget(&mut found, &folder);
    if let Value::Object(members) = &mut found {
        members.remove("path");
    }
    Ok(found)
}

/// Takes the folder out of all texts: examples of what is dirty say where they stand.
fn forget(found: &mut Value, folder: &str) {
    match found {
        Value::String(text) if !folder.is_empty() => *text = text.replace(folder, ""),
        Value::Array(items) => items.iter_mut().for_each(|item| forget(item, folder)),
        Value::Object(members) => members.values_mut().for_each(|member| forget(member, folder)),
        _ => {}
    }
}

/// Returns an error with its sources in one line.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let said = inner.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        source = inner.source();
    }
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(2000).collect()
}
