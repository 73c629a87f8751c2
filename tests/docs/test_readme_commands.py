"""The README's commands, typed in order into a fresh copy of the project, and the notebook's cells in order.

Only what needs no network runs.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.drawing import draw_digit, encode
from tests.serving import PROJECT, answers, free_port, wait_until

README = (PROJECT / "README.md").read_text()
NOTEBOOK = PROJECT / "docs/train-serve-ask.ipynb"
COMMANDS = [line.partition("  #")[0].strip() for line in re.findall(r"^ {4}(\S.*)", README, re.MULTILINE)]
# They download data, or need a registry, a cluster or that data.
ELSEWHERE = ("docker ", "kubectl ", "fetch mnist", "train mnist")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project as git has it, with an environment that borrows the packages of this one."""
    if not shutil.which("git") or not (PROJECT / ".git").exists():
        pytest.skip("needs git and a checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    folder = tmp_path / "digits"
    for name in listed.stdout.split("\0"):
        if name and (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)
    environment = folder / ".venv"
    venv.EnvBuilder(symlinks=True).create(environment)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (environment / "lib" / version / "site-packages/borrowed.pth").write_text(sysconfig.get_path("purelib"))
    for stamp in (".serving", ".training"):  # what make would install is there
        (environment / stamp).touch()
    shorten(folder / "trainer/recipes/digits-8x8.toml", epochs=3, outliers=500)
    shorten(folder / "trainer/recipes/own-digits.toml", outliers=500)
    return folder


def shorten(recipe: Path, **settings: int) -> None:
    """Let the copy's training take seconds; the command that starts it stays as it is."""
    text = recipe.read_text()
    for name, value in settings.items():
        others = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE)
        text = others.replace("[training]\n", f"[training]\n{name} = {value}\n")
        assert text != others
    recipe.write_text(text)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What is set: a port that is free, which the commands then name too, and a home with downloads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DIGITS_")}
    return kept | {"PORT": str(free_port()), "HOME": str(tmp_path)}


@pytest.fixture
def served(copy: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of what the README's first command started."""
    assert COMMANDS[0] == "make serve"
    with open(copy.parent / "service.log", "wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", COMMANDS[0]],
            cwd=copy,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{environment['PORT']}"
    try:
        wait_until(lambda: answers(f"{url}/readyz"), "make serve", copy.parent / "service.log")
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def write_corrections(folder: Path) -> None:
    """Write what the page's button saves after a dozen corrections of each digit."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "corrections-20260101120000000.zip", "w") as archive:
        for digit in range(10):
            for number in range(12):
                box = (0.2 + 0.01 * number, 0.15, 0.5 + 0.01 * number, 0.6 - 0.01 * number)
                picture = draw_digit(digit, (120 + number, 120), box, pen=0.06 + 0.004 * number)
                archive.writestr(f"{digit}/{number}.png", encode(picture))


def test_the_commands_of_the_readme_do_what_it_says(
    copy: Path, environment: dict[str, str], served: str
) -> None:
    write_corrections(copy.parent / "Downloads")
    printed = {}
    for command in COMMANDS[1:]:
        if any(word in command for word in ELSEWHERE):
            continue
        done = subprocess.run(
            ["sh", "-c", command.replace(":8080", f":{environment['PORT']}")],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        printed[command.split()[0], command.split()[1]] = done.stdout
        if "digits.csv" in command:
            rows = (copy / "digits.csv").read_text()
            assert len(rows.splitlines()) == 1 + len(list((copy / "examples").iterdir()))
            assert re.search(r"^\"seven.png\",7,", rows, re.MULTILINE)
    assert json.loads(printed["curl", "-F"])["digit"] == 7
    assert "runs/digits-8x8" in printed["make", "train"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        names = {each["name"] for each in requests.get(f"{served}/models", timeout=30).json()["models"]}
        if "mine" in names:
            return
        time.sleep(0.2)
    pytest.fail(f"the service never served the trained model, only {names}")


def test_only_what_needs_a_network_is_left_out() -> None:
    left_out = [command for command in COMMANDS if any(word in command for word in ELSEWHERE)]
    assert len(left_out) <= 5
    assert len(COMMANDS) - len(left_out) >= 6


def test_the_notebook_trains_serves_and_gets_the_digit() -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in cells] == [[]] * len(cells)  # nothing of an earlier run is kept
    code = "\n".join("".join(cell["source"]) for cell in cells)
    command = [sys.executable, "-"]
    done = subprocess.run(
        command, cwd=NOTEBOOK.parent, input=code, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    share = re.search(r"^(\d\.\d+) of digits", done.stdout, re.M)
    assert share, done.stdout
    assert float(share[1]) > 0.9
    assert re.search(r"^(\d) for a \1, [\d.]+ % sure, says mine$", done.stdout, re.M), done.stdout
