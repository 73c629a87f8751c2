"""The parts of a multipart/form-data body that is in memory (RFC 7578, RFC 2046 section 5.1).

    body, boundary -> split at the delimiters -> headers, content -> Part(name, is_file, content)

Werkzeug's parser is made for bodies that arrive piece by piece and may go to disk; here the whole body
is there and bounded, and finding the delimiters in it takes a tenth of the time.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_HEADER_BYTES = 8192  # of one part; browsers send some 150
MAX_BOUNDARY_BYTES = 200  # RFC 2046 has 70, some clients more

# ; key=token or ; key="quoted, with \" inside", or as browsers write it: ; key="C:\", escaping nothing
_PARAMETER = re.compile(
    r';[ \t]*([\w*-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*|[^"]*)"|([^;"\s]*))[ \t]*(?=;|$)', re.ASCII
)
_ESCAPED = re.compile(r'\\(["\\])')
_CONTINUATION = re.compile(r"\r\n[ \t]+")
_PADDING = re.compile(rb"[ \t]*\r\n")
_PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})


class MultipartError(ValueError):
    """The body is not what its content type says."""


class TooManyPartsError(MultipartError):
    """There are more parts than allowed."""


class Part(NamedTuple):
    """One field of a form. is_file: it came with a file name, and not as text."""

    name: str
    is_file: bool
    content: bytes


def parameters(header: str) -> dict[str, str]:
    """Return the parameters of a header such as `form-data; name="file"`, names in lower case."""
    return {
        name.lower(): (_ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted) or token
        for name, quoted, token in _PARAMETER.findall(header)
    }


def parse_form(body: bytes, content_type: str, max_parts: int) -> list[Part]:
    """Return the parts of a body in the order sent; raises MultipartError for anything unfinished.

    content_type: the request's header, which names the boundary.
    """
    boundary = parameters(content_type).get("boundary", "").encode("latin-1", "replace")
    if not 0 < len(boundary) <= MAX_BOUNDARY_BYTES:
        raise MultipartError("the content type names no boundary")
    parts: list[Part] = []
    for start, end in _sections(body, b"--" + boundary):
        if len(parts) == max_parts:
            raise TooManyPartsError(f"there are more than {max_parts} parts")
        parts.append(_part(body, start, end))
    return parts


def _sections(body: bytes, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each part begins, headers first, and ends."""
    line = b"\r\n" + delimiter
    found = 0 if body.startswith(delimiter) else _find_line(body, line, 0) + 2  # after a preamble
    position = found + len(delimiter)
    while not body.startswith(b"--", position):
        padding = _PADDING.match(body, position)
        if padding is None:
            raise MultipartError("a boundary is not alone on its line")
        end = _find_line(body, line, padding.end())
        yield padding.end(), end
        position = end + len(line)


def _find_line(body: bytes, line: bytes, start: int) -> int:
    """Return where the next delimiter begins; one that goes on as text is part of the content."""
    while (found := body.find(line, start)) >= 0:
        after = found + len(line)
        if body.startswith(b"--", after) or _PADDING.match(body, after):
            return found
        start = after
    raise MultipartError("the body ends before its last boundary")


def _part(body: bytes, start: int, end: int) -> Part:
    # The line break of the delimiter may be the one that ends the headers, where there is no content.
    head_end = body.find(b"\r\n\r\n", start, min(end + 2, start + MAX_HEADER_BYTES))
    if head_end < 0:
        raise MultipartError("a part has no headers, or too long ones")
    headers = _headers(body[start:head_end])
    disposition = parameters(headers.get("content-disposition", ""))
    encoding = headers.get("content-transfer-encoding", "").lower()
    if encoding not in _PLAIN_ENCODINGS:
        raise MultipartError(f"a part is encoded as {encoding[:20]!r}")
    if "name" not in disposition:
        raise MultipartError("a part has no name")
    is_file = "filename" in disposition or "filename*" in disposition
    return Part(disposition["name"], is_file, body[head_end + 4 : end])


def _headers(head: bytes) -> dict[str, str]:
    """Return the headers of a part by their names in lower case."""
    text = head.decode("utf-8", "replace")
    if "\r\n " in text or "\r\n\t" in text:  # a line that begins with space continues the one before
        text = _CONTINUATION.sub(" ", text)
    named = (line.partition(":") for line in text.split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in named}
