"""The README's tables are those of the code."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from service.api.problems import STATUSES, problem_type
from service.app import create_app
from service.config import PROJECT, Settings
from service.metrics import Metrics
from service.model.artifact import load
from service.registry import ModelRegistry
from tests.serving import MODELS
from trainer.parser import build_parser

README = (PROJECT / "README.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table whose header begins with `heading`."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert table, heading
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()
    ]


def shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
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
    ("name", "what", "command"),
    [
        ("mnist-28x28", "MNIST's 10,000 test images", "evaluate models/mnist-28x28.npz mnist"),
        ("digits-8x8", "a held-out fifth of", "train digits --no-refit"),
    ],
)
def test_the_errors_quoted_are_those_in_the_models(name, what, command):
    test = load(MODELS / f"{name}.npz").metadata["metrics"]["test"]
    (quoted,) = [cells for cells in rows("what") if cells[0].startswith(what)]
    assert quoted[1:3] == [f"{100 * (1 - test[figure]):.2f}" for figure in ("accuracy", "accepted")]
    assert command in quoted[3]


def test_what_is_said_of_the_shipped_model_is_in_its_file():
    artifact = load(MODELS / "mnist-28x28.npz")
    assert f'"version": "{artifact.version}"' in README
    test = artifact.metadata["metrics"]["test"]
    assert f"{100 * test['calibration_error']:.2f} % (expected calibration error)" in " ".join(README.split())
    (row,) = [cells for cells in rows("network") if cells[0].startswith("mnist-28x28")]
    weights = sum(layer.weights.size + layer.biases.size for layer in artifact.layers)
    sizes = [len(artifact.layers[0].weights), *(len(layer.biases) for layer in artifact.layers)]
    assert row == [
        f"mnist-28x28, {'-'.join(map(str, sizes))}",
        f"{weights / 1e6:.1f} million",
        f"{100 * (1 - test['accuracy']):.2f}",
    ]


def test_every_figure_stands_beside_a_command_that_the_trainer_knows():
    for cells in rows("what"):
        if cells[3] != "the same":
            build_parser().parse_args(cells[3].split())  # exits with 2 for a wrong one


def test_the_handing_over_is_told_as_it_was_measured():
    measured = (PROJECT / "deploy/README.md").read_text()
    answers = sum(int(count) for count in re.findall(r"\{200: (\d+)\}", measured))
    seconds, slowest = re.findall(r"(\d+) s in all; the slowest answer took (\d+) ms", measured)[0]
    (settled,) = re.findall(r"published: \w+ answered for another ([\d.]+) s", measured)
    said = " ".join(README.split())
    assert f"{answers:,} requests in {seconds} s, each answered with 200" in said
    assert (
        f"the new version serving after {settled} s, the slowest answer {int(slowest) / 1000:.2f} s" in said
    )


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
