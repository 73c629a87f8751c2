"""A real Alertmanager with the project's routes, and receivers that keep what is delivered to them.

Prometheus -> Alertmanager -> POST /pager, /tickets or /chat -> Delivery
"""

import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from tests.deploy.alerts.cases import ALERTS
from tests.deploy.monitoring.operator_rule import COMPONENT
from tests.deploy.tools import program
from tests.serving import answers, free_port, wait_until

ROUTES = COMPONENT / "alertmanager.yaml"
RECEIVERS = {"critical": "pager", "warning": "tickets", "info": "chat"}


class Delivery(NamedTuple):
    """One alert as a person gets it."""

    receiver: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.labels["alertname"]


class Pager:
    """What was delivered, in order; port: where Prometheus finds the Alertmanager."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.deliveries: list[Delivery] = []

    def delivered(self, status: str = "firing", **labels: str) -> list[Delivery]:
        """Return the deliveries of this status that have these labels."""
        return [
            each
            for each in list(self.deliveries)
            if each.status == status and labels.items() <= each.labels.items()
        ]


@contextlib.contextmanager
def running_pager(folder: Path) -> Iterator[Pager]:
    """Start an Alertmanager that waits seconds instead of minutes, and stop it afterwards."""
    port = free_port()
    pager = Pager(port)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in body["alerts"]:
                pager.deliveries.append(
                    Delivery(self.path[1:], alert["status"], alert["labels"], alert["annotations"])
                )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    routes = ROUTES.read_text().replace("127.0.0.1:9095", f"127.0.0.1:{receiver.server_port}")
    # Six seconds, in which what inhibits an alert arrives too.
    quick = re.sub(r"group_wait: \w+", "group_wait: 6s", routes)
    (folder / "alertmanager.yaml").write_text(re.sub(r"group_interval: \w+", "group_interval: 1s", quick))
    log = folder / "alertmanager.log"
    command = [
        program("prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yaml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), "alertmanager; log:\n", log)
        yield pager
    finally:
        process.terminate()
        process.wait(30)
        receiver.shutdown()
        receiver.server_close()


def check(delivery: Delivery) -> None:
    """Fail unless a delivery says all that a person needs, to the one who should get it."""
    rule = ALERTS[delivery.name]
    assert delivery.receiver == RECEIVERS[rule["labels"]["severity"]]
    assert delivery.labels["severity"] == rule["labels"]["severity"]
    assert delivery.annotations["runbook_url"].endswith(f"/runbook.md#{delivery.name.lower()}")
    assert delivery.annotations["description"] == rule["annotations"]["description"]
    summary = delivery.annotations["summary"]
    assert summary
    assert "{{" not in summary
    assert "no value" not in summary
    assert "error" not in summary.replace("error budget", "")
