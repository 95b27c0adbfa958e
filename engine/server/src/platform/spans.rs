//! Spans of requests, jobs and their stages, sent by OTLP over HTTP to where the environment says:
//! `OTEL_EXPORTER_OTLP_ENDPOINT`. Nothing but spans of ours is sent: no lines of the log, and nothing that a worker said but the
//! names of its stages.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Filter, Layered};
use tracing_subscriber::{Layer, Registry};

/// The layer that writes the log.
type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// What is below the layer that sends spans.
type Below = Layered<Lines, Registry>;

/// The layer that sends spans, on top of the log.
type Sender = Box<dyn Layer<Below> + Send + Sync>;

/// What sends the spans; dropped, it sends what is left.
#[derive(Debug)]
pub(super) struct Spans(SdkTracerProvider);

impl Drop for Spans {
    fn drop(&mut self) {
        // Nobody is left to be told that the collector is gone.
        let _ = self.0.shutdown();
    }
}

/// Lets our spans through: libraries have some too, one for each frame of HTTP/2.
struct Ours;

impl Filter<Below> for Ours {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: &tracing_subscriber::layer::Context<'_, Below>) -> bool {
        metadata.is_span() && metadata.target().starts_with("rematch")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

/// Starts to send spans, where an endpoint is set.
pub(super) fn start() -> Option<(Spans, Sender)> {
    let endpoints = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    if endpoints.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty())) {
        return None;
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build().ok()?;
    let resource = Resource::builder().with_service_name("rematch").build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("rematch"));
    Some((Spans(provider), layer.with_filter(Ours).boxed()))
}
