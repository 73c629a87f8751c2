"""Slow or hostile clients do not delay other clients, and are disconnected after the stated time."""

import contextlib
import socket
from collections.abc import Iterator

import pytest
import requests

from tests.drawing import digit_png
from tests.serving import Server, running_service, wait_until
from tests.sockets import connect, dripping, exchange, open_connections, post, split, until_closed

READ_TIMEOUT_SECONDS = 2
EACH_KIND = 50
IMAGE = digit_png(7)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server with few threads and short time-outs, which fifty slow clients would exceed by far."""
    with running_service(
        tmp_path_factory.mktemp("slow"),
        DIGITS_THREADS="4",
        DIGITS_READ_TIMEOUT_SECONDS=str(READ_TIMEOUT_SECONDS),
    ) as server:
        yield server


class OpenMany:
    """Opens connections and closes them when the test is over."""

    def __init__(self, closing: contextlib.ExitStack) -> None:
        self._closing = closing

    def __call__(self, server: Server, count: int, beginning: bytes = b"") -> list[socket.socket]:
        connections = [self._closing.enter_context(connect(server)) for _ in range(count)]
        for connection in connections:
            connection.sendall(beginning)
        return connections


@pytest.fixture
def open_many() -> Iterator[OpenMany]:
    with contextlib.ExitStack() as closing:
        yield OpenMany(closing)


def ask(server: Server, times: int = 20) -> None:
    """Send requests as normal clients and check every answer."""
    for _ in range(times):
        response = requests.post(f"{server.url}/predict", files={"file": IMAGE}, timeout=10)
        assert response.json()["digit"] == 7


def test_two_hundred_slow_clients_are_closed_and_delay_no_one(server, open_many):
    in_head = open_many(server, EACH_KIND, b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    in_body = open_many(server, EACH_KIND, post(IMAGE)[:-300])
    silent = open_many(server, EACH_KIND)
    # They send so much at first that their mean rate is fast enough for a minute: the pause has to count.
    stalled = open_many(server, EACH_KIND, post(IMAGE + bytes(250_000))[:-300])
    with dripping(in_head + in_body):
        ask(server)
        for kind in (in_head, in_body, stalled):
            for data in until_closed(kind, 5 * READ_TIMEOUT_SECONDS):
                (answer,) = split(data, closed=True)
                assert answer.status == 408
                assert "took too long" in answer.problem["detail"]
        assert set(until_closed(silent, 5 * READ_TIMEOUT_SECONDS)) == {b""}
    ask(server, 1)


def test_clients_that_never_read_are_closed_and_delay_no_one(server):
    request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with contextlib.ExitStack() as closing:
        for _ in range(EACH_KIND):
            connection = closing.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                connection.send(request * 200)  # many megabytes of answers, for a window of four kilobytes
        wait_until(lambda: open_connections(server) >= EACH_KIND, "all connections")
        ask(server)
        wait_until(lambda: open_connections(server) == 0, "all closed", seconds=5 * READ_TIMEOUT_SECONDS)
    ask(server, 1)


def test_clients_that_hang_up_halfway_leave_nothing_behind(server):
    for _ in range(100):
        with connect(server) as connection:
            connection.sendall(post(IMAGE)[:-300])
    ask(server)
    wait_until(lambda: server.metric("http_requests_in_flight") == 0, "nothing in flight")


def test_a_client_that_is_told_to_close_and_stays_delays_nobody(server, open_many):
    lingering = open_many(server, 20, post(b"x", Connection="close"))
    ask(server)
    for data in until_closed(lingering, 10):
        (answer,) = split(data, closed=True)
        assert answer.status == 415


def test_used_connection_may_rest_longer_than_a_silent_one(server, open_many):
    with requests.Session() as session:
        session.get(f"{server.url}/livez", timeout=10)
        silent = open_many(server, 1)
        until_closed(silent, 5 * READ_TIMEOUT_SECONDS)
        pooled = session.get_adapter(server.url).poolmanager.connection_from_url(server.url)
        before = pooled.num_connections
        session.get(f"{server.url}/livez", timeout=10)
        assert pooled.num_connections == before


def test_a_request_in_many_pieces_is_answered_like_one_in_one(server):
    whole = post(IMAGE, Connection="close")
    pieces = [whole[start : start + 97] for start in range(0, len(whole), 97)]
    (answer,) = exchange(server, *pieces)
    assert answer.status == 200


def test_requests_sent_ahead_are_answered_in_order(server):
    answers = exchange(
        server,
        post(IMAGE) + post(b"x") + post(digit_png(3)) + b"GET /livez HTTP/1.1\r\nHost: x\r\n"
        b"Connection: close\r\n\r\n",
    )
    assert [answer.status for answer in answers] == [200, 415, 200, 200]


def test_client_that_expects_100_continue_gets_it(server):
    with connect(server) as connection:
        request = post(IMAGE, Expect="100-continue", Connection="close")
        connection.sendall(request[: -len(IMAGE)])
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(IMAGE)
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_connection_above_the_limit_closes_the_oldest(tmp_path, open_many):
    with running_service(
        tmp_path, WEB_CONCURRENCY="1", GUNICORN_CMD_ARGS="--worker-connections 40"
    ) as server:
        silent = open_many(server, 60)
        ask(server, 3)
        silent[0].settimeout(5)
        assert silent[0].recv(1) == b""
