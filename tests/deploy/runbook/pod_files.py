"""A container of a rendered pod, run without a cluster: its command, in files laid out as its manifest says.

container, volumes, image -> unshare, bind mounts, chroot -> exit code, output

The root is the machine's, with /app as in the image, and what the pod mounts: claims are folders that the
caller keeps, every emptyDir is a new one. Nothing of the manifest is rewritten: paths and arguments are its.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy.rendering import Object
from tests.serving import MODELS, PROJECT

# Arguments: the new root, where to begin in it; folder, place and rw or ro of each mount; --; the command.
LAY_OUT = """
root=$1 workdir=$2; shift 2
mount -t tmpfs tmpfs "$root"
for entry in /*; do
  case $entry in /tmp|/app|/models|/image-models|/data) continue ;; esac
  if [ -L "$entry" ]; then cp -a "$entry" "$root$entry"
  elif [ -d "$entry" ]; then mkdir "$root$entry"; mount --rbind "$entry" "$root$entry"; fi
done
while [ "$1" != -- ]; do
  mkdir -p "$root$2"; mount --rbind "$1" "$root$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
  shift 3
done
shift
mkdir -p "$root/tmp"
mount -o remount,ro "$root"
exec chroot "$root" env -C "$workdir" "$@"
"""
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
    "PYTHONPATH": "/app",
    "PYTHONSAFEPATH": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLCONFIGDIR": "/tmp/matplotlib",
}
ENTRYPOINT = [sys.executable, "-m", "trainer"]


class Image(NamedTuple):
    """What an image has in /app, and where its command begins; as built by the Dockerfile."""

    folders: tuple[str, ...]
    workdir: str
    models: Path | None = None

    def mounts(self) -> list[tuple[Path, str]]:
        """Return folders and where they are in the image."""
        code = [(PROJECT / folder, f"/app/{folder}") for folder in self.folders]
        return [*code, *([(self.models, "/app/models")] if self.models else [])]


def images(models: Path = MODELS) -> dict[str, Image]:
    """Return the images by name; models: those that the image of the service has."""
    return {
        "digits": Image(("service",), "/app", models),
        "digits-trainer": Image(("service", "trainer"), "/tmp"),
    }


def require_namespaces() -> None:
    """Skip the test where a process may not have mounts of its own, or fail it on CI."""
    if subprocess.run([*_unshare(), "true"], capture_output=True, check=False).returncode == 0:
        return
    message = "this machine gives no mount namespaces (unshare --mount)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _unshare() -> list[str]:
    return ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--mount", "--map-root-user"]


class PodFiles:
    """The volumes of one pod, which its containers share. claims: folders by the name of the claim."""

    def __init__(self, spec: Object, claims: dict[str, Path], scratch: Path) -> None:
        self._folders: dict[str, Path] = {}
        self._root = scratch / "root"
        self._root.mkdir(parents=True)
        for volume in spec["volumes"]:
            if "persistentVolumeClaim" in volume:
                self._folders[volume["name"]] = claims[volume["persistentVolumeClaim"]["claimName"]]
            else:
                assert "emptyDir" in volume, volume
                self._folders[volume["name"]] = scratch / volume["name"]
                self._folders[volume["name"]].mkdir()

    def run(
        self, container: Object, known: dict[str, Image], more: list[str] | None = None
    ) -> tuple[int, str]:
        """Run a container to its end and return its exit code and output; more: further arguments."""
        variables = {entry["name"]: entry["value"] for entry in container.get("env", [])}

        def fill_in(text: str) -> str:
            return re.sub(r"\$\((\w+)\)", lambda found: variables.get(found[1], found[0]), text)

        words = container.get("command") or [*ENTRYPOINT, *map(fill_in, container.get("args", []))]
        image = known[container["image"].partition(":")[0]]
        mounts = [(folder, place, "ro") for folder, place in image.mounts()]
        for mount in container["volumeMounts"]:
            access = "ro" if mount.get("readOnly") else "rw"
            mounts.append((self._folders[mount["name"]], mount["mountPath"], access))
        # Where the interpreter lies, should that be in a folder that the pod hides.
        mounts += [
            (path, str(path), "ro")
            for path in {Path(sys.prefix).resolve(), Path(sys.prefix)}
            if path.is_relative_to("/tmp")
        ]
        layout = [str(part) for mount in mounts for part in mount]
        command = [
            *_unshare(),
            "sh",
            "-euc",
            LAY_OUT,
            "sh",
            str(self._root),
            image.workdir,
            *layout,
            "--",
            *words,
            *(more or []),
        ]
        environment = ENVIRONMENT | {"HOSTNAME": "pod-1"} | variables
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout
