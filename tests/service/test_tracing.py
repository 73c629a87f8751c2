"""Traces: what W3C's header says goes into the log, and spans to a collector where the settings name one."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service.tracing import Trace, parent_of
from tests.drawing import digit_png
from tests.serving import PROJECT, Server, running_service, wait_until

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{SPAN}-01"


class Collector(ThreadingHTTPServer):
    """A collector of OpenTelemetry's: takes traces over HTTP and keeps their spans."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans: list[Any] = []
        self.services: set[str] = set()

    def of(self, trace: str) -> dict[str, Any]:
        """Return the spans of a trace by name."""
        return {span.name: span for span in self.spans if span.trace_id.hex() == trace}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        message = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in message.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.server.services.add(names["service.name"])
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Server]:
    """The service, which sends its spans to the collector every 0.2 s."""
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with running_service(tmp_path_factory.mktemp("traced"), **settings) as server:
        yield server


def ask(server: Server, path: str = "/predict", traceparent: str = HEADER) -> requests.Response:
    headers = {"traceparent": traceparent, "Content-Type": "image/png"}
    return requests.post(server.url + path, digit_png(7), headers=headers, timeout=30)


def line_of(server: Server, response: requests.Response) -> dict[str, Any]:
    wanted = response.headers["X-Request-Id"]

    def found() -> list[dict[str, Any]]:
        return [line for line in server.log_lines() if line.get("request_id") == wanted]

    wait_until(found, "the line of a request")
    return found()[0]


def test_a_request_is_one_trace_with_a_span_for_each_stage(traced: Server, collector: Collector) -> None:
    before = time.time_ns()
    response = ask(traced)
    after = time.time_ns()
    wait_until(lambda: "POST /predict" in collector.of(TRACE), "the span of the request")
    spans = collector.of(TRACE)
    assert set(spans) == {"POST /predict", "queue", "decode", "preprocess", "infer"}
    whole = spans.pop("POST /predict")
    assert whole.parent_span_id.hex() == SPAN
    assert {each.key for each in whole.attributes} >= {"http.route", "http.response.status_code", "url.path"}
    for stage in spans.values():
        assert stage.parent_span_id == whole.span_id
        assert before <= whole.start_time_unix_nano <= stage.start_time_unix_nano + 1000
        assert stage.start_time_unix_nano <= stage.end_time_unix_nano <= whole.end_time_unix_nano + 1000
    assert whole.end_time_unix_nano <= after + 1000
    order = [name for name, _ in sorted(spans.items(), key=lambda item: item[1].start_time_unix_nano)]
    assert order == ["queue", "decode", "preprocess", "infer"]
    assert collector.services == {"digits"}
    line = line_of(traced, response)
    assert (line["trace_id"], line["span_id"]) == (TRACE, whole.span_id.hex())


def test_a_request_without_the_header_begins_a_trace(traced: Server, collector: Collector) -> None:
    response = ask(traced, "/v2/models/none/infer", "none")
    line = line_of(traced, response)
    assert line["trace_id"] != TRACE
    wait_until(lambda: collector.of(line["trace_id"]), "the span of a refused request")
    (span,) = collector.of(line["trace_id"]).values()
    assert span.name == "POST /v2/models/<name>/infer"
    assert span.parent_span_id == b""


def test_probes_make_no_spans(traced: Server, collector: Collector) -> None:
    requests.get(f"{traced.url}/livez", timeout=30)
    later = line_of(traced, ask(traced, "/predict/batch"))["trace_id"]
    wait_until(lambda: "POST /predict/batch" in collector.of(later), "the span of a later request")
    assert [span.name for span in collector.spans if "livez" in span.name] == []


def test_without_a_collector_the_line_names_the_clients_span(service: Server) -> None:
    line = line_of(service, ask(service))
    assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN)
    assert "trace_id" not in line_of(service, ask(service, traceparent="none"))


def test_without_a_collector_opentelemetry_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from service.wsgi import application as app; "
        "assert app.test_client().get('/readyz').status_code == 200; "
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True, timeout=120)


@pytest.mark.parametrize(
    ("header", "is_valid"),
    [
        (HEADER, True),
        (f" {HEADER} ", True),
        (f"01-{TRACE}-{SPAN}-01-more", True),
        (f"00-{TRACE}-{SPAN}-01-more", False),
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        (f"00-{TRACE}-{SPAN}", False),
        (f"00-{TRACE}-{SPAN}-0x", False),
        ("-" * 8000, False),
        ("", False),
    ],
)
def test_the_header_is_read_as_the_standard_says(header: str, is_valid: bool) -> None:
    assert parent_of(header) == (Trace(TRACE, SPAN) if is_valid else None)
