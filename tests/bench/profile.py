"""Where the microseconds of one request go, without a network.

    the application as shipped, one thread -> each stage called by itself, many times -> table

What a stage takes is the tenth percentile of the processor time of its calls, so that other work on the
machine shows little. "The rest" is what the stages leave of a whole call: dispatch, headers, the response,
and that code and weights push each other out of the processor's caches.
"""

import contextlib
import io
import json
import logging.config
import os
import select
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.bench.pictures import Body, form, pictures

CALLS = {"12 MP JPEG": 30}  # else 500
TOGETHER = 4  # requests that a worker begins before it completes them; with 8 clients it has as many


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


def environ(body: Body) -> dict[str, Any]:
    """Return what a WSGI server hands over for an upload."""
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/predict",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "CONTENT_TYPE": body.content_type,
        "CONTENT_LENGTH": str(len(body.content)),
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(body.content),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
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


def server(body: Body, answer: bytes, calls: int) -> float:
    """Return what a worker takes for a request beside the application: receive, read, write, send."""
    from gunicorn.config import Config
    from gunicorn.workers.gthread import TConn
    from service.answering import Answering, common_environ
    from service.connection import Connection

    def application(environ: dict[str, Any], start_response: Callable) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [answer]

    def tell(path: str, error: Exception) -> None:
        raise error

    head = (
        "POST /predict HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
        f"Content-Type: {body.content_type}\r\nContent-Length: {len(body.content)}\r\n\r\n"
    )
    config = Config()
    common = common_environ(config)
    # Over TCP, for this alone takes what is larger than a pipe.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, address = listener.accept()
    connection = Connection(ours, len(body.content), 10)
    conn = TConn(config, connection, address, ("127.0.0.1", 8080))

    def work() -> None:
        connection.receive()
        while not connection.is_complete():
            connection.receive()
        connection.take_request()
        answering = Answering(conn, common, tell)
        answering.begin(application, config, False)
        answering.complete()
        connection.flush()
        connection.expect_another()

    def asked() -> None:
        threading.Thread(target=theirs.sendall, args=(head.encode() + body.content,)).start()
        select.select([ours], [], [], 10)

    with ours, theirs:
        return microseconds(work, calls, before=asked, after=lambda: theirs.recv(65536))


def stages(name: str, image: bytes, wsgi: Any) -> dict[str, float]:
    """Return microseconds by stage for one upload."""
    from service.multipart import parse_form

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

    def whole(requests: int = 1) -> list[bytes]:
        begun = [
            wsgi.application(environ(body), lambda status, headers, error=None: None) for _ in range(requests)
        ]
        return [b"".join(pieces) for pieces in begun]

    def count() -> None:
        metrics.requests_in_flight.inc()
        metrics.preprocessing_duration.observe(0.001)
        metrics.inference_duration.observe(0.001)
        metrics.predicted(classifier.name, [prediction])
        metrics.requests_in_flight.dec()
        metrics.request_answered("POST", "/predict", 200, 0.001)

    def log() -> None:
        log_request(logging.INFO, line)

    total = microseconds(whole, calls)
    line = {"request_id": "0" * 32, "method": "POST", "route": "/predict", "path": "/predict", "status": 200}
    line |= {"milliseconds": 1.234, "bytes": len(body.content), "digit": 7, "model_version": "0" * 12}
    found = {"HTTP: receive, read, write, send": server(body, whole()[0], calls)}
    found["form: find the part"] = microseconds(lambda: parse_form(body.content, body.content_type, 9), calls)
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
