//! Logs go to standard error or to a file, as lines for people or as JSON; traces, where a build has them, to a collector.

use crate::config::Log;
use anyhow::Context;
use std::io::IsTerminal;
use std::sync::Mutex;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

/// Sends what waits to the collector when it goes.
pub(super) struct Logging {
    #[cfg(feature = "otel")]
    _traces: Option<traces::Traces>,
}

/// Starts logging; `default` is what is logged when `RUST_LOG` is not set.
///
/// # Errors
/// When the file of `LOG_FILE` cannot be written, or traces cannot be sent.
pub(super) fn start(log: &Log, default: &str) -> anyhow::Result<Logging> {
    // These log bodies; those may be anybody's data.
    const QUIET: &str = "async_openai=off,slack_morphism=info";
    let directives = format!("{},{QUIET}", log.filter.as_deref().unwrap_or(default));
    let filter = EnvFilter::try_new(&directives).unwrap_or_else(|_| EnvFilter::new(format!("info,{QUIET}")));
    let (writer, colours) = match &log.file {
        None => (BoxMakeWriter::new(std::io::stderr), std::io::stderr().is_terminal()),
        Some(path) => {
            let file = std::fs::File::options().append(true).create(true).open(path);
            let file = file.with_context(|| format!("LOG_FILE: {} cannot be written", path.display()))?;
            (BoxMakeWriter::new(Mutex::new(file)), false)
        }
    };
    let lines = fmt::layer().with_writer(writer).with_ansi(colours);
    let lines = if log.json { lines.json().boxed() } else { lines.boxed() };
    let subscriber = registry().with(lines.with_filter(filter));
    #[cfg(feature = "otel")]
    let (subscriber, traces) = {
        let traces = log.traces.as_ref().map(traces::Traces::start).transpose()?;
        (subscriber.with(traces.as_ref().map(traces::Traces::layer)), traces)
    };
    subscriber.try_init().map_err(|error| anyhow::anyhow!("logging is not available: {error}"))?;
    Ok(Logging {
        #[cfg(feature = "otel")]
        _traces: traces,
    })
}

/// Traces over OTLP, protobuf over HTTP.
#[cfg(feature = "otel")]
mod traces {
    use anyhow::Context;
    use opentelemetry::KeyValue;
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_otlp::{SpanExporter, WithExportConfig};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::Subscriber;
    use tracing::level_filters::LevelFilter;
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::layer::Layer;
    use tracing_subscriber::registry::LookupSpan;
    use url::Url;

    pub(super) struct Traces(SdkTracerProvider);

    impl Traces {
        pub fn start(collector: &Url) -> anyhow::Result<Self> {
            let url = format!("{}/v1/traces", collector.as_str().trim_end_matches('/'));
            let exporter = SpanExporter::builder().with_http().with_endpoint(url).build();
            let exporter = exporter.context("OTEL_EXPORTER_OTLP_ENDPOINT: traces cannot be sent")?;
            let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
            let resource = Resource::builder().with_service_name("chatsheet").with_attribute(version).build();
            Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
        }

        /// Everything of ours in detail: requests, events, jobs, calls of Smartsheet and of the model.
        pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
            let ours = Targets::new().with_target("chatsheet", LevelFilter::DEBUG);
            tracing_opentelemetry::layer().with_tracer(self.0.tracer("chatsheet")).with_filter(ours)
        }
    }

    impl Drop for Traces {
        fn drop(&mut self) {
            if let Err(error) = self.0.shutdown() {
                tracing::warn!(%error, "some traces were not sent");
            }
        }
    }
}
