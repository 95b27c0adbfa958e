//! The sandbox of every command that loads plugins: its cache, its compiler, and what becomes of their messages.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rematch_engine::sandbox::{Compiler, HostSettings, LogLevel, LogMessage, LogSink, PluginHost, SandboxError};

use crate::folders;
use crate::terminal::{tell, visible_within};

/// The hidden subcommand that compiles a component in a process of its own.
pub(crate) const COMPILE_COMMAND: &str = "compile-component";

/// Lines of a plugin that are shown; a component may log with every call.
const MAX_LINES: usize = 200;

/// Characters of a line that are shown.
const MAX_CHARACTERS: usize = 500;

/// Shows one line of talk, wherever this command shows talk.
pub(crate) type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// Returns the sandbox with the user's cache; messages of plugins go through `say`.
///
/// # Errors
///
/// Returns an error when there is no place for a cache, or this machine cannot run WebAssembly.
pub(crate) fn plugin_host(say: Option<Say>) -> Result<Arc<PluginHost>, SandboxError> {
    let hint = |reason: String| SandboxError::Host {
        reason: format!("{reason}; `{}` names another folder for compiled plugins", folders::CACHE),
    };
    let cache = folders::compiled_plugins().ok_or_else(|| hint("this user has no cache folder".to_owned()))?;
    plugin_host_with_cache(say, cache).map_err(|error| match error {
        SandboxError::Host { reason } => hint(reason),
        other => other,
    })
}

/// Returns the sandbox with that cache. The compiler is this very program, in a process of its own.
///
/// # Errors
///
/// As [`plugin_host`].
pub(crate) fn plugin_host_with_cache(say: Option<Say>, cache: PathBuf) -> Result<Arc<PluginHost>, SandboxError> {
    let compiler = compiler()?;
    let log = say.map(|say| -> LogSink {
        let lines = PluginLines { shown: Mutex::default(), say };
        Arc::new(move |name, message| lines.show(name, message))
    });
    let settings = HostSettings { cache: Some(cache), compiler: Some(compiler), log };
    Ok(Arc::new(PluginHost::new(settings)?))
}

/// Returns the compiler: this very program, in a process of its own.
///
/// # Errors
///
/// Returns an error when this program cannot find itself.
pub(crate) fn compiler() -> Result<Compiler, SandboxError> {
    let program = std::env::current_exe()
        .map_err(|error| SandboxError::Host { reason: format!("this program cannot find itself: {error}") })?;
    Ok(Compiler { program, arguments: vec![OsString::from(COMPILE_COMMAND)] })
}

/// Returns how a command without a progress bar shows talk.
pub(crate) fn on_stderr() -> Say {
    Arc::new(tell)
}

/// What plugins logged, line by line, up to a limit.
struct PluginLines {
    shown: Mutex<BTreeMap<String, usize>>,
    say: Say,
}

impl PluginLines {
    fn show(&self, name: &str, message: &LogMessage) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let count = shown.entry(name.to_owned()).or_default();
        for line in lines(message) {
            *count += 1;
            if *count <= MAX_LINES {
                (self.say)(&format!("plugin {}: {line}", visible_within(name, MAX_CHARACTERS)));
            } else if *count == MAX_LINES + 1 {
                (self.say)(&format!("plugin {}: further messages are not shown", visible_within(name, MAX_CHARACTERS)));
            }
        }
    }
}

/// Returns the lines of a message, safe for a terminal, with the level where it is not the usual one.
pub(crate) fn lines(message: &LogMessage) -> impl Iterator<Item = String> {
    let level = match message.level {
        LogLevel::Debug => "debug: ",
        LogLevel::Info => "",
        LogLevel::Warn => "warning: ",
    };
    message.text.lines().map(move |line| format!("{level}{}", visible_within(line, MAX_CHARACTERS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(messages: &[LogMessage]) -> Vec<String> {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let say: Say = Arc::new(move |line| heard.lock().unwrap().push(line.to_owned()));
        let lines = PluginLines { shown: Mutex::default(), say };
        messages.iter().for_each(|message| lines.show("revenue", message));
        drop(lines);
        Arc::try_unwrap(said).unwrap().into_inner().unwrap()
    }

    fn message(level: LogLevel, text: &str) -> LogMessage {
        LogMessage { level, text: text.to_owned() }
    }

    #[test]
    fn every_line_names_its_plugin_and_is_harmless() {
        let said = shown(&[message(LogLevel::Warn, "one\nerror: two"), message(LogLevel::Info, "\u{1b}[2Jthree")]);
        assert_eq!(
            said,
            ["plugin revenue: warning: one", "plugin revenue: warning: error: two", "plugin revenue: \\u{1b}[2Jthree"]
        );
    }

    #[test]
    fn a_flood_ends_with_a_word_about_it() {
        let said = shown(&vec![message(LogLevel::Info, &"x\n".repeat(50)); 10]);
        assert_eq!(said.len(), MAX_LINES + 1);
        assert_eq!(said.last().unwrap(), "plugin revenue: further messages are not shown");
    }
}
