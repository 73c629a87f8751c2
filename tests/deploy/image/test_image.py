"""The image, built and run: it is small, has only what serving needs, and stops gracefully."""

import json

import pytest

from tests.deploy.image.engine import PlainEngine, Report, find_engine
from tests.serving import PROJECT

pytestmark = pytest.mark.image
LARGEST_BYTES = 120_000_000

# Printed by a container: what it can find of things that only building and testing need.
LOOK = """
import importlib.util as u, json, os, pathlib, shutil
modules = ("pip", "setuptools", "pytest", "sklearn", "trainer", "tests")
print(json.dumps({
    "modules": [name for name in modules if u.find_spec(name)],
    "programs": [name for name in ("pip", "pip3", "gcc", "cc", "make") if shutil.which(name)],
    "user": os.getuid(),
    "writable": [path for path in ("/", "/app", "/app/service", "/app/models") if os.access(path, os.W_OK)],
    "app": sorted(os.listdir("/app")),
    "unreadable": [str(path) for path in pathlib.Path("/app").rglob("*") if not os.access(path, os.R_OK)],
    "bytecode": len(list(pathlib.Path("/app/service").rglob("*.pyc"))),
    "threads": os.environ["OPENBLAS_NUM_THREADS"],
}))
"""


@pytest.fixture(scope="module")
def engine() -> PlainEngine:
    return find_engine()


@pytest.fixture(scope="module")
def report(engine: PlainEngine, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What happened to the image, built and run with 128 MiB, one CPU, a read-only root and no rights."""
    return engine.check(tmp_path_factory.mktemp("image"))


def test_request_in_flight_is_answered_before_the_end(report: Report) -> None:
    assert report.last_answer.split()[1:2] == ["200"]
    assert report.exit_code == 0


def test_the_image_adds_little_to_its_base(report: Report) -> None:
    if report.added_bytes is None:
        pytest.skip("only image-check knows the size of the base")
    assert report.added_bytes <= LARGEST_BYTES


def test_the_image_holds_what_serving_needs_and_nothing_else(engine: PlainEngine, report: Report) -> None:
    seen = json.loads(engine.python(LOOK))
    assert seen.pop("bytecode") >= len(list((PROJECT / "service").glob("*.py")))
    assert seen == {
        "modules": [],
        "programs": [],
        "user": 10001,
        "writable": [],
        "app": ["models", "service"],
        "unreadable": [],
        "threads": "1",
    }
