"""A real Prometheus for the tests, scraping a real service every second.

service on a port -> prometheus -> what its HTTP interface answers to PromQL
"""

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.deploy.operator_rule import RULES
from tests.deploy.tools import program
from tests.serving import answers, free_port, wait_until

CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: digits
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples an expression has now; fails on an expression that is none."""
        response = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=30)
        assert response.status_code == 200, f"{expression}: {response.text}"
        return response.json()["data"]["result"]

    def value(self, expression: str) -> float:
        """Return the one value of an expression, 0 for none."""
        samples = self.query(expression)
        return float(samples[0]["value"][1]) if samples else 0.0

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = requests.get(f"{self.url}/api/v1/alerts", timeout=30).json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


@contextlib.contextmanager
def running_prometheus(folder: Path, service_port: int) -> Iterator[Prometheus]:
    """Start a Prometheus over the project's rules, evaluated every second, and stop it afterwards."""
    port = free_port()
    (folder / "prometheus.yaml").write_text(CONFIGURATION.format(port=service_port))
    (folder / "rules.yaml").write_text(re.sub(r"interval: \w+", "interval: 1s", RULES.read_text()))
    log = folder / "prometheus.log"
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    prometheus = Prometheus(f"http://127.0.0.1:{port}")
    try:
        wait_until(lambda: answers(f"{prometheus.url}/-/ready"), "prometheus; log:\n", log)
        yield prometheus
    finally:
        process.terminate()
        process.wait(30)
