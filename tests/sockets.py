"""Clients that no library would play: bytes on a socket, too few, too slow, too many."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.serving import Server


class Answer(NamedTuple):
    """What came back; closed: whether the server then closed the connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool

    @property
    def problem(self) -> dict[str, Any]:
        """The body as a problem object."""
        assert self.headers["content-type"] == "application/problem+json", self
        return json.loads(self.body)


def connect(server: Server, timeout: float = 20) -> socket.socket:
    """Return a connection to the server."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)


def open_connections(server: Server) -> int:
    """Return how many established connections the server has, as the kernel lists them."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{server.port:04X}") and line[3] == "01" for line in lines)


def exchange(server: Server, *pieces: bytes) -> list[Answer]:
    """Send pieces on one connection and return all answers until the server closes it or stays silent."""
    with connect(server, timeout=3) as connection:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        data, closed = read_all(connection)
    return list(split(data, closed))


def read_all(connection: socket.socket) -> tuple[bytes, bool]:
    """Return what the server sends, and whether it closed the connection before the timeout."""
    data = b""
    while True:
        try:
            piece = connection.recv(65536)
        except TimeoutError:
            return data, False
        if not piece:
            return data, True
        data += piece


def split(data: bytes, closed: bool) -> Iterator[Answer]:
    """Yield the answers in a stream of them; "100 Continue" is left out."""
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        assert separator, f"this is not an answer: {head[:200]!r}"
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split()[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        if status != 100:
            yield Answer(status, headers, data[:length], closed)
        data = data[length:]


def post(body: bytes, path: str = "/predict", content_type: str = "image/png", **headers: str) -> bytes:
    """Return the bytes of a request with a body; headers as keywords, a given length wins."""
    lines = {"Host": "x", "Content-Type": content_type, "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{text}\r\n".encode() + body


def until_closed(connections: list[socket.socket], seconds: float) -> list[bytes]:
    """Return what each connection received until the server closed it; fail where it did not."""
    deadline = time.monotonic() + seconds
    received = []
    for connection in connections:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            data, closed = read_all(connection)
        except ConnectionError:
            data, closed = b"", True
        assert closed, f"still open after {seconds} s"
        received.append(data)
    return received


@contextlib.contextmanager
def dripping(connections: list[socket.socket], seconds: float = 0.2) -> Iterator[None]:
    """Send a byte into each connection every so many seconds, so that none is ever silent."""
    done = threading.Event()

    def drip() -> None:
        while not done.wait(seconds):
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.send(b"a")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
