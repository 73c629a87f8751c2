"""The README's tables are those of the code."""

import dataclasses
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from service.app import create_app
from service.artifact import load
from service.config import PROJECT, Settings
from service.metrics import Metrics
from service.problems import STATUSES, problem_type
from service.registry import ModelRegistry
from tests.serving import MODELS

README = (PROJECT / "README.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table whose header begins with `heading`."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert table, heading
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()
    ]


def shown(default: object) -> str:
    return "none" if default is None else str(default).removeprefix(f"{PROJECT}/")


def test_every_setting_is_listed_with_its_default():
    expected = [
        [field.metadata["variable"], shown(field.default), field.metadata["help"]]
        for field in dataclasses.fields(Settings)
    ]
    assert rows("variable") == expected


def test_every_problem_is_listed_with_status_and_title():
    expected = [[problem_type(error), str(status), error.__doc__] for error, status in STATUSES.items()]
    assert rows("type") == expected


def test_every_metric_is_listed():
    registry = CollectorRegistry()
    Metrics(registry)
    expected = [
        [metric.name + ("_total" if metric.type == "counter" else ""), metric.type, metric.documentation]
        for metric in registry.collect()
    ]
    assert rows("name") == expected


def test_every_path_is_listed(tmp_path: Path):
    app = create_app(Settings(), ModelRegistry(tmp_path, "none"), Metrics(CollectorRegistry()))
    served = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith(("/v2", "/static", "/page"))
    }
    listed = {cells[0].split()[-1] for cells in rows("method and path")} - {"/v2/..."}
    assert listed <= served
    assert {path for path in served - listed if "." not in path and "<" not in path} == set()


@pytest.mark.parametrize(
    ("name", "command"),
    [("mnist-28x28", "evaluate models/mnist-28x28.npz mnist"), ("digits-8x8", "train digits --no-refit")],
)
def test_the_errors_quoted_are_those_in_the_models(name, command):
    accuracy = load(MODELS / f"{name}.npz").metadata["metrics"]["test"]["accuracy"]
    (quoted,) = [cells[1] for cells in rows("what") if command in cells[2]]
    assert quoted == f"{100 * (1 - accuracy):.2f}"


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (PROJECT / target).exists(), target


def test_every_make_target_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", README)) - {"it"} <= targets


def test_the_shell_loop_is_called_as_it_wants_to_be():
    script = (PROJECT / "tests/clients/folder_to_csv.sh").read_text()
    (usage,) = re.findall(r"sh folder_to_csv\.sh (\S+) \S+ > digits\.csv", script)
    assert f"sh tests/clients/folder_to_csv.sh {usage} FOLDER > digits.csv" in README
