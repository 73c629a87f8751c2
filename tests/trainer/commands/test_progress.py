"""Progress in a terminal, and without one."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

from tests.trainer.quick import run_trainer, trainer_command, trainer_environment


def test_without_a_terminal_progress_is_plain_lines(tmp_path: Path) -> None:
    done = run_trainer("train", "sqrt-mean", "--epochs", "2", cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(r"sqrt-mean: epoch 2/2, loss .*, [\d,]+ images/s, 0:00:00 left", done.stderr)
    assert "\r" not in done.stderr


def test_terminal_progress_is_a_bar_with_time_left(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("4H", 24, 160, 0, 0))  # rows and columns
    command = trainer_command("train", "sqrt-mean", "--epochs", "3")
    process = subprocess.Popen(
        command, cwd=tmp_path, env=trainer_environment(), stdout=subprocess.DEVNULL, stderr=follower
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.wait(30) == 0
    text = shown.decode()
    assert re.search(r"sqrt-mean: +\d+%\|", text)
    assert "validation loss" in text
    assert re.search(r"[\d.]+k?/s", text)
