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
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.bench.pictures import Body, form, pictures

CALLS = {"12 MP JPEG": 30}  # else 500


def microseconds(work: Callable[[], object], calls: int) -> float:
    """Return the tenth percentile of the processor time of a call."""
    times = []
    for _ in range(calls):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
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
    """Return what gunicorn takes for a request: parse it, make the environ, write the answer."""
    from gunicorn.config import Config
    from gunicorn.http import get_parser
    from gunicorn.http.wsgi import create

    head = (
        "POST /predict HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
        f"Content-Type: {body.content_type}\r\nContent-Length: {len(body.content)}\r\n\r\n"
    )
    config = Config()
    ours, theirs = socket.socketpair()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]

    def work() -> None:
        request = next(get_parser(config, [head.encode() + body.content], ("127.0.0.1", 1)))
        response, values = create(request, ours, ("127.0.0.1", 1), ("127.0.0.1", 8080), config)
        values["wsgi.input"].read()
        response.start_response("200 OK", headers)
        response.write(answer)
        response.close()
        theirs.recv(65536)

    with ours, theirs:
        return microseconds(work, calls)


def stages(name: str, image: bytes, wsgi: Any) -> dict[str, float]:
    """Return microseconds by stage for one upload."""
    from service.classifier import Prediction
    from service.decoding import decode
    from service.logs import log_request
    from service.multipart import parse_form
    from service.network import forward
    from service.preprocessing import preprocess

    calls = CALLS.get(name, 500)
    classifier, metrics = wsgi.models.get(), wsgi.metrics
    geometry = classifier.artifact.geometry
    body = form(image)
    pixels = preprocess(image, geometry)[None]
    prediction: Prediction = classifier.classify(pixels)[0]
    answer: list[bytes] = []

    def whole() -> None:
        answer[:] = wsgi.application(environ(body), lambda status, headers, error=None: None)

    def count() -> None:
        metrics.requests_in_flight.inc()
        metrics.preprocessing_duration.observe(0.001)
        metrics.inference_duration.observe(0.001)
        metrics.predicted(classifier.name, prediction)
        metrics.requests_in_flight.dec()
        metrics.request_answered("POST", "/predict", 200, 0.001)

    def log() -> None:
        log_request(logging.INFO, line)

    total = microseconds(whole, calls)
    line = {"request_id": "0" * 32, "method": "POST", "route": "/predict", "path": "/predict", "status": 200}
    line |= {"milliseconds": 1.234, "bytes": len(body.content), "digit": 7, "model_version": "0" * 12}
    found = {"gunicorn: parse, environ, response": server(body, b"".join(answer), calls)}
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
