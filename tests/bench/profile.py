"""Where the microseconds of one request go, without a network.

    the application as shipped, on an event loop -> each stage called by itself, many times -> table

What a stage takes is the tenth percentile of the processor time of its calls, so that other work on the
machine shows little. "The rest" is what the stages leave of a whole request: dispatch, headers, the
response, waiting, and that code and weights push each other out of the processor's caches.
"""

import asyncio
import contextlib
import io
import logging.config
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import uvloop

from tests.bench.pictures import Body, form, pictures

CALLS = {"12 MP JPEG": 30}  # else 500
TOGETHER = 4  # requests that a worker has at once when eight clients ask


def microseconds(work: Callable[[], object], calls: int) -> float:
    """Return the tenth percentile of the processor time of a call."""
    times = []
    for _ in range(calls):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return 1e6 * sorted(times)[calls // 10]


@contextlib.contextmanager
def _as_shipped() -> Iterator[Any]:
    """Yield the module `service.wsgi` as a worker has it: metrics in shared files, a log line a request."""
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        from service import wsgi
        from service.logs import logging_config

        with contextlib.redirect_stdout(nowhere):
            logging.config.dictConfig(logging_config("info"))
            yield wsgi


def scope(body: Body) -> dict[str, Any]:
    """Return what an ASGI server says of an upload."""
    headers = {
        "Host": "127.0.0.1:8080",
        "Content-Type": body.content_type,
        "Content-Length": len(body.content),
    }
    return {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(name.lower().encode(), str(value).encode()) for name, value in headers.items()],
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 50000),
    }


def whole(wsgi: Any, body: Body, calls: int, together: int) -> float:
    """Return the processor time of whole requests, each of so many that are there at once."""
    from service.asgi import Bridge

    bridge, asked = Bridge(wsgi.application, wsgi.settings), scope(body)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200

    async def all_calls() -> list[float]:
        times = []
        for _ in range(calls):
            started = time.process_time()
            await asyncio.gather(*(bridge(asked, receive, send) for _ in range(together)))
            times.append((time.process_time() - started) / together)
        return times

    return 1e6 * sorted(uvloop.run(all_calls()))[calls // 10]


def stages(name: str, image: bytes, wsgi: Any) -> dict[str, float]:
    """Return microseconds by stage for one upload."""
    from multipart import parse_options_header

    from service.api.uploads import _parts
    from service.heads import check_head, environ_of
    from service.logs import log_request
    from service.model.network import forward
    from service.preprocessing import decode, preprocess

    calls = CALLS.get(name, 500)
    classifier, metrics, application = wsgi.models.get(), wsgi.metrics, wsgi.application
    geometry = classifier.artifact.geometry
    body = form(image)
    asked, boundary = scope(body), parse_options_header(body.content_type)[1]["boundary"]
    pixels = preprocess(image, geometry)[None]
    prediction = classifier.classify(pixels)[0]
    line = {"request_id": "0" * 32, "method": "POST", "route": "/predict", "path": "/predict", "status": 200}
    line |= {"milliseconds": 1.234, "bytes": len(body.content), "digit": 7, "model_version": "0" * 12}

    def context() -> None:
        environ = environ_of(asked) | {"wsgi.input": io.BytesIO()}
        with application.request_context(environ):
            pass

    def count() -> None:
        metrics.requests_in_flight.inc()
        metrics.requests_waiting.inc()
        metrics.requests_waiting.dec()
        metrics.preprocessing_duration.observe(0.001)
        metrics.inference_duration.observe(0.001)
        metrics.predicted(classifier.name, [prediction])
        metrics.requests_in_flight.dec()
        metrics.request_answered("POST", "/predict", 200, 0.001, 0.001)

    found = {"head: limits, environ": microseconds(lambda: (check_head(asked), environ_of(asked)), calls)}
    found["Flask: context, route"] = microseconds(context, calls) - found["head: limits, environ"]
    found["form: find the part"] = microseconds(lambda: _parts(body.content, boundary, 9), calls)
    decoding = found["decode, reduce, gray"] = microseconds(lambda: decode(image), calls)
    found["ink, cleaning, normalization"] = (
        microseconds(lambda: preprocess(image, geometry), calls) - decoding
    )
    network = microseconds(lambda: forward(classifier.artifact.layers, pixels), calls)
    found["forward pass"] = network
    found["softmax, rejector"] = microseconds(lambda: classifier.classify(pixels), calls) - network
    found["JSON"] = microseconds(lambda: orjson.dumps({"probabilities": prediction.probabilities}), calls)
    found["metrics"] = microseconds(count, calls)
    found["log line"] = microseconds(lambda: log_request(logging.INFO, line), calls)
    total = whole(wsgi, body, calls, 1)
    found["dispatch, headers, the rest"] = total - sum(found.values())
    found["whole request"] = total
    found[f"whole request, {TOGETHER} together, of each"] = whole(
        wsgi, body, max(10, calls // TOGETHER), TOGETHER
    )
    return found


def table() -> str:
    """Return the table, one column for each picture."""
    with _as_shipped() as wsgi:
        columns = {name: stages(name, image, wsgi) for name, image in pictures().items()}
    lines = [f"| stage, µs | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for stage in next(iter(columns.values())):
        cells = " | ".join(f"{column[stage]:,.0f}" for column in columns.values())
        lines.append(f"| {stage} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    print(table())
