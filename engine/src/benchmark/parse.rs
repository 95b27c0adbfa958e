//! Reading a benchmark file: TOML or YAML into [`BenchmarkSpec`], mistakes into [`Diagnostic`]s with their place.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, DeserializeOwned};

use super::BenchmarkSpec;
use super::diagnostic::{Diagnostic, KeyPath, KeySegment, did_you_mean};
use super::overrides::Override;

/// A benchmark file's text, with the overrides that apply to it.
#[derive(Debug, Clone)]
pub struct SpecSource {
    path: PathBuf,
    /// Where relative paths lead from.
    folder: PathBuf,
    text: Arc<str>,
    syntax: Syntax,
    overrides: Vec<Override>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Toml,
    Yaml,
}

impl SpecSource {
    /// Reads the file; `.yaml`, `.yml` and `.json` are YAML, anything else is TOML. Each override is `key.path=value`.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic when the file cannot be read or an override is not of that form.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, Diagnostic> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Diagnostic::new(path, "".into(), None, format!("cannot read the benchmark file: {error}"))
                .with_help("`rematch init DIR` writes one to start from")
        })?;
        Self::of(path, &text, overrides)
    }

    /// Takes `text` as the content of `path`.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic when an override is not of the form `key.path=value`.
    pub fn of(path: &Path, text: &str, overrides: &[String]) -> Result<Self, Diagnostic> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        // JSON is YAML.
        let yaml = extension.is_some_and(|extension| matches!(extension.as_str(), "yaml" | "yml" | "json"));
        let syntax = if yaml { Syntax::Yaml } else { Syntax::Toml };
        let parsed: Result<Vec<Override>, String> = overrides.iter().map(|text| text.parse()).collect();
        let overrides = parsed.map_err(|message| Diagnostic::new(path, "".into(), None, message))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { path: path.to_owned(), folder, text: text.into(), syntax, overrides })
    }

    /// Returns the folder against which the file's relative paths are resolved.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Resolves relative paths against another folder than the file's own.
    pub(super) fn with_folder(self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self }
    }

    /// Parses the file.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic for the first mistake: bad syntax, an unknown key, a wrong type, a missing key.
    pub fn parse(&self) -> Result<BenchmarkSpec, Diagnostic> {
        let spec: BenchmarkSpec = match self.syntax {
            Syntax::Toml => self.parse_toml()?,
            Syntax::Yaml => self.parse_yaml()?,
        };
        if self.overrides.is_empty() { Ok(spec) } else { self.parse_overridden() }
    }

    fn parse_toml<T: DeserializeOwned>(&self) -> Result<T, Diagnostic> {
        toml::from_str(&self.text).map_err(|error| self.mistake(error.span(), error.message()))
    }

    fn parse_yaml<T: DeserializeOwned>(&self) -> Result<T, Diagnostic> {
        serde_saphyr::from_str(&self.text).map_err(|error| {
            let error = error.without_snippet();
            let span = error.location().map(|location| self.span_at(location.line(), location.column()));
            self.mistake(span, &plain_yaml_message(&error.to_string()))
        })
    }

    /// The file as a tree of values with the overrides put in; mistakes can then only lie in the overrides.
    fn parse_overridden(&self) -> Result<BenchmarkSpec, Diagnostic> {
        let mut tree: toml::Value = match self.syntax {
            Syntax::Toml => self.parse_toml()?,
            Syntax::Yaml => self.parse_yaml()?,
        };
        for item in &self.overrides {
            item.apply(&mut tree).map_err(|message| Diagnostic::new(&self.path, self.text.clone(), None, message))?;
        }
        let spec = BenchmarkSpec::deserialize(tree);
        spec.map_err(|error| {
            let given: Vec<String> = self.overrides.iter().map(|item| format!("`--set {item}`")).collect();
            self.mistake(None, error.message()).with_help(format!("with {}", given.join(", ")))
        })
    }

    /// Returns a diagnostic for a mistake that the parser cannot see, at the value of `keys`.
    #[must_use]
    pub fn mistake_at(&self, keys: &KeyPath, message: String) -> Diagnostic {
        let overridden = self.overrides.iter().find(|item| item.touches(keys));
        match overridden {
            Some(item) => Diagnostic::new(&self.path, self.text.clone(), None, format!("{keys}: {message}"))
                .with_help(format!("with `--set {item}`")),
            None => Diagnostic::new(&self.path, self.text.clone(), self.locate(keys), message),
        }
    }

    fn mistake(&self, span: Option<Range<usize>>, message: &str) -> Diagnostic {
        let help = suggestion(message);
        let message = message
            .trim_end()
            .replace("unknown field", "unknown key")
            .replace("missing field", "missing key")
            .replace("a nonzero usize", "a whole number of at least 1")
            .replace("a nonzero u64", "a whole number of at least 1");
        let diagnostic = Diagnostic::new(&self.path, self.text.clone(), span, message);
        match help {
            Some(known) => diagnostic.with_help(format!("did you mean `{known}`?")),
            None => diagnostic,
        }
    }

    fn locate(&self, keys: &KeyPath) -> Option<Range<usize>> {
        match self.syntax {
            Syntax::Toml => locate_toml(&self.text, keys),
            Syntax::Yaml => {
                let root: serde_saphyr::Spanned<YamlNode> = serde_saphyr::from_str(&self.text).ok()?;
                let location = locate_yaml(&root, keys);
                Some(self.span_at(location.line(), location.column()))
            }
        }
    }

    /// The span from a 1-based line and column (in characters) to the end of the word there.
    fn span_at(&self, line: u64, column: u64) -> Range<usize> {
        let line_index = usize::try_from(line.saturating_sub(1)).unwrap_or(0);
        let skip = usize::try_from(column.saturating_sub(1)).unwrap_or(0);
        let line_start: usize = self.text.split_inclusive('\n').take(line_index).map(str::len).sum();
        let rest = self.text.get(line_start..).unwrap_or("");
        let start = line_start + rest.chars().take(skip).map(char::len_utf8).sum::<usize>();
        let word = self.text.get(start..).unwrap_or("");
        let length = word.find([':', ',', '\n', ' ', '}', ']']).unwrap_or(word.len()).max(1);
        start..start + length
    }
}

/// Returns the JSON Schema of the benchmark file, generated from its types.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(BenchmarkSpec).to_value()
}

/// serde says "unknown field `x`, expected one of `a`, `b`" (the YAML reader without the inner quotes): picks the nearest
/// of what was expected.
fn suggestion(message: &str) -> Option<String> {
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return None;
    }
    let written = message.split('`').nth(1)?;
    let (_, expected) = message.split_once("expected ")?;
    let expected = expected.trim_start_matches("one of ").split([',', '`', ' ', '\n']).filter(|word| !word.is_empty());
    did_you_mean(written, expected).map(str::to_owned)
}

/// The YAML reader appends " at line 3, column 4"; the diagnostic has the place already.
fn plain_yaml_message(message: &str) -> String {
    let head = message.split(" at line ").next().unwrap_or(message);
    head.trim_start_matches("error: ").trim_end_matches(':').to_owned()
}

fn locate_toml(text: &str, keys: &KeyPath) -> Option<Range<usize>> {
    let root = toml::de::DeTable::parse(text).ok()?;
    let mut table = Some(root.get_ref());
    let mut value: Option<&toml::Spanned<toml::de::DeValue<'_>>> = None;
    let mut span = None;
    for segment in &keys.0 {
        let next = match segment {
            KeySegment::Key(key) => {
                table.or_else(|| value?.get_ref().as_table()).and_then(|table| table.get(key.as_str()))
            }
            KeySegment::Index(index) => value.and_then(|value| value.get_ref().as_array()?.get(*index)),
        };
        table = None;
        let Some(found) = next else { break };
        span = Some(found.span());
        value = Some(found);
    }
    span
}

/// The shape of a YAML document with every node's place.
enum YamlNode {
    Map(Vec<(String, serde_saphyr::Spanned<YamlNode>)>),
    Sequence(Vec<serde_saphyr::Spanned<YamlNode>>),
    Scalar,
}

fn locate_yaml(root: &serde_saphyr::Spanned<YamlNode>, keys: &KeyPath) -> serde_saphyr::Location {
    let mut node = root;
    for segment in &keys.0 {
        let next = match (segment, &node.value) {
            (KeySegment::Key(key), YamlNode::Map(entries)) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
            }
            (KeySegment::Index(index), YamlNode::Sequence(items)) => items.get(*index),
            _ => None,
        };
        let Some(found) = next else { break };
        node = found;
    }
    node.referenced
}

impl<'de> Deserialize<'de> for YamlNode {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;
        impl<'de> de::Visitor<'de> for NodeVisitor {
            type Value = YamlNode;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("any YAML value")
            }
            fn visit_bool<E>(self, _: bool) -> Result<YamlNode, E> {
                Ok(YamlNode::Scalar)
            }
            fn visit_i64<E>(self, _: i64) -> Result<YamlNode, E> {
                Ok(YamlNode::Scalar)
            }
            fn visit_u64<E>(self, _: u64) -> Result<YamlNode, E> {
                Ok(YamlNode::Scalar)
            }
            fn visit_f64<E>(self, _: f64) -> Result<YamlNode, E> {
                Ok(YamlNode::Scalar)
            }
            fn visit_str<E>(self, _: &str) -> Result<YamlNode, E> {
                Ok(YamlNode::Scalar)
            }
            fn visit_unit<E>(self) -> Result<YamlNode, E> {
                Ok(YamlNode::Scalar)
            }
            fn visit_none<E>(self) -> Result<YamlNode, E> {
                Ok(YamlNode::Scalar)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<YamlNode, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(YamlNode::Sequence(items))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<YamlNode, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(YamlNode::Map(entries))
            }
        }
        deserializer.deserialize_any(NodeVisitor)
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
