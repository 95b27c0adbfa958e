//! A program of somebody else: is it here, which version is it, and what does it say when it is called.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow};
use semver::Version;

use super::Workplace;
use crate::exit::{Exit, Failure};
use crate::plugin_arguments::Language;
use crate::terminal::tell;

/// A program that can be called, not yet known to be there.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    place: String,
}

/// A tool that was found, with its version.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) tool: Tool,
    pub(super) version: Version,
}

/// Which tool a language needs.
pub(super) struct Wanted {
    pub(super) language: Language,
    /// Tool and versions in words, such as `componentize-py 0.25`.
    pub(super) what: &'static str,
    pub(super) suits: fn(&Version) -> bool,
    /// How to get it without `plugin setup`.
    pub(super) otherwise: &'static str,
}

impl Tool {
    /// Returns the program `program`, which is looked for on `PATH` where it is a bare name.
    pub(super) fn new(name: &'static str, program: impl Into<PathBuf>, place: impl Into<String>) -> Self {
        let (program, place) = (program.into(), place.into());
        Self { name, program, arguments: Vec::new(), environment: Vec::new(), place }
    }

    /// Adds arguments that go before all others.
    pub(super) fn with<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable for the tool.
    pub(super) fn environment(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Returns a call of the tool without further arguments.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Returns what the tool prints on stdout, or `None` where it is not there or fails.
    pub(super) fn says(&self, arguments: &[&str], folder: &Path) -> Option<String> {
        let output = self.command().args(arguments).current_dir(folder).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Returns the tool with the version that it names when it is asked by `arguments`; `None` where it is not there.
    pub(super) fn found(self, arguments: &[&str]) -> Option<Found> {
        let said = self.says(arguments, Path::new("."))?;
        let version = said.split_whitespace().find_map(|word| Version::parse(word.trim_start_matches('v')).ok())?;
        Some(Found { tool: self, version })
    }
}

impl Found {
    /// Returns the tool and its version, such as `zig 0.17.0`.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.tool.name, self.version)
    }

    /// Returns a call of the tool without further arguments.
    pub(super) fn command(&self) -> Command {
        self.tool.command()
    }
}

/// Returns the first of `candidates` that suits.
///
/// # Errors
///
/// Returns an error that says what was looked for, what was found instead, and how to get it.
pub(super) fn first_suitable(
    candidates: impl IntoIterator<Item = Option<Found>>,
    wanted: &Wanted,
    workplace: &Workplace<'_>,
) -> Result<Found, Failure> {
    let mut unsuitable = Vec::new();
    for found in candidates.into_iter().flatten() {
        if (wanted.suits)(&found.version) {
            if workplace.verbose {
                say(&format!("using {} ({})", found.title(), found.tool.place));
            }
            return Ok(found);
        }
        unsuitable.push(format!("{} ({})", found.title(), found.tool.place));
    }
    let language = wanted.language.name();
    let instead =
        if unsuitable.is_empty() { String::new() } else { format!(" (there is {})", unsuitable.join(" and ")) };
    Err(missing(&format!(
        "no toolchain for {language}: {} is neither on PATH nor in `{}`{instead}; `rematch plugin setup {language}` \
         installs it, or {}",
        wanted.what,
        workplace.toolchains.join(language).display(),
        wanted.otherwise
    )))
}

/// Returns the error of a toolchain that is missing.
pub(super) fn missing(message: &str) -> Failure {
    Failure::new(Exit::Usage, anyhow!("{message}"))
}

/// Calls a compiler and waits for it. What it says on stderr is shown as it comes; what it says on stdout only where it
/// fails or everything is to be said, since some compilers report their success at length.
///
/// # Errors
///
/// Returns an error when it cannot be started or fails.
pub(super) fn run(command: &mut Command, workplace: &Workplace<'_>) -> Result<(), Failure> {
    if workplace.verbose {
        say(&shown(command));
    }
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| cannot_start(command))?;
    if workplace.verbose || !output.status.success() {
        say(String::from_utf8_lossy(&output.stdout).trim_end());
    }
    if output.status.success() { Ok(()) } else { Err(failed(command, output.status)) }
}

/// Calls a compiler and returns its stdout; the rest is as [`run`].
///
/// # Errors
///
/// As [`run`].
pub(super) fn capture(command: &mut Command, workplace: &Workplace<'_>) -> Result<Vec<u8>, Failure> {
    if workplace.verbose {
        say(&shown(command));
    }
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| cannot_start(command))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    say(String::from_utf8_lossy(&output.stdout).trim_end());
    Err(failed(command, output.status))
}

/// Reads what a compiler wrote.
///
/// # Errors
///
/// Returns an error when it is not there.
pub(super) fn output(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = std::fs::read(path).with_context(|| format!("the compiler wrote no `{}`", path.display()));
    read.map_err(|error| Failure::new(Exit::Plugin, error))
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", command.get_program().to_string_lossy())
}

fn failed(command: &Command, status: std::process::ExitStatus) -> Failure {
    let program = command.get_program().to_string_lossy().into_owned();
    Failure::new(Exit::Plugin, anyhow!("`{program}` failed ({status}); its output stands above"))
}

/// Returns a call as it could be typed, without the variables that it inherits.
fn shown(command: &Command) -> String {
    let quoted = |word: &OsStr| {
        let word = word.to_string_lossy();
        if word.contains(char::is_whitespace) || word.is_empty() { format!("{word:?}") } else { word.into_owned() }
    };
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={}", name.to_string_lossy(), quoted(value?).replace('\u{1f}', " ")))
    });
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted);
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

/// Says something on stderr.
pub(super) fn say(text: &str) {
    if !text.is_empty() {
        tell(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(version: &str) -> Option<Found> {
        Some(Found { tool: Tool::new("zig", "zig", "on PATH"), version: Version::parse(version).unwrap() })
    }

    fn look(candidates: Vec<Option<Found>>) -> Result<Found, Failure> {
        let wanted = Wanted {
            language: Language::C,
            what: "zig 0.14 or later",
            suits: |version| version.minor >= 14,
            otherwise: "install zig",
        };
        let workplace = Workplace { toolchains: Path::new("chains"), scratch: Path::new("."), verbose: false };
        first_suitable(candidates, &wanted, &workplace)
    }

    #[test]
    fn the_first_tool_of_a_suitable_version_is_taken() {
        let tool = look(vec![None, found("0.9.1"), found("0.15.0"), found("0.17.0")]).unwrap();
        assert_eq!(tool.title(), "zig 0.15.0");
    }

    #[test]
    fn a_missing_tool_is_named_with_what_is_there_and_how_to_get_it() {
        let failure = look(vec![None, found("0.9.1")]).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert_eq!(
            failure.to_string(),
            "no toolchain for c: zig 0.14 or later is neither on PATH nor in `chains/c` (there is zig 0.9.1 (on PATH)); \
             `rematch plugin setup c` installs it, or install zig"
        );
    }

    #[test]
    fn a_program_that_is_not_there_or_names_no_version_is_not_found() {
        assert!(Tool::new("x", "/nowhere/x", "there").found(&["--version"]).is_none());
        assert!(Tool::new("echo", "echo", "on PATH").found(&["hello"]).is_none());
        let found = Tool::new("echo", "echo", "on PATH").with(["tool"]).found(&["v1.2.3"]).unwrap();
        assert_eq!(found.version, Version::new(1, 2, 3));
    }
}
