"""As much of a Kubernetes API as the runbook's commands need, over rendered manifests: for the real kubectl.

kubectl -> HTTP -> Cluster: objects by kind and name; a created Job runs its pod's containers (pod_files)
                -> logs and proxy: of a real service

It schedules nothing and checks no schema. One namespace; replicas are pods on paper.
"""

import copy
import uuid
from pathlib import Path
from typing import Any

from tests.deploy.rendering import Object, matches
from tests.deploy.runbook.pod_files import Image, PodFiles, images
from tests.serving import Server

NOW = "2026-01-01T00:00:00Z"
KINDS = {
    "pods": "Pod",
    "services": "Service",
    "configmaps": "ConfigMap",
    "events": "Event",
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "servicemonitors": "ServiceMonitor",
    "podmonitors": "PodMonitor",
}
PLURALS = {kind: plural for plural, kind in KINDS.items()}


class Cluster:
    """The objects of one namespace. claims: what the volumes hold; more: arguments for every training."""

    def __init__(self, objects: list[Object], server: Server, folder: Path, more: list[str]) -> None:
        self.server = server
        self.images: dict[str, Image] = images()
        self.claims = {"digits-models": folder / "volume"}
        self.objects: dict[tuple[str, str], Object] = {}
        self.logs: dict[str, str] = {}
        self._scratch, self._more = folder / "pods", more
        self._number = 0
        for one in objects:
            if one["kind"] in PLURALS:
                self.put(one)
        for one in [one for one in objects if one["kind"] == "Deployment"]:
            self._begin(one)

    def put(self, one: Object) -> Object:
        """Add an object, with what the API would add to it."""
        one = copy.deepcopy(one)
        one["metadata"] |= {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": NOW,
            "resourceVersion": "1",
            "generation": 1,
        }
        self.objects[PLURALS[one["kind"]], one["metadata"]["name"]] = one
        return one

    def select(self, plural: str, query: dict[str, list[str]]) -> list[Object]:
        """Return the objects of a kind that the selectors of a request pick."""
        wanted = dict(
            part.split("=", 1) for text in query.get("labelSelector", []) for part in text.split(",")
        )
        fields = dict(
            part.split("=", 1) for text in query.get("fieldSelector", []) for part in text.split(",")
        )
        name = fields.get("metadata.name")
        return [
            one
            for (kind, own), one in list(self.objects.items())
            if kind == plural
            and matches({"matchLabels": wanted}, one["metadata"].get("labels", {}))
            and name in (None, own)
        ]

    def create(self, plural: str, one: Object) -> Object:
        """Add an object; a Job runs to its end at once."""
        one = self.put(one)
        if plural == "jobs":
            self._run(one)
        return one

    def patch(self, plural: str, name: str, change: Any) -> Object:
        """Apply a merge patch, or a list of JSON patch operations `replace`."""
        one = self.objects[plural, name]
        if isinstance(change, list):
            for operation in change:
                *way, last = operation["path"].strip("/").replace("~1", "/").split("/")
                if operation["op"] == "replace":
                    place = one
                    for step in way:
                        place = place[step]
                    place[last] = operation["value"]
        else:
            _merge(one, change)
        return one

    def delete(self, plural: str, name: str) -> Object:
        """Remove an object; a pod of a Deployment gets a successor."""
        one = self.objects.pop((plural, name))
        owner = one["metadata"].get("labels", {}).get("of")
        if owner:
            self._add_pod(self.objects["deployments", owner], self._name(owner))
        return one

    def pod(self, owner: str = "digits") -> str:
        """Return the name of a pod of a Deployment or Job."""
        return next(
            name
            for (kind, name), one in self.objects.items()
            if kind == "pods"
            and one["metadata"]["labels"].get("of", one["metadata"]["labels"].get("job-name")) == owner
        )

    def log(self, pod: str) -> str:
        """Return the log of a pod: of a Job what its container printed, else that of the service."""
        return self.logs.get(pod) or self.server.log.read_text()

    def _begin(self, deployment: Object) -> None:
        name = deployment["metadata"]["name"]
        stored = self.objects["deployments", name]
        stored["spec"].setdefault("replicas", 2)
        stored["status"] = {
            "observedGeneration": 1,
            "replicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": 2,
        }
        for revision, tag in enumerate(("0.9.0", "1.0.0"), start=1):
            template = copy.deepcopy(stored["spec"]["template"])
            template["spec"]["containers"][0]["image"] = f"digits:{tag}"
            template["metadata"]["labels"]["pod-template-hash"] = str(revision)
            owner = {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": name,
                "uid": stored["metadata"]["uid"],
                "controller": True,
            }
            self.put(
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "metadata": {
                        "name": f"{name}-{revision}",
                        "labels": template["metadata"]["labels"],
                        "annotations": {"deployment.kubernetes.io/revision": str(revision)},
                        "ownerReferences": [owner],
                        "namespace": stored["metadata"]["namespace"],
                    },
                    "spec": {
                        "replicas": 2 * (revision - 1),
                        "selector": stored["spec"]["selector"],
                        "template": template,
                    },
                    "status": {"replicas": 2 * (revision - 1)},
                }
            )
        for _ in range(2):
            self._add_pod(stored, self._name(name))

    def _name(self, owner: str) -> str:
        self._number += 1
        return f"{owner}-2-{self._number}"

    def _add_pod(self, owner: Object, name: str, phase: str = "Running") -> Object:
        template = owner["spec"]["template"]
        labels = template["metadata"].get("labels", {})
        own = (
            {"of": owner["metadata"]["name"]}
            if owner["kind"] == "Deployment"
            else {"job-name": owner["metadata"]["name"]}
        )
        metadata = {"name": name, "namespace": owner["metadata"]["namespace"], "labels": labels | own}
        metadata["annotations"] = template["metadata"].get("annotations", {})
        spec = template["spec"] | {"nodeName": "node-1"}
        return self.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": spec,
                "status": {"phase": phase},
            }
        )

    def _run(self, job: Object) -> None:
        name = job["metadata"]["name"]
        job["spec"]["selector"] = {"matchLabels": {"job-name": name}}
        spec = job["spec"]["template"]["spec"]
        files = PodFiles(spec, self.claims, self._scratch / name)
        code, output = 0, ""
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            more = self._more if container.get("args", [""])[0] == "train" else []
            code, text = files.run(container, self.images, more)
            output += text
            if code:
                break
        kind = "Failed" if code else "Complete"
        job["status"] = {"conditions": [{"type": kind, "status": "True"}], "startTime": NOW}
        pod = self._add_pod(job, f"{name}-pod", "Failed" if code else "Succeeded")
        self.logs[pod["metadata"]["name"]] = output or "\n"


def _merge(into: dict[str, Any], change: dict[str, Any]) -> None:
    """Apply an RFC 7386 merge patch."""
    for key, value in change.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
