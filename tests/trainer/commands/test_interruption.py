"""A signal at any moment ends a command soon, with one line and a usable checkpoint."""

import contextlib
import io
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.trainer.quick import QUICK, running_trainer, trainer_environment
from trainer.cli import main

SECONDS = 5.0  # it takes one or two, even beside a dozen processes; what hangs here hangs for 30
LINE = "trainer: interrupted; the same command with --resume continues.\n"
TRAIN = ("train", "digits", *QUICK, "--epochs", "300", "--outliers", "0")
CHECKPOINT = Path("runs/digits-8x8/checkpoints/digits-8x8.npz")

# Runs the trainer with a save that is slow between its write and its rename, as on a full network disk.
SLOW_SAVE = """
import os, runpy, sys, time
replace = os.replace
def slow(source, target):
    if "checkpoints" in str(target):
        print("saving", flush=True)
        time.sleep(30)
    replace(source, target)
os.replace = slow
sys.argv[0] = "trainer"
runpy.run_module("trainer", run_name="__main__", alter_sys=True)
"""
# Runs the trainer with an optimizer that swallows what a signal raises, as a library's callback may.
DEAF = """
import runpy, sys, time
import trainer.training.session as session
def deaf(*arguments, **named):
    print("deaf", flush=True)
    while True:
        try:
            time.sleep(30)
        except KeyboardInterrupt:
            pass
session.train = deaf
runpy.run_module("trainer", run_name="__main__", alter_sys=True)
"""


# Interrupts itself inside `exec` of a string, as while an import defines a dataclass; and at the very end.
INSIDE_EXEC = """
import os, signal, sys, time
from trainer.interruption import guarded
def run():
    exec("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", globals())
sys.exit(guarded(run, ["train"]))
"""
AT_THE_END = """
import os, signal, sys
from trainer.interruption import guarded
code = guarded(lambda: 0, ["train"])
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    os.kill(os.getpid(), number)
sys.exit(code)
"""


def end(process: subprocess.Popen, number: int) -> tuple[float, str]:
    """Send a signal; return the seconds until the process ends, and what it says on stderr."""
    started = time.monotonic()
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    return time.monotonic() - started, error


def wait_for_handler(process: subprocess.Popen, number: int) -> None:
    """Wait until the trainer handles a signal: before, Python itself is still starting.

    Python handles SIGINT on its own; the trainer's handler for it comes before that for SIGTERM.
    """
    awaited = signal.SIGTERM if number == signal.SIGINT else number
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = re.search(r"SigCgt:\s+([0-9a-f]+)", status.read_text())
        if caught and int(caught[1], 16) >> (awaited - 1) & 1:
            return
        time.sleep(0.01)


def assert_usable(folder: Path) -> None:
    """Fail unless a resume ends as if nothing had happened and leaves no temporary file."""
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stderr(said):
        code = main([*TRAIN, "--epochs", "3", "--resume"])
    if code:
        assert re.search("epochs already|at epoch", said.getvalue()), said.getvalue()
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_at_a_random_moment_ends_with_one_line(number: int, tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    moment = random.Random(seed).uniform(0, 3)  # into the training, whose epochs are alike
    with running_trainer(*TRAIN, cwd=tmp_path) as process:
        wait_for_handler(process, number)
        time.sleep(moment)
        if process.poll() is not None:
            pytest.skip("this machine finished first")
        seconds, error = end(process, number)
    assert process.returncode == 1, (seed, error)
    assert error == LINE, seed
    assert seconds < SECONDS, seed
    assert_usable(tmp_path)


def run_script(script: str, folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", script, *TRAIN],
        cwd=folder,
        env=trainer_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_inside_a_save_keeps_the_checkpoint_before(number: int, tmp_path: Path) -> None:
    assert main([*TRAIN, "--epochs", "2"]) == 0
    before = (tmp_path / CHECKPOINT).read_bytes()
    process = run_script(
        SLOW_SAVE.replace('trainer"\n', "trainer\"\nsys.argv.append('--resume')\n"), tmp_path
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "saving\n"
    seconds, error = end(process, number)
    assert (process.returncode, error) == (1, LINE)
    assert seconds < SECONDS
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize(("script", "expected"), [(INSIDE_EXEC, (1, LINE)), (AT_THE_END, (0, ""))])
def test_signal_never_has_its_default_action(script: str, expected: tuple, tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "run.py"],
        check=False,
        cwd=tmp_path,
        env=trainer_environment(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == expected


def test_swallowed_signal_ends_the_process_all_the_same(tmp_path: Path) -> None:
    process = run_script(DEAF, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "deaf\n"
    seconds, error = end(process, signal.SIGTERM)
    assert (process.returncode, error) == (1, LINE)
    assert seconds < SECONDS
    assert_usable(tmp_path)


def test_second_signal_adds_no_line(tmp_path: Path) -> None:
    process = run_script(DEAF, tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    _, error = end(process, signal.SIGINT)
    assert (process.returncode, error) == (1, LINE)


def test_ignored_hang_up_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does, and children inherit it
    try:
        with running_trainer(*TRAIN, "--epochs", "5", cwd=tmp_path) as process:
            time.sleep(1)
            process.send_signal(signal.SIGHUP)
            process.communicate(timeout=60)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert process.returncode == 0


def test_line_of_other_commands_names_no_resume(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with running_trainer("publish", "pipe", "--to", "models", cwd=tmp_path) as process:
        time.sleep(3)  # opening a pipe without a writer blocks
        _, error = end(process, signal.SIGINT)
    assert (process.returncode, error) == (1, "trainer: interrupted.\n")
