"""The Helm chart: what it makes is what kustomize makes, resource by resource, and no value breaks it."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from service import __version__
from tests.deploy.chart import CHART, copies, plain
from tests.deploy.manifests.links import link_problems
from tests.deploy.manifests.pod_security import pod_security_problems
from tests.deploy.manifests.practices import practice_problems
from tests.deploy.rendering import Object, pods, render, title
from tests.deploy.tools import run

# What no overlay turns on, all at once.
OUTSIDE = {
    "apiKeySecret": "digits-api-key",
    "dualStack": True,
    "ingress": {"enabled": True},
    "metrics": {"operator": True},
    "networkPolicies": {"enabled": True},
}


@functools.cache
def rendered(*arguments: str) -> tuple[Object, ...]:
    result = run("helm", "template", "digits", CHART, "--namespace", "digits-test", *arguments)
    assert result.returncode == 0, result.stderr
    return tuple(one for one in yaml.safe_load_all(result.stdout) if one)


def with_values(values: dict[str, Any], folder: Path) -> tuple[Object, ...]:
    path = folder / "values.json"
    path.write_text(json.dumps(values))
    return rendered("--values", str(path))


def comparable(objects: Any) -> dict[str, Object]:
    """Return objects by title, without what the two tools do differently for good reasons.

    Helm has the namespace from its command line and a checksum where kustomize has a name with a hash. Lists
    whose elements have names are sorted by them: the order of variables, volumes and mounts means nothing.
    """
    found = {}
    for one in map(plain, objects):
        one["metadata"].pop("namespace", None)
        for pod in pods([one]):
            pod.annotations.pop("checksum/config", None)
        if one["kind"] != "Namespace":
            found[title(one)] = sorted_by_name(one)
    return found


def sorted_by_name(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: sorted_by_name(each) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    values = [sorted_by_name(each) for each in value]
    named = all(isinstance(each, dict) and "name" in each for each in values)
    return sorted(values, key=lambda each: each["name"]) if named else values


def test_the_copies_of_the_manifests_are_fresh() -> None:
    stale = "stale: run python -m tests.deploy.chart"
    assert {path.name: path.read_text() for path in (CHART / "files").iterdir()} == copies(), stale


@pytest.mark.parametrize("overlay", ["dev", "staging", "production"])
def test_the_chart_makes_what_the_overlay_makes(overlay: str) -> None:
    made = comparable(rendered("--values", str(CHART / "values" / f"{overlay}.yaml")))
    wanted = comparable(render(f"overlays/{overlay}"))
    assert made.keys() == wanted.keys()
    for name in wanted:
        assert made[name] == wanted[name]


def test_the_rest_of_the_values_makes_what_components_make(tmp_path: Path) -> None:
    assert comparable(with_values(OUTSIDE, tmp_path)) == comparable(render("tests/outside"))


def test_on_openshift_no_pod_has_a_user_id(tmp_path: Path) -> None:
    values = {
        "openshift": True,
        "modelVolume": {"enabled": True},
        "trainer": {"enabled": True},
        "metrics": {"annotations": True},
        "gateway": {"enabled": True},
    }
    made, wanted = comparable(with_values(values, tmp_path)), comparable(render("tests/openshift"))
    del wanted["Job/digits-train-once"]  # a release has no Jobs, which could not be upgraded
    assert made == wanted


@pytest.mark.parametrize("values", ["dev", "staging", "production", "outside"])
def test_what_the_chart_makes_is_valid_and_fits_together(values: str, tmp_path: Path) -> None:
    file = str(CHART / "values" / f"{values}.yaml")
    objects = list(with_values(OUTSIDE, tmp_path) if values == "outside" else rendered("--values", file))
    assert practice_problems(objects) + link_problems(objects) + pod_security_problems(objects) == []


def test_a_changed_setting_rolls_the_pods(tmp_path: Path) -> None:
    checksums = [
        next(pods([one])).annotations["checksum/config"]
        for objects in (rendered(), with_values({"config": {"DIGITS_THREADS": 2}}, tmp_path))
        for one in objects
        if one["kind"] == "Deployment"
    ]
    assert len(set(checksums)) == 2


def test_images_come_from_where_the_values_say(tmp_path: Path) -> None:
    digest = f"sha256:{'0' * 64}"
    values = {"image": {"repository": "r.example/d", "tag": "2", "digest": digest}}
    (deployment,) = [one for one in with_values(values, tmp_path) if one["kind"] == "Deployment"]
    assert {each["image"] for pod in pods([deployment]) for each in pod.containers} == {
        f"r.example/d@{digest}"
    }


def test_helm_finds_nothing_to_say_about_the_chart() -> None:
    result = run("helm", "lint", "--strict", CHART)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"imagee": {}}, "imagee"),
        ({"autoscaling": {"minReplicas": 0}}, "minReplicas"),
        ({"config": {"digits_threads": "4"}}, "digits_threads"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"trainer": {"enabled": True}}, "needs modelVolume.enabled"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "values.json").write_text(json.dumps(values))
    result = run("helm", "template", "digits", CHART, "--values", tmp_path / "values.json")
    assert result.returncode != 0
    assert message in result.stderr


def test_the_chart_has_the_version_of_the_service() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__
