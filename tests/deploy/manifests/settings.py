"""Checks of what a manifest tells a program: settings of the service, words of the trainer's command line.

[object, ...] -> [problem, ...], each a sentence that names the object
"""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from service.config import Settings, SettingsError
from tests.deploy.rendering import Object, Pod, pods
from trainer.parser import build_parser

TRAINERS = ("digits-trainer", "digits-trainer-search")


def environment(pod: Pod, objects: list[Object]) -> dict[str, str]:
    """Return the variables that a pod's containers get from ConfigMaps and values."""
    maps = {one["metadata"]["name"]: one.get("data", {}) for one in objects if one["kind"] == "ConfigMap"}
    variables: dict[str, str] = {}
    for container in pod.spec["containers"]:
        for source in container.get("envFrom", []):
            variables |= maps.get(source["configMapRef"]["name"], {})
        variables |= {entry["name"]: entry["value"] for entry in container.get("env", []) if "value" in entry}
    return variables


def settings(objects: list[Object]) -> Iterator[str]:
    """Yield settings that the service would refuse at its start."""
    for pod in pods(objects):
        try:
            Settings.from_env(without_secrets(pod, environment(pod, objects)))
        except SettingsError as error:
            yield f"{pod.title}: {error}"
        if pod.spec.get("enableServiceLinks") is not False and pod.owner["kind"] != "InferenceService":
            yield f"{pod.title}: enableServiceLinks is not false; Kubernetes would add DIGITS_ variables"


def without_secrets(pod: Pod, variables: dict[str, str]) -> dict[str, str]:
    """Return the variables except paths of files in Secrets, which are there only in the cluster."""
    secrets = {volume["name"] for volume in pod.spec.get("volumes", []) if "secret" in volume}
    mounts = [mount for container in pod.containers for mount in container.get("volumeMounts", [])]
    folders = [mount["mountPath"] for mount in mounts if mount["name"] in secrets]
    return {
        name: value
        for name, value in variables.items()
        if not any(PurePosixPath(value).is_relative_to(folder) for folder in folders)
    }


def shutdown(objects: list[Object]) -> Iterator[str]:
    """Yield servers that are killed before their last request had its time, or that stop without notice."""
    for pod in pods(objects):
        if pod.owner["kind"] not in ("Deployment", "InferenceService"):
            continue
        current = Settings.from_env(_known(environment(pod, objects)))
        graceful = current.graceful_timeout_seconds + current.drain_seconds
        for container in pod.spec["containers"]:
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            if not pause:
                yield f"{pod.title}: container {container['name']} has no preStop.sleep"
            if pod.spec.get("terminationGracePeriodSeconds", 30) < pause + graceful + 5:
                yield (
                    f"{pod.title}: terminationGracePeriodSeconds is less than preStop ({pause}) "
                    f"+ DIGITS_GRACEFUL_TIMEOUT_SECONDS and DIGITS_DRAIN_SECONDS ({graceful:g}) + 5"
                )


def _known(variables: dict[str, str]) -> dict[str, str]:
    wanted = ("DIGITS_GRACEFUL_TIMEOUT_SECONDS", "DIGITS_DRAIN_SECONDS")
    return {name: variables[name] for name in wanted if variables.get(name, "").isdigit()}


def trainer_commands(objects: list[Object]) -> Iterator[str]:
    """Yield commands that the trainer's own parser refuses."""
    for pod in pods(objects):
        for container in pod.containers:
            # A container with a command of its own does not start the trainer.
            if container["image"].split(":")[0].endswith(TRAINERS) and "command" not in container:
                arguments = [re.sub(r"\$\(\w+\)", "7", argument) for argument in container["args"]]
                complaint = io.StringIO()
                try:
                    with contextlib.redirect_stderr(complaint):
                        build_parser().parse_args(arguments)
                except SystemExit:
                    yield f"{pod.title}: {complaint.getvalue().splitlines()[-1]}"
