//! Failures that somebody accepted until a day: `acknowledgements.toml`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use serde::Deserialize;

use crate::benchmark::Diagnostic;

/// One failure that is accepted for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The gate's metric.
    pub metric: String,
    /// The gate's taxonomy node; `None` for a gate on all sessions.
    pub node: Option<String>,
    /// The candidate.
    pub candidate: String,
    /// Why it is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds.
    pub expires: Date,
}

/// The content of a file of acknowledgements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acknowledgements {
    /// The file; `None` where there is none.
    pub path: Option<PathBuf>,
    /// Its entries, in order.
    pub entries: Vec<Acknowledgement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAsWritten {
    #[serde(default)]
    acknowledgement: Vec<EntryAsWritten>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct EntryAsWritten {
    metric: toml::Spanned<String>,
    #[serde(default)]
    node: Option<toml::Spanned<String>>,
    candidate: toml::Spanned<String>,
    reason: toml::Spanned<String>,
    owner: toml::Spanned<String>,
    expires: toml::Spanned<toml::Value>,
}

impl Acknowledgements {
    /// Reads a file; one that is not there holds none.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic for the first mistake, or when the file cannot be read.
    pub fn read_if_there(path: &Path) -> Result<Self, Diagnostic> {
        match path.try_exists() {
            Ok(false) => Ok(Self::default()),
            Ok(true) if path.as_os_str().is_empty() => Ok(Self::default()),
            _ => Self::read(path),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic for the first mistake, or when the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::of(path, &text),
            Err(error) => Err(Diagnostic::new(path, "".into(), None, format!("cannot read the file: {error}"))),
        }
    }

    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic for the first mistake: bad syntax, an unknown or missing key, an empty text, or a day that is none.
    pub fn of(path: &Path, text: &str) -> Result<Self, Diagnostic> {
        let shared: Arc<str> = text.into();
        let mistake =
            |span: Option<Range<usize>>, message: String| Diagnostic::new(path, Arc::clone(&shared), span, message);
        let file: FileAsWritten = toml::from_str(text).map_err(|error| {
            let message = error.message().trim_end();
            let message = message.replace("unknown field", "unknown key").replace("missing field", "missing key");
            mistake(error.span(), message)
        })?;
        let entries: Result<Vec<_>, Diagnostic> =
            file.acknowledgement.into_iter().map(|entry| entry.checked(&mistake)).collect();
        Ok(Self { path: Some(path.to_owned()), entries: entries? })
    }
}

impl EntryAsWritten {
    fn checked(
        self,
        mistake: &dyn Fn(Option<Range<usize>>, String) -> Diagnostic,
    ) -> Result<Acknowledgement, Diagnostic> {
        let filled = |text: toml::Spanned<String>, key: &str| {
            let span = text.span();
            let text = text.into_inner();
            if text.trim().is_empty() {
                return Err(mistake(Some(span), format!("`{key}` is empty")));
            }
            Ok(text)
        };
        let span = self.expires.span();
        let written = match self.expires.into_inner() {
            toml::Value::String(text) => text,
            toml::Value::Datetime(day) => day.to_string(),
            other => other.to_string(),
        };
        let expires = written.parse::<Date>().ok().filter(|day| day.to_string() == written);
        let expires = expires.ok_or_else(|| {
            mistake(Some(span), format!("`{written}` is not a day, expected one such as `2026-12-31`"))
        })?;
        let node = self.node.map(|node| filled(node, "node")).transpose()?;
        let segments =
            |node: String| node.split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join("/");
        Ok(Acknowledgement {
            metric: filled(self.metric, "metric")?,
            node: node.map(segments),
            candidate: filled(self.candidate, "candidate")?,
            reason: filled(self.reason, "reason")?,
            owner: filled(self.owner, "owner")?,
            expires,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "[[acknowledgement]]\nmetric = \"nDCG@10\"\ncandidate = \"new\"\nreason = \"a new catalogue\"\n\
                         owner = \"search team\"\nexpires = 2026-12-31\n";

    fn read(text: &str) -> Result<Acknowledgements, String> {
        Acknowledgements::of(Path::new("acknowledgements.toml"), text).map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn a_day_is_written_as_a_date_or_as_text() {
        for text in [ENTRY.to_owned(), ENTRY.replace("2026-12-31", "\"2026-12-31\"")] {
            let read = read(&text).expect("entries");
            assert_eq!(read.entries[0].expires, Date::constant(2026, 12, 31));
            assert_eq!((read.entries[0].owner.as_str(), &read.entries[0].node), ("search team", &None));
        }
        assert_eq!(read("").expect("none").entries, []);
    }

    #[test]
    fn mistakes_name_place_and_fix() {
        for (from, to, fragments) in [
            ("2026-12-31", "\"soon\"", ["acknowledgements.toml:6:", "`soon` is not a day"]),
            ("2026-12-31", "2026-12-31T00:00:00Z", [":6:", "expected one such as `2026-12-31`"]),
            ("2026-12-31", "\"2026-02-30\"", [":6:", "is not a day"]),
            ("2026-12-31", "7", [":6:", "`7` is not a day"]),
            ("owner = \"search team\"\n", "", ["missing key `owner`", ""]),
            ("search team", " ", [":5:", "`owner` is empty"]),
            ("reason", "raeson", [":4:", "unknown key `raeson`"]),
            ("\"new\"", "3", [":3:", "expected a string"]),
        ] {
            let found = read(&ENTRY.replacen(from, to, 1)).expect_err("a mistake");
            assert!(fragments.iter().all(|fragment| found.contains(fragment)), "{to}: {found}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_holds_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("acknowledgements.toml");
        assert_eq!(Acknowledgements::read_if_there(&path).expect("none"), Acknowledgements::default());
        assert!(Acknowledgements::read(&path).is_err());
        assert_eq!(Acknowledgements::read_if_there(Path::new("")).expect("none"), Acknowledgements::default());
        assert!(Acknowledgements::read_if_there(folder.path()).is_err(), "a folder is no file");
    }
}
