"""A case: its bytes and what is expected of a server, with the words that the tables build them from."""

import enum
from collections.abc import Iterator
from typing import NamedTuple

CHUNKED = "Transfer-Encoding: chunked"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
# A request behind a case. A server that answers it although llhttp does not see it was misled.
LAST = b"GET /models/the-last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Expected(enum.Enum):
    """What a server does with the requests of a case."""

    ANSWERED = "every request is answered"
    UNREADABLE = "llhttp refuses the last one, and so does the server"
    REFUSED = "llhttp reads it, the service refuses it and closes the connection"
    DEBATABLE = "llhttp reads it, the service may refuse it"
    UNFINISHED = "the last one never ends"


class Case(NamedTuple):
    """The bytes of a connection, and what to expect."""

    name: str
    data: bytes
    expected: Expected


def head(line: str, *fields: str, host: str | None = "x") -> bytes:
    """Return a request's head; latin-1, so that any byte can be written as a character."""
    hosts = [] if host is None else [f"Host: {host}"]
    return "".join(f"{text}\r\n" for text in [line, *hosts, *fields, ""]).encode("latin-1")


def get(*fields: str, target: str = "/", version: str = "HTTP/1.1", host: str | None = "x") -> bytes:
    """Return a request without a body."""
    return head(f"GET {target} {version}", *fields, host=host)


def post(*fields: str, body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    """Return a request with a body and whatever frames it."""
    return head(f"POST / {version}", *fields) + body


def chunks(body: bytes) -> bytes:
    """Return a request with a chunked body, given as it is on the wire."""
    return post(CHUNKED, body=body)


def table(expected: Expected, cases: dict[str, bytes]) -> Iterator[Case]:
    """Yield the cases of a table that expects the same of all."""
    for name, data in cases.items():
        yield Case(name, data, expected)
