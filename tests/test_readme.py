"""The README's tables are those of the code."""

import ast
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


@pytest.mark.parametrize("name", ["mnist-28x28", "digits-8x8"])
def test_the_errors_quoted_are_those_in_the_models(name):
    accuracy = load(MODELS / f"{name}.npz").metadata["metrics"]["test"]["accuracy"]
    (quoted,) = [cells[1] for cells in rows("what") if f"models/{name}.npz" in cells[2]]
    assert quoted == f"{100 * (1 - accuracy):.2f}"


def names_of_tests(module: Path) -> set[str]:
    """Return the names of a module's tests, those of a class as Class::test."""
    body = ast.parse(module.read_text()).body
    classes = {node.name: node.body for node in body if isinstance(node, ast.ClassDef)}
    return {node.name for node in body if isinstance(node, ast.FunctionDef)} | {
        f"{name}::{node.name}"
        for name, inside in classes.items()
        for node in inside
        if isinstance(node, ast.FunctionDef)
    }


def test_every_guarantee_names_tests_that_exist():
    for guarantee, how, proof in rows("guarantee"):
        assert guarantee
        assert how
        named = re.findall(r"`?(tests/\w+\.py)::([\w:]+)`?", proof)
        assert named, guarantee
        for module, test in named:
            assert test in names_of_tests(PROJECT / module), test


def test_the_limits_of_the_guarantees_are_the_defaults():
    defaults = {field.metadata["variable"]: field.default for field in dataclasses.fields(Settings)}
    shown = [
        text for row in rows("guarantee") for text in re.findall(r"`?(DIGITS_\w+)` \(([\d.]+)( \w+)?", row[1])
    ]
    assert len(shown) == 6
    for variable, number, unit in shown:
        factor = {"": 1, " MiB": 2**20, " million": 10**6}[unit]
        assert float(number) * factor == defaults[variable], variable


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (PROJECT / target).exists(), target


def test_every_make_target_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", README)) - {"it"} <= targets


@pytest.mark.parametrize("name", ["folder_to_csv.sh", "folder_in_batches.sh"])
def test_the_shell_loops_are_called_as_they_want_to_be(name: str):
    script = (PROJECT / "tests/clients" / name).read_text()
    (usage,) = re.findall(rf"sh {name} (\S+) \S+ > digits\.csv", script)
    assert f"sh tests/clients/{name} {usage} FOLDER > digits.csv" in README
