"""Every command runs in an empty folder; small data and an undisturbed run to compare with."""

from pathlib import Path

import pytest

from tests.trainer.commands.running import LONG, model_of
from tests.trainer.quick import run_trainer, write_mnist


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in an empty folder: nothing lands in the project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mnist(tmp_path_factory.mktemp("mnist"))


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The model file of an undisturbed run of LONG."""
    folder = tmp_path_factory.mktemp("long")
    done = run_trainer(*LONG, cwd=folder)
    assert done.returncode == 0, done.stderr
    return model_of(folder)
