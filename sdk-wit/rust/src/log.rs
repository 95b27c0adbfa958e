//! Messages for whoever writes or runs the component.

use crate::Level;

/// Shows a message. The host keeps the first messages of a call up to a limit; in native tests they go to standard error.
#[cfg(target_arch = "wasm32")]
pub fn log(level: Level, message: &str) {
    crate::bindings::rematch::scoring::log::log(level, message);
}

/// Shows a message. The host keeps the first messages of a call up to a limit; in native tests they go to standard error.
#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::print_stderr, reason = "this is where native tests show messages")]
pub fn log(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}

/// Has panics logged: all that a trap tells otherwise is where it happened.
pub(crate) fn report_panics() {
    #[cfg(all(target_arch = "wasm32", feature = "log-panics"))]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| log(Level::Warn, &panic.to_string()))));
    }
}
