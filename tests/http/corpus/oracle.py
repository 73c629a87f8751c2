"""What llhttp itself, without any server around it, reads in the bytes of a connection."""

import dataclasses
from typing import Any

import httptools


@dataclasses.dataclass
class Request:
    """A request whose head is complete; `complete` once its body is, too."""

    method: str
    path: str
    query: str
    version: str
    headers: list[list[str]]
    keep_alive: bool
    body: bytes = b""
    complete: bool = False


@dataclasses.dataclass
class Reading:
    """The requests in a stream, and whether it goes on with bytes that are refused or never end."""

    requests: list[Request] = dataclasses.field(default_factory=list)
    refused: bool = False
    begun: int = 0

    @property
    def complete(self) -> list[Request]:
        """The requests that a server may answer: whole, and up to the one that closes the connection."""
        return [request for request in self.requests if request.complete]

    @property
    def unfinished(self) -> bool:
        """Whether a request was begun that has no end."""
        return not self.refused and self.begun > len(self.complete)


class _Reader:
    def __init__(self) -> None:
        self.reading = Reading()
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: list[list[str]] = []

    def feed(self, data: bytes) -> bool:
        """Read on; returns whether the connection goes on after these bytes."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # A server may ignore an upgrade, but then the body is a body and not the next request.
            return self._read_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.reading.refused = not self._closed
            return False
        return not self._closed

    @property
    def _closed(self) -> bool:
        done = self.reading.complete
        return bool(done) and not done[-1].keep_alive

    def _read_without_upgrade(self, rest: bytes) -> bool:
        upgraded = self.reading.requests.pop()
        self.reading.begun -= 1
        if upgraded.method == "CONNECT":  # what follows is for another server
            self.reading.begun += 1
            self.reading.requests.append(dataclasses.replace(upgraded, keep_alive=False))
            return False
        self._parser = httptools.HttpRequestParser(self)
        kept = [header for header in upgraded.headers if header[0] != "upgrade"]
        lines = [f"{upgraded.method} {self._url.decode('latin-1')} HTTP/{upgraded.version}"]
        lines += [f"{name}: {value}" for name, value in kept]
        return self.feed("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + rest)

    def on_message_begin(self) -> None:
        self._url, self._headers = b"", []
        self.reading.begun += 1

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append([name.decode("latin-1").lower(), value.decode("latin-1")])

    def on_headers_complete(self) -> None:
        parser = self._parser
        url: Any = httptools.parse_url(self._url)
        if url.path is None:
            raise ValueError("an address without a path")
        version = parser.get_http_version()
        request = Request(
            parser.get_method().decode(),
            url.path.decode("latin-1"),
            (url.query or b"").decode("latin-1"),
            version,
            self._headers,
            parser.should_keep_alive() and version == "1.1",
        )
        self.reading.requests.append(request)
        self._headers = []  # what comes now are trailers

    def on_body(self, body: bytes) -> None:
        self.reading.requests[-1].body += body

    def on_message_complete(self) -> None:
        self.reading.requests[-1].complete = True


def read(data: bytes) -> Reading:
    """Return what llhttp reads in the bytes of a connection, up to a request that closes it."""
    reader = _Reader()
    reader.feed(data)
    return reader.reading
