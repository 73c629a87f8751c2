"""Four times the bytes cost at most four times the work, whatever they are made of.

Each kind of input is sent at one, two and four times a size, to a service with one worker, and the processor
time of that worker is taken from the kernel: other processes do not count, and neither does waiting.
"""

import contextlib
import ctypes
import itertools
import os
import socket
import statistics
import time
from collections.abc import Iterator

import pytest

from tests.http.growing import (
    CHUNKS,
    DOCUMENTS,
    FIELDS,
    HEADS,
    KIB,
    PARTS,
    QUERIES,
    SALT,
    TENSORS,
    Build,
    get,
    part,
)
from tests.serving import Server, running_service
from tests.sockets import connect, read_all

REPETITIONS = 7


# A quadratic cost would be sixteen times; noise and the caches of a processor are not that large.
TOLERANCE = 1.6


FLOOR_SECONDS = 0.003


HEAD_SECONDS = 0.5


BODY_SECONDS = 1.0


# Four times the first is within the limits of a head, a header or a part's head, so that all is read;
# the others are above them, where a refusal must not cost more than an answer.
WITHIN_LIMITS = 1900


ADDRESS_WITHIN_LIMITS = 900


HEAD_BYTES = 16 * KIB


BODY_BYTES = 64 * KIB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker that has nothing else to do."""
    with running_service(
        tmp_path_factory.mktemp("linear"), WEB_CONCURRENCY="1", DIGITS_RELOAD_SECONDS="3600"
    ) as server:
        yield server


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and its threads have used, in nanosecond steps."""
    clock = ctypes.c_int()
    error = ctypes.CDLL(None, use_errno=True).clock_getcpuclockid(pid, ctypes.byref(clock))
    assert error == 0, os.strerror(error)
    return time.clock_gettime(clock.value)


def send(server: Server, data: bytes, piece_bytes: int = 0) -> bytes:
    """Send a request and return what comes back until the server closes the connection."""
    with connect(server, timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            if piece_bytes:
                for start in range(0, len(data), piece_bytes):
                    connection.send(data[start : start + piece_bytes])
            else:
                connection.sendall(data)
        with contextlib.suppress(ConnectionError):
            received, closed = read_all(connection)
            assert closed, "no end of the answer"
            return received
    return b""


def cost(server: Server, build: Build, size: int, piece_bytes: int = 0) -> float:
    """Return the worker's processor time for one request of this size."""
    (worker,) = server.workers()
    salt = b"%04d" % (time.perf_counter_ns() % 10_000)
    data = build(size).replace(SALT, salt)
    before = processor_seconds(worker)
    answer = send(server, data, piece_bytes)
    spent = processor_seconds(worker) - before
    assert not answer.startswith(b"HTTP/1.1 500"), answer[:300]
    return spent


def assert_linear(
    server: Server, build: Build, size: int, bound: float = BODY_SECONDS, piece_bytes: int = 0
) -> None:
    """Fail unless the cost grows at most with the size."""
    sizes = [size, 2 * size, 4 * size]
    cost(server, build, size, piece_bytes)  # what the first request of its kind loads
    rounds = [[cost(server, build, each, piece_bytes) for each in sizes] for _ in range(REPETITIONS)]
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    spent = ", ".join(
        f"{each} bytes {median * 1000:.2f} ms" for each, median in zip(sizes, medians, strict=True)
    )
    assert medians[2] <= bound, spent
    for small, large in itertools.combinations(range(3), 2):
        limit = sizes[large] / sizes[small] * TOLERANCE * medians[small] + FLOOR_SECONDS
        assert medians[large] <= limit, spent


@pytest.mark.parametrize("size", [WITHIN_LIMITS, HEAD_BYTES])
@pytest.mark.parametrize("kind", HEADS)
def test_a_head_costs_time_in_proportion(server: Server, kind: str, size: int):
    assert_linear(server, HEADS[kind], size, HEAD_SECONDS)


@pytest.mark.parametrize("kind", FIELDS)
def test_a_header_costs_time_in_proportion(server: Server, kind: str):
    assert_linear(server, FIELDS[kind], WITHIN_LIMITS, HEAD_SECONDS)


@pytest.mark.parametrize("kind", QUERIES)
def test_a_query_costs_time_in_proportion(server: Server, kind: str):
    assert_linear(server, QUERIES[kind], ADDRESS_WITHIN_LIMITS, HEAD_SECONDS)


def test_a_head_in_single_bytes_costs_time_in_proportion(server: Server):
    assert_linear(server, lambda size: get(b"X-A: " + b"a" * size), WITHIN_LIMITS, piece_bytes=1)


def test_a_form_in_small_pieces_costs_time_in_proportion(server: Server):
    assert_linear(server, lambda size: part(b"X-A: " + b"a" * size), HEAD_BYTES, piece_bytes=16)


@pytest.mark.parametrize("size", [WITHIN_LIMITS, BODY_BYTES])
@pytest.mark.parametrize("kind", PARTS)
def test_a_form_costs_time_in_proportion(server: Server, kind: str, size: int):
    assert_linear(server, PARTS[kind], size)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_costs_time_in_proportion(server: Server, kind: str):
    assert_linear(server, DOCUMENTS[kind], BODY_BYTES)


@pytest.mark.parametrize("kind", TENSORS)
def test_an_inference_costs_time_in_proportion(server: Server, kind: str):
    assert_linear(server, TENSORS[kind], BODY_BYTES)


@pytest.mark.parametrize("kind", CHUNKS)
def test_a_chunked_body_costs_time_in_proportion(server: Server, kind: str):
    assert_linear(server, CHUNKS[kind], BODY_BYTES)
