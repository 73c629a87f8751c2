"""References between manifests, which neither a schema nor a cluster checks.

[object, ...] -> [problem, ...], each a sentence that names the object
"""

from collections.abc import Iterator
from typing import Any

from tests.deploy.rendering import Object, Pod, matches, pods, title

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def link_problems(objects: list[Object]) -> list[str]:
    """Return what does not fit together: selectors, references, ports, targets, mounts."""
    checks = (selectors, references, ports, autoscaler_targets, mounts, scrape_annotations)
    return [problem for check in checks for problem in check(objects)]


def selectors(objects: list[Object]) -> Iterator[str]:
    """Yield selectors that pick nothing, or in a Deployment not its own pods."""
    all_pods = list(pods(objects))
    for one in objects:
        spec = one.get("spec", {})
        if one["kind"] == "Deployment" and not matches(
            spec["selector"], spec["template"]["metadata"].get("labels", {})
        ):
            yield f"{title(one)}: the selector does not match the labels of its own pods"
        for what, selector in _pod_selectors(one):
            if not any(matches(selector, pod.labels) for pod in all_pods):
                yield f"{title(one)}: {what} selects no pod"
        if one["kind"] == "ServiceMonitor":
            services = [other for other in objects if other["kind"] == "Service"]
            if not any(matches(spec["selector"], other["metadata"].get("labels", {})) for other in services):
                yield f"{title(one)}: selects no Service"
    yield from _overlapping_deployments(objects)


def _pod_selectors(one: Object) -> Iterator[tuple[str, Object]]:
    spec = one.get("spec", {})
    if one["kind"] == "Service":
        yield "selector", {"matchLabels": spec.get("selector", {})}
    if one["kind"] in ("PodDisruptionBudget", "PodMonitor"):
        yield "selector", spec["selector"]
    if one["kind"] == "NetworkPolicy":
        yield "podSelector", spec["podSelector"]
    for pod in pods([one]):
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            yield f"spread over {constraint['topologyKey']}", constraint["labelSelector"]
        affinity = pod.spec.get("affinity", {}).get("podAffinity", {})
        for term in affinity.get("requiredDuringSchedulingIgnoredDuringExecution", []):
            yield f"affinity by {term['topologyKey']}", term["labelSelector"]


def _overlapping_deployments(objects: list[Object]) -> Iterator[str]:
    deployments = [one for one in objects if one["kind"] == "Deployment"]
    for one in deployments:
        for pod in pods(deployments):
            if pod.owner is not one and matches(one["spec"]["selector"], pod.labels):
                yield f"{title(one)}: the selector also picks the pods of {pod.title}"


def references(objects: list[Object]) -> Iterator[str]:
    """Yield names of ConfigMaps, claims and accounts that are not among the objects."""
    known = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    for pod in pods(objects):
        for kind, name in _referenced(pod):
            if (kind, name) not in known:
                yield f"{pod.title}: {kind} {name!r} does not exist"
        for entry in _entries(pod):
            if entry["key"] not in known.get(("ConfigMap", entry["name"]), {"data": {}})["data"]:
                yield f"{pod.title}: ConfigMap {entry['name']!r} has no {entry['key']!r}"


def _referenced(pod: Pod) -> Iterator[tuple[str, str]]:
    if "serviceAccountName" in pod.spec:
        yield "ServiceAccount", pod.spec["serviceAccountName"]
    for volume in pod.spec.get("volumes", []):
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
    for container in pod.containers:
        for source in container.get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"]


def _entries(pod: Pod) -> Iterator[Object]:
    """Yield {name, key} of each entry of a ConfigMap that becomes a variable."""
    for container in pod.containers:
        for variable in container.get("env", []):
            if "configMapKeyRef" in variable.get("valueFrom", {}):
                yield variable["valueFrom"]["configMapKeyRef"]


def ports(objects: list[Object]) -> Iterator[str]:
    """Yield names of ports that the thing they point at does not have."""
    all_pods = list(pods(objects))
    for pod in all_pods:
        for container in pod.containers:
            named = {port.get("name") for port in container.get("ports", [])}
            for probe in PROBES:
                port = container.get(probe, {}).get("httpGet", {}).get("port")
                if port is not None and port not in named:
                    yield f"{pod.title}: {probe} asks port {port!r}, none of container {container['name']}"
    for one in objects:
        for selector, port in _pod_ports(one):
            for pod in all_pods:
                if matches(selector, pod.labels) and port not in {*pod.ports(), *pod.ports().values()}:
                    yield f"{title(one)}: port {port!r} is none of {pod.title}"
        if one["kind"] == "ServiceMonitor":
            yield from _monitored_ports(one, objects)


def _pod_ports(one: Object) -> Iterator[tuple[Object, Any]]:
    spec = one.get("spec", {})
    if one["kind"] == "Service":
        for port in spec["ports"]:
            yield {"matchLabels": spec["selector"]}, port.get("targetPort", port["port"])
    if one["kind"] == "PodMonitor":
        for endpoint in spec["podMetricsEndpoints"]:
            yield spec["selector"], endpoint["port"]
    if one["kind"] == "NetworkPolicy":
        for rule in spec.get("ingress", []):
            for port in rule.get("ports", []):
                yield spec["podSelector"], port["port"]


def _monitored_ports(monitor: Object, objects: list[Object]) -> Iterator[str]:
    for service in objects:
        labels = service["metadata"].get("labels", {})
        if service["kind"] == "Service" and matches(monitor["spec"]["selector"], labels):
            names = {port.get("name") for port in service["spec"]["ports"]}
            for endpoint in monitor["spec"]["endpoints"]:
                if endpoint["port"] not in names:
                    yield f"{title(monitor)}: port {endpoint['port']!r} is none of {title(service)}"


def autoscaler_targets(objects: list[Object]) -> Iterator[str]:
    """Yield autoscalers without a target, or that share their work with a fixed number of replicas."""
    for one in objects:
        if one["kind"] != "HorizontalPodAutoscaler":
            continue
        wanted = one["spec"]["scaleTargetRef"]
        targets = [
            other
            for other in objects
            if (other["apiVersion"], other["kind"], other["metadata"]["name"])
            == (wanted["apiVersion"], wanted["kind"], wanted["name"])
        ]
        if not targets:
            yield f"{title(one)}: its target {wanted['kind']}/{wanted['name']} does not exist"
        for target in targets:
            if "replicas" in target["spec"]:
                yield f"{title(one)}: {title(target)} sets replicas too, and every apply would reset them"
        if one["spec"].get("minReplicas", 1) > one["spec"]["maxReplicas"]:
            yield f"{title(one)}: minReplicas is above maxReplicas"


def mounts(objects: list[Object]) -> Iterator[str]:
    """Yield mounts without a volume and volumes without a mount."""
    for pod in pods(objects):
        claims = pod.owner["spec"].get("volumeClaimTemplates", [])
        volumes = {volume["name"] for volume in pod.spec.get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in claims}
        mounted = {
            mount["name"] for container in pod.containers for mount in container.get("volumeMounts", [])
        }
        for name in sorted(mounted - volumes):
            yield f"{pod.title}: mounts {name!r}, which is not a volume of the pod"
        for name in sorted(volumes - mounted):
            yield f"{pod.title}: the volume {name!r} is mounted nowhere"


def scrape_annotations(objects: list[Object]) -> Iterator[str]:
    """Yield annotations that send Prometheus to a port that the pod does not have."""
    for pod in pods(objects):
        port = pod.annotations.get("prometheus.io/port")
        if port and int(port) not in pod.ports().values():
            yield f"{pod.title}: prometheus.io/port {port} is not a port of the pod"
