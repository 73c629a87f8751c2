"""Answers that the worker gives without the application: overload, slow clients, unreadable requests.

reason -> the same problem+json, headers, log line and count as any other answer -> bytes
"""

import logging
import uuid
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.util import http_date

from service.api.problems import RETRY_AFTER_SECONDS, OverloadedError, describe, http_problem, render
from service.headers import SECURITY_HEADERS
from service.metrics import Metrics

logger = logging.getLogger(__name__)

TOO_SLOW = http_problem(408, "The request took too long to arrive. Send it again over a faster connection.")
OVERLOADED = describe(
    OverloadedError("More requests are being answered than this process takes. Send it again a little later.")
)


def problem_for(error: BaseException) -> dict[str, Any]:
    """Return the problem to tell where gunicorn could not read or answer a request."""
    if isinstance(error, LimitRequestLine):
        return http_problem(414, "The address is too long.")
    if isinstance(error, LimitRequestHeaders):
        return http_problem(431, "The headers are too many, too large, or never end.")
    if isinstance(error, ParseException):
        # The parser's words may quote what was sent; the client knows that, and the log need not.
        return http_problem(400, f"This is not a valid HTTP/1.1 request ({type(error).__name__}).")
    return http_problem(500, "Something went wrong inside the service. The log has the cause.")


class Refusals:
    """Writes refusals, and keeps the log and the metrics complete."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def answer(self, problem: dict[str, Any], path: str, seconds: float) -> bytes:
        """Return the whole answer, headers included, which announces the end of the connection.

        path: of the request, as far as it is known. seconds: since the request began.
        """
        request_id = uuid.uuid4().hex
        body, content_type = render(problem, path, request_id)
        headers = {
            "Server": "gunicorn",
            "Date": http_date(),
            "Connection": "close",
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "X-Request-Id": request_id,
            **SECURITY_HEADERS,
        }
        if problem["status"] == 503:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        self._metrics.request_answered("", None, problem["status"], seconds)
        extra = {
            "request_id": request_id,
            "path": path[:200],
            "status": problem["status"],
            "milliseconds": round(seconds * 1000, 3),
            "problem": problem["type"].rpartition("/")[2],
        }
        logger.info("request refused", extra=extra)
        lines = [f"HTTP/1.1 {problem['status']} {HTTPStatus(problem['status']).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def path_of(received: bytearray) -> str:
    """Return the path in the first line of a request, without its query; "" where there is none."""
    words = bytes(received[:4096]).split(b"\r\n", 1)[0].split(b" ")
    return words[1].split(b"?")[0].decode("latin-1") if len(words) == 3 else ""
