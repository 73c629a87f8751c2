"""Every error as RFC 9457 `application/problem+json`; the one place that knows their statuses.

    exception -> (status, type, title, detail) -> response, request id included

An exception's first docstring line is the title and never changes; its message is the detail.
"""

import json
import logging
import re
from http import HTTPStatus
from typing import Any

from flask import Flask, request
from gunicorn.http.errors import ParseException
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from service.exchange import exchange_of
from service.preprocessing.decoding import NoMemoryError
from service.preprocessing.errors import (
    BlankImageError,
    BrokenImageError,
    EmptyImageError,
    ImageError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from service.registry import ModelError, NoModelError, UnknownModelError

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5


class RequestError(Exception):
    """The request cannot be answered."""


class MissingImageError(RequestError):
    """There is no image in the request."""


class UnsupportedContentTypeError(RequestError):
    """The content type of the request is not supported."""


class InvalidParameterError(RequestError):
    """A query parameter has a value that is not allowed."""


class TooManyImagesError(RequestError):
    """There are too many images in one request."""


class OverloadedError(RequestError):
    """The service has as many requests as it can answer."""


STATUSES: dict[type[Exception], int] = {
    MissingImageError: 400,
    EmptyImageError: 400,
    InvalidParameterError: 400,
    UnknownModelError: 404,
    TooManyPixelsError: 413,
    TooManyImagesError: 413,
    UnsupportedFormatError: 415,
    UnsupportedContentTypeError: 415,
    BrokenImageError: 422,
    BlankImageError: 422,
    NoMemoryError: 503,
    NoModelError: 503,
    OverloadedError: 503,
}

HTTP_DETAILS = {
    404: "There is nothing at this path. GET /models lists the models; POST /predict classifies an image.",
    405: "This path does not take this method; the Allow header lists those it takes.",
}


def problem_type(error: type[Exception]) -> str:
    """Return the type of an error's problem, such as /problems/blank-image for BlankImageError."""
    words = re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__.removesuffix("Error"))
    return f"/problems/{words.lower()}"


def describe(error: Exception) -> dict[str, Any]:
    """Return the problem object of an ImageError, ModelError or RequestError."""
    return {
        "type": problem_type(type(error)),
        "title": (type(error).__doc__ or "").splitlines()[0],
        "status": STATUSES[type(error)],
        "detail": str(error),
    }


def register_problems(app: Flask) -> None:
    """Make every error of `app` a problem."""
    app.register_error_handler(Exception, lambda error: answer_error(error, request))


def answer_error(error: Exception, asked: Request) -> Response:
    """Return the response to a request that ended in `error`, and note for its log line which it was."""
    exchange = exchange_of(asked.environ)
    headers: list[tuple[str, str]] = []
    if isinstance(error, (ImageError, ModelError, RequestError)):
        problem = describe(error)
        name = problem["type"].rpartition("/")[2]
        if problem["status"] == 503:
            headers.append(("Retry-After", str(RETRY_AFTER_SECONDS)))
    elif isinstance(error, HTTPException):
        problem = http_problem(error.code or 500, _http_detail(error, asked))
        name = error.name.lower().replace(" ", "-")
        headers += error.get_response().headers.items()  # such as Allow
    elif isinstance(error, ParseException):
        problem = http_problem(400, f"The chunks of the body cannot be read ({type(error).__name__}).")
        name = "bad-request"
    else:
        logger.error("unexpected error", exc_info=error, extra={"request_id": exchange.request_id})
        detail = "Something went wrong inside the service. The log has the cause under this request_id."
        problem, name = http_problem(500, detail), "internal-server-error"
    exchange.noted["problem"] = name
    body, content_type = render(problem, asked.path, exchange.request_id)
    response = Response(body, problem["status"], content_type=content_type)
    response.headers.extend(
        (key, value) for key, value in headers if key not in ("Content-Type", "Content-Length")
    )
    return response


def _http_detail(error: HTTPException, asked: Request) -> str:
    """Return what to tell about an error that HTTP itself knows."""
    status = error.code or 500
    if status == 413 and error.description == RequestEntityTooLarge.description:
        return f"The body is larger than {asked.max_content_length} bytes. Send less."
    if status == 413 and error.description:
        return error.description
    return HTTP_DETAILS.get(status, error.description or error.name)


def http_problem(status: int, detail: str) -> dict[str, Any]:
    """Return the problem object of an error that HTTP itself knows."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }


def render(problem: dict[str, Any], path: str, request_id: str | None) -> tuple[bytes, str]:
    """Return body and content type that tell a problem to who asked for `path`."""
    if path == "/v2" or path.startswith("/v2/"):
        # The Open Inference Protocol has a form of its own, and its clients show this one member.
        return json.dumps({"error": problem["detail"]}).encode(), "application/json"
    return json.dumps({**problem, "request_id": request_id}).encode(), "application/problem+json"
