"""Traces that survive HTTP, outbox, Kafka, inbox and HTTP again."""

from collections.abc import MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

_QUIET = ("/livez", "/readyz", "/metrics", "/static/")
_ADDRESSES = ("http.url", "url.full", "http.target")


def _is_quiet(scope: MutableMapping[str, Any]) -> bool:
    return str(scope.get("path", "")).startswith(_QUIET)


# FastAPI's own telemetry, and no other: two instrumentations of an application within another made two traces of one
# request. Its logs would hold what was refused, and so perhaps somebody's data.
REQUESTS: TelemetryConfig = {"metrics": False, "logs": False, "operation_spans": False, "exclude": _is_quiet}
"""How an application traces: a span for each request, but for those of probes and for static files."""


class _NoQueries(SpanProcessor):
    """Takes queries out of addresses: they hold what people search for, and the codes of their sign-in."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        held = span.attributes or {}
        for name in _ADDRESSES:
            if isinstance(address := held.get(name), str) and "?" in address:
                span.set_attribute(name, address.partition("?")[0])
        if "url.query" in held:
            span.set_attribute("url.query", "REDACTED")


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
        provider.add_span_processor(_NoQueries())
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    HTTPXClientInstrumentor().instrument()
    return provider


def trace_id() -> str | None:
    """Of the current span, 32 hexadecimal digits."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None
