"""Metrics and log of real gunicorn say what is refused, and how long requests take and wait."""

import concurrent.futures
import functools
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from PIL import Image

from tests.drawing import digit_png, draw_digit, encode
from tests.serving import Server, running_service, wait_until
from tests.sockets import connect, post, read_all, split

IMAGE = digit_png(7)
MAX_IN_FLIGHT, MAX_IMAGES, MAX_BYTES = 48, 3, 2_000_000


@functools.cache
def heavy() -> bytes:
    # A third of a second to decode, and more than half of the memory that there is for it.
    return encode(Image.new("RGBA", (5000, 5000), (255,) * 4), compress_level=1)


@functools.cache
def large() -> bytes:
    return encode(draw_digit(7, (2400, 2400), mode="RGB", ink=(0, 0, 0), paper=(255, 255, 255)))


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """One slow worker: a thread, little memory, short patience."""
    settings = {
        "WEB_CONCURRENCY": "1",
        "DIGITS_THREADS": "1",
        "DIGITS_MAX_IN_FLIGHT": str(MAX_IN_FLIGHT),
        "DIGITS_MAX_BATCH_IMAGES": str(MAX_IMAGES),
        "DIGITS_MAX_UPLOAD_BYTES": str(MAX_BYTES),
        "DIGITS_MAX_DECODING_BYTES": str(150 * 1024 * 1024),
        "DIGITS_READ_TIMEOUT_SECONDS": "1",
    }
    with running_service(tmp_path_factory.mktemp("refusals"), **settings) as server:
        yield server


def counts(server: Server, reason: str, route: str, status: int) -> tuple[float, float]:
    """Return how many were refused for a reason, and how many answers of a route had the status."""
    return (
        server.metric("digits_requests_refused_total", reason=reason),
        server.metric("http_requests_total", route=route, status=str(status)),
    )


def lines(server: Server, reason: str) -> list[dict[str, Any]]:
    """Return the log lines of what was refused for a reason."""
    return [line for line in server.log_lines() if line.get("problem") == reason]


def raw(server: Server, *pieces: bytes, pause: float = 0.0) -> int:
    """Send pieces with a pause between them; return the status of the one answer."""
    with connect(server) as connection:
        for index, piece in enumerate(pieces):
            time.sleep(pause if index else 0)
            connection.sendall(piece)
        (answer,) = split(*read_all(connection))
        return answer.status


def v2_image(image: bytes) -> bytes:
    """Return the body of an inference request with a picture."""
    header = (
        b'{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], '
        b'"parameters": {"binary_data_size": %d}}]}' % (len(image) + 4)
    )
    return header + len(image).to_bytes(4, "little") + image


PREDICT, BATCH, INFER = "/predict", "/predict/batch", "/v2/models/<name>/infer"
TOO_MANY_PIXELS = encode(Image.new("1", (8000, 8000)))


def send_large_body(server: Server) -> int:
    return requests.post(server.url + PREDICT, data=b"x" * (MAX_BYTES + 1), timeout=30).status_code


def send_many_pixels(server: Server) -> int:
    return server.predict(TOO_MANY_PIXELS).status_code


def send_many_pixels_by_v2(server: Server) -> int:
    body = v2_image(TOO_MANY_PIXELS)
    length = str(len(body) - len(TOO_MANY_PIXELS) - 4)
    return requests.post(
        f"{server.url}/v2/models/mnist-28x28/infer",
        data=body,
        headers={"Inference-Header-Content-Length": length},
        timeout=30,
    ).status_code


def send_many_images(server: Server) -> int:
    files = [("file", ("a.png", IMAGE))] * (MAX_IMAGES + 1)
    return requests.post(server.url + BATCH, files=files, timeout=30).status_code


def send_many_images_by_v2(server: Server) -> int:
    data = [[0.5] * 784] * (MAX_IMAGES + 1)
    tensor = {"name": "pixels", "datatype": "FP32", "shape": [MAX_IMAGES + 1, 784], "data": data}
    url = f"{server.url}/v2/models/mnist-28x28/infer"
    return requests.post(url, json={"inputs": [tensor]}, timeout=30).status_code


def send_half_a_body(server: Server) -> int:
    return raw(server, post(IMAGE)[:-50])


@pytest.mark.parametrize(
    ("send", "status", "route", "reason"),
    [
        (send_large_body, 413, PREDICT, "request-entity-too-large"),
        (send_many_pixels, 413, PREDICT, "too-many-pixels"),
        (send_many_pixels_by_v2, 413, INFER, "too-many-pixels"),
        (send_many_images, 413, BATCH, "too-many-images"),
        (send_many_images_by_v2, 413, INFER, "too-many-images"),
        (send_half_a_body, 408, PREDICT, "request-timeout"),
    ],
)
def test_a_refusal_is_counted_with_its_reason_and_route(server, send, status, route, reason):
    before, logged = counts(server, reason, route, status), len(lines(server, reason))
    assert send(server) == status
    assert counts(server, reason, route, status) == (before[0] + 1, before[1] + 1)
    (line,) = lines(server, reason)[logged:]
    assert (line["route"], line["status"]) == (route, status)


def test_too_much_at_once_is_counted_by_its_two_reasons(server):
    """Beyond the requests in flight at once; beyond the memory after five seconds in the line for it."""
    with concurrent.futures.ThreadPoolExecutor(MAX_IN_FLIGHT + 12) as pool:
        responses = list(pool.map(server.predict, [heavy()] * (MAX_IN_FLIGHT + 12)))
    refused = [response.json()["type"] for response in responses if response.status_code == 503]
    assert {"/problems/overloaded", "/problems/no-memory"} == set(refused)
    assert {response.status_code for response in responses} == {503, 422}  # a blank picture
    assert server.metric("http_requests_total", route=PREDICT, status="503") == len(refused)
    for reason in ("overloaded", "no-memory"):
        count = refused.count(f"/problems/{reason}")
        assert server.metric("digits_requests_refused_total", reason=reason) == count
        assert [(line["route"], line["status"]) for line in lines(server, reason)] == [(PREDICT, 503)] * count
    assert {response.headers["Retry-After"] for response in responses if response.status_code == 503} == {"5"}
    assert server.predict(IMAGE).json()["digit"] == 7


def seconds(server: Server, route: str = PREDICT) -> tuple[float, float]:
    """Return sum and count of the durations of a route."""
    name = "http_request_duration_seconds"
    return server.metric(f"{name}_sum", route=route), server.metric(f"{name}_count", route=route)


def test_the_time_of_a_request_begins_with_its_complete_head(server):
    request_bytes = post(IMAGE, Connection="close")
    head = request_bytes.index(b"\r\n\r\n") + 4
    before = seconds(server)
    assert raw(server, request_bytes[:head], request_bytes[head:], pause=0.5) == 200
    total, count = seconds(server)
    assert count == before[1] + 1
    assert 0.5 <= total - before[0] < 5
    line = [line for line in server.log_lines() if line.get("route") == PREDICT][-1]
    assert line["milliseconds"] == pytest.approx(1000 * (total - before[0]), abs=1)
    # The head itself is not in it: how long a client takes for it says nothing of the service.
    before = seconds(server)
    assert raw(server, request_bytes[:20], request_bytes[20:], pause=0.5) == 200
    assert seconds(server)[0] - before[0] < 0.4


def test_the_time_in_the_queue_grows_when_requests_wait(server):
    def queued() -> tuple[float, float]:
        name = "http_request_queue_seconds"
        return server.metric(f"{name}_sum", route=PREDICT), server.metric(f"{name}_count", route=PREDICT)

    before = queued()
    assert server.predict(IMAGE).status_code == 200
    alone = queued()
    assert alone[1] == before[1] + 1
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert {response.status_code for response in pool.map(server.predict, [large()] * 8)} == {200}
    together = queued()
    assert together[1] == alone[1] + 8
    assert together[0] - alone[0] > 4 * max(alone[0] - before[0], 0.01)
    logged = [line["queue_milliseconds"] for line in server.log_lines() if line.get("route") == PREDICT][-8:]
    assert sum(logged) == pytest.approx(1000 * (together[0] - alone[0]), abs=1)


def test_a_scrape_does_not_count_itself_as_in_flight(server):
    assert [server.metric("http_requests_in_flight") for _ in range(3)] == [0, 0, 0]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pending = pool.submit(server.predict, heavy())
        wait_until(lambda: server.metric("http_requests_in_flight") == 1, "the request", seconds=10)
        assert pending.result().status_code == 422
    assert server.metric("http_requests_in_flight") == 0


def test_refusals_are_counted_exactly_across_workers_and_deaths(tmp_path):
    with running_service(tmp_path, DIGITS_MAX_UPLOAD_BYTES="1024") as server:
        for turn in (1, 2):
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                statuses = list(pool.map(lambda _: server.predict(IMAGE * 2).status_code, range(40)))
            assert statuses == [413] * 40
            reason = "request-entity-too-large"
            assert counts(server, reason, PREDICT, 413) == (40 * turn, 40 * turn)
            assert server.metric("http_request_duration_seconds_count", route=PREDICT) == 40 * turn
            assert len(lines(server, reason)) == 40 * turn
            victim = server.workers()[0]
            os.kill(victim, signal.SIGKILL)
            wait_until(
                lambda victim=victim: victim not in server.workers() and len(server.workers()) == 2,
                "a new worker",
            )
        assert counts(server, reason, PREDICT, 413) == (80, 80)
