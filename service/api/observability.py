"""What every request gets, whoever answers it: an id, its place in the metrics, a log line, headers.

environ -> Exchange -> an application answers -> status, headers -> more headers, counted, logged
"""

import logging
import os
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.sansio.utils import get_content_length

from service.headers import SECURITY_HEADERS
from service.logs import log_request
from service.metrics import Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEY = "digits.exchange"
COMMON = [(name, name.lower(), value) for name, value in SECURITY_HEADERS.items()]
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})  # asked every few seconds: logged at debug


class Exchange:
    """What is known of one request while it is answered.

    request_id: the client's, if it can be logged as it is, or a new one. started: in seconds of
    `time.perf_counter`. route: the rule that matched, None for none. noted: what the log line shall
    also have, such as the digit; never anything of the image.
    """

    def __init__(self, given_id: str) -> None:
        self.request_id = given_id if REQUEST_ID.fullmatch(given_id) else os.urandom(16).hex()
        self.started = time.perf_counter()
        self.route: str | None = None
        self.in_flight = True
        self.noted: dict[str, Any] = {}


def exchange_of(environ: "WSGIEnvironment") -> Exchange:
    """Return the exchange to which a request belongs."""
    exchange: Exchange = environ[KEY]
    return exchange


class Frame:
    """Puts an application's answers into exchanges."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def answer(
        self, application: "WSGIApplication", environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Return what `application` answers; headers that it has set itself stay."""
        exchange = environ[KEY] = Exchange(environ.get("HTTP_X_REQUEST_ID", ""))

        def begin(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            present = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, lower, value in COMMON if lower not in present]
            headers.append(("X-Request-Id", exchange.request_id))
            self._leave(exchange)
            self._finish(exchange, environ, int(status[:3]))
            return start_response(status, headers, *error)

        self._metrics.requests_in_flight.inc()
        try:
            return application(environ, begin)
        except BaseException:
            self._leave(exchange)
            raise

    def _leave(self, exchange: Exchange) -> None:
        """Count the request as in flight no more, once."""
        if exchange.in_flight:
            exchange.in_flight = False
            self._metrics.requests_in_flight.dec()

    def _finish(self, exchange: Exchange, environ: "WSGIEnvironment", status: int) -> None:
        """Count the request and write its line."""
        seconds = time.perf_counter() - exchange.started
        method, route = environ["REQUEST_METHOD"], exchange.route
        self._metrics.request_answered(method, route, status, seconds)
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        members = {
            "request_id": exchange.request_id,
            "method": method,
            "route": route,
            "path": f"/{path.lstrip('/')}"[:200],
            "status": status,
            "milliseconds": round(seconds * 1000, 3),
            "bytes": get_content_length(environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")),
            **exchange.noted,
        }
        level = logging.DEBUG if route in QUIET_ROUTES and status < 500 else logging.INFO
        log_request(level, members)
