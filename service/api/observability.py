"""What every request gets, whichever view answers it: an id, headers, metrics and a log line.

    environ -> Record (id, when it came) -> Flask (route, notes) -> headers -> counted, logged

Through the record, a view adds more members to the log line, such as the digit.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.sansio.utils import get_content_length

from service.logs import log_request
from service.metrics import Metrics
from service.tracing import Stage, Trace, Tracing

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# When the head of a request was complete, in seconds of `time.perf_counter`, if the server sets it.
RECEIVED = "digits.received"
RECORD = "digits.record"
REQUEST_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
LONGEST_REQUEST_ID = 64
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})  # requested every few seconds: logged at debug
REFUSALS = frozenset({408, 413, 503})
PROBES = QUIET_ROUTES | {"/v2/health/live", "/v2/health/ready"}  # their 503 does not refuse a client

# An answer is data for the client that asked. Browsers must not sniff its type, frame it, cache it or embed
# it in another site. `service.api.page` sets its own headers for the page.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


COMMON_HEADERS = [(name, name.lower(), value) for name, value in SECURITY_HEADERS.items()]


class Record:
    """What is known about one request while it is answered.

    request_id: the client's if it is safe to log, else a new one. started: when the head was complete, in
    seconds of `time.perf_counter`. queue_seconds: how long the request waited for its turn, None if it has
    no image. route: the rule that matched, None for none. stages: those of the work on its images. trace:
    the trace it belongs to, None for none. notes: more members of the log line, never image content.
    problem: the name of the error, None for none.
    """

    __slots__ = (
        *("is_in_flight", "notes", "problem", "queue_seconds", "request_id", "route", "stages", "started"),
        "trace",
    )

    def __init__(self, environ: "WSGIEnvironment") -> None:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        usable = 0 < len(given) <= LONGEST_REQUEST_ID and REQUEST_ID_CHARACTERS.issuperset(given)
        self.request_id: str = given if usable else os.urandom(16).hex()
        self.started: float = environ.get(RECEIVED) or time.perf_counter()
        self.queue_seconds: float | None = None
        self.route: str | None = None
        self.is_in_flight = False
        self.stages: list[Stage] = []
        self.trace: Trace | None = None
        self.notes: dict[str, Any] = {}
        self.problem: str | None = None

    def trace_ids(self) -> dict[str, str]:
        """Return the members of a log line that identify the trace; {} if there is no trace."""
        return {"trace_id": self.trace.trace_id, "span_id": self.trace.span_id} if self.trace else {}


def record_of(environ: "WSGIEnvironment") -> Record:
    """Return the record of a request."""
    record: Record = environ[RECORD]
    return record


class Observer:
    """WSGI middleware around all of Flask."""

    def __init__(self, application: "WSGIApplication", metrics: Metrics, tracing: Tracing) -> None:
        self._application = application
        self._metrics = metrics
        self._tracing = tracing

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request; headers that the application has set stay."""
        record = environ[RECORD] = Record(environ)
        if environ["PATH_INFO"] not in PROBES:
            record.trace = self._tracing.begin(environ, record.started)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            present = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, lower, value in COMMON_HEADERS if lower not in present]
            headers.append(("X-Request-Id", record.request_id))
            self._finish(environ, record, int(status[:3]))
            return start_response(status, headers, *error)

        try:
            return self._application(environ, start)
        finally:
            if record.is_in_flight:
                self._metrics.requests_in_flight.dec()

    def matched(self, environ: "WSGIEnvironment", route: str | None) -> None:
        """Record which route answers a request; a scrape does not count itself as in flight."""
        record = record_of(environ)
        record.route = route
        if route != "/metrics":
            record.is_in_flight = True
            self._metrics.requests_in_flight.inc()

    def _finish(self, environ: "WSGIEnvironment", record: Record, status: int) -> None:
        """Count a request and write its line."""
        seconds = time.perf_counter() - record.started
        method, route = environ["REQUEST_METHOD"], record.route
        self._metrics.request_answered(method, route, status, seconds, record.queue_seconds)
        if status in REFUSALS and route not in PROBES:
            self._metrics.requests_refused.labels(record.problem).inc()
        members = {
            "request_id": record.request_id,
            **record.trace_ids(),
            "method": method,
            "route": route,
            "path": environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")[:200],
            "status": status,
            "milliseconds": round(seconds * 1000, 3),
            "queue_milliseconds": round((record.queue_seconds or 0) * 1000, 3),
            "bytes": get_content_length(environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")),
            **record.notes,
        }
        if record.problem:
            members["problem"] = record.problem
        if record.trace:
            self._tracing.end(record.trace, method, route, status, record.stages)
        log_request(logging.DEBUG if route in QUIET_ROUTES and status < 500 else logging.INFO, members)
