//! A mistake in a benchmark file: what, where (file, line, column, snippet), and the fix.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A mistake in a benchmark file.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    path: PathBuf,
    text: Arc<str>,
    span: Option<Range<usize>>,
    message: String,
    help: Option<String>,
}

impl Diagnostic {
    /// Returns a mistake in the file `path` whose content is `text`; `span` is a byte range of it.
    #[must_use]
    pub fn new(path: &Path, text: Arc<str>, span: Option<Range<usize>>, message: String) -> Self {
        let span = span.map(|span| first_line_of(&text, span));
        Self { path: path.to_owned(), text, span, message, help: None }
    }

    /// Adds the fix, before what was said to help already.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        let help = help.into();
        self.help = Some(match self.help.take() {
            Some(known) => format!("{help}; {known}"),
            None => help,
        });
        self
    }

    /// Returns the mistake without anything that was written: neither the line, nor an override, nor its own words.
    pub(super) fn concealed(self, message: String) -> Self {
        Self { text: "".into(), span: None, message, help: None, ..self }
    }

    /// Returns what is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the fix, where there is one to name.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Returns the 1-based line and column (in characters), or `None` where the mistake has no place in the file.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        let before = self.text.get(..self.span.as_ref()?.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..)?.chars().count() + 1;
        Some((before.matches('\n').count() + 1, column))
    }

    /// Returns the mistake with its snippet, as compilers print it; `styled` adds terminal colours.
    #[must_use]
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let path = self.path.display().to_string();
        let mut group =
            Level::ERROR.primary_title(self.message.as_str()).elements(Vec::<annotate_snippets::Element<'_>>::new());
        if let Some(span) = &self.span {
            let snippet = Snippet::source(&*self.text).path(path.as_str());
            group = group.element(snippet.annotation(AnnotationKind::Primary.span(span.clone())));
        } else {
            group = group.element(annotate_snippets::Origin::path(path.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.path.display())?;
        if let Some((line, column)) = self.position() {
            write!(formatter, ":{line}:{column}")?;
        }
        write!(formatter, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(formatter, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// Clips a span to the text and to its first line, so that a missing key does not underline the whole file.
fn first_line_of(text: &str, span: Range<usize>) -> Range<usize> {
    let start = span.start.min(text.len());
    let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| start + newline);
    start..span.end.clamp(start, line_end.max(start))
}

/// A place in the benchmark file by its keys, such as `retriever[1].stages[0].corpus`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPath(pub(super) Vec<KeySegment>);

/// One step of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeySegment {
    Key(String),
    Index(usize),
}

impl KeyPath {
    /// Returns the path of the whole file.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Returns the path of `key` in the table at this path.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(KeySegment::Key(key.to_owned()))
    }

    /// Returns the path of the `index`th element (from 0) of the array at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(KeySegment::Index(index))
    }

    fn with(&self, segment: KeySegment) -> Self {
        let mut path = self.clone();
        path.0.push(segment);
        path
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                KeySegment::Key(key) if position == 0 => formatter.write_str(key)?,
                KeySegment::Key(key) => write!(formatter, ".{key}")?,
                KeySegment::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Returns the candidate that `word` most likely means, if any is close.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lowered = word.to_lowercase().replace('_', "-");
    let scored = candidates.into_iter().map(|known| (strsim::jaro_winkler(&lowered, &known.to_lowercase()), known));
    let best = scored.filter(|(similarity, _)| *similarity >= 0.8).max_by(|left, right| left.0.total_cmp(&right.0));
    best.map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic() -> Diagnostic {
        let text: Arc<str> = "name = \"ä\"\nbasline = 1\n".into();
        Diagnostic::new(Path::new("bench.toml"), text, Some(12..19), "unknown key `basline`".into())
            .with_help("did you mean `baseline`?")
    }

    #[test]
    fn a_mistake_names_file_line_and_column() {
        assert_eq!(diagnostic().to_string(), "bench.toml:2:1: unknown key `basline` (did you mean `baseline`?)");
    }

    #[test]
    fn a_rendered_mistake_shows_the_line_and_the_fix() {
        let rendered = diagnostic().render(false);
        assert!(rendered.contains("bench.toml:2:1"), "{rendered}");
        assert!(rendered.contains("basline = 1"), "{rendered}");
        assert!(rendered.contains("did you mean `baseline`?"), "{rendered}");
    }

    #[test]
    fn a_concealed_mistake_shows_nothing_that_was_written() {
        let concealed = diagnostic().concealed("`a`: a secret stands here".into()).with_help("name its variable");
        assert_eq!(concealed.to_string(), "bench.toml: `a`: a secret stands here (name its variable)");
        let rendered = concealed.render(false);
        assert!(rendered.contains("bench.toml") && !rendered.contains("basline"), "{rendered}");
    }

    #[test]
    fn a_far_word_gets_no_suggestion() {
        assert_eq!(did_you_mean("min_interactions", ["min-interactions", "where"]), Some("min-interactions"));
        assert_eq!(did_you_mean("zzz", ["baseline", "where"]), None);
    }
}
