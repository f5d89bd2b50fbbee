"""Traces that survive HTTP, outbox, Kafka, inbox and HTTP again."""

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

_QUIET = "livez,readyz,metrics,static"


def configure_telemetry(
    *, region: str, service: str, otlp_endpoint: str | None, exporter: SpanExporter | None = None
) -> TracerProvider:
    """Sets the process' tracer provider. Without an endpoint, trace ids are still made and handed on."""
    provider = TracerProvider(
        resource=Resource.create(
            {"service.name": f"tibs-{service}", "service.namespace": "tibs", "tibs.region": region}
        )
    )
    if exporter is None and otlp_endpoint is not None:
        exporter = OTLPSpanExporter(endpoint=f"{otlp_endpoint}/v1/traces")
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    HTTPXClientInstrumentor().instrument()
    return provider


def instrument(app: FastAPI) -> None:
    """A span for each request, but for those of probes and for static files."""
    FastAPIInstrumentor.instrument_app(app, excluded_urls=_QUIET, exclude_spans=["receive", "send"])


def trace_id() -> str | None:
    """Of the current span, 32 hexadecimal digits."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None
