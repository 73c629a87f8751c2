"""What every request gets, whichever view answers it: an id, headers, its place in the metrics, a log line.

    before_request -> Record (id, route, when it came) -> view -> after_request -> headers, counted, logged

A view notes on the record what the log line shall say beside that, such as the digit.
"""

import logging
import os
import time
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from werkzeug.sansio.utils import get_content_length
from werkzeug.wrappers import Response

from service.logs import log_request
from service.metrics import Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# When the head of a request was complete, in seconds of `time.perf_counter`; a server may put it into the environ.
RECEIVED = "digits.received"
RECORD = "digits.record"
REQUEST_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
LONGEST_REQUEST_ID = 64
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})  # asked every few seconds: logged at debug
REFUSALS = frozenset({408, 413, 503})

# An answer is data for the client that asked: it is not to be guessed at, framed, cached on the way, or taken for
# part of another site's page. The page for people says more about itself in `service.api.page`.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Record:
    """What is known of one request while it is answered.

    request_id: the client's, if it can be logged as it is, or a new one. started: when its head was complete, in
    seconds of `time.perf_counter`. queue_seconds: how long it waited for its turn. route: the rule that matched, None
    for none. notes: further members of the log line; never anything of an image. problem: the name of the error.
    """

    __slots__ = ("is_in_flight", "notes", "problem", "queue_seconds", "request_id", "route", "started")

    def __init__(self, environ: "WSGIEnvironment", route: str | None) -> None:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        usable = 0 < len(given) <= LONGEST_REQUEST_ID and REQUEST_ID_CHARACTERS.issuperset(given)
        self.request_id: str = given if usable else os.urandom(16).hex()
        self.started: float = environ.get(RECEIVED) or time.perf_counter()
        self.queue_seconds = 0.0
        self.route = route
        self.is_in_flight = False
        self.notes: dict[str, Any] = {}
        self.problem: str | None = None


def record_of(environ: "WSGIEnvironment") -> Record:
    """Return the record of a request."""
    record: Record = environ[RECORD]
    return record


def observe(app: Flask, metrics: Metrics) -> None:
    """Record every request of `app`; registered first, so that no other hook's error escapes it."""

    @app.before_request
    def begin() -> None:
        rule = request.url_rule
        record = Record(request.environ, rule.rule if rule else None)
        request.environ[RECORD] = record
        if record.route != "/metrics":  # a scrape does not count itself
            record.is_in_flight = True
            metrics.requests_in_flight.inc()

    @app.after_request
    def finish(response: Response) -> Response:
        environ = request.environ
        record: Record = environ[RECORD]
        headers = response.headers
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        headers["X-Request-Id"] = record.request_id
        status = response.status_code
        seconds = time.perf_counter() - record.started
        metrics.request_answered(
            environ["REQUEST_METHOD"], record.route, status, seconds, record.queue_seconds
        )
        if status in REFUSALS:
            metrics.requests_refused.labels(record.problem).inc()
        _log(environ, record, status, seconds)
        return response

    @app.teardown_request
    def leave(error: BaseException | None) -> None:
        record: Record | None = request.environ.get(RECORD)
        if record and record.is_in_flight:
            metrics.requests_in_flight.dec()


def _log(environ: "WSGIEnvironment", record: Record, status: int, seconds: float) -> None:
    level = logging.DEBUG if record.route in QUIET_ROUTES and status < 500 else logging.INFO
    path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
    members = {
        "request_id": record.request_id,
        "method": environ["REQUEST_METHOD"],
        "route": record.route,
        "path": path[:200],
        "status": status,
        "milliseconds": round(seconds * 1000, 3),
        "queue_milliseconds": round(record.queue_seconds * 1000, 3),
        "bytes": get_content_length(environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")),
        **record.notes,
    }
    if record.problem:
        members["problem"] = record.problem
    log_request(level, members)
