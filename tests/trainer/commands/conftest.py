"""Every command runs in an empty folder; small data and an undisturbed run to compare with."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trainer.commands.running import LONG, model_of
from tests.trainer.quick import write_mnist
from trainer.cli import main


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in an empty folder: nothing lands in the project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture(autouse=True)
def _signals_reach_children() -> Iterator[None]:
    """A job in the background starts with SIGINT or SIGHUP ignored, which its children would inherit."""
    before = {
        number: signal.signal(number, action)
        for number, action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL))
    }
    yield
    for number, action in before.items():
        signal.signal(number, action)


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mnist(tmp_path_factory.mktemp("mnist"))


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The model file of an undisturbed run of LONG."""
    folder = tmp_path_factory.mktemp("long")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        assert main([*LONG, "--quiet"]) == 0
    return model_of(folder)
