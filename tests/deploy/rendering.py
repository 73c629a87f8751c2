"""Manifests as a cluster would get them.

folder with kustomization.yaml -> kubectl kustomize -> [object, ...] -> the pods in them
"""

import copy
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.deploy.tools import run
from tests.serving import PROJECT

DEPLOY = PROJECT / "deploy"
Object = dict[str, Any]


def kustomizations() -> list[str]:
    """Return the folders below deploy/ that can be applied: base, overlays and combinations to test."""
    folders = [path.parent for path in DEPLOY.glob("*/*/kustomization.yaml")]
    applied = [folder for folder in folders if folder.parent.name in ("overlays", "tests")]
    return sorted(str(folder.relative_to(DEPLOY)) for folder in [DEPLOY / "base", *applied])


@functools.cache
def _rendered(folder: Path) -> tuple[Object, ...]:
    result = run("kubectl", "kustomize", folder)
    assert result.returncode == 0, f"kubectl kustomize {folder}: {result.stderr}"
    assert not result.stderr, f"kubectl kustomize {folder} warns: {result.stderr}"
    return tuple(yaml.safe_load_all(result.stdout))


def render(folder: str | Path) -> list[Object]:
    """Return the objects of a kustomization; they may be changed. folder: relative to deploy/."""
    return copy.deepcopy(list(_rendered(DEPLOY / folder)))


def find(objects: list[Object], kind: str, name: str = "") -> Object:
    """Return the one object of a kind (and name)."""
    found = [one for one in objects if one["kind"] == kind and name in ("", one["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} objects {kind} {name}"
    return found[0]


def title(one: Object) -> str:
    """Return what a person calls an object: Kind/name."""
    return f"{one['kind']}/{one['metadata']['name']}"


class Pod(NamedTuple):
    """A pod as some object describes it: labels, annotations and specification."""

    owner: Object
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Object

    @property
    def title(self) -> str:
        """Return the name of the object that makes such pods."""
        return title(self.owner)

    @property
    def containers(self) -> list[Object]:
        """Return all containers, those that run first included."""
        return self.spec.get("initContainers", []) + self.spec["containers"]

    def ports(self) -> dict[str, int]:
        """Return the numbers of the named ports."""
        return {
            port["name"]: port["containerPort"]
            for container in self.containers
            for port in container.get("ports", [])
            if "name" in port
        }


def pods(objects: list[Object]) -> Iterator[Pod]:
    """Yield the pods that the objects make."""
    for one in objects:
        spec = one.get("spec", {})
        if one["kind"] == "InferenceService":
            yield Pod(one, one["metadata"].get("labels", {}), {}, spec["predictor"])
            continue
        if one["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        template = spec.get("template")
        if template:
            metadata = template.get("metadata", {})
            yield Pod(one, metadata.get("labels", {}), metadata.get("annotations", {}), template["spec"])


def matches(selector: Object | None, labels: dict[str, str]) -> bool:
    """Return whether a label selector ({matchLabels: ...}; empty: everything) picks these labels."""
    assert not (selector or {}).get("matchExpressions"), "no manifest uses matchExpressions yet"
    return (selector or {}).get("matchLabels", {}).items() <= labels.items()
