"""A run that was ended, by a signal or by force, resumes to the bytes of an undisturbed one."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.trainer.commands.running import LONG, model_of, one_line, wait_for_epochs
from tests.trainer.quick import run_trainer, running_trainer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_leaves_a_checkpoint_to_resume_from(number: int, tmp_path: Path, uninterrupted: bytes) -> None:
    with running_trainer(*LONG, "--quiet", cwd=tmp_path) as process:
        wait_for_epochs(tmp_path, 3)
        process.send_signal(number)
        _, error = process.communicate(timeout=30)
    assert process.returncode == 1
    assert one_line(error) == "interrupted; the same command with --resume continues."
    checkpoints = tmp_path / "runs/digits-8x8/checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == ["digits-8x8.npz"]
    done = run_trainer(*LONG, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert model_of(tmp_path) == uninterrupted


def test_kill_9_at_random_moments_resumes_exactly(tmp_path: Path, uninterrupted: bytes) -> None:
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    for epochs in (1, 1, 21):  # the last one falls into the training on all images, or later
        with running_trainer(*LONG, "--quiet", "--resume", cwd=tmp_path) as process:
            wait_for_epochs(tmp_path, epochs)
            time.sleep(moments.uniform(0, 0.6))
            process.kill()
    done = run_trainer(*LONG, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert model_of(tmp_path) == uninterrupted, f"moments of seed {seed}"
