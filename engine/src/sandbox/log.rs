//! What guests say while they work: shown to people, never recorded.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use super::bindings::rematch::scoring::log::Level;
use super::limits::Sandboxed;

/// The interface by which a component logs.
pub(crate) const INTERFACE: &str = "rematch:scoring/log@0.1.0";

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// For whoever writes the component.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is wrong, though a score was found.
    Warn,
}

/// A message of a component.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LogMessage {
    /// How much it matters.
    pub level: LogLevel,
    /// The text as the component gave it, control characters included.
    pub text: String,
}

/// The first messages of one call, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    limit_bytes: u64,
    kept_bytes: u64,
    pub(crate) messages: Vec<LogMessage>,
    pub(crate) dropped_bytes: u64,
}

impl CallLog {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, ..Self::default() }
    }

    /// Keeps the message if it and all before it fit. A message weighs what the host keeps beside its text too, so that a
    /// flood of empty ones ends.
    fn push(&mut self, level: LogLevel, text: &str) {
        let weight = (text.len() + size_of::<LogMessage>()) as u64;
        if self.dropped_bytes > 0 || self.kept_bytes.saturating_add(weight) > self.limit_bytes {
            self.dropped_bytes = self.dropped_bytes.saturating_add(weight);
            return;
        }
        self.kept_bytes += weight;
        self.messages.push(LogMessage { level, text: text.to_owned() });
    }
}

/// Gives a component the function `log`.
pub(crate) fn link(linker: &mut Linker<Sandboxed>) -> Result<(), wasmtime::Error> {
    linker.instance(INTERFACE)?.func_wrap("log", |mut store, (level, message): (Level, WasmStr)| {
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
        };
        let text = message.to_str(&store)?.into_owned();
        store.data_mut().log.push(level, &text);
        charge(&mut store, text.len() as u64)
    })
}

/// Fuel for a call of the host, whatever it does.
const HOST_CALL_FUEL: u64 = 1_000;

/// Takes the fuel for work that the host does for a guest: some for the call and a unit per byte, so that a guest cannot
/// keep the host busy with little fuel of its own.
pub(crate) fn charge(store: &mut StoreContextMut<'_, Sandboxed>, bytes: u64) -> Result<(), wasmtime::Error> {
    let left = store.get_fuel()?;
    store.set_fuel(left.saturating_sub(bytes.saturating_add(HOST_CALL_FUEL)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_messages_are_kept_and_the_rest_is_counted() {
        let weight = size_of::<LogMessage>() as u64;
        let mut log = CallLog::new(10 + 2 * weight);
        for text in ["one", "three", "two", ""] {
            log.push(LogLevel::Info, text);
        }
        let texts: Vec<&str> = log.messages.iter().map(|message| message.text.as_str()).collect();
        assert_eq!((texts, log.dropped_bytes), (vec!["one", "three"], 3 + 2 * weight));
    }
}
