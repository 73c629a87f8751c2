"""Checks of single manifests: schema, names, images, probes, schedules, mounts.

[object, ...] -> [problem, ...], each a sentence that names the object
"""

import functools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath

import kubernetes_validate
from cronsim import CronSim, CronSimError

from service.app import create_app
from service.config import Settings
from service.metrics import Metrics
from service.registry import ModelRegistry
from tests.deploy.manifests.custom_kinds import CUSTOM_GROUPS, custom_complaint, predicting_pod
from tests.deploy.manifests.links import PROBES
from tests.deploy.manifests.quantities import resources
from tests.deploy.manifests.settings import environment, settings, shutdown, trainer_commands
from tests.deploy.rendering import Object, pods, title

KUBERNETES = "1.32"
COMPONENT = "app.kubernetes.io/component"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def practice_problems(objects: list[Object]) -> list[str]:
    """Return what is wrong with each object taken by itself."""
    checks = (
        schema,
        names,
        resources,
        images,
        probes,
        schedules,
        settings,
        shutdown,
        trainer_commands,
        failure_policies,
        scrape_paths,
        closed_egress,
        evictions,
        model_mounts,
        multiprocess_folders,
        overlapping_jobs,
    )
    return [problem for check in checks for problem in check(objects)]


def schema(objects: list[Object]) -> Iterator[str]:
    """Yield unknown fields, wrong types and versions of the API that were removed."""
    for one in objects:
        group = one["apiVersion"].partition("/")[0]
        if group in CUSTOM_GROUPS:
            complaint = custom_complaint(one)
            if not complaint and one["kind"] == "InferenceService":
                complaint = _schema_complaint(json.dumps(predicting_pod(one)))
        else:
            complaint = _schema_complaint(json.dumps(one))
        if complaint:
            yield f"{title(one)}: {complaint}"


@functools.cache
def _schema_complaint(text: str) -> str:
    """Return what the schema says about an object in JSON; the same objects come in many combinations."""
    one = json.loads(text)
    try:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        return f"Kubernetes {KUBERNETES} has no {one['kind']} in {one['apiVersion']}"
    return ""


def names(objects: list[Object]) -> Iterator[str]:
    """Yield names of objects, containers and volumes that are not DNS labels."""
    for one in objects:
        if not NAME.fullmatch(one["metadata"]["name"]):
            yield f"{title(one)}: the name is not a DNS label (a-z, 0-9 and -, at most 63)"
    for pod in pods(objects):
        for part in pod.containers + pod.spec.get("volumes", []):
            if not NAME.fullmatch(part["name"]):
                yield f"{pod.title}: {part['name']!r} is not a DNS label"


def images(objects: list[Object]) -> Iterator[str]:
    """Yield images without a fixed version; only the base leaves it to its overlays."""
    for pod in pods(objects):
        for container in pod.containers:
            _, _, tag = container["image"].rpartition("/")[2].partition(":")
            if "@sha256:" not in container["image"] and tag in ("", "latest"):
                yield f"{pod.title}: the image {container['image']!r} has no fixed version"


def probes(objects: list[Object]) -> Iterator[str]:
    """Yield servers that lack a probe, or whose probe asks a path that the service does not have."""
    paths = service_paths()
    for pod in pods(objects):
        if pod.owner["kind"] not in ("Deployment", "InferenceService"):
            continue
        for container in pod.spec["containers"]:
            for probe in PROBES:
                path = container.get(probe, {}).get("httpGet", {}).get("path")
                if path is None:
                    yield f"{pod.title}: container {container['name']} has no {probe}"
                elif path not in paths:
                    yield f"{pod.title}: {probe} asks {path}, which the service does not have"


@functools.cache
def service_paths() -> set[str]:
    """Return the paths that the service answers to a GET without parameters."""
    current = Settings()
    app = create_app(current, ModelRegistry(current.models_dir, current.default_model), Metrics())
    return {
        rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments
    }


def schedules(objects: list[Object]) -> Iterator[str]:
    """Yield schedules that cron does not understand."""
    for one in objects:
        if one["kind"] == "CronJob":
            try:
                CronSim(one["spec"]["schedule"], datetime.now(UTC))
            except CronSimError as error:
                schedule = one["spec"]["schedule"]
                yield f"{title(one)}: the schedule {schedule!r} is not a cron expression: {error}"


def failure_policies(objects: list[Object]) -> Iterator[str]:
    """Yield rules about containers that do not exist, and Jobs that train what the gate refused again."""
    for pod in pods(objects):
        if pod.owner["kind"] not in ("Job", "CronJob"):
            continue
        spec = pod.owner["spec"]
        spec = spec["jobTemplate"]["spec"] if pod.owner["kind"] == "CronJob" else spec
        containers = {container["name"] for container in pod.containers}
        for rule in spec.get("podFailurePolicy", {}).get("rules", []):
            named = rule.get("onExitCodes", {}).get("containerName")
            if named and named not in containers:
                yield f"{pod.title}: podFailurePolicy names container {named!r}, which does not exist"
        rules = spec.get("podFailurePolicy", {}).get("rules", [])
        final = [value for rule in rules if "onExitCodes" in rule for value in rule["onExitCodes"]["values"]]
        if 2 not in final and spec.get("backoffLimit") != 0:
            yield f"{pod.title}: the Job tries again after exit code 2, which says that it would end so again"
        if "podFailurePolicy" in spec and pod.spec.get("restartPolicy") != "Never":
            yield f"{pod.title}: podFailurePolicy needs restartPolicy Never"


def scrape_paths(objects: list[Object]) -> Iterator[str]:
    """Yield monitors and annotations that ask for a path that the service does not have."""
    for one in objects:
        endpoints = one.get("spec", {}).get("endpoints", []) + one.get("spec", {}).get(
            "podMetricsEndpoints", []
        )
        for path in [endpoint.get("path", "/metrics") for endpoint in endpoints]:
            if path not in service_paths():
                yield f"{title(one)}: scrapes {path}, which the service does not have"
    for pod in pods(objects):
        path = pod.annotations.get("prometheus.io/path", "/metrics")
        if path not in service_paths():
            yield f"{pod.title}: has {path} scraped, which the service does not have"


def closed_egress(objects: list[Object]) -> Iterator[str]:
    """Yield network policies that let out: neither service nor trainer connects to anything.

    A search connects to its database, which its policy has to name.
    """
    for one in objects:
        spec = one.get("spec", {})
        rules = spec.get("egress", [])
        if spec.get("podSelector", {}).get("matchLabels", {}).get(COMPONENT) == "search":
            rules = [rule for rule in rules if not (rule.get("to") and rule.get("ports"))]
        is_open = "Egress" not in spec.get("policyTypes", []) or bool(rules)
        if one["kind"] == "NetworkPolicy" and is_open:
            yield f"{title(one)}: lets connections out"


def evictions(objects: list[Object]) -> Iterator[str]:
    """Yield budgets that let no pod be evicted, so that no node could be drained."""
    for one in objects:
        if one["kind"] == "PodDisruptionBudget":
            spec = one["spec"]
            if spec.get("maxUnavailable") in (0, "0%") or spec.get("minAvailable") == "100%":
                yield f"{title(one)}: lets no pod be evicted"


def model_mounts(objects: list[Object]) -> Iterator[str]:
    """Yield servers that could write to the models they serve."""
    for pod in pods(objects):
        if pod.owner["kind"] in ("Deployment", "InferenceService"):
            for container in pod.spec["containers"]:
                for mount in container.get("volumeMounts", []):
                    if mount["name"] == "models" and mount.get("readOnly") is not True:
                        yield f"{pod.title}: container {container['name']} mounts the models writable"


def multiprocess_folders(objects: list[Object]) -> Iterator[str]:
    """Yield servers whose workers share their metrics in a folder that is not in memory, or not writable."""
    for pod in pods(objects):
        if pod.owner["kind"] not in ("Deployment", "InferenceService"):
            continue
        folder = PurePosixPath(environment(pod, objects).get("PROMETHEUS_MULTIPROC_DIR", "/"))
        volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
        mounts = [
            mount for container in pod.spec["containers"] for mount in container.get("volumeMounts", [])
        ]
        if not any(
            folder.is_relative_to(mount["mountPath"])
            and (volumes.get(mount["name"], {}).get("emptyDir") or {}).get("medium") == "Memory"
            for mount in mounts
        ):
            yield f"{pod.title}: PROMETHEUS_MULTIPROC_DIR {folder} is in no emptyDir in memory"


def overlapping_jobs(objects: list[Object]) -> Iterator[str]:
    """Yield CronJobs that may run twice at once: both would publish."""
    for one in objects:
        if one["kind"] == "CronJob" and one["spec"].get("concurrencyPolicy") != "Forbid":
            yield f"{title(one)}: concurrencyPolicy is not Forbid"
