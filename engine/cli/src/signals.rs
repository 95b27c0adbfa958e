//! What an interrupt does: the first one stops after the work in flight, the second at once.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The first signal; 0 where there was none.
static FIRST: AtomicI32 = AtomicI32::new(0);

/// What a shell adds to a signal's number.
const SIGNALLED: i32 = 128;

/// Sets `stop` at the first SIGINT or SIGTERM, and ends the process at the second.
///
/// # Errors
///
/// Returns an error when the system takes no handler.
pub(crate) fn stop_on_signal(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for signal in &mut signals {
            if FIRST.swap(signal, Ordering::SeqCst) != 0 {
                std::process::exit(SIGNALLED + signal);
            }
            stop.store(true, Ordering::SeqCst);
        }
    });
    Ok(())
}

/// Returns the exit code of a process that was asked to end: 130 for SIGINT, 143 for SIGTERM; `None` where it was not.
pub(crate) fn exit_code() -> Option<ExitCode> {
    let signal = FIRST.load(Ordering::SeqCst);
    u8::try_from(SIGNALLED + signal).ok().filter(|_| signal != 0).map(ExitCode::from)
}
