"""Every error as RFC 9457 `application/problem+json`; the one place that knows their statuses.

    exception -> (status, type, title, detail) -> response, request id included

An exception's first docstring line is the title and never changes; its message is the detail.
"""

import json
import logging
import re
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from service.decoding import (
    BrokenImageError,
    EmptyImageError,
    ImageError,
    NoMemoryError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from service.ink import BlankImageError
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
    for family in (ImageError, ModelError, RequestError):
        app.register_error_handler(family, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(ParseException, _unreadable)
    app.register_error_handler(Exception, _unexpected)


def _known(error: Exception) -> Response:
    problem = describe(error)
    g.problem = problem["type"].rpartition("/")[2]
    response = _respond(problem)
    if problem["status"] == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    base = error.get_response()
    detail = HTTP_DETAILS.get(status, error.description or error.name)
    if status == 413:
        own = error.description != RequestEntityTooLarge.description
        detail = detail if own else f"The body is larger than {request.max_content_length} bytes. Send less."
    g.problem = error.name.lower().replace(" ", "-")
    response = _respond(http_problem(status, detail))
    for name, value in base.headers:
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value  # such as Allow
    return response


def _unreadable(error: ParseException) -> Response:
    g.problem = "bad-request"
    return _respond(http_problem(400, f"The chunks of the body cannot be read ({type(error).__name__})."))


def _unexpected(error: Exception) -> Response:
    logger.exception("unexpected error", extra={"request_id": g.get("request_id")})
    g.problem = "internal-server-error"
    detail = "Something went wrong inside the service. The log has the cause under this request_id."
    return _respond(http_problem(500, detail))


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


def _respond(problem: dict[str, Any]) -> Response:
    body, content_type = render(problem, request.path, g.get("request_id"))
    return Response(body, problem["status"], content_type=content_type)
