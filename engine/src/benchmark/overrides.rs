//! Overrides from the command line: `sessions.sample.count=200` replaces one value of the benchmark file.

use std::fmt;
use std::str::FromStr;

use toml::Value;

use super::diagnostic::{KeyPath, KeySegment};

/// One `key.path=value`; a segment that is a number indexes an array (`retriever.1.name=...`).
#[derive(Debug, Clone)]
pub(super) struct Override {
    written: String,
    keys: Vec<String>,
    value: Value,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let malformed =
            || format!("`--set {written}` is not of the form `key.path=value`, such as `sessions.sample.count=200`");
        let (keys, value) = written.split_once('=').ok_or_else(malformed)?;
        let keys: Vec<String> = keys.split('.').map(|key| key.trim().to_owned()).collect();
        if keys.iter().any(String::is_empty) {
            return Err(malformed());
        }
        Ok(Self { written: written.to_owned(), keys, value: value_of(value.trim()) })
    }
}

/// A value as TOML would read it; what is not valid TOML is text, so that `baseline=prod` needs no quotes.
fn value_of(text: &str) -> Value {
    let document = format!("value = {text}");
    let parsed = document.parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

impl Override {
    /// Puts the value into `tree`, making the tables on the way.
    pub(super) fn apply(&self, tree: &mut Value) -> Result<(), String> {
        let mut node = tree;
        for (position, key) in self.keys.iter().enumerate() {
            let here = || self.keys.get(..position).unwrap_or_default().join(".");
            node = match node {
                Value::Table(table) => table.entry(key.clone()).or_insert_with(|| Value::Table(toml::Table::new())),
                Value::Array(items) => {
                    let length = items.len();
                    key.parse().ok().and_then(|index: usize| items.get_mut(index)).ok_or_else(|| {
                        format!(
                            "`--set {self}`: `{}` has {length} elements, `{key}` is none of them (they count from 0)",
                            here()
                        )
                    })?
                }
                _ => return Err(format!("`--set {self}`: `{}` is a single value, it has no key `{key}`", here())),
            };
        }
        *node = self.value.clone();
        Ok(())
    }

    /// Returns whether the value at `keys` comes from this override.
    pub(super) fn touches(&self, keys: &KeyPath) -> bool {
        let matches = |(written, segment): (&String, &KeySegment)| match segment {
            KeySegment::Key(key) => written == key,
            KeySegment::Index(index) => *written == index.to_string(),
        };
        self.keys.iter().zip(&keys.0).all(matches)
    }
}

impl fmt::Display for Override {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}
