"""Every command in the table of the articles runs with small settings."""

import functools
import re
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.articles import result, rows, run
from trainer.data import Dataset, load_dataset


@functools.cache
def load_once(*arguments: Any, **named: Any) -> Dataset:
    """Load a data set for the first command that asks for it."""
    return load_dataset(*arguments, **named)


def small(command: str) -> list[str]:
    """Return flags that make a command take a moment."""
    words = ["--epochs", "1"]
    if "cross-validate" in command:
        return [*words, "--splits", "2", "--hidden", "8"]
    if "trainer train digits" not in command:
        words += ["--rows", "100"]
    if "digits-8x8" in command:
        words += ["--outliers", "100"]
    if "512,512" in command:
        words += ["--hidden", "32,32"]
    return [*words, "--quiet", "--no-report", "--report-test"]


def test_table_has_a_row_for_each_article() -> None:
    assert len(rows()) > 40


@pytest.mark.parametrize(("command", "stated"), [pytest.param(*row[1:], id=row[0]) for row in rows()])
def test_command_runs(command: str, stated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("trainer.commands.reading.load_dataset", load_once)
    found = result(run(command, *small(command)))
    assert re.findall(r"[A-Za-z]+", found) == re.findall(r"[A-Za-z]+", stated)
    assert not (tmp_path / "models").exists()
