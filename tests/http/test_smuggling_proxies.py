"""Behind a proxy that shares connections between its clients, each client gets the answer to its own request.

attacker: an odd request with a hidden one in its body  --\\
                                                           proxy == one connection == service
client: GET /models/client-17                           --/

Where proxy and service disagree on where the attacker's request ends, the service answers the hidden one, or
takes the client's request for the rest of it, and the client gets an answer that is not its own.
"""

import contextlib
import http.client
import itertools
import json
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.deploy.tools import program
from tests.nginx import running_nginx, running_proxy
from tests.serving import Server, free_port, running_service
from tests.sockets import open_connections

ATTACK_SECONDS = 0.15  # how long the attacker waits for an answer before the others ask
CLIENT_SECONDS = 10
TRIES = 200

HAPROXY = """
global
    nbthread 1
    maxconn 400
defaults
    mode http
    timeout connect 3s
    timeout client 20s
    timeout server 20s
    retries 0
frontend always
    bind 127.0.0.1:{always}
    default_backend reused
backend reused
    http-reuse always
    server digits 127.0.0.1:{service}
frontend safe
    bind 127.0.0.1:{safe}
    default_backend careful
backend careful
    server digits 127.0.0.1:{service}
"""
UPSTREAM = "upstream digits {{ server 127.0.0.1:{port}; keepalive 1; }}"
LOCATION = """
location / {
    proxy_pass http://digits;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_request_buffering off;
    proxy_next_upstream off;
}
"""


class Proxy(NamedTuple):
    """A running proxy; `port` is where its clients connect."""

    name: str
    port: int
    service: Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service of its own, so that its connections are those of the proxies."""
    with running_service(tmp_path_factory.mktemp("service"), WEB_CONCURRENCY="1") as server:
        yield server


@pytest.fixture(scope="module")
def haproxy(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[dict[str, Proxy]]:
    """HAProxy with a frontend for each way to share connections."""
    folder = tmp_path_factory.mktemp("haproxy")
    ports = {"always": free_port(), "safe": free_port()}
    (folder / "haproxy.cfg").write_text(HAPROXY.format(service=server.port, **ports))
    command = [program("haproxy"), "-db", "-f", folder / "haproxy.cfg"]
    with running_proxy(command, ports["safe"], folder / "output"):
        yield {name: Proxy(f"haproxy {name}", port, server) for name, port in ports.items()}


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Proxy]:
    """A nginx that hands a body on as it comes and keeps its connection."""
    upstream = UPSTREAM.format(port=server.port)
    with running_nginx(tmp_path_factory.mktemp("nginx"), LOCATION, upstream) as address:
        yield Proxy("nginx", int(address.rpartition(":")[2]), server)


@pytest.fixture(scope="module")
def proxies(haproxy: dict[str, Proxy], nginx: Proxy) -> list[Proxy]:
    return [*haproxy.values(), nginx]


def head(*fields: str, line: str = "POST /predict HTTP/1.1") -> bytes:
    """Return the head of the attacker's request."""
    return "".join(f"{text}\r\n" for text in [line, "Host: x", *fields, ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = "Transfer-Encoding: chunked"
END = b"0\r\n\r\n"
UPGRADE = ("Connection: Upgrade", "Upgrade: made-up")


def with_length(hidden: bytes, *fields: str, zeros: int = 0, line: str = "POST /predict HTTP/1.1") -> bytes:
    """Return a request whose body is the hidden one."""
    return head(f"Content-Length: {'0' * zeros}{len(hidden)}", *fields, line=line) + hidden


def behind_chunks(hidden: bytes, *fields: str, body: bytes = END) -> bytes:
    """Return a request that ends at its last chunk by one header, and after the hidden one by the other."""
    body += hidden
    return head(f"Content-Length: {len(body)}", *fields) + body


# Each turns the hidden request into bytes that a proxy may read as one request and the service as two.
CANDIDATES = {
    "length with 25 leading zeros": lambda hidden: with_length(hidden, zeros=25),
    "length with 17 leading zeros": lambda hidden: with_length(hidden, zeros=17),
    "length of a GET": lambda hidden: with_length(hidden, line="GET /livez HTTP/1.1"),
    "length of a HEAD": lambda hidden: with_length(hidden, line="HEAD /livez HTTP/1.1"),
    "length of a route that reads no body": lambda hidden: with_length(hidden, line="POST /nothing HTTP/1.1"),
    "length in HTTP/1.0": lambda hidden: with_length(
        hidden, "Connection: keep-alive", line="POST /predict HTTP/1.0"
    ),
    "length with a plus": lambda hidden: head(f"Content-Length: +{len(hidden)}") + hidden,
    "list of lengths": lambda hidden: head(f"Content-Length: {len(hidden)}, {len(hidden)}") + hidden,
    "two lengths": lambda hidden: head("Content-Length: 0", f"Content-Length: {len(hidden)}") + hidden,
    "two lengths, the short one last": lambda hidden: (
        head(f"Content-Length: {len(hidden)}", "Content-Length: 0") + hidden
    ),
    "length after a space": lambda hidden: head(f"Content-Length : {len(hidden)}") + hidden,
    "length and chunks": lambda hidden: behind_chunks(hidden, CHUNKED),
    "length inside of chunks": lambda hidden: head(CHUNKED, "Content-Length: 4") + chunk(hidden) + END,
    "identity and chunks": lambda hidden: head("Transfer-Encoding: identity, chunked") + chunk(hidden) + END,
    "identity": lambda hidden: behind_chunks(hidden, "Transfer-Encoding: identity"),
    "unknown coding": lambda hidden: behind_chunks(hidden, "Transfer-Encoding: xchunked"),
    "gzip and chunks": lambda hidden: head("Transfer-Encoding: gzip, chunked") + chunk(hidden) + END,
    "two codings": lambda hidden: head(CHUNKED, "Transfer-Encoding: identity") + END + hidden,
    "chunks in HTTP/1.0": lambda hidden: (
        head(CHUNKED, "Connection: keep-alive", line="POST /predict HTTP/1.0") + END + hidden
    ),
    "coding after a vertical tab": lambda hidden: behind_chunks(hidden, "Transfer-Encoding: \x0bchunked"),
    "coding with a space before the colon": lambda hidden: behind_chunks(
        hidden, "Transfer-Encoding : chunked"
    ),
    "folded coding": lambda hidden: behind_chunks(hidden, "Transfer-Encoding:\r\n chunked"),
    "coding in a fold": lambda hidden: behind_chunks(hidden, "X-A: b\r\n Transfer-Encoding: chunked"),
    "coding behind a bare LF": lambda hidden: behind_chunks(hidden, "X-A: b\nTransfer-Encoding: chunked"),
    "coding behind a bare CR": lambda hidden: behind_chunks(hidden, "X-A: b\rTransfer-Encoding: chunked"),
    "head in bare LFs": lambda hidden: with_length(hidden).replace(b"\r\n", b"\n", 3),
    "chunk size of 17 digits": lambda hidden: (
        head(CHUNKED) + b"1%016x\r\n" % len(hidden) + hidden + b"\r\n" + END
    ),
    "chunk size with zeros": lambda hidden: (
        head(CHUNKED) + b"%040x\r\n" % len(hidden) + hidden + b"\r\n" + END
    ),
    "chunk size and a bare LF": lambda hidden: head(CHUNKED) + b"0\n\r\n" + hidden,
    "chunk size and a bare CR": lambda hidden: head(CHUNKED) + b"0\r\r\n\r\n" + hidden,
    "chunk size with a space": lambda hidden: head(CHUNKED) + b"0 \r\n\r\n" + hidden,
    "prefixed chunk size": lambda hidden: head(CHUNKED) + b"0x5\r\n\r\n" + hidden,
    "chunk extension": lambda hidden: head(CHUNKED) + chunk(hidden).replace(b"\r\n", b';a="b"\r\n', 1) + END,
    "chunk extension with a bare LF": lambda hidden: (
        head(CHUNKED) + b"2;\nxx\r\n%x\r\n0\r\n\r\n" % (len(hidden) + 8) + hidden + b"\r\n" + END
    ),
    "chunk extension with a bare CR": lambda hidden: (
        head(CHUNKED) + b"2;\rxx\r\n%x\r\n0\r\n\r\n" % (len(hidden) + 8) + hidden + b"\r\n" + END
    ),
    "last chunk in a bare LF": lambda hidden: head(CHUNKED) + b"0\r\n\n" + hidden,
    "trailers": lambda hidden: head(CHUNKED) + b"0\r\nHost: y\r\nX-Api-Key: a\r\n\r\n" + hidden,
    "length among the trailers": lambda hidden: (
        head(CHUNKED) + b"0\r\nContent-Length: %d\r\n\r\n" % len(hidden) + hidden
    ),
    "upgrade with a length": lambda hidden: with_length(hidden, *UPGRADE),
    "upgrade with chunks": lambda hidden: head(CHUNKED, *UPGRADE) + chunk(hidden) + END,
    "upgrade without a body": lambda hidden: head(*UPGRADE, line="GET /livez HTTP/1.1") + hidden,
    "tunnel": lambda hidden: head(line="CONNECT / HTTP/1.1") + hidden,
    "expectation": lambda hidden: with_length(hidden, "Expect: 100-continue"),
    "unknown expectation": lambda hidden: with_length(hidden, "Expect: 200-ok"),
    "no version": lambda hidden: b"GET /livez\r\n" + hidden,
}


def hidden_request(number: int, finished: bool) -> bytes:
    """Return the request in the attacker's body: whole, or one that swallows what follows."""
    line = f"GET /models/hidden-{number} HTTP/1.1\r\nHost: x\r\n"
    return (line + ("\r\n" if finished else "X-Hidden: ")).encode()


class Client:
    """A connection to a proxy, kept from one request to the next."""

    def __init__(self, proxy: Proxy) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=CLIENT_SECONDS)

    def ask(self, name: str) -> str:
        """Ask for a model that does not exist; return "" where the answer names it, or what came instead."""
        try:
            response, body = self._exchange(name)
        except (ConnectionError, http.client.RemoteDisconnected):
            # The service closed the shared connection meanwhile: no answer at all. Clients then ask again.
            self._connection.close()
            response, body = self._exchange(name)
        own = response.status == 404 and name in json.loads(body)["detail"]
        return "" if own else f"{response.status} {body[:300]!r}"

    def _exchange(self, name: str) -> tuple[http.client.HTTPResponse, bytes]:
        self._connection.request("GET", f"/models/{name}")
        response = self._connection.getresponse()
        return response, response.read()

    def send(self, data: bytes, together: bool) -> None:
        """Send bytes, the head together with what is behind it or apart, and wait a moment for an answer."""
        connection = self._connection.sock
        connection.settimeout(ATTACK_SECONDS)
        end_of_head = 0 if together else data.find(b"\r\n\r\n") + 4
        with contextlib.suppress(OSError):
            connection.sendall(data[:end_of_head])
            time.sleep(0 if together else 0.005)
            connection.sendall(data[end_of_head:])
            connection.recv(65536)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()


def test_clients_of_each_proxy_share_a_connection(proxies: list[Proxy]):
    for proxy in proxies:
        before = open_connections(proxy.service)
        for number in range(20):
            with Client(proxy) as client:
                assert client.ask(f"first-{number}") == ""
                assert client.ask(f"second-{number}") == ""
        assert open_connections(proxy.service) < before + 10, proxy.name


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_each_client_gets_its_own_answer(proxies: list[Proxy], candidate: str):
    ways = list(itertools.product(proxies, [False, True], [False, True]))
    assert len(CANDIDATES) * len(ways) >= TRIES
    mixed_up = []
    for number, (proxy, finished, together) in enumerate(ways):
        with Client(proxy) as attacker, Client(proxy) as old, Client(proxy) as new:
            # Each has asked before: HAProxy by default shares no connection for a client's first request.
            assert attacker.ask("nothing") == ""
            assert old.ask(f"before-{number}") == ""
            # nginx sends no body after an early answer, so the service has to get head and body together.
            attacker.send(CANDIDATES[candidate](hidden_request(number, finished)), together)
            names = [f"old-{number}", f"new-{number}", f"old-again-{number}"]
            answers = [client.ask(name) for client, name in zip([old, new, old], names, strict=True)]
        way = f"{proxy.name}, finished {finished}, together {together}"
        mixed_up += [f"{way}: {answer}" for answer in answers if answer]
    assert not mixed_up, "\n".join(mixed_up)
