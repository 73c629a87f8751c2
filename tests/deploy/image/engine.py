"""What builds and runs the image for the tests: the machine's own Docker or Podman, or, on a machine
without an engine or a registry of images, a script image-check beside the project.

Dockerfile -> build -> a container restricted as a Kubernetes pod is -> Report
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.serving import MODELS, PROJECT, answers, free_port, wait_until

IMAGE_CHECK = Path(os.environ.get("IMAGE_CHECK", PROJECT.parent / "shared" / "tools" / "image-check"))
BASE = "docker.io/library/python:3.11-slim"
TAG = "digits:test"
MEMORY = "128m"
RESTRICTED = [
    *("--network", "host", "--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,size=64m,mode=1777"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "10001:10001"),
    *("--memory", MEMORY, "--cpus", "1", "--pids-limit", "128"),
]


class Report(NamedTuple):
    """What a run told: bytes on top of the base (None: not known), exit code, the answer in flight."""

    added_bytes: int | None
    exit_code: int
    last_answer: str


def settings(port: int) -> list[str]:
    """Return the options that set the port, and a model that is there whatever was trained so far."""
    default = "mnist-28x28" if (MODELS / "mnist-28x28.npz").exists() else "digits-8x8"
    return ["-e", f"PORT={port}", "-e", f"DIGITS_DEFAULT_MODEL={default}"]


class PlainEngine:
    """Docker or Podman that can fetch the base image."""

    def __init__(self, command: str) -> None:
        self.command = [command]
        self.environment = dict(os.environ)

    def check(self, folder: Path) -> Report:
        """Build the image, run it restricted, stop it with a request in flight."""
        port, result = free_port(), folder / "answer"
        self.run("build", "-t", TAG, str(PROJECT), seconds=600)
        name = self.run("run", "-d", *RESTRICTED, *settings(port), TAG).strip()
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), "the container is ready")
            slow_request(port, result)
            self.run("stop", "-t", "45", name)
            code = int(self.run("inspect", name, "--format", "{{.State.ExitCode}}"))
        finally:
            self.run("rm", "-f", name)
        return Report(None, code, last_answer(result))

    def run(self, *arguments: str, seconds: float = 120) -> str:
        """Run the engine and return what it printed."""
        result = subprocess.run(
            [*self.command, *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env=self.environment,
        )
        assert result.returncode == 0, f"{' '.join(arguments)}: {result.stderr[-3000:]}"
        return result.stdout

    def python(self, code: str) -> str:
        """Run a line of Python in a restricted container and return what it printed."""
        return self.run("run", "--rm", *RESTRICTED, TAG, "python", "-c", code)


class ImageCheck(PlainEngine):
    """Podman over the images that image-check built."""

    def __init__(self) -> None:
        home = Path(os.environ.get("IMAGE_CHECK_HOME", Path(tempfile.gettempdir()) / "image-check"))
        super().__init__("podman")
        self.command += ["--root", f"{home}/storage", "--runroot", f"{home}/run"]
        self.environment |= {"CONTAINERS_CONF": f"{home}/containers.conf", "STORAGE_DRIVER": "vfs"}

    def check(self, folder: Path) -> Report:
        """Let image-check build the image and run it, with a request in flight at the end."""
        port, result = free_port(), folder / "answer"
        command = [str(IMAGE_CHECK), str(PROJECT), TAG, str(port), "readyz"]
        command += [sys.executable, "-m", "tests.deploy.image.slow_request", str(port), str(result)]
        environment = {**os.environ, "IMAGE_CHECK_ARGS": " ".join(settings(port)), "MEMORY": MEMORY}
        with open(folder / "log", "w+") as log:
            done = subprocess.run(
                command, cwd=PROJECT, env=environment, stdout=log, stderr=log, timeout=600, check=False
            )
        text = (folder / "log").read_text()
        found = re.search(r": (\d+) MB on a base of (\d+) MB; .* exit code after SIGTERM (\d+)", text)
        assert found, f"image-check ended with {done.returncode}:\n{text[-3000:]}"
        full, base, code = map(int, found.groups())
        return Report((full - base) * 1_000_000, code, last_answer(result))


def slow_request(port: int, result: Path) -> None:
    """Begin a request that is still in flight when this returns."""
    command = [sys.executable, "-m", "tests.deploy.image.slow_request", str(port), str(result)]
    subprocess.run(command, cwd=PROJECT, check=True, timeout=30)


def last_answer(result: Path) -> str:
    """Return the status line that the request in flight got; empty for none."""
    deadline = time.monotonic() + 10
    while not result.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    return result.read_text() if result.exists() else ""


def find_engine() -> PlainEngine:
    """Return what can build images here; skip the test if there is nothing, or fail it on CI."""
    if IMAGE_CHECK.exists():
        return ImageCheck()
    for command in ("docker", "podman"):
        fetch = [command, "pull", "--quiet", BASE]
        if shutil.which(command) and not subprocess.run(fetch, capture_output=True, check=False).returncode:
            return PlainEngine(command)
    message = f"no container engine runs here that can fetch {BASE}: install and start Docker or Podman"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
