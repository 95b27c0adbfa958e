//! A component by its name and version, as registries list it: `half-life-utility@0.1.0`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use semver::Version;

/// Most characters of a component's name in a registry.
const MAX_NAME: usize = 64;

/// Folder of the components that were fetched from a registry, beside the benchmark file.
const FOLDER: &str = "components";

/// A component by its name and version. Both are safe as parts of a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PluginReference {
    name: String,
    version: Version,
}

/// Why a text is no name of a component, with or without a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PluginReferenceError {
    /// There is no `@`.
    #[error("`{found}` has no version, expected `NAME@VERSION` such as `revenue@1.2.0`")]
    NoVersion {
        /// What was found.
        found: String,
    },
    /// The part before the `@` is no name.
    #[error(
        "`{found}` is not the name of a component, expected at most {MAX_NAME} lower-case letters, digits and `-_.`, \
         with a letter or a digit first"
    )]
    Name {
        /// What was found.
        found: String,
    },
    /// The part after the `@` is no version.
    #[error("`{found}` is not a version, expected three numbers such as `1.2.0`: {reason}")]
    Version {
        /// What was found.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl PluginReference {
    /// Returns the reference to a version of the component `name`.
    ///
    /// # Errors
    ///
    /// Returns an error when `name` is not legal.
    pub fn new(name: &str, version: Version) -> Result<Self, PluginReferenceError> {
        Ok(Self { name: Self::checked_name(name)?.to_owned(), version })
    }

    /// Returns `name` where it is legal: lower-case letters, digits and `-_.`, with a letter or a digit first.
    ///
    /// # Errors
    ///
    /// Returns an error when it is not.
    pub fn checked_name(name: &str) -> Result<&str, PluginReferenceError> {
        let legal = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_.".contains(letter);
        let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
        if begins && name.len() <= MAX_NAME && name.chars().all(legal) {
            return Ok(name);
        }
        Err(PluginReferenceError::Name { found: name.to_owned() })
    }

    /// Returns the version that `text` spells.
    ///
    /// # Errors
    ///
    /// Returns an error when it spells none.
    pub fn checked_version(text: &str) -> Result<Version, PluginReferenceError> {
        Version::parse(text)
            .map_err(|error| PluginReferenceError::Version { found: text.to_owned(), reason: error.to_string() })
    }

    /// Returns whether the `plugin` of a benchmark is meant as a reference, legal or not, and not as a path.
    #[must_use]
    pub fn is_meant_by(text: &str) -> bool {
        text.contains('@') && !text.contains(['/', '\\']) && !text.ends_with(".wasm")
    }

    /// Returns the component's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the component's version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Returns the name of the component's file.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{self}.wasm")
    }

    /// Returns where a benchmark file in `folder` finds the component.
    #[must_use]
    pub fn path_beside(&self, folder: &Path) -> PathBuf {
        folder.join(FOLDER).join(self.file_name())
    }
}

impl fmt::Display for PluginReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.name, self.version)
    }
}

impl FromStr for PluginReference {
    type Err = PluginReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('@');
        let (name, version) = parts.ok_or_else(|| PluginReferenceError::NoVersion { found: text.to_owned() })?;
        Self::new(name, Self::checked_version(version)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_name_and_a_version_and_prints_as_it_was_written() {
        let reference: PluginReference = "half-life.v2@1.2.0-rc.1".parse().unwrap();
        assert_eq!((reference.name(), reference.version().minor), ("half-life.v2", 2));
        assert_eq!(reference.to_string(), "half-life.v2@1.2.0-rc.1");
        let path = reference.path_beside(Path::new("bench"));
        assert_eq!(path, Path::new("bench/components/half-life.v2@1.2.0-rc.1.wasm"));
    }

    #[test]
    fn what_could_leave_the_folder_or_is_no_version_is_refused() {
        for text in ["../x@1.0.0", "a/b@1.0.0", ".x@1.0.0", "@1.0.0", "X@1.0.0", "x y@1.0.0"] {
            let error = text.parse::<PluginReference>().unwrap_err();
            assert!(matches!(error, PluginReferenceError::Name { .. }), "{text}: {error}");
        }
        for text in ["x@", "x@1", "x@1.0", "x@1.0.0/../y", "x@latest", "x@01.0.0"] {
            let error = text.parse::<PluginReference>().unwrap_err();
            assert!(matches!(error, PluginReferenceError::Version { .. }), "{text}: {error}");
        }
        assert!(matches!("x".parse::<PluginReference>(), Err(PluginReferenceError::NoVersion { .. })));
    }

    #[test]
    fn versions_are_ordered_as_numbers_and_releases_come_after_their_candidates() {
        let versions = ["1.2.0-rc.1", "1.2.0", "1.10.0", "2.0.0"];
        let references: Vec<PluginReference> = versions.iter().map(|v| format!("x@{v}").parse().unwrap()).collect();
        assert!(references.is_sorted(), "{references:?}");
    }

    #[test]
    fn a_path_is_not_meant_as_a_reference() {
        for path in ["x.wasm", "a/x@1.0.0", "x@1.0.0.wasm", "x"] {
            assert!(!PluginReference::is_meant_by(path), "{path}");
        }
        assert!(PluginReference::is_meant_by("x@1.0"));
    }
}
