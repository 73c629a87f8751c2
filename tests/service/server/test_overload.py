"""More work than the service can do: it does what it can and refuses the rest at once."""

import concurrent.futures
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from PIL import Image

from tests.drawing import digit_png, draw_digit, encode
from tests.serving import Server, running_service

MAX_IN_FLIGHT = 4
# Some tens of milliseconds of work: two workers cannot do forty at once.
LARGE = encode(draw_digit(7, (2400, 2400), mode="RGB", ink=(0, 0, 0), paper=(255, 255, 255)))


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    settings = {"WEB_CONCURRENCY": "1", "DIGITS_THREADS": "2", "DIGITS_MAX_IN_FLIGHT": str(MAX_IN_FLIGHT)}
    with running_service(tmp_path_factory.mktemp("overload"), **settings) as server:
        yield server


def test_excess_requests_are_refused_and_the_rest_answered(server):
    def send(_: int) -> tuple[requests.Response, float]:
        return server.predict(LARGE), time.monotonic()

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        outcomes = list(pool.map(send, range(80)))
    accepted = [at for response, at in outcomes if response.status_code == 200]
    refused = [(response, at) for response, at in outcomes if response.status_code == 503]
    assert len(accepted) + len(refused) == 80
    assert len(accepted) >= MAX_IN_FLIGHT
    assert refused
    for response, _ in refused:
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["type"] == "/problems/overloaded"
        assert int(response.headers["Retry-After"]) > 0
    assert min(at for _, at in refused) < max(accepted)  # they did not wait for those that were answered
    # It recovers by itself, and the count is complete.
    assert [server.predict(digit_png(3)).status_code for _ in range(10)] == [200] * 10
    assert server.metric("http_requests_total", status="503") == len(refused)


def test_probes_and_scrapes_are_answered_under_overload(server):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        pending = [pool.submit(server.predict, LARGE) for _ in range(60)]
        seen = []
        while not all(one.done() for one in pending):
            seen += [
                requests.get(server.url + path, timeout=10).status_code
                for path in ("/livez", "/readyz", "/metrics", "/v2/health/ready")
            ]
        statuses = {one.result().status_code for one in pending}
    assert statuses == {200, 503}
    assert set(seen) == {200}


def test_never_more_are_in_flight_than_the_setting_says(server):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        pending = [pool.submit(server.predict, LARGE) for _ in range(40)]
        seen = [0.0]
        while not all(one.done() for one in pending):
            seen.append(server.metric("http_requests_in_flight"))
    assert 1 < max(seen) <= MAX_IN_FLIGHT + 1  # the scrape itself


def test_refusals_are_logged_and_follow_their_protocol(server):
    enough = threading.Event()

    def keep_busy() -> None:
        while not enough.is_set():
            server.predict(LARGE)

    def ask() -> requests.Response:
        return requests.post(f"{server.url}/v2/models/mnist-28x28/infer", data=b"{}", timeout=10)

    with concurrent.futures.ThreadPoolExecutor(2 * MAX_IN_FLIGHT) as pool:
        for _ in range(2 * MAX_IN_FLIGHT):
            pool.submit(keep_busy)
        try:
            refused = next(one for one in (ask() for _ in range(1000)) if one.status_code == 503)
        finally:
            enough.set()
    assert "error" in refused.json()
    lines = [line for line in server.log_lines() if line.get("problem") == "overloaded"]
    assert {line["status"] for line in lines} == {503}
    assert refused.headers["X-Request-Id"] in {line["request_id"] for line in lines}


def peak_megabytes(server: Server) -> float:
    """Return the sum of the most memory that each worker ever had."""
    total = 0
    for pid in server.workers():
        with open(f"/proc/{pid}/status") as status:
            total += next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return total / 1024


@pytest.mark.parametrize(
    ("mode", "format"), [("RGBA", "PNG"), ("RGB", "WEBP")], ids=["25 megapixels PNG", "25 megapixels WebP"]
)
def test_largest_pictures_at_once_stay_in_bounded_memory(tmp_path, mode, format):
    options = {"compress_level": 1} if format == "PNG" else {"method": 0, "quality": 1}
    colour = (255,) * len(mode)
    picture = encode(Image.new(mode, (5000, 5000), colour), format, **options)
    room = {"WEB_CONCURRENCY": "1", "DIGITS_MAX_DECODING_BYTES": str(512 * 1024 * 1024)}
    with running_service(tmp_path, **room) as server:
        before = peak_megabytes(server)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = {response.status_code for response in pool.map(server.predict, [picture] * 8)}
        # Blank images; requests that found no memory in time are told to try again.
        assert 422 in statuses
        assert statuses <= {422, 503}
        # Eight at once would take 8 x 104 MiB as PNG and 8 x 384 MiB as WebP.
        assert peak_megabytes(server) - before < 500
        assert server.predict(digit_png(7)).json()["digit"] == 7
