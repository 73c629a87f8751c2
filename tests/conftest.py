"""Fixtures shared by all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import PROJECT, Server, running_service
from tests.trainer.quick import QUICK_MODEL

# The files that take longest begin first, in this order, so that the processes end together.
LONGEST = (
    *("test_senses.py", "test_runbook.py", "test_live.py", "test_rejector.py", "test_interruption.py"),
    *("test_handoff.py", "test_readme.py", "test_train.py", "test_resuming.py", "test_readme_commands.py"),
    *("test_image.py", "test_jumps.py", "test_page.py", "test_delight.py", "test_openapi.py"),
    *("test_handwriting.py", "test_own_digits.py", "test_refit.py", "test_docs.py", "test_monitoring.py"),
    *("test_pager.py", "test_end_to_end.py", "test_overload.py", "test_slow_clients.py", "test_stopping.py"),
)
SHARED_DATA = PROJECT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files by how long they take."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service as shipped, two workers, shared by the tests that only ask it."""
    with running_service(tmp_path_factory.mktemp("service")) as server:
        yield server


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with MNIST and real handwriting, which is not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the data folder {SHARED_DATA.name}/ beside the project")
    return SHARED_DATA


@pytest.fixture(scope="session")
def quick_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a second's training on the 8x8 digits."""
    from trainer.cli import main  # not imported by tests of only the service

    folder = tmp_path_factory.mktemp("quick")
    assert main(["train", "digits", *QUICK_MODEL, "--runs", str(folder / "runs"), "--to", str(folder)]) == 0
    return folder / "digits-8x8.npz"
