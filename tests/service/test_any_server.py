"""The application answers under servers that have an event loop, and under those that have none."""

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
import werkzeug.serving
from prometheus_client import CollectorRegistry

from service.app import Application, create_app
from service.config import Settings
from service.metrics import Metrics
from service.registry import ModelRegistry
from tests.drawing import digit_png
from tests.serving import MODELS, PROJECT, answers, free_port, wait_until

Send = Callable[..., tuple[int, Any]]  # path, body, content type -> status, JSON


def application() -> Application:
    """Return the application as shipped."""
    metrics = Metrics(CollectorRegistry())
    models = ModelRegistry(MODELS, "mnist-28x28", metrics.model_changed, metrics.model_refused)
    models.refresh()
    return create_app(Settings(), models, metrics)


@contextmanager
def flask_client() -> Iterator[Send]:
    client = application().test_client()

    def send(path: str, body: bytes, content_type: str) -> tuple[int, Any]:
        response = client.post(path, data=body, content_type=content_type)
        return response.status_code, response.json

    yield send


def sender(port: int) -> Send:
    def send(path: str, body: bytes, content_type: str) -> tuple[int, Any]:
        response = requests.post(
            f"http://127.0.0.1:{port}{path}", data=body, headers={"Content-Type": content_type}, timeout=30
        )
        return response.status_code, response.json()

    return send


@contextmanager
def gthread() -> Iterator[Send]:
    port = free_port()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DIGITS_", "PROMETHEUS_"))}
    command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "4", "--no-control-socket"]
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(
            [*command, "-b", f"127.0.0.1:{port}", "service.wsgi:application"],
            cwd=PROJECT,
            env=kept,
            stdout=nowhere,
            stderr=nowhere,
        )
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), "gunicorn's gthread worker")
        yield sender(port)
    finally:
        process.terminate()
        process.wait(40)


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Write nothing."""


@contextmanager
def in_thread(server: Any) -> Iterator[Send]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield sender(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wsgiref_server() -> AbstractContextManager[Send]:
    return in_thread(make_server("127.0.0.1", 0, application(), handler_class=QuietHandler))


def werkzeug_server() -> AbstractContextManager[Send]:
    class Quiet(werkzeug.serving.WSGIRequestHandler):
        def log(self, *arguments: Any) -> None:
            """Write nothing."""

    return in_thread(
        werkzeug.serving.make_server("127.0.0.1", 0, application(), threaded=True, request_handler=Quiet)
    )


def form(*images: bytes) -> tuple[bytes, str]:
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + image + b"\r\n"
        for image in images
    ]
    return b"".join(parts) + b"--b--\r\n", "multipart/form-data; boundary=b"


@pytest.mark.parametrize("server", [flask_client, gthread, wsgiref_server, werkzeug_server])
def test_the_application_answers_under_any_server(server):
    encoded = base64.b64encode(digit_png(4)).decode()
    tensor = f'{{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["{encoded}"]}}'
    with server() as send:
        assert send("/predict", *form(digit_png(3)))[1]["digit"] == 3
        assert send("/predict", digit_png(5), "image/png")[1]["digit"] == 5
        assert send("/predict", f'{{"image": "{encoded}"}}'.encode(), "application/json")[1]["digit"] == 4
        batch = send("/predict/batch", *form(digit_png(1), b"text", digit_png(7)))[1]["predictions"]
        assert [each.get("digit") for each in batch] == [1, None, 7]
        inferred = send(
            "/v2/models/mnist-28x28/infer", f'{{"inputs": [{tensor}]}}'.encode(), "application/json"
        )
        assert inferred[1]["outputs"][0]["data"] == [4]
        assert send("/predict", b"", "image/png")[0] == 400
        large = send("/predict", b"x" * (11 * 1024 * 1024), "image/png")
        assert (large[0], large[1]["status"]) == (413, 413)
