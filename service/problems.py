"""Every error as RFC 9457 `application/problem+json`; the one place that knows their statuses.

    exception -> (status, type, title, detail) -> response, request id included

An exception's first docstring line is the title and never changes; its message is the detail.
"""

import json
import logging
import re
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from service.decoding import (
    BrokenImageError,
    EmptyImageError,
    ImageError,
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
    NoModelError: 503,
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
        limit = request.max_content_length
        detail = f"The request body is larger than {limit} bytes. Send a smaller image."
        _drain()
    g.problem = error.name.lower().replace(" ", "-")
    response = _respond({"type": "about:blank", "title": error.name, "status": status, "detail": detail})
    for name, value in base.headers:
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value  # such as Allow
    return response


def _unexpected(error: Exception) -> Response:
    logger.exception("unexpected error", extra={"request_id": g.get("request_id")})
    g.problem = "internal-server-error"
    detail = "Something went wrong inside the service. The log has the cause under this request_id."
    return _respond(
        {"type": "about:blank", "title": "Internal Server Error", "status": 500, "detail": detail}
    )


def _respond(problem: dict[str, Any]) -> Response:
    if request.path == "/v2" or request.path.startswith("/v2/"):
        # The Open Inference Protocol has a form of its own, and its clients show this one member.
        body, content_type = json.dumps({"error": problem["detail"]}), "application/json"
    else:
        body = json.dumps({**problem, "request_id": g.get("request_id")})
        content_type = "application/problem+json"
    return Response(body, problem["status"], content_type=content_type)


DRAIN_BYTES = 64 * 1024 * 1024


def _drain() -> None:
    """Read the rest of a body that is too large, up to a limit.

    A client that is still sending would otherwise see a closed connection instead of the answer.
    """
    stream = request.environ["wsgi.input"]
    left = DRAIN_BYTES
    try:
        while left > 0 and (piece := stream.read(min(left, 65536))):
            left -= len(piece)
    except OSError:
        pass  # the client left or fell silent; nobody waits for the answer
