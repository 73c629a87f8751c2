"""The trainer's folders import one way, in the order that `trainer.LAYERS` states."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import PROJECT
from trainer import LAYERS

TRAINER = PROJECT / "trainer"
MODULES = sorted(TRAINER.rglob("*.py"))
LONGEST, SHORTEST, MOST_MODULES = 300, 30, 15  # lines, lines, files of a folder


def imported(source: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the module and the names of every import in a source, wherever it is."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides its layer"
            yield node.module or "", tuple(alias.name for alias in node.names)


def layers_used(source: str) -> set[str]:
    """Return the layers of the trainer that a source imports from."""
    used: set[str] = set()
    for module, names in imported(source):
        root, *below = module.split(".")
        if root == "trainer":
            used |= {below[0]} if below else set(names)
    return used


def layer_of(path: Path) -> str:
    """Return the layer of a module: its folder, or its own name at the top."""
    first = path.relative_to(TRAINER).parts[0]
    return first.removesuffix(".py")


def wrong_imports(layer: str, source: str) -> set[str]:
    """Return the layers that a source in `layer` must not import from, but does."""
    allowed = {*LAYERS[: LAYERS.index(layer)], layer}
    return layers_used(source) - allowed


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a circle; [] if there are none."""
    done: set[str] = set()

    def visit(module: str, above: list[str]) -> list[str]:
        if module in above:
            return [*above[above.index(module) :], module]
        if module in done:
            return []
        done.add(module)
        return next((found for one in sorted(imports[module]) if (found := visit(one, [*above, module]))), [])

    return next((found for module in sorted(imports) if (found := visit(module, []))), [])


def test_every_part_has_a_place_in_the_order() -> None:
    found = {layer_of(path) for path in MODULES} - {"__init__"}
    assert found == set(LAYERS)


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path != TRAINER / "__init__.py"], ids=lambda path: path.stem
)
def test_module_imports_only_earlier_layers(path: Path) -> None:
    assert not wrong_imports(layer_of(path), path.read_text())


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("data", "from trainer.training import TrainingConfig"),
        ("synthetic", "import trainer.nn.losses"),
        ("training", "def late():\n    from trainer.publishing import publish"),
        ("errors", "from trainer import cli"),
        ("publishing", "from trainer.pipeline import train_model"),
    ],
)
def test_wrong_import_is_found(layer: str, source: str) -> None:
    assert wrong_imports(layer, source)


def test_modules_import_without_a_circle() -> None:
    names = {
        ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in MODULES
    }
    imports = {}
    for name, path in names.items():
        used = set()
        for module, members in imported(path.read_text()):
            used |= {module, *(f"{module}.{member}" for member in members)}
        imports[name] = used & set(names) - {"trainer"}
    assert circle(imports) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in MODULES} - {TRAINER}), ids=lambda path: path.name
)
def test_folder_opens_with_three_lines(folder: Path) -> None:
    opening = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    what, blank, *rest = opening.split("\n")
    assert what.endswith(".")
    assert not blank
    assert rest[-1].startswith("Start reading in `")
    assert len(rest) == 2
    assert len([path for path in folder.glob("*.py") if path.stem != "__init__"]) <= MOST_MODULES


def test_modules_have_30_to_300_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in MODULES if "__" not in path.stem}
    assert {path.name for path, lines in lengths.items() if not SHORTEST <= lines <= LONGEST} == set()


def test_trainer_uses_three_packages_of_the_service() -> None:
    shared = (["preprocessing"], ["model"], ["reading"])
    for path in MODULES:
        used = {module for module, _ in imported(path.read_text()) if module.split(".")[0] == "service"}
        assert all(module.split(".")[1:2] in shared for module in used), path
