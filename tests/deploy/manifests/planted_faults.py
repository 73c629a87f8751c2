"""Faults to plant into the manifests of production, and what the checks must say about each.

name -> (a function that changes the objects, a part of the complaint)
"""

from collections.abc import Callable
from typing import Any

from tests.deploy.rendering import Object, find

REMOVED = object()


def put(kind: str, path: str, value: Any, name: str = "") -> Callable[[list[Object]], None]:
    """Return a fault: in the object of this kind, the field at a path such as spec.ports.0 gets a value."""

    def plant(objects: list[Object]) -> None:
        *way, last = (step.replace("~", "/") for step in path.split("/"))
        place: Any = find(objects, kind, name)
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        key = int(last) if isinstance(place, list) else last
        if value is REMOVED:
            del place[key]
        else:
            place[key] = value

    return plant


def remove(kind: str, name: str = "") -> Callable[[list[Object]], None]:
    """Return a fault: the object is missing."""

    def plant(objects: list[Object]) -> None:
        objects.remove(find(objects, kind, name))

    return plant


def drop_config(objects: list[Object]) -> None:
    objects[:] = [one for one in objects if not one["metadata"]["name"].startswith("digits-config")]


def unknown_setting(objects: list[Object]) -> None:
    for one in objects:
        if one["metadata"]["name"].startswith("digits-config"):
            one["data"]["DIGITS_THREDS"] = "8"


def multiprocess_folder(objects: list[Object]) -> None:
    for one in objects:
        if one["metadata"]["name"].startswith("digits-config"):
            one["data"]["PROMETHEUS_MULTIPROC_DIR"] = "/var/metrics"


POD = "spec/template/spec"
CONTAINER = f"{POD}/containers/0"
JOB = "spec/jobTemplate/spec"
TRAINER = "digits-trainer"
MISMATCH = {"app.kubernetes.io/name": "digit"}

FAULTS: dict[str, tuple[Callable[[list[Object]], None], str]] = {
    "unknown field": (put("Deployment", f"{CONTAINER}/livenesProbe", {}), "'livenesProbe' was unexpected"),
    "wrong type": (put("Deployment", "spec/minReadySeconds", "5"), "'5' is not of type"),
    "unknown field of a monitor": (
        put("ServiceMonitor", "spec/endpoints/0/intervall", "15s"),
        "'intervall' was unexpected",
    ),
    "wrong type in a monitor": (
        put("ServiceMonitor", "spec/endpoints/0/interval", 15),
        "15 is not of type 'string'",
    ),
    "unknown field of a rule": (
        put("PrometheusRule", "spec/groups/2/rules/0/expression", "up"),
        "'expression' was unexpected",
    ),
    "removed version of a custom kind": (
        put("ServiceMonitor", "apiVersion", "monitoring.coreos.com/v1alpha1"),
        "has no ServiceMonitor that is known here",
    ),
    "removed API version": (
        put("PodDisruptionBudget", "apiVersion", "policy/v1beta1"),
        "has no PodDisruptionBudget",
    ),
    "bad quantity": (
        put("Deployment", f"{CONTAINER}/resources/limits/memory", "512MB"),
        "'512MB' is not a quantity",
    ),
    "bad quantity of a claim": (
        put("PersistentVolumeClaim", "spec/resources/requests/storage", "1 Gi"),
        "'1 Gi' is not a quantity",
    ),
    "request above limit": (
        put("Deployment", f"{CONTAINER}/resources/requests/memory", "2Gi"),
        "requests more memory than its limit",
    ),
    "no limits": (
        put("Deployment", f"{CONTAINER}/resources/limits", REMOVED),
        "resources.limits has no memory",
    ),
    "no requests": (
        put("CronJob", f"{JOB}/{CONTAINER[5:]}/resources/requests", {}, TRAINER),
        "resources.requests has no cpu",
    ),
    "bad name": (put("Service", "metadata/name", "Digits_Service"), "is not a DNS label"),
    "bad volume name": (put("Deployment", f"{POD}/volumes/1/name", "tmp_"), "'tmp_' is not a DNS label"),
    "bad cron": (put("CronJob", "spec/schedule", "17 25 * * *", TRAINER), "is not a cron expression"),
    "image latest": (put("Deployment", f"{CONTAINER}/image", "digits:latest"), "has no fixed version"),
    "image without a tag": (
        put("CronJob", f"{JOB}/{CONTAINER[5:]}/image", "x/digits-trainer", TRAINER),
        "no fixed version",
    ),
    "no readiness": (put("Deployment", f"{CONTAINER}/readinessProbe", REMOVED), "has no readinessProbe"),
    "probe path": (
        put("Deployment", f"{CONTAINER}/livenessProbe/httpGet/path", "/healthz"),
        "asks /healthz, which the service does not have",
    ),
    "unknown setting": (unknown_setting, "DIGITS_THREDS is not a setting"),
    "service links": (
        put("Deployment", f"{POD}/enableServiceLinks", REMOVED),
        "enableServiceLinks is not false",
    ),
    "grace period too short": (
        put("Deployment", f"{POD}/terminationGracePeriodSeconds", 30),
        "terminationGracePeriodSeconds is less than preStop (5) + "
        "DIGITS_GRACEFUL_TIMEOUT_SECONDS and DIGITS_DRAIN_SECONDS (30)",
    ),
    "no pause before the stop": (
        put("Deployment", f"{CONTAINER}/lifecycle", REMOVED),
        "has no preStop.sleep",
    ),
    "trainer flag": (
        put("CronJob", f"{JOB}/{CONTAINER[5:]}/args/2", "--into", TRAINER),
        "unrecognized arguments: --into",
    ),
    "policy for no container": (
        put("CronJob", f"{JOB}/podFailurePolicy/rules/1/onExitCodes/containerName", "train", TRAINER),
        "names container 'train', which does not exist",
    ),
    "a refused model is trained again": (
        put("CronJob", f"{JOB}/podFailurePolicy/rules/1/onExitCodes/values", [3], TRAINER),
        "the Job tries again after exit code 2",
    ),
    "service selects nothing": (
        put("Service", "spec/selector", MISMATCH),
        "Service/digits: selector selects no pod",
    ),
    "selector is not of the own pods": (
        put("Deployment", "spec/selector/matchLabels/track", "canary"),
        "does not match the labels of its own pods",
    ),
    "budget selects nothing": (
        put("PodDisruptionBudget", "spec/selector/matchLabels", MISMATCH),
        "PodDisruptionBudget/digits: selector selects no pod",
    ),
    "network policy selects nothing": (
        put("NetworkPolicy", "spec/podSelector/matchLabels", MISMATCH, "digits-service"),
        "NetworkPolicy/digits-service: podSelector selects no pod",
    ),
    "spread counts nothing": (
        put("Deployment", f"{POD}/topologySpreadConstraints/0/labelSelector/matchLabels", MISMATCH),
        "spread over topology.kubernetes.io/zone selects no pod",
    ),
    "monitor selects nothing": (
        put("ServiceMonitor", "spec/selector/matchLabels", MISMATCH),
        "ServiceMonitor/digits: selects no Service",
    ),
    "missing ConfigMap": (drop_config, "ConfigMap 'digits-config"),
    "missing claim": (
        remove("PersistentVolumeClaim"),
        "PersistentVolumeClaim 'digits-models' does not exist",
    ),
    "missing account": (remove("ServiceAccount", "digits"), "ServiceAccount 'digits' does not exist"),
    "service port": (
        put("Service", "spec/ports/0/targetPort", "web"),
        "Service/digits: port 'web' is none of",
    ),
    "probe port": (
        put("Deployment", f"{CONTAINER}/readinessProbe/httpGet/port", "web"),
        "readinessProbe asks port 'web'",
    ),
    "monitor port": (
        put("ServiceMonitor", "spec/endpoints/0/port", "metrics"),
        "port 'metrics' is none of Service/digits",
    ),
    "network policy port": (
        put("NetworkPolicy", "spec/ingress/0/ports/0/port", "https", "digits-service"),
        "port 'https' is none of Deployment/digits",
    ),
    "autoscaler target": (
        put("HorizontalPodAutoscaler", "spec/scaleTargetRef/name", "digit"),
        "its target Deployment/digit does not exist",
    ),
    "fixed replicas": (put("Deployment", "spec/replicas", 2), "sets replicas too"),
    "autoscaler bounds": (
        put("HorizontalPodAutoscaler", "spec/minReplicas", 99),
        "minReplicas is above maxReplicas",
    ),
    "mount without a volume": (
        put("Deployment", f"{CONTAINER}/volumeMounts/0/name", "modells"),
        "mounts 'modells', which is not a volume of the pod",
    ),
    "no seccomp": (
        put("Deployment", f"{POD}/securityContext/seccompProfile", REMOVED),
        "seccompProfile is none of",
    ),
    "capabilities": (
        put("Deployment", f"{CONTAINER}/securityContext/capabilities", {"add": ["NET_ADMIN"]}),
        "capabilities are not dropped",
    ),
    "capabilities of what runs first": (
        put("Deployment", f"{POD}/initContainers/0/securityContext/capabilities", REMOVED),
        "container first-models: capabilities are not dropped",
    ),
    "root": (
        put("CronJob", f"{JOB}/{POD[5:]}/securityContext/runAsUser", 0, TRAINER),
        "runAsUser is 0",
    ),
    "no runAsNonRoot": (
        put("Deployment", f"{POD}/securityContext/runAsNonRoot", REMOVED),
        "runAsNonRoot is not true",
    ),
    "writable root": (
        put("Deployment", f"{CONTAINER}/securityContext/readOnlyRootFilesystem", False),
        "readOnlyRootFilesystem is not true",
    ),
    "escalation": (
        put("Deployment", f"{CONTAINER}/securityContext/allowPrivilegeEscalation", REMOVED),
        "allowPrivilegeEscalation is not false",
    ),
    "host path": (
        put("Deployment", f"{POD}/volumes/0", {"name": "models", "hostPath": {"path": "/"}}),
        "kind that is not allowed: hostPath",
    ),
    "host network": (put("Deployment", f"{POD}/hostNetwork", True), "hostNetwork is not allowed"),
    "metrics path": (
        put("ServiceMonitor", "spec/endpoints/0/path", "/metric"),
        "scrapes /metric, which the service does not have",
    ),
    "egress opened": (put("NetworkPolicy", "spec/egress", [{}], "digits-service"), "lets connections out"),
    "egress no longer restricted": (
        put("NetworkPolicy", "spec/policyTypes", ["Ingress"], "digits-deny-all"),
        "lets connections out",
    ),
    "budget of nothing": (put("PodDisruptionBudget", "spec/maxUnavailable", 0), "lets no pod be evicted"),
    "models writable": (
        put("Deployment", f"{CONTAINER}/volumeMounts/0/readOnly", REMOVED),
        "mounts the models writable",
    ),
    "metrics folder on the root": (
        multiprocess_folder,
        "PROMETHEUS_MULTIPROC_DIR /var/metrics is in no emptyDir in memory",
    ),
    "two trainings at once": (
        put("CronJob", "spec/concurrencyPolicy", "Allow", TRAINER),
        "concurrencyPolicy is not Forbid",
    ),
    "account token": (
        put("Deployment", f"{POD}/automountServiceAccountToken", True),
        "automountServiceAccountToken is not false",
    ),
}
