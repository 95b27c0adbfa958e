//! Structured logs on stderr: one JSON object per line, or text for people. `RUST_LOG` sets what is told.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object.
    Json,
    /// Text for people.
    Text,
}

/// The log of this process; dropped, it sends what was not sent yet.
#[derive(Debug, Default)]
pub struct Log {
    #[cfg(feature = "opentelemetry")]
    _spans: Option<super::spans::Spans>,
}

/// Starts the log of this process, and tells panics in it. Called again, it does nothing.
#[must_use]
pub fn start(format: Format) -> Log {
    let filter = || EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Json => lines.json().with_span_list(false).with_filter(filter()).boxed(),
        Format::Text => lines.with_target(false).with_ansi(false).with_filter(filter()).boxed(),
    };
    #[cfg(feature = "opentelemetry")]
    let (log, started) = {
        let spans = super::spans::start();
        let (spans, layer) = spans.map_or((None, None), |(spans, layer)| (Some(spans), Some(layer)));
        (Log { _spans: spans }, tracing_subscriber::registry().with(lines).with(layer).try_init())
    };
    #[cfg(not(feature = "opentelemetry"))]
    let (log, started) = (Log {}, tracing_subscriber::registry().with(lines).try_init());
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a panic, which is a bug; please report it")));
    }
    log
}
