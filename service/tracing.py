"""Traces: the trace that a request belongs to, and its spans, for OpenTelemetry.

    traceparent                 -> trace_id and span_id of the request's log line
    OTEL_EXPORTER_OTLP_ENDPOINT -> a span for the request, one below it for each stage -> OTLP over HTTP

Without the variable, OpenTelemetry is not imported. The log line then names the client's span, as
OpenTelemetry's API does without an SDK. The SDK reads its other variables itself.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from service.config import Settings

logger = logging.getLogger(__name__)

HEX = frozenset("0123456789abcdef")
PART_LENGTHS = [2, 32, 16, 2]  # of a traceparent: version, trace, span, flags
MAX_STAGE_SPANS = 128  # of one request; a batch has up to a thousand stages
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"})


class Stage(NamedTuple):
    """One stage of the work on a request; started, ended: in seconds of time.perf_counter."""

    name: str
    started: float
    ended: float


class Trace(NamedTuple):
    """The trace of a request. span: OpenTelemetry's, None where no spans are made."""

    trace_id: str
    span_id: str
    span: Any = None


def parent_of(traceparent: str) -> Trace | None:
    """Return the trace that a header of W3C's Trace Context names, None if it is not one."""
    parts = traceparent.strip().split("-", 4)
    version, *ids = parts[:4]
    if [len(part) for part in parts[:4]] != PART_LENGTHS or not HEX.issuperset("".join(parts[:4])):
        return None
    if (
        version == "ff"
        or (version == "00" and len(parts) > 4)
        or not (ids[0].strip("0") and ids[1].strip("0"))
    ):
        return None
    return Trace(ids[0], ids[1])


class Tracing:
    """The spans of one process; none are made before `start`, or without an endpoint to send them to."""

    def __init__(self) -> None:
        self._tracer: Any = None
        self._otel: Any = None

    def start(self, settings: Settings, version: str) -> None:
        """Send spans from now on, if the settings name an endpoint.

        Call it after the fork, because it starts a thread.
        """
        if not (settings.otlp_endpoint or settings.otlp_traces_endpoint):
            return
        try:
            from opentelemetry import propagate, trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import OTELResourceDetector, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            logger.warning("no traces are sent: install service/requirements-tracing.txt")
            return
        named = Resource.create({"service.name": "digits", "service.version": version})
        provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._otel, self._extract = trace, propagate.extract
        self._tracer = provider.get_tracer("digits", version)

    def begin(self, environ: Mapping[str, Any], started: float) -> Trace | None:
        """Return the request's trace; if it names none and spans are made, a new one."""
        if self._tracer is None:
            given = environ.get("HTTP_TRACEPARENT")
            return parent_of(given) if given else None
        headers = {
            name[5:].lower().replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        method = environ["REQUEST_METHOD"]
        attributes = {
            "http.request.method": method if method in METHODS else "_OTHER",
            "url.path": environ["PATH_INFO"],
            "url.scheme": environ["wsgi.url_scheme"],
        }
        span = self._tracer.start_span(
            method if method in METHODS else "HTTP",
            self._extract(headers),
            self._otel.SpanKind.SERVER,
            attributes,
            start_time=_nanoseconds(started),
        )
        context = span.get_span_context()
        return Trace(f"{context.trace_id:032x}", f"{context.span_id:016x}", span)

    def end(self, trace: Trace, method: str, route: str | None, status: int, stages: Iterable[Stage]) -> None:
        """End the span of a request that is answered; route: the rule that matched, None for none."""
        if trace.span is None:
            return
        context = self._otel.set_span_in_context(trace.span)
        for name, started, ended in islice(stages, MAX_STAGE_SPANS):
            stage = self._tracer.start_span(name, context, start_time=_nanoseconds(started))
            stage.end(_nanoseconds(ended))
        if route:
            trace.span.update_name(f"{method} {route}")
            trace.span.set_attribute("http.route", route)
        trace.span.set_attribute("http.response.status_code", status)
        if status >= 500:
            trace.span.set_attribute("error.type", str(status))
            trace.span.set_status(self._otel.StatusCode.ERROR)
        trace.span.end()


def _nanoseconds(moment: float) -> int:
    """Return a moment of time.perf_counter in Unix time."""
    return time.time_ns() - int((time.perf_counter() - moment) * 1e9)
