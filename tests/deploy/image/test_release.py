"""What a release is made of: locks with hashes, labels, and those steps that need no registry."""

import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service import __version__
from tests.deploy.tools import run
from tests.serving import PROJECT

WORKFLOW = PROJECT / ".github/workflows/release.yaml"
LOCKED = ("service/requirements", "service/requirements-tracing", "service/requirements-phones")
TRAINERS = ("trainer/requirements", "trainer/requirements-search", "trainer/requirements-opencv")
PINS = re.compile(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;\\]+)", re.MULTILINE)


def pins(path: str) -> set[tuple[str, str]]:
    text = (PROJECT / path).read_text()
    return {(name.lower().replace("_", "-"), version) for name, version in PINS.findall(text)}


@pytest.mark.parametrize("name", [*LOCKED, *TRAINERS])
def test_the_lock_has_the_same_packages_each_with_hashes(name: str) -> None:
    wanted = pins(f"{name}.txt") | (pins(f"{LOCKED[0]}.txt") if name == TRAINERS[0] else set())
    how = f"uv pip compile --universal --python-version 3.11 --no-deps --generate-hashes {name}.txt"
    assert pins(f"{name}.lock") == wanted, f"stale: {how} --no-annotate --no-header -o {name}.lock"
    for block in re.split(r"\n(?=\w)", (PROJECT / f"{name}.lock").read_text().strip()):
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}", block), block.splitlines()[0]


@pytest.mark.parametrize("name", [*LOCKED, *TRAINERS])
def test_a_lock_has_all_that_its_packages_need(name: str) -> None:
    """Pip refuses to install a dependency that has no hash, so that the image could not be built."""
    first = TRAINERS[0] if name.startswith("trainer") else LOCKED[0]
    locked = {package for package, _ in pins(f"{name}.lock") | pins(f"{first}.lock")}
    missing = {
        f"{needed.name}, of {package}"
        for package, _ in pins(f"{name}.lock")
        for needed in map(Requirement, metadata.requires(package) or ())
        if not needed.marker or needed.marker.evaluate({"extra": ""})
        if canonicalize_name(needed.name) not in locked
    }
    assert missing == set()


def test_the_image_installs_nothing_without_its_hash() -> None:
    text = (PROJECT / "Dockerfile").read_text()
    assert text.count("pip --python") == text.count("--require-hashes") == 2
    assert ".txt" not in text


def test_each_image_says_what_it_was_made_of() -> None:
    stages = re.split(r"^FROM ", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE)
    labeled = [stage for stage in stages if "LABEL" in stage]
    assert len(labeled) == 2
    for name in ("version", "revision", "created", "source", "licenses", "base.name"):
        assert all(f"org.opencontainers.image.{name}=" in stage for stage in labeled), name


def steps() -> dict[str, Any]:
    """Return the steps of the workflow that have a name."""
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    return {step["name"]: step for job in jobs for step in job["steps"] if "name" in step}


def test_a_tag_that_is_not_the_version_stops_the_release(tmp_path: Path) -> None:
    script = steps()["The tag is the version of the code, the chart and the changelog"]["run"]
    for tag in (f"v{__version__}", "v0.0.1"):
        output = tmp_path / tag
        environment = {"GITHUB_REF_NAME": tag, "GITHUB_OUTPUT": str(output), "PATH": "/usr/bin:/bin"}
        command = ["bash", "-euo", "pipefail", "-c", script]
        result = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=False)
        if tag == "v0.0.1":
            assert result.returncode != 0
        elif f"## [{__version__}]" in (PROJECT / "CHANGELOG.md").read_text():
            assert result.returncode == 0, result.stderr
            assert re.search(r"^created=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", output.read_text(), re.MULTILINE)


def test_the_chart_of_a_release_names_its_images(tmp_path: Path) -> None:
    script = steps()["The chart, with the images of this release, signed"]["run"]
    local = script.split("echo ")[0].replace("deploy/chart", str(tmp_path / "chart"))
    subprocess.run(["cp", "-r", PROJECT / "deploy/chart", tmp_path / "chart"], check=True)
    values = (tmp_path / "chart/values.yaml").read_text()
    for line in [each.strip() for each in local.splitlines() if each.strip().startswith("sed ")]:
        environment = {"REGISTRY": "ghcr.io/Some/Digits", "PATH": "/usr/bin:/bin"}
        subprocess.run(["bash", "-euc", line], env=environment, check=True)
    changed = yaml.safe_load((tmp_path / "chart/values.yaml").read_text())
    assert changed["image"]["repository"] == "ghcr.io/some/digits/service"
    assert changed["trainer"]["image"]["repository"] == "ghcr.io/some/digits/trainer"
    assert values != (tmp_path / "chart/values.yaml").read_text()
    packaged = run("helm", "package", tmp_path / "chart", "--destination", tmp_path)
    assert packaged.returncode == 0, packaged.stderr
    assert (tmp_path / f"digits-{__version__}.tgz").is_file()
