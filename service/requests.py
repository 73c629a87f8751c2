"""Images out of HTTP requests.

request -> the bytes of one image, or of many, or a RequestError that says what to send
"""

import io
from typing import IO, Any

from flask import Request

from service.problems import (
    InvalidParameterError,
    MissingImageError,
    TooManyImagesError,
    UnsupportedContentTypeError,
)

PART = "file"


class ImageRequest(Request):
    """A request whose uploads stay in memory: the body is bounded, and the disk is read-only."""

    def _get_file_stream(self, *args: Any, **kwargs: Any) -> IO[bytes]:
        return io.BytesIO()


def single_image(request: Request) -> bytes:
    """Return the image of a multipart form's part `file`, or of an image/* body."""
    if request.mimetype == "multipart/form-data":
        return _parts(request)[0]
    data = request.get_data(cache=False)
    if not data:
        raise MissingImageError(
            "The body is empty. Send the image as the part 'file' of a multipart/form-data body, or "
            "its bytes with an image/* content type."
        )
    if request.mimetype.startswith("image/") or request.mimetype in ("", "application/octet-stream"):
        return data
    raise UnsupportedContentTypeError(
        f"The content type is {request.mimetype!r}. Send the image as the part 'file' of a "
        "multipart/form-data body, or its bytes with an image/* content type."
    )


def flag(request: Request, name: str) -> bool:
    """Return a query parameter that is true or false; false where it is not given."""
    value = request.args.get(name, "false")
    if value not in ("true", "false"):
        raise InvalidParameterError(f"The parameter {name!r} is {value[:50]!r}; true or false is expected.")
    return value == "true"


def many_images(request: Request, limit: int) -> list[bytes]:
    """Return the images of all parts called `file`, in the order sent."""
    if request.mimetype != "multipart/form-data":
        raise MissingImageError("Send the images as parts called 'file' of a multipart/form-data body.")
    images = _parts(request)
    if len(images) > limit:
        raise TooManyImagesError(f"There are {len(images)} images; at most {limit} are taken at once.")
    return images


def _parts(request: Request) -> list[bytes]:
    files = request.files.getlist(PART)
    if files:
        return [file.stream.read() for file in files]
    if PART in request.form:
        raise MissingImageError(
            "The part 'file' is text, not a file: it has no file name. With curl: -F file=@picture.png"
        )
    names = sorted({*request.files, *request.form})
    found = f"The parts found are: {', '.join(names)}." if names else "No part could be read from the body."
    raise MissingImageError(
        f"There is no part called 'file' in the form. {found} With curl: -F file=@picture.png"
    )
