"""A terminal of 80 columns: help begins with examples, a bar keeps its numbers, and no work is silent."""

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests.trainer.quick import QUICK, trainer_command, trainer_environment
from trainer import stages
from trainer.cli import COMMANDS, main
from trainer.evaluation import numbers, refusals

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
    assert re.search(r"\|.{8,}\| 00:00 left, loss \d\.\d{3}, validation \d+\.\d\d %, [\d.]+k?/s$", last)
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


def test_the_first_help_has_every_command_in_a_group(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert text.index("examples:\n") < text.index("\nmeasure and use:\n")
    assert set(re.findall(r"^  ([a-z-]+)  ", text, re.MULTILINE)) == set(COMMANDS)
    assert max(map(len, text.splitlines())) <= COLUMNS


class Screen(io.StringIO):
    """What a command writes to a terminal."""

    def isatty(self) -> bool:
        return True

    def stages(self) -> set[str]:
        """Return the names of all stages that were shown."""
        return set(re.findall(r"(?:^|\r)([^\r\n:]+): ", self.getvalue()))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage is shown, however short."""
    monkeypatch.setattr(stages, "DELAY_SECONDS", 0.0)


def test_work_that_never_steps_shows_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "REDRAWN_SECONDS", 0.05)
    deadline = time.monotonic() + 60
    with contextlib.redirect_stderr(Screen()) as screen, stages.stage("thinking"):
        while "thinking: 00:01" not in screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
    shown = screen.getvalue()
    assert shown.count("\rthinking: 00:0") > 3
    assert "thinking: 00:01" in shown
    assert not shown.rpartition("thinking: 00:0")[2][1:].strip()
    assert shown.endswith("\r")  # the next line begins where this one was


def test_nothing_is_shown_in_silence_or_in_a_file() -> None:
    for stream, hidden in ((Screen(), True), (io.StringIO(), False)):
        with contextlib.redirect_stderr(stream), stages.silent(hidden):
            assert list(stages.staged("hidden", range(3))) == [0, 1, 2]
        assert stream.getvalue() == ""


def test_every_long_part_of_a_training_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = [word for word in QUICK if word not in ("--quiet", "--no-report")]
    runs = ["--runs", str(tmp_path / "runs"), "--to", str(tmp_path)]
    with contextlib.redirect_stderr(Screen()) as screen:
        assert main(["train", "digits", *words, "--drawn", "20", "--outliers", "20", *runs]) == 0
    assert screen.stages() >= {
        *("reading the data", "drawing more digits", "drawing digits for the rejector"),
        *(
            "drawing what is not a digit",
            "rejector",
            "thresholds and figures",
            "report",
            "checking the model",
        ),
    }


def test_every_long_part_of_a_measurement_is_shown(
    quick_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "EACH", 1)
    monkeypatch.setattr(refusals, "EACH", 1)
    measured = ["evaluate", str(quick_model), "digits"]
    folds = ["cross-validate", "digits", "--epochs", "1", "--hidden", "8", "--splits", "2"]
    with contextlib.redirect_stderr(Screen()) as screen:
        assert main(measured) == main([*measured, "--read"]) == main(folds) == 0
        assert main(["evaluate", str(quick_model), "non-digits"]) == 0
    assert screen.stages() >= {"evaluating", "fold 1 of 2", *numbers.FAMILIES, *refusals.KINDS}
