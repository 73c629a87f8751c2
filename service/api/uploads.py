"""Images out of the bodies of requests: a form, JSON, or the bytes themselves.

    body -> inflated -> multipart/form-data: parts called "file" -> images
                     -> application/json: {"image": base64}      -> image
                     -> image/*: the body itself                 -> image

Anything else raises a RequestError that says what to send.
"""

import asyncio
import base64
import binascii
import contextvars
import io
import json
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import current_app, request
from multipart import (
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from service.api.problems import (
    BrokenBodyError,
    InvalidParameterError,
    MissingImageError,
    TooManyImagesError,
    UnsupportedContentTypeError,
    UnsupportedEncodingError,
)

PART = "file"
OTHER_PARTS = 8  # the most parts of a form besides the images
FORM = "multipart/form-data"
JSON = "application/json"
LONGEST_TEXT = 500_000  # bytes in each part that is not called "file"
# Bytes. Larger bodies are parsed in a thread, because parsing them would hold up the event loop.
PARSED_AT_ONCE = 256 * 1024
# zlib's argument for each content coding: gzip's frame, or zlib's, which HTTP calls deflate.
WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
# One thread, because a large body is in memory twice while it is parsed.
_THREAD = ThreadPoolExecutor(1, "parsing")
HOW = "With curl: -F file=@picture.png"


async def single_image() -> bytes:
    """Return the only image of the current request."""
    return await parsed(_single_image)


async def many_images(limit: int) -> list[bytes]:
    """Return the images of all parts called `file`, at most `limit`, in the order sent."""
    return await parsed(_many_images, limit)


def inflated_body() -> bytes:
    """Return the body of the current request, inflated if it is compressed.

    Raises RequestEntityTooLarge if it is too large before or after that, UnsupportedEncodingError or
    BrokenBodyError.
    """
    environ = request.environ
    limit: int = current_app.config["MAX_CONTENT_LENGTH"]
    is_terminated = environ.get("wsgi.input_terminated")
    body: bytes = (environ["wsgi.input"] if is_terminated else get_input_stream(environ)).read(limit + 1)
    environ["wsgi.input"] = io.BytesIO()  # so that only the result of parsing stays in memory
    if len(body) > limit:
        raise RequestEntityTooLarge
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in WINDOW_BITS:
        raise UnsupportedEncodingError(
            f"The content encoding is {encoding[:20]!r}. Use gzip or deflate, or send the body uncompressed."
        )
    inflater = zlib.decompressobj(WINDOW_BITS[encoding])
    try:
        content = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise BrokenBodyError(f"The body is not {encoding}: {error}.") from error
    if len(content) > limit:
        raise RequestEntityTooLarge(f"The inflated body is larger than {limit} bytes. Send less.")
    if not inflater.eof:
        raise BrokenBodyError(f"The {encoding} body is cut short.")
    return content


def parameter(name: str) -> str | None:
    """Return a query parameter, None if it is not given."""
    return request.args.get(name) if request.environ.get("QUERY_STRING") else None


def explanation() -> str:
    """Return which explanation the query asks for: "no", "yes" or "layers"."""
    given = parameter("explain")
    value = "false" if given is None else given.lower()
    if value in ("true", "1", "yes"):
        return "yes"
    if value in ("false", "0", "no"):
        return "no"
    if value == "layers":
        return value
    raise InvalidParameterError(
        f"The parameter 'explain' is {value[:50]!r}; true, false or layers is expected."
    )


def against() -> int | None:
    """Return the digit that the query asks to compare the answer with, None if it names none."""
    given = parameter("against")
    if given is None:
        return None
    if len(given) == 1 and given in "0123456789":
        return int(given)
    raise InvalidParameterError(
        f"The parameter 'against' is {given[:50]!r}; a digit from 0 to 9 is expected."
    )


def decode_base64(text: str | bytes) -> bytes:
    """Return the bytes of a base64 text or data URL; raises BrokenBodyError."""
    if isinstance(text, str):
        text = text.encode("utf-8", "replace")
    if text.startswith(b"data:"):
        text = text.partition(b",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BrokenBodyError(f"The image is not base64: {error}.") from error


async def parsed(parse: Callable[..., Any], *arguments: Any) -> Any:
    """Return what `parse` returns for the current request, in a thread if its body is large."""
    if 0 <= (request.content_length or -1) <= PARSED_AT_ONCE:
        return parse(*arguments)
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_THREAD, context.run, parse, *arguments)


def _single_image() -> bytes:
    kind, options = parse_options_header(request.environ.get("CONTENT_TYPE", ""))
    if kind == FORM:
        return _files(inflated_body(), options, OTHER_PARTS + 1)[0]
    body = inflated_body()
    if not body:
        raise MissingImageError(
            "The body is empty. Send the image as the part 'file' of a multipart/form-data body, or "
            "its bytes with an image/* content type."
        )
    if kind == JSON:
        return _json_image(body)
    if kind.startswith("image/") or kind in ("", "application/octet-stream"):
        return body
    raise UnsupportedContentTypeError(
        f"The content type is {kind[:100]!r}. Send the image as the part 'file' of a multipart/form-data "
        'body, its bytes with an image/* content type, or application/json: {"image": "<base64>"}.'
    )


def _many_images(limit: int) -> list[bytes]:
    kind, options = parse_options_header(request.environ.get("CONTENT_TYPE", ""))
    if kind != FORM:
        raise MissingImageError("Send the images as parts called 'file' of a multipart/form-data body.")
    images = _files(inflated_body(), options, limit + OTHER_PARTS)
    if len(images) > limit:
        raise TooManyImagesError(f"There are {len(images)} images; at most {limit} are taken at once.")
    return images


def _json_image(body: bytes) -> bytes:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BrokenBodyError(f"The JSON of the request cannot be read: {str(error)[:200]}.") from error
    image = message.get("image") if isinstance(message, dict) else None
    if not isinstance(image, str):
        raise MissingImageError('There is no image in the JSON. Send {"image": "<base64 or data URL>"}.')
    return decode_base64(image)


def _files(body: bytes, options: dict[str, str], max_parts: int) -> list[bytes]:
    """Return the contents of a form's parts called `file`; raises MissingImageError if there are none."""
    try:
        parts = _parts(body, options.get("boundary", ""), max_parts)
    except MultipartError as error:
        error.__traceback__ = None  # the parser keeps its error, and the traceback would keep the body
        raise MissingImageError(f"No part could be read from the form: {error}. {HOW}") from error
    files = [content for name, content in parts if name == PART]
    if files:
        return files
    names = ", ".join(sorted({name[:50] for name, _ in parts})[:10]) or "none"
    raise MissingImageError(
        f"There is no part called 'file' in the form. The parts found are: {names}. {HOW}"
    )


def _parts(body: bytes, boundary: str, max_parts: int) -> list[tuple[str, bytes]]:
    """Return name and content of each part of a form; raises MultipartError or RequestEntityTooLarge."""
    parts: list[tuple[str, list[bytes]]] = []
    with PushMultipartParser(boundary, content_length=len(body)) as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                parts.append((event.name or "", []))
            elif event:
                parts[-1][1].append(event)
            if len(parts) > max_parts:
                raise RequestEntityTooLarge(f"The form has more than {max_parts} parts. Send fewer at once.")
    contents = [(name, b"".join(pieces)) for name, pieces in parts]
    if any(len(content) > LONGEST_TEXT for name, content in contents if name != PART):
        raise RequestEntityTooLarge(f"A part that is not called 'file' is longer than {LONGEST_TEXT} bytes.")
    return contents
