"""An answered request leaves nothing behind, whatever its end: no error keeps the body that caused it.

Python's garbage collector counts objects, not bytes: a dozen bodies of ten mebibytes that hold themselves in
memory through a traceback are too few objects for it to run, and enough for the container's limit.
"""

import base64
import gzip
import io
from collections.abc import Iterator
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
NOISE = np.random.default_rng(0).integers(0, 256, (1750, 1750, 3), np.uint8)


def uncompressed(pixels: np.ndarray) -> bytes:
    """Return a PNG as large as its pixels."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    return file.getvalue()


PICTURE = uncompressed(NOISE)  # 8.8 MiB
TEXT = b"A" * len(PICTURE)
PNG = {"Content-Type": "image/png"}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
GZIP = PNG | {"Content-Encoding": "gzip"}
ENDS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "no ink": (422, "/predict", {"data": PICTURE, "headers": PNG}),
    "cut short": (422, "/predict", {"data": PICTURE[:-100_000], "headers": PNG}),
    "no picture": (415, "/predict", {"data": TEXT, "headers": PNG}),
    "no picture in a form": (415, "/predict", {"files": {"file": TEXT}}),
    "no form": (400, "/predict", {"data": TEXT, "headers": FORM}),
    "no end of the JSON": (400, "/predict", {"data": b'{"image": "' + TEXT, "headers": JSON}),
    "inflated": (422, "/predict", {"data": gzip.compress(PICTURE, 1), "headers": GZIP}),
    "cut short, inflated": (400, "/predict", {"data": gzip.compress(PICTURE, 1)[:-99], "headers": GZIP}),
    "a batch": (200, "/predict/batch", {"files": {"file": PICTURE}}),
    "a page": (422, "/read", {"data": PICTURE[:-100_000], "headers": PNG}),
    "no such model": (404, "/predict?model=none", {"data": PICTURE, "headers": PNG}),
    "no such path": (404, "/nowhere", {"data": TEXT}),
    "KServe": (
        415,
        "/v1/models/mnist-28x28:predict",
        {"json": {"instances": [{"image": {"b64": base64.b64encode(TEXT).decode()}}]}},
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
    expected, path, options = ENDS[end]
    statuses = {requests.post(server.url + path, timeout=60, **options).status_code}
    before = memory_bytes(server)
    for _ in range(REQUESTS):
        statuses.add(requests.post(server.url + path, timeout=60, **options).status_code)
    assert statuses == {expected}
    assert memory_bytes(server) - before < 3 * len(PICTURE)


def test_no_refused_body_stays(tmp_path):
    with running_service(tmp_path, WEB_CONCURRENCY="1", DIGITS_MAX_IN_FLIGHT="1") as server:

        def post(_: int) -> int:
            return requests.post(f"{server.url}/predict", PICTURE, headers=PNG, timeout=60).status_code

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(post, range(4))) <= {422, 503}
            before = memory_bytes(server)
            statuses = list(pool.map(post, range(24)))
        assert statuses.count(503) > 3
        assert memory_bytes(server) - before < 3 * len(PICTURE)
