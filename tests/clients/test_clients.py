"""The example clients, run as they stand against the real service."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from tests.drawing import digit_png, draw_digit, encode
from tests.service.reading.pages import Page
from tests.serving import PROJECT, Server

CLIENTS = Path(__file__).parent
PACKAGES = {"curl": "curl", "jq": "jq", "node": "nodejs"}
SMALL = [encode(draw_digit(digit, (56, 56))) for digit in range(10)]
ONE_PICTURE = {
    "predict.sh": ["sh"],
    "predict.mjs": ["node"],
    "predict_aiohttp.py": [sys.executable],
    "predict_httpx.py": [sys.executable],
    "predict_requests.py": [sys.executable],
    "predict_standard_library.py": [sys.executable],
}

PAGES = {"read.sh": ["sh"], "read.mjs": ["node"], "read_requests.py": [sys.executable]}


def missing(what: str) -> NoReturn:
    """Skip the test and name what it needs; on CI, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")


def run(client: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a client; without one of its tools the test is skipped, but on CI it fails."""
    needed = {"sh": ["curl", *(["jq"] if "jq" in (CLIENTS / client).read_text() else [])], "mjs": ["node"]}
    for tool in needed.get(client.rpartition(".")[2], []):
        if not shutil.which(tool):
            missing(f"{tool}: apt-get install {PACKAGES[tool]}")
    interpreter = {**ONE_PICTURE, **PAGES}.get(client, ["sh"])
    return subprocess.run(
        [*interpreter, CLIENTS / client, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "digit.png"
    path.write_bytes(digit_png(7))
    return path


@pytest.mark.parametrize("client", ONE_PICTURE)
def test_a_client_prints_the_digit(service: Server, picture: Path, client: str) -> None:
    result = run(client, service.url, str(picture))
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert (printed["digit"] if isinstance(printed, dict) else printed) == 7


@pytest.mark.parametrize("client", ONE_PICTURE)
def test_a_client_fails_with_the_reason(service: Server, tmp_path: Path, client: str) -> None:
    blank = tmp_path / "blank.png"
    blank.write_bytes(encode(draw_digit(1, ink=255)))
    result = run(client, service.url, str(blank))
    assert result.returncode != 0
    assert "The image has no ink to classify." in result.stdout + result.stderr


@pytest.mark.parametrize("client", PAGES)
def test_a_client_prints_the_numbers_of_a_page(service: Server, tmp_path: Path, client: str) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(encode(Page(500, 260).write("2718", top=30).write("604", top=150).image()))
    result = run(client, service.url, str(path))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["2718", "604"]


@pytest.mark.parametrize("client", PAGES)
def test_a_client_says_why_a_page_is_not_read(service: Server, tmp_path: Path, client: str) -> None:
    path = tmp_path / "page.txt"
    path.write_bytes(b"no picture")
    result = run(client, service.url, str(path))
    assert result.returncode != 0
    assert "The image format is not supported." in result.stdout + result.stderr


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_the_sdk_of_kserve_gets_the_digit(service: Server, picture: Path, protocol: str) -> None:
    """The SDK's pins collide with ours, so it has an environment of its own."""
    python = PROJECT / ".venv-kserve/bin/python"
    if not python.exists():
        missing(
            "KServe's SDK: python3 -m venv .venv-kserve; "
            ".venv-kserve/bin/pip install --no-deps -r tests/clients/requirements-kserve.txt"
        )
    command = [python, CLIENTS / "predict_kserve.py", protocol, service.url, picture]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout.strip() == "7", result.stderr


FOLDER_LOOPS = {"folder_to_csv.sh": [], "folder_in_batches.sh": ["3"]}


@pytest.mark.parametrize("client", FOLDER_LOOPS)
def test_a_folder_becomes_a_table(service: Server, tmp_path: Path, client: str) -> None:
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for digit in (1, 4, 7, 8):
        (folder / f"{digit}, drawn.png").write_bytes(digit_png(digit))
    (folder / "notes.txt").write_text("no picture")
    result = run(client, service.url, str(folder), *FOLDER_LOOPS[client])
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["file"] for row in rows] == [*(f"{digit}, drawn.png" for digit in (1, 4, 7, 8)), "notes.txt"]
    assert [row["digit"] for row in rows] == ["1", "4", "7", "8", ""]
    assert [row["problem"] for row in rows] == [""] * 4 + ["The image format is not supported."]


def test_a_folder_of_hundreds_goes_through_in_a_few_requests(service: Server, tmp_path: Path) -> None:
    for number in range(250):
        (tmp_path / f"{number:03}.png").write_bytes(SMALL[number % 10])
    before = service.metric("http_requests_total", route="/predict/batch")
    result = run("folder_in_batches.sh", service.url, str(tmp_path))
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["file"] for row in rows] == [f"{number:03}.png" for number in range(250)]
    assert [int(row["digit"]) for row in rows] == [number % 10 for number in range(250)]
    assert service.metric("http_requests_total", route="/predict/batch") == before + 3


def test_a_batch_that_is_refused_ends_the_loop_with_the_reason(service: Server, tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}.png").write_bytes(SMALL[0])
    result = run("folder_in_batches.sh", service.url, str(tmp_path), "300")
    assert result.returncode != 0
    assert "more than 264 parts" in result.stderr


def test_every_client_is_run() -> None:
    others = ("_", "test_", "requirements")
    clients = {path.name for path in CLIENTS.iterdir() if not path.name.startswith(others)}
    assert clients == {*ONE_PICTURE, *PAGES, *FOLDER_LOOPS, "predict_kserve.py"}
