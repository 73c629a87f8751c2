"""Every overlay, and every combination of components, as a cluster would get it."""

import json
import re

import pytest

from service.config import Settings
from tests.deploy import figures
from tests.deploy.manifests.links import link_problems
from tests.deploy.manifests.pod_security import pod_security_problems
from tests.deploy.manifests.practices import practice_problems
from tests.deploy.manifests.settings import environment
from tests.deploy.rendering import DEPLOY, find, kustomizations, pods, render

OVERLAYS = ("overlays/dev", "overlays/staging", "overlays/production")


@pytest.mark.parametrize("folder", kustomizations())
def test_manifests_are_valid_and_fit_together(folder: str) -> None:
    objects = render(folder)
    problems = practice_problems(objects) + link_problems(objects)
    if folder == "base":  # the overlays give the images their versions
        problems = [problem for problem in problems if "has no fixed version" not in problem]
    assert problems == []


@pytest.mark.parametrize("folder", kustomizations())
def test_pods_meet_the_restricted_standard_with_a_read_only_root(folder: str) -> None:
    assert pod_security_problems(render(folder)) == []


@pytest.mark.parametrize("overlay", [*OVERLAYS, "overlays/kserve"])
def test_namespaces_of_overlays_enforce_the_restricted_standard(overlay: str) -> None:
    objects = render(overlay)
    namespace = find(objects, "Namespace")
    labels = namespace["metadata"]["labels"]
    for mode in ("enforce", "warn", "audit"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
    others = [one for one in objects if one["kind"] != "Namespace"]
    assert {one["metadata"]["namespace"] for one in others} == {namespace["metadata"]["name"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_changed_setting_rolls_the_pods(overlay: str) -> None:
    name = find(render(overlay), "ConfigMap", config_name(overlay))["metadata"]["name"]
    assert name.startswith("digits-config-"), "the name carries no hash of the content"


def config_name(overlay: str) -> str:
    deployment = find(render(overlay), "Deployment", "digits")
    return deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]


def test_the_container_has_the_port_the_image_listens_on() -> None:
    (pod,) = pods(render("base"))
    assert pod.ports() == {"http": Settings().port}
    assert "PORT" not in environment(pod, render("base"))
    assert f"PORT={Settings().port}" in (DEPLOY.parent / "Dockerfile").read_text()


def test_a_rolling_update_keeps_a_pod_until_the_next_one_answers() -> None:
    strategy = find(render("base"), "Deployment")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_startup_liveness_and_readiness_mean_different_things() -> None:
    (pod,) = pods(render("base"))
    (container,) = pod.containers
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    startup = container["startupProbe"]
    assert startup["failureThreshold"] * startup["periodSeconds"] >= 30


def test_the_documents_name_every_overlay_and_component() -> None:
    text = (DEPLOY / "README.md").read_text()
    folders = [*DEPLOY.glob("components/*"), *DEPLOY.glob("overlays/*")]
    assert len(folders) > 10
    assert [folder.name for folder in folders if f"`{folder.name}`" not in text] == []


def test_every_component_is_in_an_overlay_or_a_tested_set() -> None:
    used = "".join((DEPLOY / folder / "kustomization.yaml").read_text() for folder in kustomizations())
    components = [path.parent.name for path in DEPLOY.glob("components/*/kustomization.yaml")]
    assert [name for name in components if f"components/{name}\n" not in used] == []


def test_measured_figures_come_from_one_command() -> None:
    text = figures.README.read_text()
    assert text == figures.readme(text, json.loads(figures.FIGURES.read_text())), (
        "run `python -m tests.deploy.figures --write`"
    )
    for path in DEPLOY.rglob("*.yaml"):
        assert not re.findall(r"#.*\d (?:MiB|ms|s of CPU)\b", path.read_text()), path
