"""The formats of /metrics: Prometheus' text, or OpenMetrics, each as its own parser reads it; gzip."""

import gzip

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from tests.serving import Server

# What Prometheus 2.42 and 3.5 send.
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def scrape(service: Server, accept: str, encoding: str = "identity") -> requests.Response:
    headers = {"Accept": accept, "Accept-Encoding": encoding}
    response = requests.get(f"{service.url}/metrics", headers=headers, timeout=30)
    assert response.status_code == 200
    return response


@pytest.mark.parametrize("accept", [PROMETHEUS_2, PROMETHEUS_3, "application/openmetrics-text"])
def test_who_asks_for_openmetrics_gets_it(service: Server, accept: str) -> None:
    response = scrape(service, accept)
    assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in openmetrics(response.text)}
    assert families["http_requests"].type == "counter"
    assert families["digits_model_info"].samples


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html",
        "text/plain;version=0.0.4",
        "application/openmetrics-text;version=x",
        "text/plain;version=a.b",
    ],
)
def test_all_others_get_the_text_format(service: Server, accept: str) -> None:
    response = scrape(service, accept)
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert {"http_requests", "digits_model_info"} <= {family.name for family in plain(response.text)}


@pytest.mark.parametrize(
    ("encoding", "compressed"), [("gzip", True), ("identity", False), ("gzip;q=0", False)]
)
def test_it_comes_compressed_to_who_accepts_that(service: Server, encoding: str, compressed: bool) -> None:
    headers = {"Accept-Encoding": encoding}
    response = requests.get(f"{service.url}/metrics", headers=headers, timeout=30, stream=True)
    body = response.raw.read(decode_content=False)
    assert response.headers.get("Content-Encoding") == ("gzip" if compressed else None)
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    assert b"http_requests_total" in (gzip.decompress(body) if compressed else body)
