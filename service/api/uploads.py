"""Images out of HTTP requests.

request -> the bytes of one image, or of many, or a RequestError that says what to send
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from werkzeug import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from service.api.problems import (
    InvalidParameterError,
    MissingImageError,
    TooManyImagesError,
    UnsupportedContentTypeError,
)
from service.multipart import MultipartError, Part, TooManyPartsError, parse_form

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PART = "file"
FORM = "multipart/form-data"
LONGEST_TEXT = 500_000  # bytes of a form's part that is no file


class ImageRequest:
    """Of a request that brings images, what is read of it: query, type and body.

    max_bytes: of its body. max_parts: of its form. args: the query's parameters; werkzeug's own request
    would look for them, and for much else, where there is no query.
    """

    def __init__(self, environ: "WSGIEnvironment", max_bytes: int, max_parts: int) -> None:
        self.environ = environ
        self.content_type: str = environ.get("CONTENT_TYPE", "")
        self.max_bytes = max_bytes
        self.max_parts = max_parts
        self.args: Mapping[str, str] = {}
        if environ.get("QUERY_STRING"):
            self.args = Request(environ, populate_request=False).args


def single_image(request: ImageRequest) -> bytes:
    """Return the image of a multipart form's part `file`, or of an image/* body."""
    kind = _kind(request.content_type)
    if kind == FORM:
        return _images(request)[0]
    data = _body(request)
    if not data:
        raise MissingImageError(
            "The body is empty. Send the image as the part 'file' of a multipart/form-data body, or "
            "its bytes with an image/* content type."
        )
    if kind.startswith("image/") or kind in ("", "application/octet-stream"):
        return data
    raise UnsupportedContentTypeError(
        f"The content type is {kind!r}. Send the image as the part 'file' of a "
        "multipart/form-data body, or its bytes with an image/* content type."
    )


def check_size(environ: "WSGIEnvironment") -> None:
    """Raise RequestEntityTooLarge where the worker did not wait for the rest of a body."""
    if getattr(environ.get("gunicorn.socket"), "too_large", False):
        raise RequestEntityTooLarge


def flag(request: ImageRequest, name: str) -> bool:
    """Return a query parameter that is true or false; false where it is not given."""
    value = request.args.get(name, "false")
    if value not in ("true", "false"):
        raise InvalidParameterError(f"The parameter {name!r} is {value[:50]!r}; true or false is expected.")
    return value == "true"


def many_images(request: ImageRequest, limit: int) -> list[bytes]:
    """Return the images of all parts called `file`, in the order sent."""
    if _kind(request.content_type) != FORM:
        raise MissingImageError("Send the images as parts called 'file' of a multipart/form-data body.")
    images = _images(request)
    if len(images) > limit:
        raise TooManyImagesError(f"There are {len(images)} images; at most {limit} are taken at once.")
    return images


def _body(request: ImageRequest) -> bytes:
    """Return the whole body; raises RequestEntityTooLarge."""
    body: bytes = get_input_stream(request.environ).read(request.max_bytes + 1)
    if len(body) > request.max_bytes:
        raise RequestEntityTooLarge
    return body


def _kind(content_type: str) -> str:
    """Return the media type of a Content-Type header, without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def _images(request: ImageRequest) -> list[bytes]:
    """Return the files called `file`; raises MissingImageError, which says what was there instead."""
    parts = _parts(request)
    images = [part.content for part in parts if part.is_file and part.name == PART]
    if images:
        return images
    if any(part.name == PART for part in parts):
        raise MissingImageError(
            "The part 'file' is text, not a file: it has no file name. With curl: -F file=@picture.png"
        )
    names = ", ".join(sorted({part.name for part in parts}))
    raise MissingImageError(
        f"There is no part called 'file' in the form. The parts found are: {names}. "
        "With curl: -F file=@picture.png"
    )


def _parts(request: ImageRequest) -> list[Part]:
    body = _body(request)
    try:
        parts = parse_form(body, request.content_type, request.max_parts)
    except TooManyPartsError as error:
        raise RequestEntityTooLarge(f"{error}; at most {request.max_parts} are allowed.") from error
    except MultipartError as error:
        raise MissingImageError(
            f"No part could be read from the form: {error}. With curl: -F file=@picture.png"
        ) from error
    if any(len(part.content) > LONGEST_TEXT for part in parts if not part.is_file):
        raise RequestEntityTooLarge(f"A part without a file name is longer than {LONGEST_TEXT} bytes.")
    return parts
