"""Every error as RFC 9457 `application/problem+json`; only this module maps errors to statuses.

    exception -> (status, type, title, detail) -> response, request id included

An exception's first docstring line is the title and never changes; its message is the detail.
"""

import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, request
from werkzeug import Response
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from service.api.observability import record_of
from service.budget import NoMemoryError
from service.preprocessing import (
    BlankImageError,
    BrokenImageError,
    EmptyImageError,
    ImageError,
    TooManyPixelsError,
    UnsupportedFormatError,
    error_name,
)
from service.registry import ModelError, NoModelError, UnknownModelError

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
INFERENCE_PROTOCOLS = ("/v1/", "/v2/")


class RequestError(Exception):
    """The request cannot be answered."""


class MissingImageError(RequestError):
    """There is no image in the request."""


class UnsupportedContentTypeError(RequestError):
    """The content type of the request is not supported."""


class UnsupportedEncodingError(RequestError):
    """The content encoding of the request is not supported."""


class BrokenBodyError(RequestError):
    """The body of the request cannot be read."""


class InvalidParameterError(RequestError):
    """A query parameter has a value that is not allowed."""


class TooManyImagesError(RequestError):
    """There are too many images in one request."""


class OverloadedError(RequestError):
    """The service has as many requests as it can answer."""


STATUSES: dict[type[Exception], int] = {
    MissingImageError: 400,
    EmptyImageError: 400,
    BrokenBodyError: 400,
    InvalidParameterError: 400,
    UnknownModelError: 404,
    TooManyPixelsError: 413,
    TooManyImagesError: 413,
    UnsupportedFormatError: 415,
    UnsupportedContentTypeError: 415,
    UnsupportedEncodingError: 415,
    BrokenImageError: 422,
    BlankImageError: 422,
    NoMemoryError: 503,
    NoModelError: 503,
    OverloadedError: 503,
}

HTTP_DETAILS = {
    404: "There is nothing at this path. GET /models lists the models; POST /predict classifies an image.",
    405: "This path does not support this method. The Allow header lists those it supports.",
}


def problem_type(error: type[Exception]) -> str:
    """Return the type of an error's problem, such as /problems/blank-image for BlankImageError."""
    return f"/problems/{error_name(error)}"


def describe(error: Exception) -> dict[str, Any]:
    """Return the problem object of an ImageError, ModelError or RequestError."""
    return {
        "type": problem_type(type(error)),
        "title": (type(error).__doc__ or "").splitlines()[0],
        "status": STATUSES[type(error)],
        "detail": str(error),
    }


def register_problems(app: Flask) -> None:
    """Make `app` answer every error with a problem."""
    app.register_error_handler(Exception, answer_error)


def answer_error(error: Exception) -> Response:
    """Return the response to the current request, which raised `error`, and record the error."""
    record = record_of(request.environ)
    headers: list[tuple[str, str]] = []
    if isinstance(error, (ImageError, ModelError, RequestError)):
        problem = describe(error)
        record.problem = error_name(type(error))
    elif isinstance(error, HTTPException):
        problem = http_problem(error.code or 500, _http_detail(error))
        record.problem = error.name.lower().replace(" ", "-")
        headers += error.get_response().headers.items()  # such as Allow
    else:
        logger.error(
            "unexpected error", exc_info=error, extra={"request_id": record.request_id} | record.trace_ids()
        )
        detail = "Something went wrong inside the service. The log has the cause under this request_id."
        problem = http_problem(500, detail)
        record.problem = "internal-server-error"
    if problem["status"] == 503:
        headers.append(("Retry-After", str(RETRY_AFTER_SECONDS)))
    body, content_type = render(problem, request.path, record.request_id)
    response = Response(body, problem["status"], content_type=content_type)
    response.headers.extend(
        (key, value) for key, value in headers if key not in ("Content-Type", "Content-Length")
    )
    return response


def _http_detail(error: HTTPException) -> str:
    """Return the detail of an error that HTTP itself defines."""
    status = error.code or 500
    if status == 413 and error.description == RequestEntityTooLarge.description:
        return f"The body is larger than {request.max_content_length} bytes. Send less."
    if error.description in (None, type(error).description):
        return HTTP_DETAILS.get(status) or error.description or error.name
    return error.description or error.name


def http_problem(status: int, detail: str) -> dict[str, Any]:
    """Return the problem object of an error that HTTP itself defines."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }


def render(problem: dict[str, Any], path: str, request_id: str | None) -> tuple[bytes, str]:
    """Return body and content type of a problem, for a request to `path`."""
    if path == "/v2" or path.startswith(INFERENCE_PROTOCOLS):
        # KServe's protocols have their own form of errors, and their clients show this member.
        return json.dumps({"error": problem["detail"]}).encode(), "application/json"
    return json.dumps({**problem, "request_id": request_id}).encode(), "application/problem+json"
