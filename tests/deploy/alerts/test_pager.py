"""Each alert, on recorded series, through a real Prometheus and a real Alertmanager, to a receiver."""

import time
from collections.abc import Iterator

import pytest

from tests.deploy.alerts.cases import (
    ALERTS,
    CASES,
    EVEN,
    MOSTLY_ONES,
    answers_by_digit,
    confidence,
    latencies,
    replica,
    requests_of,
)
from tests.deploy.alerts.pager import Pager, check, running_pager
from tests.deploy.alerts.recorded import Series, counter, write
from tests.deploy.monitoring.prometheus import running_prometheus
from tests.serving import wait_until


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
