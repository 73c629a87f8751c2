"""A page for each type of problem, which `type` in an error links to.

STATUSES, ADVICE -> static/problem.html, filled in once -> GET /problems/NAME
"""

import html
import string
from http import HTTPStatus
from pathlib import Path

from service.api.problems import (
    STATUSES,
    BrokenBodyError,
    InvalidParameterError,
    MissingImageError,
    OverloadedError,
    TooManyImagesError,
    UnsupportedContentTypeError,
    UnsupportedEncodingError,
    problem_type,
)
from service.budget import NoMemoryError
from service.preprocessing import (
    FORMATS,
    BlankImageError,
    BrokenImageError,
    EmptyImageError,
    TooManyPixelsError,
    UnsupportedFormatError,
    error_name,
)
from service.registry import NoModelError, UnknownModelError

# What to do about each problem, for the person who wrote the client.
ADVICE: dict[type[Exception], str] = {
    MissingImageError: (
        "Send the image as the part called file of a multipart/form-data body, or its bytes with an image/* "
        'content type, or as JSON: {"image": "<base64>"}.'
    ),
    EmptyImageError: "The image has no bytes. Check how the client reads the file before it sends it.",
    BrokenBodyError: "The body is cut short, or is not what its headers say. The detail says where.",
    InvalidParameterError: "The detail names the parameter and the values that are allowed.",
    UnknownModelError: "GET /models lists the loaded models. A model's name is its file name without .npz.",
    TooManyPixelsError: (
        "Crop the picture to the digit, or scale it down: a digit needs no more than 200 pixels a side. The "
        "limit is the setting DIGITS_MAX_IMAGE_PIXELS."
    ),
    TooManyImagesError: (
        "Send the images in several requests. The limit is the setting DIGITS_MAX_BATCH_IMAGES."
    ),
    UnsupportedFormatError: (
        f"The file is in none of the supported formats: {', '.join(FORMATS)}. Its name does not matter."
    ),
    UnsupportedContentTypeError: "Use multipart/form-data, an image/* type, or application/json.",
    UnsupportedEncodingError: "Compress the body with gzip or deflate, or not at all.",
    BrokenImageError: "The file begins like an image, but the rest is broken. Save it again from its source.",
    BlankImageError: (
        "Nothing in the picture stands out from the paper. Write larger or darker, or photograph it closer."
    ),
    NoMemoryError: (
        "Other large pictures are being decoded. Wait for the number of seconds in Retry-After, then send "
        "the request again. The limit is the setting DIGITS_MAX_DECODING_BYTES."
    ),
    NoModelError: (
        "The process is starting, stopping, or has no model file. Wait for the number of seconds in "
        "Retry-After, then send the request again."
    ),
    OverloadedError: (
        "Wait for the number of seconds in Retry-After, then send the request again. The limit is the "
        "setting DIGITS_MAX_IN_FLIGHT."
    ),
}


def problem_pages(template: Path) -> dict[str, bytes]:
    """Return the HTML page of each type of problem by name.

    template: a file with $title, $status, $type and $advice.
    """
    text = string.Template(template.read_text())
    pages = {}
    for error, status in STATUSES.items():
        members = {
            "title": (error.__doc__ or "").splitlines()[0],
            "status": f"{status} {HTTPStatus(status).phrase}",
            "type": problem_type(error),
            "advice": ADVICE[error],
        }
        filled = text.substitute({name: html.escape(value) for name, value in members.items()})
        pages[error_name(error)] = filled.encode()
    return pages
