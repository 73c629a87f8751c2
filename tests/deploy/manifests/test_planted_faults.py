"""The checks see what they are for: each fault is planted into manifests that are sound without it."""

from collections.abc import Callable

import pytest

from tests.deploy.manifests.links import link_problems
from tests.deploy.manifests.planted_faults import CONTAINER, FAULTS, MISMATCH, POD, REMOVED, put
from tests.deploy.manifests.pod_security import pod_security_problems
from tests.deploy.manifests.practices import practice_problems
from tests.deploy.rendering import Object, render


def problems(objects: list[Object]) -> list[str]:
    return practice_problems(objects) + link_problems(objects) + pod_security_problems(objects)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    plant, expected = FAULTS[fault]
    objects = render("overlays/production")
    plant(objects)
    assert any(expected in problem for problem in problems(objects)), problems(objects)


@pytest.mark.parametrize(
    ("fault", "folder", "expected"),
    [
        (
            put("InferenceService", "spec/predictors", {}),
            "overlays/kserve",
            "'predictors' was unexpected",
        ),
        (
            put("InferenceService", "spec/predictor/minReplicas", "two"),
            "overlays/kserve",
            "'two' is not of type 'integer'",
        ),
        (
            put("InferenceService", "spec/predictor/minReplica", 2),
            "overlays/kserve",
            "'minReplica' was unexpected",
        ),
        (
            put("InferenceService", "spec/predictor/containers/0/ports/0/name", "http"),
            "overlays/kserve",
            "readinessProbe asks port 'http1'",
        ),
        (
            put("Deployment", f"{POD}/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0"
                "/labelSelector/matchLabels", MISMATCH),
            "overlays/dev",
            "affinity by kubernetes.io/hostname selects no pod",
        ),
        (
            put("Deployment", "spec/template/metadata/annotations/prometheus.io~port", "9090"),
            "overlays/dev",
            "prometheus.io/port 9090 is not a port of the pod",
        ),
        (
            put("Deployment", "spec/template/metadata/annotations/prometheus.io~path", "/metric"),
            "overlays/dev",
            "has /metric scraped, which the service does not have",
        ),
        (
            put("PodMonitor", "spec/podMetricsEndpoints/0/port", "http"),
            "overlays/kserve",
            "PodMonitor/digits: port 'http' is none of",
        ),
        (
            put("PodDisruptionBudget", "spec/selector/matchLabels", MISMATCH),
            "overlays/kserve",
            "PodDisruptionBudget/digits: selector selects no pod",
        ),
        (
            put("NetworkPolicy", "spec/egress", [{}], "digits-service"),
            "overlays/kserve",
            "lets connections out",
        ),
        (
            put("NetworkPolicy", "spec/egress/0/to", REMOVED, "digits-search"),
            "tests/search",
            "lets connections out",
        ),
        (
            put("Job", f"{CONTAINER}/args/2", "--trails=9", "digits-search"),
            "tests/search",
            "unrecognized arguments",
        ),
        (
            put("Deployment", "spec/selector/matchLabels/track", REMOVED, "digits"),
            "tests/canary",
            "the selector also picks the pods of Deployment/digits-canary",
        ),
        (
            put("Job", f"{CONTAINER}/env/0/valueFrom/configMapKeyRef/key", "ROUNDS", "digits-committee"),
            "tests/training",
            "has no 'ROUNDS'",
        ),
    ],
    ids=[
        *("kserve field", "kserve type", "kserve pod field", "kserve port"),
        *("affinity", "scrape annotation", "scrape path", "kserve monitor", "kserve budget", "kserve egress"),
        *("search egress", "search flag", "stable picks the canary", "key of a ConfigMap"),
    ],
)  # fmt: skip
def test_a_fault_in_a_component_is_found(fault: Callable, folder: str, expected: str) -> None:
    objects = render(folder)
    fault(objects)
    assert any(expected in problem for problem in problems(objects)), problems(objects)
