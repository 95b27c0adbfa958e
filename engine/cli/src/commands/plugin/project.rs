//! `rematch-plugin.toml`: what `plugin build` knows of a project.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use rematch_engine::benchmark::Diagnostic;
use serde::Deserialize;

use crate::exit::{Exit, Failure};
use crate::plugin_arguments::Language;

/// Name of the file that makes a folder a project.
pub(super) const PROJECT_FILE: &str = "rematch-plugin.toml";

/// Most characters of a plugin's name.
const MAX_NAME: usize = 64;

/// Names that would be a crate or a module of their language's own, or a word of its grammar.
const RESERVED: [&str; 66] = [
    "abstract", "alloc", "and", "as", "assert", "async", "await", "become", "box", "break", "builtin", "case", "class",
    "const", "continue", "core", "crate", "def", "default", "del", "do", "elif", "else", "enum", "except", "extern",
    "false", "final", "finally", "fn", "for", "from", "global", "if", "impl", "import", "in", "is", "json", "lambda",
    "let", "loop", "match", "math", "mod", "move", "mut", "none", "not", "or", "pass", "pub", "raise", "return",
    "self", "static", "std", "struct", "super", "test", "trait", "true", "try", "type", "while", "yield",
];

/// A project: a folder with a `rematch-plugin.toml`.
#[derive(Debug)]
pub(super) struct Project {
    /// The folder.
    pub(super) folder: PathBuf,
    /// What the file says.
    pub(super) file: ProjectFile,
}

/// The content of `rematch-plugin.toml`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ProjectFile {
    /// The plugin's name, by which its component is called.
    pub(super) name: String,
    /// The language that it is written in.
    pub(super) language: Language,
    /// The main file, relative to the project; each language has its usual one.
    #[serde(default)]
    pub(super) source: Option<PathBuf>,
    /// The folder of the SDK, relative to the project; `sdk` where it is not given.
    #[serde(default)]
    pub(super) sdk: Option<PathBuf>,
}

impl Project {
    /// Reads the project in `folder`.
    ///
    /// # Errors
    ///
    /// Returns an error when there is none, or its file is wrong.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(PROJECT_FILE);
        let text = std::fs::read_to_string(&path)
            .with_context(|| {
                let path = path.display();
                format!("cannot read `{path}`, the file of a plugin's project; `rematch plugin new` writes a project")
            })
            .map_err(|error| Failure::new(Exit::Input, error))?;
        let file: ProjectFile = toml::from_str(&text).map_err(|error| {
            Diagnostic::new(&path, Arc::from(text.as_str()), error.span(), error.message().trim_end().to_owned())
        })?;
        check_name(&file.name)
            .map_err(|reason| Failure::new(Exit::Usage, anyhow!("`{}`: {reason}", path.display())))?;
        Ok(Self { folder: folder.to_owned(), file })
    }

    /// Returns the component that `plugin build` writes where nothing else is said.
    pub(super) fn component(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.file.name))
    }

    /// Returns the folder of the SDK, relative to the project.
    pub(super) fn sdk(&self) -> &Path {
        self.file.sdk.as_deref().unwrap_or(Path::new("sdk"))
    }

    /// Returns the main file, relative to the project.
    ///
    /// # Errors
    ///
    /// Returns an error when it is not there.
    pub(super) fn source<'a>(&'a self, usual: &'a str) -> Result<&'a Path, Failure> {
        let source = self.file.source.as_deref().unwrap_or(Path::new(usual));
        let path = self.folder.join(source);
        if path.is_file() {
            return Ok(source);
        }
        let file = self.folder.join(PROJECT_FILE);
        let error = anyhow!(
            "the project has no main file `{}`; `source = \"...\"` in `{}` names it",
            path.display(),
            file.display()
        );
        Err(Failure::new(Exit::Input, error))
    }
}

/// Returns why `name` cannot be a plugin's name, which becomes the name of a crate, a module and files.
///
/// # Errors
///
/// Returns the reason and what is legal.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let part = |part: &str| !part.is_empty() && part.chars().all(|letter| matches!(letter, 'a'..='z' | '0'..='9'));
    let legal = name.starts_with(|letter: char| letter.is_ascii_lowercase()) && name.split('-').all(part);
    if !legal || name.len() > MAX_NAME {
        return Err(format!(
            "`{name}` cannot be the name of a plugin, expected lower-case letters, digits and single hyphens, a letter \
             first, at most {MAX_NAME} of them, such as `revenue-at-10`"
        ));
    }
    if RESERVED.contains(&name) {
        return Err(format!(
            "`{name}` cannot be the name of a plugin, it is a word of its language; `{name}-scorer` can"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Project, Failure> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(PROJECT_FILE), content).unwrap();
        Project::read(folder.path())
    }

    #[test]
    fn a_name_is_kebab_case_and_no_word_of_a_language() {
        for name in ["a", "revenue", "revenue-at-10", "x9"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "Revenue", "9x", "-a", "a-", "a--b", "a_b", "a b", "größe", "../x", "match", "test"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name(&"x".repeat(65)).is_err());
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn a_project_says_its_name_and_language_and_the_rest_has_defaults() {
        let project = read("name = \"revenue\"\nlanguage = \"js\"\n").unwrap();
        assert_eq!((project.file.language, project.sdk()), (Language::Js, Path::new("sdk")));
        assert!(project.component().ends_with("revenue.wasm"));
        assert!(project.source("scorer.js").is_err(), "there is no such file");
    }

    #[test]
    fn a_wrong_file_is_refused_where_it_is_wrong() {
        for content in [
            "name = \"revenue\"\n",
            "name = \"revenue\"\nlanguage = \"cobol\"\n",
            "name = \"revenue\"\nlanguage = \"c\"\nsauce = \"x.c\"\n",
            "name = \"../revenue\"\nlanguage = \"c\"\n",
        ] {
            let failure = read(content).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage, "{content}");
        }
    }
}
