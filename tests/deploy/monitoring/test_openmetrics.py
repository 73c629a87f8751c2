"""A real Prometheus negotiates OpenMetrics with the service, and counts right from what it gets.

Prometheus -> forwarder that takes notes -> GET /metrics of a service with two workers
"""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from tests.deploy.monitoring.prometheus import running_prometheus
from tests.drawing import digit_png
from tests.serving import running_service, wait_until

PASSED_ON = ("Content-Type", "Content-Encoding")


@contextlib.contextmanager
def forwarder(url: str) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """Pass scrapes on to a service; yield the port and, for each scrape, the headers of the answer."""
    noted: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {name: self.headers[name] for name in ("Accept", "Accept-Encoding")}
            response = requests.get(url + self.path, headers=asked, stream=True, timeout=30)
            content = response.raw.read()  # as it came, still compressed
            answer = {name: response.headers.get(name, "") for name in PASSED_ON}
            noted.append(answer)
            self.send_response(response.status_code)
            for name, value in answer.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, noted
        server.shutdown()


def test_prometheus_counts_right_from_openmetrics(tmp_path: Path) -> None:
    with (
        running_service(tmp_path, WEB_CONCURRENCY="2") as server,
        forwarder(server.url) as (port, answers),
        running_prometheus(tmp_path, port) as prometheus,
    ):
        for digit in range(10):
            assert server.predict(digit_png(digit)).status_code == 200
        counted = 'sum(http_requests_total{job="digits", route="/predict", status="200"})'
        wait_until(lambda: prometheus.value(counted) == 10, "the scrape of the last request")
        assert prometheus.value('up{job="digits"}') == 1
        assert prometheus.value('sum(digits_predictions_total{job="digits"})') == 10
        took = 'sum(http_request_duration_seconds_count{job="digits", route="/predict"})'
        assert prometheus.value(took) == 10
    for answer in answers:
        assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0"), answer
        assert answer["Content-Encoding"] == "gzip"
