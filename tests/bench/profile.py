"""Where the microseconds of one request go, without a network.

    the application as shipped, behind its bridge -> each stage called by itself, many times -> table

What a stage takes is the tenth percentile of the processor time of its calls, so that other work on the
machine shows little. "The rest" is what the stages leave of a whole call: dispatch, headers, the response,
and that code and weights push each other out of the processor's caches.
"""

import asyncio
import contextlib
import io
import json
import logging.config
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvloop

from tests.bench.pictures import Body, form, pictures

CALLS = {"12 MP JPEG": 30}  # else 500
TOGETHER = 4  # requests that a worker has at once, with 8 clients


def nothing() -> None:
    """Do nothing."""


def microseconds(
    work: Callable[[], object],
    calls: int,
    before: Callable[[], object] = nothing,
    after: Callable[[], object] = nothing,
) -> float:
    """Return the tenth percentile of the processor time of a call, without what is done before and after."""
    times = []
    for _ in range(calls):
        before()
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
        after()
    return 1e6 * sorted(times)[calls // 10]


def scope(body: Body) -> dict[str, Any]:
    """Return what an ASGI server hands over for an upload, beside its body."""
    headers = {
        "host": "127.0.0.1:8080",
        "content-type": body.content_type,
        "content-length": str(len(body.content)),
    }
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 50000),
    }


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


async def ask(bridge: Any, body: Body) -> bytes:
    """Return the answer to an upload that has arrived whole."""
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("body", b""))

    await bridge(scope(body), receive, send)
    return b"".join(sent)


def server(body: Body, answer: bytes, wsgi: Any, calls: int) -> float:
    """Return what a worker takes for a request beside the application: receive, parse, send."""
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from service.asgi import Bridge
    from service.server.protocol import Protocol

    class Fixed(Bridge):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            while (await receive())["more_body"]:
                pass
            headers = [(b"content-length", str(len(answer)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": answer})

    head = (
        "POST /predict HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
        f"Content-Type: {body.content_type}\r\nContent-Length: {len(body.content)}\r\n\r\n"
    )
    request = head.encode() + body.content

    async def main() -> float:
        config = Config(
            Fixed(wsgi.application, wsgi.settings), http=Protocol, log_config=None, lifespan="off"
        )
        config.load()
        loop, state = asyncio.get_running_loop(), ServerState()
        listening = await loop.create_server(lambda: Protocol(config, state, {}), "127.0.0.1", 0)
        address = listening.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address)
        times = []
        for _ in range(calls):
            writer.write(request)
            started = time.thread_time()
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(len(answer))
            times.append(time.thread_time() - started)
        writer.close()
        listening.close()
        return 1e6 * sorted(times)[calls // 10]

    return uvloop.run(main())


def stages(name: str, image: bytes, wsgi: Any) -> dict[str, float]:
    """Return microseconds by stage for one upload."""
    from flask import request

    from service.api.uploads import single_image
    from service.asgi import Bridge, environ_of
    from service.logs import log_request
    from service.model.classifier import Prediction
    from service.model.network import forward
    from service.preprocessing.decoding import decode
    from service.preprocessing.pipeline import preprocess

    calls = CALLS.get(name, 500)
    classifier, metrics = wsgi.models.get(), wsgi.metrics
    geometry = classifier.artifact.geometry
    body = form(image)
    pixels = preprocess(image, geometry)[None]
    prediction: Prediction = classifier.classify(pixels)[0]

    bridge = Bridge(wsgi.application, wsgi.settings)
    loop = uvloop.new_event_loop()

    def whole(requests: int = 1) -> list[bytes]:
        async def together() -> list[bytes]:
            return await asyncio.gather(*(ask(bridge, body) for _ in range(requests)))

        return loop.run_until_complete(together())

    def find_part() -> None:
        environ = environ_of(scope(body)) | {"wsgi.input": io.BytesIO(body.content)}
        with wsgi.application.request_context(environ):
            assert request.content_length
            loop.run_until_complete(single_image())

    def count() -> None:
        metrics.requests_in_flight.inc()
        metrics.preprocessing_duration.observe(0.001)
        metrics.inference_duration.observe(0.001)
        metrics.predicted(classifier.name, [prediction])
        metrics.requests_in_flight.dec()
        metrics.request_answered("POST", "/predict", 200, 0.001, 0.001)

    def log() -> None:
        log_request(logging.INFO, line)

    total = microseconds(whole, calls)
    line = {"request_id": "0" * 32, "method": "POST", "route": "/predict", "path": "/predict", "status": 200}
    line |= {"milliseconds": 1.234, "bytes": len(body.content), "digit": 7, "model_version": "0" * 12}
    found = {"HTTP: receive, read, write, send": server(body, whole()[0], wsgi, calls)}
    found["form: find the part"] = microseconds(find_part, calls)
    decoding = microseconds(lambda: decode(image), calls)
    found["decode, reduce, grey"] = decoding
    found["ink, cleaning, normalisation"] = (
        microseconds(lambda: preprocess(image, geometry), calls) - decoding
    )
    network = microseconds(lambda: forward(classifier.artifact.layers, pixels), calls)
    found["forward pass"] = network
    found["softmax, novelty"] = microseconds(lambda: classifier.classify(pixels), calls) - network
    found["JSON"] = microseconds(lambda: json.dumps({"probabilities": prediction.probabilities}), calls)
    found["metrics"] = microseconds(count, calls)
    found["log line"] = microseconds(log, calls)
    found["dispatch, headers, the rest"] = total - sum(list(found.values())[1:])
    found["whole call of the application"] = total
    found[f"whole call, {TOGETHER} together, of each"] = (
        microseconds(lambda: whole(TOGETHER), max(10, calls // TOGETHER)) / TOGETHER
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
