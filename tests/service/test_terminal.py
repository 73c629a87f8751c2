"""What a person at a terminal sees: the address, a line a request, one line for what stops a start."""

import contextlib
import logging
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from service.logs import TerminalFormatter, banner, request_line
from tests.drawing import digit_png
from tests.serving import COMMAND, PROJECT, answers, free_port, wait_until
from tests.sockets import exchange


class Terminal:
    """A service whose stdout is a terminal."""

    def __init__(self, port: int) -> None:
        self.port, self.url, self.text = port, f"http://127.0.0.1:{port}", ""
        self.screen, theirs = pty.openpty()
        os.set_blocking(self.screen, False)
        environment = {"PATH": "/usr/bin:/bin", "PORT": str(port), "WEB_CONCURRENCY": "1"}
        self.process = subprocess.Popen(COMMAND, cwd=PROJECT, env=environment, stdout=theirs, stderr=theirs)
        os.close(theirs)

    def shows(self, pattern: str) -> bool:
        """Return whether the screen shows a text by now."""
        with contextlib.suppress(OSError):  # nothing new
            self.text += os.read(self.screen, 65536).decode().replace("\r\n", "\n")
        return re.search(pattern, self.text, re.MULTILINE) is not None

    def wait_for(self, pattern: str) -> None:
        wait_until(lambda: self.shows(pattern), pattern)


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    terminal = Terminal(free_port())
    try:
        terminal.wait_for("Ctrl")
        wait_until(lambda: answers(f"{terminal.url}/readyz"), "the service")
        yield terminal
    finally:
        terminal.process.terminate()
        terminal.process.wait(60)
        os.close(terminal.screen)


def test_a_terminal_is_greeted_with_the_address(terminal):
    terminal.wait_for(rf"^  Draw   {terminal.url}$")
    assert "Starting gunicorn" not in terminal.text
    assert "{" not in terminal.text


def test_a_request_is_one_readable_line(terminal):
    requests.post(f"{terminal.url}/predict", files={"file": digit_png(7)}, timeout=30)
    terminal.wait_for(r"^\d\d:\d\d:\d\d  200  POST  /predict +[\d.]+ ms  7$")
    requests.post(f"{terminal.url}/predict", files={"file": b"no picture"}, timeout=30)
    terminal.wait_for(r"^\d\d:\d\d:\d\d  415  POST  /predict +[\d.]+ ms  unsupported-format$")


def test_a_path_cannot_steer_the_terminal(terminal):
    exchange(terminal, b"GET /%1b[31m%0a%c2%9b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    terminal.wait_for(r"404  GET   /\\x1b\[31m\\n\\x9b ")
    assert "\x1b" not in terminal.text


def test_records_are_readable_and_keep_to_their_line():
    record = logging.LogRecord("service", logging.WARNING, "file", 1, "model %s", ("gone\x1b\n",), None)
    record.model = "mine"
    assert TerminalFormatter().format(record)[8:] == "  warning: model gone\\x1b\\n  model=mine"


def test_a_line_fits_eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    members = {"status": 405, "method": "DELETE", "path": "/" + "a" * 99, "milliseconds": 1234.5}
    line = request_line(0, members | {"problem": "request-entity-too-large"})
    assert len(line) == 80
    assert re.search(r"  405  DELETE  /a+…  1234.5 ms  request-entity-too-large$", line)


def test_a_page_says_how_many_digits_it_had():
    members = {"status": 200, "method": "POST", "path": "/read", "milliseconds": 12.0, "digits": 4}
    assert request_line(0, members).endswith("12.0 ms  4 digits")


def test_a_batch_says_how_many_images_it_had():
    members = {"status": 200, "method": "POST", "path": "/predict/batch", "milliseconds": 12.0, "images": 40}
    assert request_line(0, members).endswith("12.0 ms  40 images")


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "localhost"), ("::1", "[::1]"), ("::", "localhost")],
)
def test_the_banner_has_an_address_that_a_browser_opens(host, shown):
    assert f"  Draw   http://{shown}:8080\n" in banner(host, 8080)
    assert "  Wait   mine.npz is not in the models folder yet\n" in banner(host, 8080, "mine.npz")


def test_a_models_folder_that_is_missing_stops_the_start(tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "PORT": str(free_port()), "DIGITS_MODELS_DIR": f"{tmp_path}/nope"}
    done = subprocess.run(COMMAND, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    expected = f"digits: the models folder {tmp_path}/nope does not exist; set DIGITS_MODELS_DIR.\n"
    assert done.stderr == expected
    assert done.stdout == ""


class TestMake:
    """make, with only those Pythons on the PATH that a test puts there."""

    @pytest.fixture
    def programs(self, tmp_path: Path) -> Path:
        """A PATH without any Python."""
        folder = tmp_path / "programs"
        folder.mkdir()
        for tool in ("rm", "sleep", "touch", "sh"):
            (folder / tool).symlink_to(shutil.which(tool))
        shutil.copy(PROJECT / "Makefile", tmp_path)
        return folder

    def make(self, programs: Path) -> subprocess.CompletedProcess[str]:
        make = shutil.which("make")
        return subprocess.run(
            [make, ".venv/pyvenv.cfg"],
            cwd=programs.parent,
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def install(self, programs: Path, name: str, version: str) -> None:
        """Put a Python there: one that only says that it is old, or the one that runs this."""
        script = f'exec {sys.executable} "$@" --without-pip'  # venv obeys it, -c ignores it
        if version.startswith("3.9"):
            script = f'case "$2" in *print*) echo {version};; *) exit 1;; esac'
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)

    def test_an_old_python_alone_is_one_line(self, programs):
        self.install(programs, "python3", "3.9")
        done = self.make(programs)
        assert done.returncode != 0
        assert done.stderr.count("\n") == 1
        assert "digits needs Python 3.11 or newer, with venv" in done.stderr
        assert "python3 is 3.9." in done.stderr
        assert not (programs.parent / ".venv").exists()

    def test_no_python_at_all_is_one_line(self, programs):
        assert "python3 is not there." in self.make(programs).stderr

    def test_a_newer_python_beside_an_old_one_is_found(self, programs):
        self.install(programs, "python3", "3.9")
        self.install(programs, "python3.12", "")
        done = self.make(programs)
        assert done.returncode == 0, done.stderr
        assert (programs.parent / ".venv/bin/python").exists()

    @pytest.mark.parametrize("kind", ["old", "gone"])
    def test_a_stale_environment_is_made_anew(self, programs, kind):
        self.install(programs, "python3", "")
        self.make(programs)
        python = programs.parent / ".venv/bin/python"
        python.unlink()
        (programs.parent / ".venv/.serving").touch()
        if kind == "old":
            self.install(programs.parent / ".venv/bin", "python", "3.9")
        done = self.make(programs)
        assert done.returncode == 0, done.stderr
        assert python.resolve() == Path(sys.executable).resolve()
        assert not (programs.parent / ".venv/.serving").exists()

    def test_a_fresh_environment_is_kept(self, programs):
        self.install(programs, "python3", "")
        self.make(programs)
        before = (programs.parent / ".venv/pyvenv.cfg").stat().st_mtime_ns
        assert "up to date" in self.make(programs).stdout
        assert (programs.parent / ".venv/pyvenv.cfg").stat().st_mtime_ns == before
