"""A real Prometheus for the tests, scraping a real service every second.

service on a port -> prometheus -> what its HTTP interface answers to PromQL
"""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.deploy.monitoring.operator_rule import RULES
from tests.deploy.tools import program
from tests.serving import answers, free_port, wait_until

CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yaml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: {alertmanagers}}}]}}]
scrape_configs:
  - job_name: digits
    file_sd_configs: [{{files: [targets.json], refresh_interval: 1s}}]
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


def discover(folder: Path, ports: dict[int, dict[str, str]]) -> None:
    """Have the Prometheus in a folder scrape these ports of this machine, each with its labels."""
    targets = [{"targets": [f"127.0.0.1:{port}"], "labels": labels} for port, labels in ports.items()]
    (folder / "targets.new").write_text(json.dumps(targets))
    (folder / "targets.new").rename(folder / "targets.json")


@contextlib.contextmanager
def running_prometheus(
    folder: Path,
    service_port: int | None,
    pager_port: int | None = None,
    scrape: dict[str, Any] | None = None,
) -> Iterator[Prometheus]:
    """Start a Prometheus over the project's rules, and stop it afterwards.

    Rules are evaluated every second, and an alert that has to hold for minutes has to hold for a second. What
    a folder `tsdb` in `folder` holds already is its past. pager_port: of an Alertmanager.
    scrape: a scrape job to use instead.
    """
    port = free_port()
    alertmanagers = json.dumps([f"127.0.0.1:{pager_port}"] if pager_port else [])
    configuration = yaml.safe_load(CONFIGURATION.format(alertmanagers=alertmanagers))
    configuration["scrape_configs"] = [scrape] if scrape else configuration["scrape_configs"]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    discover(folder, {service_port: {}} if service_port else {})
    (folder / "rules.yaml").write_text(
        re.sub(r"(interval|for): \w+$", r"\1: 1s", RULES.read_text(), flags=re.M)
    )
    log = folder / "prometheus.log"
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--rules.alert.resend-delay=5s",  # the Alertmanager may be discovered after the first alert
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
