"""What reaches a person: each alert, through a real Prometheus and a real Alertmanager, to a receiver."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.deploy.operator_rule import RULES
from tests.deploy.pager import Delivery, Pager, running_pager
from tests.deploy.prometheus import discover, running_prometheus
from tests.deploy.recorded import HOUR, Series, constant, counter, write
from tests.drawing import digit_png
from tests.serving import copy_models, running_service, wait_until

RECEIVERS = {"critical": "pager", "warning": "tickets", "info": "chat"}
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
ROOM = {"reason": "overloaded"}
DEPLOYMENT = {"deployment": "digits"}


def requests_of(**rates: Any) -> list[tuple[str, dict[str, str], Any]]:
    """Return counters of requests by status, such as s200=counter(1)."""
    return [
        ("http_requests_total", {"job": "digits", "route": "/predict", "status": status[1:]}, rate)
        for status, rate in rates.items()
    ]


def latencies(slow: Any) -> list[tuple[str, dict[str, str], Any]]:
    labels = {"job": "digits", "route": "/predict", "method": "POST"}
    every = counter(10)
    fast = lambda ago: every(ago) - slow(ago)  # noqa: E731
    return [
        ("http_request_duration_seconds_bucket", labels | {"le": "1.0"}, fast),
        ("http_request_duration_seconds_count", labels, every),
    ]


def replica(**values: Any) -> list[tuple[str, dict[str, str], Any]]:
    return [(name, {"job": "digits", "instance": "a"}, constant(value)) for name, value in values.items()]


def answers_by_digit(lately: list[float]) -> list[tuple[str, dict[str, str], Any]]:
    """Return ten counters: even over a week, then for an hour at these rates."""
    return [
        ("digits_predictions_total", {"job": "digits", "model": "m", "digit": str(digit)}, counter(0.1, rate))
        for digit, rate in enumerate(lately)
    ]


def confidence(lately: float) -> list[tuple[str, dict[str, str], Any]]:
    labels = {"job": "digits", "model": "m"}
    return [
        ("digits_prediction_confidence_ratio_sum", labels, counter(0.98, lately)),
        ("digits_prediction_confidence_ratio_count", labels, counter(1)),
    ]


REFUSED = "digits_requests_refused_total"
EVEN, MOSTLY_ONES = [0.1] * 10, [0.01, 0.91] + [0.01] * 8
MODEL = {"job": "digits", "model": "m"}
# What was recorded in a namespace of its own, and the labels with which the alert is delivered.
CASES: dict[str, tuple[list[tuple[str, dict[str, str], Any]], dict[str, str]]] = {
    "DigitsDown": (
        [("up", {"job": "digits", "instance": "a"}, lambda ago: 1 if ago > 600 else None)],
        {"job": "digits"},
    ),
    "DigitsUnavailable": (
        [
            ("kube_deployment_status_replicas_available", DEPLOYMENT, constant(0)),
            ("kube_deployment_spec_replicas", DEPLOYMENT, constant(2)),
        ],
        DEPLOYMENT,
    ),
    "DigitsNotScraped": (
        [
            ("kube_deployment_status_replicas_available", DEPLOYMENT, constant(2)),
            ("up", {"job": "kubernetes-pods"}, constant(1)),
        ],
        {},
    ),
    "DigitsReplicaDown": (
        [
            ("up", {"job": "digits", "instance": "a"}, constant(1)),
            ("up", {"job": "digits", "instance": "b"}, constant(0)),
        ],
        {"job": "digits", "instance": "b"},
    ),
    "DigitsErrorBudgetBurnFast": (
        requests_of(s200=counter(10, 9.8), s500=counter(0, 0.2)),
        {"job": "digits"},
    ),
    "DigitsErrorBudgetBurnSlow": (
        requests_of(s200=counter(9.9), s500=counter(0.1)),
        {"job": "digits"},
    ),
    "DigitsCanaryFailing": (
        [
            (name, labels | {"track": track}, rate)
            for track, counters in (
                ("stable", requests_of(s200=counter(100))),
                ("canary", requests_of(s500=counter(0.5))),
            )
            for name, labels, rate in counters
        ],
        {"job": "digits"},
    ),
    "DigitsLatencyBudgetBurnFast": (latencies(counter(0, 2)), {"job": "digits"}),
    "DigitsLatencyBudgetBurnSlow": (latencies(counter(0.8)), {"job": "digits"}),
    "DigitsOverload": (
        [*requests_of(s200=counter(5), s503=counter(5)), (REFUSED, {"job": "digits"} | ROOM, counter(5))],
        {"job": "digits"},
    ),
    "DigitsShedding": (
        [
            *requests_of(s200=counter(9.5), s503=counter(0.5)),
            (REFUSED, {"job": "digits"} | ROOM, counter(0.5)),
        ],
        {"job": "digits"} | ROOM,
    ),
    "DigitsRequestsRefused": (
        [
            *requests_of(s200=counter(6), s408=counter(4)),
            (REFUSED, {"job": "digits", "reason": "request-timeout"}, counter(4)),
        ],
        {"job": "digits", "reason": "request-timeout"},
    ),
    "DigitsSaturated": (
        replica(http_requests_in_flight=40, http_requests_waiting=30, http_requests_in_flight_limit=128),
        {"job": "digits", "instance": "a"},
    ),
    "DigitsWorkerDied": (
        [
            (
                "digits_worker_exits_total",
                {"job": "digits", "instance": "a", "how": "died"},
                lambda ago: 0 if ago > 400 else 1,
            )
        ],
        {"job": "digits", "instance": "a"},
    ),
    "DigitsWorkersMissing": (
        replica(digits_workers=2, digits_workers_running=1),
        {"job": "digits", "instance": "a"},
    ),
    "DigitsMemoryHigh": (
        replica(digits_memory_bytes=95, digits_memory_limit_bytes=100),
        {"job": "digits", "instance": "a"},
    ),
    "DigitsModelLoadFailed": ([("digits_model_refused", MODEL, constant(1))], MODEL),
    "DigitsModelStale": (
        [("digits_model_trained_timestamp_seconds", MODEL, lambda ago: time.time() - 181 * 24 * HOUR)],
        MODEL,
    ),
    "DigitsVersionsDiffer": (
        [("digits_model_info", MODEL | {"version": version}, constant(1)) for version in ("v1", "v2")],
        MODEL,
    ),
    "DigitsTrainerFailed": (
        [("kube_job_failed", {"job_name": "digits-trainer-1", "condition": "true"}, constant(1))],
        {"job_name": "digits-trainer-1"},
    ),
    "DigitsTrainerOverdue": (
        [("kube_cronjob_created", {"cronjob": "digits-trainer"}, lambda ago: time.time() - 5 * 24 * HOUR)],
        {"cronjob": "digits-trainer"},
    ),
    "DigitsMixDrift": (answers_by_digit(MOSTLY_ONES) + confidence(0.98), MODEL),
    "DigitsConfidenceDrift": (answers_by_digit(EVEN) + confidence(0.7), MODEL),
    "DigitsRefusalsHigh": (
        [
            *answers_by_digit(EVEN),
            ("digits_predictions_not_accepted_total", MODEL, counter(0.4)),
        ],
        MODEL,
    ),
}


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


def missing(pager: Pager) -> set[str]:
    return set(CASES) - {each.name for each in pager.delivered()}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pager]:
    """A pager behind a Prometheus that has recorded a week: a namespace for each alert, and two more."""
    folder = tmp_path_factory.mktemp("recorded")
    namespaces = {name.lower(): series for name, (series, _) in CASES.items()}
    namespaces["shifted"] = answers_by_digit(MOSTLY_ONES) + confidence(0.7) + requests_of(s200=counter(1))
    namespaces["well"] = [
        *answers_by_digit(EVEN),
        *confidence(0.98),
        *requests_of(s200=counter(10), s503=counter(0.001)),
        *latencies(counter(0.05)),
        *replica(up=1, digits_workers=2, digits_workers_running=2, digits_model_refused=0),
    ]
    write(
        [
            Series(name, labels | {"namespace": namespace}, value)
            for namespace, series in namespaces.items()
            for name, labels, value in series
        ],
        folder,
    )
    with running_pager(folder) as pager, running_prometheus(folder, None, pager.port) as prometheus:
        wait_until(lambda: set(CASES) <= prometheus.firing(), "every alert fires", seconds=60)
        wait_until(lambda: missing(pager) == set(), "every delivery", folder / "alertmanager.log", seconds=60)
        time.sleep(8)  # for what should not come
        yield pager


def test_every_alert_has_a_recorded_case() -> None:
    assert list(CASES) == list(ALERTS)


@pytest.mark.parametrize("alert", CASES)
def test_each_alert_is_delivered_as_written(alert: str, recorded: Pager) -> None:
    delivered = recorded.delivered(namespace=alert.lower())
    assert {each.name for each in delivered} == {alert}
    for delivery in delivered:
        check(delivery)
        labels = {
            "alertname": alert,
            "severity": ALERTS[alert]["labels"]["severity"],
            "namespace": alert.lower(),
        }
        assert delivery.labels == labels | CASES[alert][1]


def test_a_shifted_mix_fires_the_two_drift_alerts_only(recorded: Pager) -> None:
    delivered = {each.name for each in recorded.delivered(namespace="shifted")}
    assert delivered == {"DigitsMixDrift", "DigitsConfidenceDrift"}


def test_a_week_of_good_service_pages_no_one(recorded: Pager) -> None:
    assert recorded.delivered(namespace="well") == []


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
