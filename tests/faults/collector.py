"""An OpenTelemetry collector that only remembers: OTLP over HTTP, as the services' exporter speaks it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan


@dataclass(frozen=True)
class Span:
    """A span as it was exported."""

    region: str
    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str | None
    attributes: Mapping[str, str]
    started: int
    texts: tuple[str, ...]
    """Everything in it that could hold somebody's data: name, attributes, status, events and links."""


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return " ".join(_text(one) for one in value.array_value.values)
    if kind == "kvlist_value":
        return " ".join(f"{one.key} {_text(one.value)}" for one in value.kvlist_value.values)
    return "" if kind is None else str(getattr(value, kind))


def _held(attributes: "list[KeyValue]") -> dict[str, str]:
    return {one.key: _text(one.value) for one in attributes}


def spans_of(body: bytes) -> list[Span]:
    """The spans of one export."""
    found = []
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _held(list(group.resource.attributes))
        for scope in group.scope_spans:
            for span in scope.spans:
                attributes = _held(list(span.attributes))
                events = [text for one in span.events for text in (one.name, *_held(list(one.attributes)).values())]
                links = [text for one in span.links for text in _held(list(one.attributes)).values()]
                found.append(
                    Span(
                        region=resource["tibs.region"],
                        service=resource["service.name"].removeprefix("tibs-"),
                        name=span.name,
                        kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex() or None,
                        attributes=attributes,
                        started=span.start_time_unix_nano,
                        texts=(span.name, span.status.message, *attributes.values(), *events, *links),
                    )
                )
    return found


class Collector:
    """`address` is what TIBS_OTLP_ENDPOINT should hold."""

    def __init__(self) -> None:
        collector = self

        class Receiver(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector._take(spans_of(body))
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *values: object) -> None:
                pass

        self._spans: list[Span] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="collector", daemon=True)
        self._thread.start()

    def _take(self, spans: list[Span]) -> None:
        with self._lock:
            self._spans += spans

    @property
    def spans(self) -> list[Span]:
        with self._lock:
            return list(self._spans)

    def trace(self, trace_id: str) -> list[Span]:
        """What is known of a trace by now, the earliest first."""
        return sorted((one for one in self.spans if one.trace_id == trace_id), key=lambda span: span.started)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
