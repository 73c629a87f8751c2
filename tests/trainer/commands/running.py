"""Commands for the tests, in this process and as one of their own."""

import time
from pathlib import Path

import pytest

from tests.trainer.quick import QUICK
from trainer.cli import main

Output = pytest.CaptureFixture[str]


def train(*words: object) -> int:
    return main(["train", "digits", *QUICK, *map(str, words)])


def model_of(folder: Path, name: str = "digits-8x8") -> bytes:
    """Return the model file that a training in `folder` made."""
    return (folder / "runs" / name / f"{name}.npz").read_bytes()


def one_line(text: str) -> str:
    """Return the only line of an error, without its prefix."""
    assert text.startswith("trainer: ")
    assert text.count("\n") == 1
    return text.removeprefix("trainer: ").strip()


LONG = (
    *("train", "digits", "--hidden", "64", "--epochs", "20", "--outliers", "50", "--refit"),
    *("--batch-size", "128", "--no-report", "--log-json", "log"),
)


def wait_for_epochs(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while not (folder / "log").exists() or (folder / "log").read_text().count("\n") < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)
