"""An answered request leaves nothing behind, whatever its end: no error keeps the body that caused it.

Python's garbage collector counts objects, not bytes: a dozen bodies of ten mebibytes that hold themselves in
memory through a traceback are too few objects for it to run, and enough for the container's limit.
"""

import base64
import functools
import gzip
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from tests.deploy.memory import memory_bytes
from tests.serving import Server, running_service

MEBIBYTE = 1024 * 1024
REQUESTS = 8


@functools.cache
def picture() -> bytes:
    """Return a PNG of noise, as large as its pixels: 8.8 MiB."""
    noise = np.random.default_rng(0).integers(0, 256, (1750, 1750, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG", compress_level=0)
    return file.getvalue()


def text() -> bytes:
    """Return a body of that size that is not a picture."""
    return b"A" * len(picture())


PNG = {"Content-Type": "image/png"}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
GZIP = PNG | {"Content-Encoding": "gzip"}
ENDS: dict[str, tuple[int, str, Callable[[], dict[str, Any]]]] = {
    "no ink": (422, "/predict", lambda: {"data": picture(), "headers": PNG}),
    "cut short": (422, "/predict", lambda: {"data": picture()[:-100_000], "headers": PNG}),
    "no picture": (415, "/predict", lambda: {"data": text(), "headers": PNG}),
    "no picture in a form": (415, "/predict", lambda: {"files": {"file": text()}}),
    "no form": (400, "/predict", lambda: {"data": text(), "headers": FORM}),
    "no end of the JSON": (400, "/predict", lambda: {"data": b'{"image": "' + text(), "headers": JSON}),
    "inflated": (422, "/predict", lambda: {"data": gzip.compress(picture(), 1), "headers": GZIP}),
    "cut short, inflated": (
        400,
        "/predict",
        lambda: {"data": gzip.compress(picture(), 1)[:-99], "headers": GZIP},
    ),
    "a batch": (200, "/predict/batch", lambda: {"files": {"file": picture()}}),
    "a page": (422, "/read", lambda: {"data": picture()[:-100_000], "headers": PNG}),
    "no such model": (404, "/predict?model=none", lambda: {"data": picture(), "headers": PNG}),
    "no such path": (404, "/nowhere", lambda: {"data": text()}),
    "KServe": (
        415,
        "/v1/models/mnist-28x28:predict",
        lambda: {"json": {"instances": [{"image": {"b64": base64.b64encode(text()).decode()}}]}},
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker, whose memory can be compared before and after."""
    folder = tmp_path_factory.mktemp("memory")
    with running_service(folder, WEB_CONCURRENCY="1", DIGITS_MAX_UPLOAD_BYTES=str(16 * MEBIBYTE)) as started:
        yield started


@pytest.mark.parametrize("end", ENDS)
def test_no_body_stays_after_its_answer(server: Server, end: str) -> None:
    expected, path, make = ENDS[end]
    options = make()
    statuses = {requests.post(server.url + path, timeout=60, **options).status_code}
    before = memory_bytes(server)
    for _ in range(REQUESTS):
        statuses.add(requests.post(server.url + path, timeout=60, **options).status_code)
    assert statuses == {expected}
    assert memory_bytes(server) - before < 3 * len(picture())


def test_no_refused_body_stays(tmp_path):
    with running_service(tmp_path, WEB_CONCURRENCY="1", DIGITS_MAX_IN_FLIGHT="1") as server:

        def post(_: int) -> int:
            return requests.post(f"{server.url}/predict", picture(), headers=PNG, timeout=60).status_code

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(post, range(4))) <= {422, 503}
            before = memory_bytes(server)
            statuses = list(pool.map(post, range(24)))
        assert statuses.count(503) > 3
        assert memory_bytes(server) - before < 3 * len(picture())
