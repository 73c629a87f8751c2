"""Images out of HTTP requests.

request -> the bytes of one image, or of many, or a RequestError that says what to send
"""

from typing import TYPE_CHECKING

from werkzeug import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from service.multipart import MultipartError, Part, TooManyPartsError, parse_form
from service.problems import (
    InvalidParameterError,
    MissingImageError,
    TooManyImagesError,
    UnsupportedContentTypeError,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PART = "file"
FORM = "multipart/form-data"


class ImageRequest(Request):
    """A request that brings images, with limits: bytes of its body, parts of its form."""

    def __init__(self, environ: "WSGIEnvironment", max_bytes: int, max_parts: int) -> None:
        super().__init__(environ, populate_request=False)
        self.max_bytes = self.max_content_length = max_bytes
        self.max_parts = max_parts


def single_image(request: ImageRequest) -> bytes:
    """Return the image of a multipart form's part `file`, or of an image/* body."""
    content_type = request.environ.get("CONTENT_TYPE", "")
    kind = _kind(content_type)
    if kind == FORM:
        return _images(request, content_type)[0]
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


def check_size(request: Request) -> None:
    """Raise RequestEntityTooLarge where the worker did not wait for the rest of a body."""
    if getattr(request.environ.get("gunicorn.socket"), "too_large", False):
        raise RequestEntityTooLarge


def flag(request: Request, name: str) -> bool:
    """Return a query parameter that is true or false; false where it is not given."""
    value = request.args.get(name, "false")
    if value not in ("true", "false"):
        raise InvalidParameterError(f"The parameter {name!r} is {value[:50]!r}; true or false is expected.")
    return value == "true"


def many_images(request: ImageRequest, limit: int) -> list[bytes]:
    """Return the images of all parts called `file`, in the order sent."""
    content_type = request.environ.get("CONTENT_TYPE", "")
    if _kind(content_type) != FORM:
        raise MissingImageError("Send the images as parts called 'file' of a multipart/form-data body.")
    images = _images(request, content_type)
    if len(images) > limit:
        raise TooManyImagesError(f"There are {len(images)} images; at most {limit} are taken at once.")
    return images


def _body(request: ImageRequest) -> bytes:
    """Return the whole body; raises RequestEntityTooLarge."""
    if (request.content_length or 0) > request.max_bytes:
        raise RequestEntityTooLarge
    body: bytes = get_input_stream(request.environ).read(request.max_bytes + 1)
    if len(body) > request.max_bytes:
        raise RequestEntityTooLarge
    return body


def _kind(content_type: str) -> str:
    """Return the media type of a Content-Type header, without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def _images(request: ImageRequest, content_type: str) -> list[bytes]:
    """Return the files called `file`; raises MissingImageError, which says what was there instead."""
    parts = _parts(request, content_type)
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


def _parts(request: ImageRequest, content_type: str) -> list[Part]:
    body = _body(request)
    most, longest = request.max_parts, request.max_form_memory_size or len(body)
    try:
        parts = parse_form(body, content_type, most)
    except TooManyPartsError as error:
        raise RequestEntityTooLarge(f"{error}; at most {most} are allowed.") from error
    except MultipartError as error:
        raise MissingImageError(
            f"No part could be read from the form: {error}. With curl: -F file=@picture.png"
        ) from error
    if any(len(part.content) > longest for part in parts if not part.is_file):
        raise RequestEntityTooLarge(f"A part without a file name is longer than {longest} bytes.")
    return parts
