"""The head of a request: plain ones are read here at once, all others by gunicorn's parser.

    bytes of a head -> plain_head -> Head, of which nothing can be understood in two ways
                                  -> None: gunicorn's to judge

Gunicorn's parser is made for heads that come piece by piece, and for all that HTTP allows. Nearly all
requests are of the one form that is read here.
"""

import re
from typing import NamedTuple

# Gunicorn's limits, which it keeps itself, lie above.
MAX_PLAIN_BYTES = 4000
MAX_PLAIN_HEADERS = 50

_PATH = rb"/(?:[\w.~%-][\w.~%/-]*)?"
_QUERY = rb"[\w.~%=&+,:/-]*"
_HEADER = rb"[A-Za-z0-9-]+:[ -~\t]*\r\n"
_PLAIN = re.compile(
    rb"(GET|HEAD|POST) (%s)(?:\?(%s))? HTTP/1\.1\r\n((?:%s)+)\r\n" % (_PATH, _QUERY, _HEADER), re.ASCII
)
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
# These say how a request is framed or what becomes of the connection: more than a value.
_NOT_PLAIN = frozenset({"TRANSFER-ENCODING", "EXPECT", "UPGRADE", "TRAILER"})


class Head(NamedTuple):
    """What a request says before its body.

    query: None where there is no question mark. headers: (name, value), names in upper case, each once.
    length: of the body in bytes; None where it is not said, and so none comes.
    """

    method: str
    path: str
    query: str | None
    headers: list[tuple[str, str]]
    length: int | None


def plain_head(data: bytes) -> Head | None:
    """Return what a whole head says, its empty line included, if that is plain."""
    plain = _PLAIN.fullmatch(data) if len(data) <= MAX_PLAIN_BYTES else None
    if not plain:
        return None
    method, path, query, lines = plain.groups()
    parts = [line.partition(":") for line in lines.decode().split("\r\n")[:-1]]
    if len(parts) > MAX_PLAIN_HEADERS:
        return None
    headers = {name.upper(): value.strip(" \t") for name, _, value in parts}
    if len(headers) < len(parts) or not _NOT_PLAIN.isdisjoint(headers):
        return None
    length = headers.get("CONTENT-LENGTH")
    if length is not None and not _DIGITS.fullmatch(length):
        return None
    return Head(
        method=method.decode(),
        path=path.decode(),
        query=None if query is None else query.decode(),
        headers=list(headers.items()),
        length=None if length is None else int(length),
    )
