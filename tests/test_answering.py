"""Requests that reach a worker together: begun one after another, then answered, each as if alone."""

import contextlib
import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import requests
from gunicorn.config import Config
from gunicorn.http import get_parser, wsgi
from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName
from gunicorn.workers.gthread import TConn
from PIL import Image, ImageDraw
from prometheus_client import CollectorRegistry

from service.answering import Answering, Response, common_environ, environ_of
from service.api.observability import Frame
from service.connection import Connection
from service.headers import SECURITY_HEADERS
from service.metrics import Metrics
from tests.drawing import digit_png, encode
from tests.serving import Server, running_service
from tests.sockets import connect, post, split

DIGITS = [digit_png(digit) for digit in range(8)]
# Few bytes, so that the loop answers it itself, and nearly as many pixels as are allowed.
LONG = Image.new("RGB", (4900, 4900), "white")
ImageDraw.Draw(LONG).rectangle((2000, 1000, 2600, 4000), fill="black")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_service(tmp_path_factory.mktemp("service"), WEB_CONCURRENCY="1") as running:
        yield running


@contextlib.contextmanager
def arriving_together(server: Server, wanted: list[bytes]) -> Iterator[list[socket.socket]]:
    """Send each request on a connection of its own while the worker is stopped, then have it go on."""
    (worker,) = server.workers()
    with contextlib.ExitStack() as closing:
        os.kill(worker, signal.SIGSTOP)
        try:
            connections = [closing.enter_context(connect(server)) for _ in wanted]
            for connection, request in zip(connections, wanted, strict=True):
                connection.sendall(request)
        finally:
            os.kill(worker, signal.SIGCONT)
        yield connections


class Answer(NamedTuple):
    """What came back on a connection."""

    status: int
    headers: Message
    content: dict[str, Any]


def answer(connection: socket.socket) -> Answer:
    """Return the one answer on a connection, which may stay open."""
    with contextlib.closing(http.client.HTTPResponse(connection)) as response:
        response.begin()
        return Answer(response.status, response.headers, json.loads(response.read()))


def predictions(connection: socket.socket, count: int) -> list[tuple[str, int]]:
    """Return the ids and digits of so many answers on a connection, in the order in which they came."""
    data = b""
    while data.count(b"HTTP/1.1 200") < count or not data.endswith(b"}\n"):
        data += connection.recv(65536)
    return [(each.headers["x-request-id"], json.loads(each.body)["digit"]) for each in split(data, False)]


def test_requests_that_came_together_are_classified_together_and_answered_as_alone(server):
    alone = [server.predict(image).json() for image in DIGITS]
    before = server.metric("digits_inference_duration_seconds_count")
    with arriving_together(server, [post(image) for image in DIGITS]) as connections:
        answers = [answer(connection) for connection in connections]
    assert [each.content for each in answers] == alone
    assert {each.headers["connection"] for each in answers} == {"keep-alive"}
    assert server.metric("digits_inference_duration_seconds_count") - before <= len(DIGITS) / 2
    assert server.metric("http_requests_in_flight") == 1  # the scrape itself


def test_each_gets_what_is_its_own_whatever_the_others_are(server):
    wanted = [
        post(DIGITS[1]),
        post(b"no picture"),
        b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n",
        post(DIGITS[2], X_Request_Id="mine"),
        b"POST /predict HTTP/1.1\r\nHost: x\r\nbroken header\r\n\r\n",
        post(DIGITS[3], path="/predict?model=none"),
        post(DIGITS[4], path="/predict?model=digits-8x8"),
        post(DIGITS[5], Connection="close"),
    ]
    with arriving_together(server, wanted) as connections:
        answers = [answer(connection) for connection in connections]
    assert [each.status for each in answers] == [200, 415, 200, 200, 400, 404, 200, 200]
    assert [answers[k].content["digit"] for k in (0, 3, 6, 7)] == [1, 2, 4, 5]
    assert answers[3].headers["x-request-id"] == "mine"
    assert [k for k, each in enumerate(answers) if each.headers["connection"] == "close"] == [4, 7]


def test_a_picture_that_takes_long_does_not_hold_up_those_that_came_with_it(server):
    images = [*DIGITS[:3], encode(LONG, "WEBP", lossless=True), *DIGITS[3:7]]
    assert len(images[3]) < 2_000
    names = [f"fast-{k}" for k in range(8)]
    names[3] = "slow"
    wanted = [post(image, X_Request_Id=name) for image, name in zip(images, names, strict=True)]
    with arriving_together(server, wanted) as connections:
        assert [answer(connection).status for connection in connections] == [200] * len(images)
    logged = [line["request_id"] for line in server.log_lines() if line.get("request_id") in names]
    # Only the first may wait: the worker was at its answer, and prepared what had come with it.
    assert set(names) - {"fast-0", "slow"} == set(logged[:6])


def test_what_a_client_sends_while_its_request_is_answered_waits_for_its_turn(server):
    slow = post(encode(LONG, "WEBP", lossless=True), X_Request_Id="slow-1")
    with arriving_together(server, [slow, post(DIGITS[1], X_Request_Id="quick-1")]) as connections:
        time.sleep(0.01)  # the worker has begun, and nobody looks at the sockets yet
        for connection, name in zip(connections, ("slow-2", "quick-2"), strict=True):
            connection.sendall(post(DIGITS[2], X_Request_Id=name))
        assert predictions(connections[0], 2) == [("slow-1", 1), ("slow-2", 2)]
        assert predictions(connections[1], 2) == [("quick-1", 1), ("quick-2", 2)]
    logged = [line.get("request_id", "") for line in server.log_lines()]
    assert [name for name in logged if name.startswith(("slow-", "quick-"))] == [
        "quick-1",
        "quick-2",
        "slow-1",
        "slow-2",
    ]


REQUESTS = [
    b"POST /predict?model=a%20b&x HTTP/1.1\r\nHost: digits:8080\r\nContent-Type: image/png\r\n"
    b"Content-Length: 3\r\n\r\nabc",
    b"GET /static/a%2Fb%C3%A9?q=%C3%A9 HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-a: 2\r\nx-A: 3\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET http://other:99/metrics HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n",
    b"POST /v2 HTTP/1.1\r\nHost: x\r\nCookie: a=\xe9\r\nSCRIPT_NAME: /evil\r\nContent_Length: 9\r\n"
    b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("data", REQUESTS)
def test_the_application_gets_to_know_what_gunicorn_would_tell_it(data):
    config = Config()
    config.set("forwarded_allow_ips", "*")  # as in service/server/gunicorn_conf.py
    config.set("secure_scheme_headers", {})
    config.set("forwarder_headers", "")
    client, listener = ("10.0.0.7", 54321), ("127.0.0.1", 8080)
    request = next(get_parser(config, [data], client))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        conn = TConn(config, ours, client, listener)
        environ = common_environ(config) | environ_of(request, conn)
        _, expected = wsgi.create(request, ours, client, listener, config)
    del expected["wsgi.early_hints"]  # which nothing here sends
    assert [environ.pop("wsgi.multithread"), expected.pop("wsgi.multithread")] == [True, False]
    assert type(environ.pop("wsgi.errors")) is type(expected.pop("wsgi.errors"))
    assert environ == expected
    assert "SCRIPT_NAME" in environ
    assert environ["SCRIPT_NAME"] == ""
    assert environ["wsgi.url_scheme"] == "http"


def test_headers_of_the_application_are_checked_and_those_of_every_answer_come_through(server):
    response = requests.get(f"{server.url}/models", timeout=10)
    for name, value in SECURITY_HEADERS.items():
        assert response.headers[name] == value
    moment = parsedate_to_datetime(response.headers["Date"])
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 10


@pytest.mark.parametrize(
    "header", [("X-Bad", "a\r\nSet-Cookie: b"), ("X Bad", "a"), ("X-Bad", "a\0"), ("Content-Type", "a\nb")]
)
def test_a_header_that_would_split_the_answer_is_refused(header):
    response = Response(SimpleNamespace(method="GET"), None, Config())
    with pytest.raises((InvalidResponseHeader, InvalidResponseHeaderName)):
        response.start_response("200 OK", [("Content-Type", "text/plain"), header])


class Breaking:
    """Pieces of an answer that break off; closed: whether they were."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        raise RuntimeError("broken off")

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("pieces", "told"), [((), ["broken off"]), ((b"half",), [])])
def test_an_answer_that_breaks_off_ends_the_connection_and_no_other_answer_follows_it(pieces, told):
    broken, errors = Breaking(*pieces), []

    def application(environ: dict, start_response: Callable) -> Breaking:
        start_response("200 OK", [("Content-Length", "9")])
        return broken

    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours, theirs:
        theirs.sendall(b"GET /path HTTP/1.1\r\nHost: x\r\n\r\n")
        connection = Connection(ours, 100, 10)
        while not connection.is_complete():
            connection.receive()
        connection.take_request()
        conn = TConn(Config(), connection, ("10.0.0.7", 54321), ("127.0.0.1", 8080))
        answering = Answering(
            conn, common_environ(conn.cfg), lambda path, error: errors.append((path, str(error)))
        )
        answering.begin(application, conn.cfg, False)
        assert answering.complete() is False
    assert [error for _, error in errors] == told
    assert all(path == "/path" for path, _ in errors)
    assert connection.unsent.endswith(b"\r\n\r\nhalf" if pieces else b"")
    assert broken.closed


def test_an_application_that_fails_after_its_headers_is_in_flight_no_more():
    metrics = Metrics(CollectorRegistry())

    def application(environ: dict, start_response: Callable) -> list[bytes]:
        start_response("200 OK", [])
        raise RuntimeError("too late")

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    with pytest.raises(RuntimeError):
        Frame(metrics).answer(application, environ, lambda status, headers: None)
    assert metrics.registry.get_sample_value("http_requests_in_flight") == 0
