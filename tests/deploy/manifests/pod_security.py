"""The Pod Security Standard "restricted" (v1.32), and a read-only root beside it.

[object, ...] -> [problem, ...]; see https://kubernetes.io/docs/concepts/security/pod-security-standards
"""

from collections.abc import Iterator

from tests.deploy.rendering import Object, Pod, pods

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip
SECCOMP = ("RuntimeDefault", "Localhost")


def pod_security_problems(objects: list[Object]) -> list[str]:
    """Return what a namespace that enforces the restricted standard would refuse."""
    return [f"{pod.title}: {problem}" for pod in pods(objects) for problem in _pod(pod)]


def _pod(pod: Pod) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(field):
            yield f"{field} is not allowed"
    for volume in pod.spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f"the volume {volume['name']} is of a kind that is not allowed: {', '.join(sorted(kinds))}"
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken is not false"
    shared = pod.spec.get("securityContext", {})
    if shared.get("sysctls"):
        yield "sysctls are not allowed"
    for container in pod.containers:
        for problem in _container(container, shared):
            yield f"container {container['name']}: {problem}"


def _container(container: Object, shared: Object) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = shared | own  # the container's own word counts
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if both.get("runAsUser", 1) == 0:
        yield "runAsUser is 0"
    if both.get("seccompProfile", {}).get("type") not in SECCOMP:
        yield f"seccompProfile is none of {', '.join(SECCOMP)}"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if own.get("privileged"):
        yield "privileged is not allowed"
    if "ALL" not in own.get("capabilities", {}).get("drop", []):
        yield "capabilities are not dropped (drop: [ALL])"
    if set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities are added"
    if own.get("procMount", "Default") != "Default":
        yield "procMount is not Default"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "hostPort is not allowed"
    if own.get("readOnlyRootFilesystem") is not True:  # not of the standard, but ours
        yield "readOnlyRootFilesystem is not true"
