"""What is done to a real service reaches the pager: it vanishes, a model breaks, a worker dies, it fills."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.deploy.alerts.pager import Delivery, check, running_pager
from tests.deploy.monitoring.prometheus import discover, running_prometheus
from tests.drawing import digit_png
from tests.serving import copy_models, running_service, wait_until


def test_what_is_done_to_a_service_reaches_the_pager(tmp_path: Path) -> None:
    models = copy_models(tmp_path / "models")
    settings = {
        "DIGITS_MODELS_DIR": str(models),
        "DIGITS_RELOAD_SECONDS": "0.2",
        "DIGITS_DEFAULT_MODEL": "digits-8x8",
        "DIGITS_MAX_IN_FLIGHT": "1",
    }
    with (
        running_service(tmp_path, **settings) as server,
        running_pager(tmp_path) as pager,
        running_prometheus(tmp_path, None, pager.port) as prometheus,
    ):

        def paged(alert: str, status: str = "firing", **labels: str) -> Delivery:
            wait_until(
                lambda: pager.delivered(status, alertname=alert, **labels), f"{status} {alert}", seconds=60
            )
            delivery = pager.delivered(status, alertname=alert, **labels)[-1]
            check(delivery)
            print(status, delivery.receiver, delivery.labels, delivery.annotations["summary"])
            return delivery

        # An environment vanishes from the discovery while another is up.
        discover(tmp_path, {server.port: {"namespace": "digits-production"}})
        wait_until(lambda: prometheus.value('up{namespace="digits-production"}') == 1, "production")
        discover(tmp_path, {server.port: {"namespace": "digits-staging"}})
        paged("DigitsDown", namespace="digits-production")
        discover(tmp_path, {server.port: {"namespace": "digits-production"}})
        paged("DigitsDown", "resolved", namespace="digits-production")

        # A model cannot be read; the alert ends with its cause.
        (models / "broken.npz").write_bytes(b"no model")
        paged("DigitsModelLoadFailed", model="broken")
        (models / "broken.npz").unlink()
        paged("DigitsModelLoadFailed", "resolved", model="broken")

        # A worker is killed, as the kernel does when memory runs out.
        os.kill(server.workers()[0], signal.SIGKILL)
        died = paged("DigitsWorkerDied", namespace="digits-production")
        assert died.annotations["summary"].startswith("1 worker(s) of")
        assert died.labels["signal"] == "SIGKILL"

        # More requests at once than the workers take.
        image = digit_png(3)

        def ask(seconds: float) -> None:
            with requests.Session() as session:
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    session.post(f"{server.url}/predict", files={"file": image}, timeout=30)

        with ThreadPoolExecutor(8) as clients:
            for _ in range(8):
                clients.submit(ask, 6)
        paged("DigitsOverload", namespace="digits-production")
        assert pager.delivered(alertname="DigitsErrorBudgetBurnFast") == []
