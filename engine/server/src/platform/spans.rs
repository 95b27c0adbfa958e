//! Spans of requests, sent by OTLP over HTTP to where the environment says: `OTEL_EXPORTER_OTLP_ENDPOINT`.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::layer::Layered;
use tracing_subscriber::{Layer, Registry};

/// The layer that writes the log.
type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// The layer that sends spans, on top of the log.
type Sender = OpenTelemetryLayer<Layered<Lines, Registry>, SdkTracer>;

/// What sends the spans; dropped, it sends what is left.
#[derive(Debug)]
pub(super) struct Spans(SdkTracerProvider);

impl Drop for Spans {
    fn drop(&mut self) {
        // Nobody is left to be told that the collector is gone.
        let _ = self.0.shutdown();
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
    Some((Spans(provider), layer))
}
