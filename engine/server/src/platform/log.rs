//! Structured logs: one JSON object per line on stderr. `RUST_LOG` sets what is told.

use tracing_subscriber::EnvFilter;

/// Starts the log of this process. Called again, it does nothing.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
