"""A terminal of 80 columns: help begins with examples, and a bar keeps its numbers."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.trainer.quick import QUICK, trainer_command, trainer_environment
from trainer.cli import main

COLUMNS = 80
GROUPS = (
    "files and progress",
    "publishing",
    "network",
    "optimization",
    "regularization",
    "rejector",
    "augmentation",
)


def shown_on_terminal(command: list[str], folder: Path) -> str:
    """Return what a command writes to stderr where that is a terminal."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("4H", 24, COLUMNS, 0, 0))
    environment = trainer_environment()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=follower
    )
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 65536):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(leader)
    assert process.wait(60) == 0
    return shown.decode()


def test_a_bar_keeps_its_numbers_at_eighty_columns(tmp_path: Path) -> None:
    words = [word for word in QUICK if word != "--quiet"]
    shown = shown_on_terminal(trainer_command("train", "digits", *words), tmp_path)
    last = [line for line in re.split("[\r\n]+", shown) if "digits-8x8: 100%" in line][-1]
    assert re.search(r"\| 00:00 left, loss \d\.\d{3}, validation \d+\.\d\d %, [\d.]+k? images/s", last)
    assert len(last) <= COLUMNS


def test_help_begins_with_examples_and_groups_the_rest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    places = [text.index("examples:\n  python -m trainer train digits"), text.index("DATASET  ")]
    places += [text.index(f"\n{group}") for group in GROUPS]
    assert places[0] < 80
    assert places[1] == min(places[1:])
    assert max(map(len, text.splitlines())) <= COLUMNS
