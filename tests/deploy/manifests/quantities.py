"""Quantities of memory, CPU and storage in a manifest: well formed, requested and limited.

[object, ...] -> [problem, ...], each a sentence that names the object
"""

import re
from collections.abc import Iterator

from tests.deploy.rendering import Object, pods, title

QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(|m|k|[MGTPE]|[KMGTPE]i|[eE][+-]?\d+)")
POWERS = {
    "": 1,
    "m": 1e-3,
    "k": 1e3,
    **{letter: 1000.0 ** (power + 2) for power, letter in enumerate("MGTPE")},
}
POWERS |= {f"{letter}i": 1024.0 ** (power + 1) for power, letter in enumerate("KMGTPE")}


def quantity(text: object) -> float:
    """Return the value of a Kubernetes quantity such as 250m or 64Mi; raises ValueError."""
    found = QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(f"{text!r} is not a quantity")
    number, suffix = found.groups()
    return float(number) * (POWERS[suffix] if suffix in POWERS else 10.0 ** int(suffix[1:]))


def resources(objects: list[Object]) -> Iterator[str]:
    """Yield bad quantities, requests above limits, and containers that ask for nothing."""
    for one in objects:
        if one["kind"] == "PersistentVolumeClaim":
            yield from _quantities(title(one), one["spec"]["resources"]["requests"])
    for pod in pods(objects):
        for volume in pod.spec.get("volumes", []):
            yield from _quantities(
                pod.title, {"sizeLimit": (volume.get("emptyDir") or {}).get("sizeLimit", 0)}
            )
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{pod.title}: the volume {volume['name']} has no sizeLimit"
        for container in pod.containers:
            yield from _container_resources(f"{pod.title}: container {container['name']}", container)


def _quantities(where: str, values: Object) -> Iterator[str]:
    for name, text in values.items():
        try:
            quantity(text)
        except ValueError as error:
            yield f"{where}: {name}: {error}"


def _container_resources(where: str, container: Object) -> Iterator[str]:
    requests = container.get("resources", {}).get("requests", {})
    limits = container.get("resources", {}).get("limits", {})
    for kind, values, needed in (("requests", requests, ("cpu", "memory")), ("limits", limits, ("memory",))):
        for name in needed:
            if name not in values:
                yield f"{where}: resources.{kind} has no {name}"
    bad = [*_quantities(where, requests), *_quantities(where, limits)]
    yield from bad
    if not bad:
        for name in requests.keys() & limits.keys():
            if quantity(requests[name]) > quantity(limits[name]):
                yield f"{where}: requests more {name} than its limit"
