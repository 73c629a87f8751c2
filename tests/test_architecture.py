"""Who may import whom: the rules that keep the parts apart."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import PROJECT

# What knows no HTTP: shared by the service and the trainer.
MODEL_CORE = sorted(
    str(path.relative_to(PROJECT).with_suffix("")).replace("/", ".")
    for folder in ("preprocessing", "model")
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


def test_the_trainer_uses_the_service_only_through_the_model_core():
    for path in (PROJECT / "trainer").rglob("*.py"):
        used = {name.split(".")[1] for name in imports(path) if name.startswith("service.")}
        assert used <= {"preprocessing", "model"}, path


@pytest.mark.parametrize("module", MODEL_CORE)
def test_the_model_core_needs_numpy_and_pillow_alone(module):
    below = (
        ["service.preprocessing"]
        if ".preprocessing." in module
        else ["service.preprocessing", "service.model"]
    )
    for name in imports(PROJECT / f"{module.replace('.', '/')}.py"):
        if name.startswith("service"):
            assert ".".join(name.split(".")[:2]) in below, name
        else:
            assert name.split(".")[0] in {*sys.stdlib_module_names, "numpy", "PIL"}, name


@pytest.mark.parametrize("module", MODEL_CORE)
def test_a_module_of_the_core_comes_up_alone_and_without_flask(module):
    shell = {"flask", "werkzeug", "prometheus_client"}
    code = f"import sys, {module}; assert not {shell} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True, timeout=60)


def test_only_the_edge_reads_the_environment():
    modules = (PROJECT / "service").glob("*.py")
    readers = {path.stem for path in modules if "os.environ" in path.read_text()}
    assert readers <= {"config", "gunicorn_conf", "metrics"}


@pytest.mark.parametrize("package", ["service", "trainer"])
def test_every_module_says_what_it_is_for(package):
    for path in (PROJECT / package).rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())) or not path.read_text().strip(), path
