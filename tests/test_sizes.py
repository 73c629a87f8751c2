"""Modules have 30 to 300 lines, folders at most fifteen modules, names of tests at most sixty characters."""

import re
from collections import Counter
from pathlib import Path

from tests.conftest import LONGEST
from tests.serving import PROJECT

LONGEST_LINES, SHORTEST_LINES, MOST_MODULES, LONGEST_NAME = 300, 30, 15, 60
TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
# All of their package imports these, so no neighbor can take them in without a circle of imports.
SHORT = {"service/model/errors.py", "service/preprocessing/trace.py"}
MODULES = [
    path for part in ("service", "trainer", "tests", "docs") for path in (PROJECT / part).rglob("*.py")
]


def test_modules_have_at_most_300_lines() -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_LINES} == {}


def test_modules_have_at_least_30_lines() -> None:
    short = [path.relative_to(PROJECT).as_posix() for path in MODULES if is_short(path)]
    assert set(short) == SHORT


def is_short(path: Path) -> bool:
    """Return whether a module of the product or of tests is so short that it belongs to a neighbor."""
    is_part = path.is_relative_to(PROJECT / "service") or path.is_relative_to(PROJECT / "trainer")
    counts = (is_part and not path.stem.startswith("__")) or path.stem.startswith("test_")
    return counts and len(path.read_text().splitlines()) < SHORTEST_LINES


def test_folders_have_at_most_fifteen_modules() -> None:
    counts = Counter(str(path.parent) for path in MODULES if path.stem != "__init__")
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_names_of_tests_have_at_most_60_characters() -> None:
    names = [(name, path.name) for path in MODULES for name in TEST.findall(path.read_text())]
    assert len(names) > 1000
    assert [(name, file) for name, file in names if len(name) > LONGEST_NAME] == []


def test_files_that_begin_first_exist() -> None:
    assert set(LONGEST) - {path.name for path in MODULES} == set()
