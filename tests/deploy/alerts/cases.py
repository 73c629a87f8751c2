"""A recorded past for each alert, and the labels with which it is delivered.

ALERTS: rule by name.   CASES: (name, labels, value over time) of each series, in a namespace of its own
"""

import time
from typing import Any

import yaml

from tests.deploy.alerts.recorded import HOUR, constant, counter
from tests.deploy.monitoring.operator_rule import RULES

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
                {"job": "digits", "instance": "a", "how": "died", "signal": "SIGSEGV"},
                lambda ago: 0 if ago > 400 else 1,
            )
        ],
        {"job": "digits", "instance": "a", "signal": "SIGSEGV"},
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
