"""The documents are true: generated parts are current, links lead somewhere, commands run, pictures match."""

import ast
import dataclasses
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from prometheus_client import CollectorRegistry

from docs.__main__ import documents
from docs.examples import examples
from docs.markdown import fill
from docs.pictures import MNIST_GEOMETRY, pictures, ways
from docs.reference import GUARANTEES
from service.config import Settings
from service.metrics import Metrics
from service.preprocessing.pipeline import preprocess
from tests.drawing import digit_png, draw_digit, encode
from tests.serving import COMMAND, MODELS, PROJECT, Server, running_service, wait_until
from tests.tiny import repacked
from trainer.parser import build_parser

DOCUMENTS = [*sorted(PROJECT.glob("*.md")), *sorted(PROJECT.glob("docs/*.md"))]
README = (PROJECT / "README.md").read_text()
OPERATING = (PROJECT / "docs/operating.md").read_text()
OWN_DIGITS = (PROJECT / "docs/own-digits.md").read_text()
BLACK_TO_WHITE = 255


def names(document: Path) -> str:
    return str(document.relative_to(PROJECT))


def written_commands(text: str) -> list[str]:
    """Return the commands of a document: indented lines, and code in its sentences and tables."""
    indented = [line.strip().partition("  #")[0] for line in re.findall(r"^ {4}\S.*", text, re.MULTILINE)]
    return indented + re.findall(r"`((?:\.venv/bin/)?(?:python|make|sh|curl) [^`]+)`", text)


def test_what_is_generated_is_current() -> None:
    generated = documents()
    assert len(generated) >= 6
    stale = [names(path) for path, text in generated.items() if path.read_text() != text]
    assert stale == [], "run python -m docs"


def test_a_document_has_each_marker_once() -> None:
    marked = "<!-- make docs: a -->\nold\n<!-- end of a -->"
    assert fill(marked, "a", "new") == marked.replace("old", "new")
    for wrong in ("", marked + marked):
        with pytest.raises(ValueError, match="once is expected"):
            fill(wrong, "a", "new")


def test_every_guarantee_names_tests_that_exist() -> None:
    guarantees = tomllib.loads(GUARANTEES.read_text())["guarantee"]
    assert len(guarantees) > 15
    for guarantee in guarantees:
        assert guarantee["tests"], guarantee["what"]
        for test in guarantee["tests"]:
            module, _, name = test.partition("::")
            assert name in names_of_tests(PROJECT / module), test


def names_of_tests(module: Path) -> set[str]:
    """Return the names of a module's tests, those of a class as Class::test."""
    body = ast.parse(module.read_text()).body if module.exists() else []
    classes = {node.name: node.body for node in body if isinstance(node, ast.ClassDef)}
    return {node.name for node in body if isinstance(node, ast.FunctionDef)} | {
        f"{name}::{node.name}"
        for name, inside in classes.items()
        for node in inside
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_every_link_and_picture_is_there(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", text)
    for target in links + re.findall(r'(?:src|srcset|href)="(?!http)([^"#]+)"', text):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_every_file_named_is_there(document: Path) -> None:
    for target in re.findall(r"`((?:service|trainer|tests|deploy|docs)/[\w./-]+)`", document.read_text()):
        assert (PROJECT / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_every_command_names_what_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for command in written_commands(document.read_text()):
        words = [word for part in command.split("&&")[-1:] for word in shlex.split(part)]
        words = [word.removeprefix(".venv/bin/") for word in words if not re.match(r"\w+=", word)]
        if words[0] == "make":
            assert words[1] in targets, command
        elif words[:3] == ["python", "-m", "trainer"] and words[3:]:
            if not {"--help", "-h"} & set(words):
                build_parser().parse_args(words[3:])  # exits with 2 for a wrong flag
        elif words[:2] == ["python", "-m"]:
            module, *arguments = words[2:]
            path = PROJECT / module.replace(".", "/")
            there = path.with_suffix(".py").exists() or (path / "__main__.py").exists()
            assert there or module == "pytest", command
            assert all((PROJECT / each).exists() for each in arguments if each.startswith("tests/")), command


def test_every_setting_and_metric_named_is_one() -> None:
    known = {field.metadata["variable"] for field in dataclasses.fields(Settings)}
    registry = CollectorRegistry()
    Metrics(registry)
    known |= {metric.name + ("_total" if metric.type == "counter" else "") for metric in registry.collect()}
    named = set(re.findall(r"`((?:DIGITS|digits|http)_\w+)`", OPERATING))
    assert len(named) > 12
    assert named <= known


def test_every_document_is_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", README))
    index = set(re.findall(r"\]\(([\w-]+\.md)\)", (PROJECT / "docs/README.md").read_text()))
    assert {"docs/README.md", "trainer/README.md", "deploy/README.md"} <= linked
    assert {path.name for path in PROJECT.glob("*.md")} - {"README.md"} <= linked
    assert index == {path.name for path in PROJECT.glob("docs/*.md")} - {"README.md"}


def test_the_pictures_are_those_that_make_docs_draws() -> None:
    for name, picture in pictures():
        drawn = np.asarray(picture.convert("RGB"), np.float32)
        kept = np.asarray(Image.open(PROJECT / f"docs/pictures/{name}.png").convert("RGB"), np.float32)
        assert kept.shape == drawn.shape, f"{name}: run make docs"
        # The kept ones have few colours, and libraries round differently; a step that changed shows.
        assert np.abs(kept - drawn).mean() < 0.015 * BLACK_TO_WHITE, f"{name}: run make docs"


def test_the_examples_are_those_that_make_docs_draws() -> None:
    for name, example in examples().items():
        kept = (PROJECT / "examples" / name).read_bytes()
        drawn, there = (
            np.asarray(Image.open(io.BytesIO(content)).convert("L"), np.float32)
            for content in (example, kept)
        )
        assert drawn.shape == there.shape, f"{name}: run make docs"
        assert np.abs(drawn - there).mean() < 0.01 * BLACK_TO_WHITE, f"{name}: run make docs"
        if name.endswith(".jpg"):
            assert (PROJECT / "service/static" / name).read_bytes() == kept


def test_the_examples_are_what_their_names_say(service: Server) -> None:
    answers = {
        path.stem: service.predict(path.read_bytes()).json() for path in (PROJECT / "examples").iterdir()
    }
    assert {name: answers[name]["digit"] for name in ("seven", "crossed-seven", "photograph")} == {
        "seven": 7,
        "crossed-seven": 7,
        "photograph": 5,
    }
    assert answers["photograph"]["accepted"]
    assert not answers["letter"]["accepted"]


def test_the_eight_ways_look_alike_to_the_network() -> None:
    first, *others = (preprocess(file, MNIST_GEOMETRY) for file in ways())
    for other in others:
        assert np.corrcoef(first, other)[0, 1] > 0.9


def test_the_parts_drawn_are_modules() -> None:
    drawn = (PROJECT / "docs/pictures/parts.svg").read_text()
    modules = re.findall(r'<tspan class="module">([\w/]+)</tspan>', drawn)
    assert len(modules) > 20
    for module in modules:
        assert any(list((PROJECT / name).rglob(f"{module}.py")) for name in ("service", "trainer")), module


def test_the_commands_for_own_digits_run_as_they_stand(tmp_path: Path) -> None:
    """Pictures of the page, unpacked, trained on, evaluated and served: each line of the document."""
    for digit in range(10):
        for number in range(12):
            box = (0.2 + 0.01 * number, 0.15, 0.5 + 0.01 * number, 0.6 - 0.01 * number)
            picture = encode(draw_digit(digit, (120 + number, 120), box, pen=0.06 + 0.004 * number))
            with zipfile.ZipFile(tmp_path / f"corrections-{digit}-{number}.zip", "w") as archive:
                archive.writestr(f"{digit}/{number}.png", picture)
    (tmp_path / "some.png").write_bytes(digit_png(7))
    unpack, train, evaluate, publish, ask = re.findall(r"^ {4}(\S.*)", OWN_DIGITS, re.MULTILINE)
    run(unpack, tmp_path)
    assert "trained runs/mine/mine.npz" in run(f"{train} --quiet --outliers 200", tmp_path)
    assert "accuracy" in run(evaluate, tmp_path)
    assert "published models/mine.npz" in run(publish, tmp_path)
    assert "DIGITS_DEFAULT_MODEL=mine make serve" in OWN_DIGITS
    settings = {"DIGITS_MODELS_DIR": str(tmp_path / "models"), "DIGITS_DEFAULT_MODEL": "mine"}
    with running_service(tmp_path, WEB_CONCURRENCY="1", **settings) as server:
        answer = run(ask.replace("localhost:8080", server.url), tmp_path)
    assert '"digit":7' in answer.replace(" ", "")


def test_the_commands_for_operating_run_as_they_stand(tmp_path: Path) -> None:
    """A wrong setting, the probes, a key, a model published and taken back: each line of the document."""
    lines = re.findall(r"^ {4}(\S.*)", OPERATING, re.MULTILINE)
    wrong, said, below, _, *probes, make_key, serve, ask, _, traced, publish, versions, look, back, check = (
        lines
    )
    assert below == "DIGITS_ROOT_PATH=/digits make serve"
    assert traced.startswith("OTEL_EXPORTER_OTLP_ENDPOINT=")
    (variable,) = re.findall(r"(\w+)=many make serve", wrong)
    result = subprocess.run(
        COMMAND, cwd=PROJECT, env=os.environ | {variable: "many"}, capture_output=True, text=True, check=False
    )
    assert result.stderr.strip() == said
    shutil.copytree(MODELS, tmp_path / "models")
    (tmp_path / "candidate").mkdir()
    candidate = repacked((MODELS / "digits-8x8.npz").read_bytes(), 1)
    (tmp_path / "candidate/digits-8x8.npz").write_bytes(candidate)
    (tmp_path / "some.png").write_bytes(digit_png(7))
    run(make_key, tmp_path)
    assert serve == "DIGITS_API_KEY_FILE=key make serve"
    settings = {"DIGITS_API_KEY_FILE": str(tmp_path / "key"), "DIGITS_MODELS_DIR": str(tmp_path / "models")}
    settings["DIGITS_ROOT_PATH"] = "/digits"
    with running_service(tmp_path, WEB_CONCURRENCY="1", **settings) as server:
        assert [run(each.replace("localhost:8080", server.url), tmp_path) for each in probes]
        assert requests.get(f"{server.url}/digits/livez", timeout=30).status_code == 200
        assert json.loads(run(ask.replace("localhost:8080", server.url), tmp_path))["digit"] == 7
        logged = next(line for line in server.log_lines() if line.get("route") == "/predict")
        assert requests.get(f"{server.url}/models", timeout=30).status_code == 401
    assert logged.keys() == json.loads(re.search(r"```json\n(.*?)```", OPERATING, re.DOTALL)[1]).keys()
    with running_service(tmp_path, WEB_CONCURRENCY="1", DIGITS_MODELS_DIR=str(tmp_path / "models")) as server:
        shown = look.replace("localhost:8080", server.url)
        before = json.loads(run(shown, tmp_path))["version"]
        run(publish, tmp_path)
        wait_until(lambda: json.loads(run(shown, tmp_path))["version"] != before, "the new model")
        assert before in run(versions, tmp_path)
        run(check, tmp_path)
        run(back, tmp_path)
        wait_until(lambda: json.loads(run(shown, tmp_path))["version"] == before, "the old model")


def run(command: str, folder: Path) -> str:
    """Run a line of a document in a folder; `python` is the tests' own."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "PATH": path}
    result = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout
