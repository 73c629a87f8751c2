"""Which folder may import which: the rules that keep the parts apart."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import PROJECT

# Folders without HTTP, each built on those before it; the service and the trainer share them.
CORE = ("preprocessing", "model", "reading")
MODEL_CORE = sorted(
    str(path.relative_to(PROJECT).with_suffix("")).replace("/", ".")
    for folder in CORE
    for path in (PROJECT / "service" / folder).glob("*.py")
)


def imports(path: Path) -> set[str]:
    """Return the full names of the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module or "")
    return names


def test_the_service_never_imports_the_trainer_or_the_tests():
    for path in (PROJECT / "service").rglob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[0] in ("trainer", "tests")}, path


def test_trainer_uses_only_the_model_core_of_the_service():
    for path in (PROJECT / "trainer").rglob("*.py"):
        used = {name.split(".")[1] for name in imports(path) if name.startswith("service.")}
        assert used <= set(CORE), path


@pytest.mark.parametrize("module", MODEL_CORE)
def test_the_model_core_needs_numpy_and_pillow_alone(module):
    folder = module.split(".")[1]
    below = [f"service.{each}" for each in CORE[: CORE.index(folder) + 1]]
    for name in imports(PROJECT / f"{module.replace('.', '/')}.py"):
        if name.startswith("service"):
            assert ".".join(name.split(".")[:2]) in below, name
        else:
            assert name.split(".")[0] in {*sys.stdlib_module_names, "numpy", "PIL", "pillow_heif"}, name


# Imports each module in a process forked for it, which has only the libraries that the core may use.
ALONE = """
import importlib, os, sys, numpy, PIL.Image, pillow_heif

for module in sys.argv[1:]:
    if os.fork() == 0:
        assert not [name for name in sys.modules if name.startswith("service")]
        importlib.import_module(module)
        shell = sorted({"flask", "werkzeug", "prometheus_client"} & set(sys.modules))
        print(module, *shell, flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def came_up() -> dict[str, list[str]]:
    """Modules that could be imported as the first one, and what of Flask came with them."""
    command = [sys.executable, "-c", ALONE, *MODEL_CORE]
    run = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return {line.split()[0]: line.split()[1:] for line in run.stdout.splitlines()}


@pytest.mark.parametrize("module", MODEL_CORE)
def test_a_module_of_the_core_comes_up_alone_and_without_flask(
    module: str, came_up: dict[str, list[str]]
) -> None:
    assert came_up.get(module) == []


# Each may import what stands in its own row or above.
LAYERS = (
    {"preprocessing"},
    {"model"},
    {"reading"},
    {
        *("config", "process_metrics", "metrics", "registry", "budget"),
        *("prediction", "coroutines", "logs", "tracing"),
    },
    {"api"},
    {"openapi"},
    {"app"},
    {"wsgi", "asgi", "heads"},
    {"server", "__main__"},
)
SERVER = sorted((PROJECT / "service/server").glob("*.py"))


def test_imports_between_service_folders_point_one_way():
    rank = {name: number for number, names in enumerate(LAYERS) for name in names}
    for path in (PROJECT / "service").rglob("*.py"):
        unit = path.relative_to(PROJECT / "service").parts[0].removesuffix(".py")
        if unit == "__init__":
            continue
        for name in imports(path):
            if name.startswith("service."):
                imported = name.split(".")[1]
                assert rank[imported] <= rank[unit], f"{path} imports {name}"


@pytest.mark.parametrize("path", SERVER, ids=lambda path: path.stem)
def test_the_server_uses_only_what_its_libraries_document(path):
    forbidden = ("gunicorn.http", "gunicorn.workers.gthread", "gunicorn.arbiter")
    assert not {name for name in imports(path) if name.startswith(forbidden)}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not [alias.name for alias in node.names if alias.name.startswith("_")]
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            assert isinstance(node.value, ast.Name), ast.unparse(node)
            assert node.value.id == "self", ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
            assert not ast.unparse(node.args[1]).startswith(("'_", '"_')), ast.unparse(node)


def test_the_server_stays_small():
    lines = {path.name: path.read_text().count("\n") for path in SERVER}
    assert sum(lines.values()) <= 350, lines


def test_only_the_edge_reads_the_environment():
    modules = (PROJECT / "service").rglob("*.py")
    readers = {path.stem for path in modules if "os.environ" in path.read_text()}
    assert readers == {"config", "gunicorn_conf", "metrics", "__main__"}


@pytest.mark.parametrize("package", ["service", "trainer"])
def test_every_module_says_what_it_is_for(package):
    for path in (PROJECT / package).rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())) or not path.read_text().strip(), path
