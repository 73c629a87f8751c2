"""A run that was ended, by a signal or by force, resumes to the bytes of an undisturbed one."""

import random
import signal
import time
from pathlib import Path

from tests.trainer.commands.running import LONG, model_of, one_line, wait_for_epochs
from tests.trainer.quick import running_trainer
from trainer.cli import main


def test_signals_leave_a_checkpoint_to_resume_from(tmp_path: Path, uninterrupted: bytes) -> None:
    for number, epochs in ((signal.SIGTERM, 3), (signal.SIGINT, 6)):
        with running_trainer(*LONG, "--quiet", "--resume", cwd=tmp_path) as process:
            wait_for_epochs(tmp_path, epochs)
            process.send_signal(number)
            _, error = process.communicate(timeout=30)
        assert process.returncode == 1
        assert one_line(error) == "interrupted; the same command with --resume continues."
        checkpoints = tmp_path / "runs/digits-8x8/checkpoints"
        assert [path.name for path in checkpoints.iterdir()] == ["digits-8x8.npz"]
    assert main([*LONG, "--quiet", "--resume"]) == 0
    assert model_of(tmp_path) == uninterrupted


def test_kill_9_at_random_moments_resumes_exactly(tmp_path: Path, uninterrupted: bytes) -> None:
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    for epochs in (1, 1, 21):  # the last one falls into the training on all images, or later
        with running_trainer(*LONG, "--quiet", "--resume", cwd=tmp_path) as process:
            wait_for_epochs(tmp_path, epochs)
            time.sleep(moments.uniform(0, 0.6))
            process.kill()
    assert main([*LONG, "--quiet", "--resume"]) == 0
    assert model_of(tmp_path) == uninterrupted, f"moments of seed {seed}"
