"""One training run: its name, command, checkpoint and progress.

Task, TrainingConfig, Session -> resumed or initial state -> train, a checkpoint per epoch -> TrainingState
"""

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import TrainerError, UsageError
from trainer.training.checkpoint import read_checkpoint, write_checkpoint
from trainer.training.config import TrainingConfig
from trainer.training.loop import TrainingState, initial_state, train
from trainer.training.progress import Progress
from trainer.training.task import Task

SET_ASIDE = 5  # checkpoints of earlier runs: NAME.npz.1 is the latest


@dataclass(frozen=True)
class Session:
    """Where a training run keeps its checkpoint, and how it reports its progress.

    command: the command line to repeat it, for the metadata. resume: continue from the checkpoint if
    there is one. log: file that receives a JSON line per epoch.
    """

    name: str
    command: str
    checkpoint: Path
    resume: bool = False
    quiet: bool = False
    log: Path | None = None

    @property
    def refit(self) -> "Session":
        """The session of the second training, on all images, with its own checkpoint."""
        checkpoint = self.checkpoint.with_name(f"{self.checkpoint.stem}-refit.npz")
        return dataclasses.replace(self, name=f"{self.name}, all images", checkpoint=checkpoint)

    def set_aside(self) -> None:
        """Rename the checkpoints of an earlier run, so that a new one cannot overwrite them.

        Raises TrainerError if they cannot be renamed.
        """
        try:
            for path in (self.checkpoint, self.refit.checkpoint):
                if path.exists():
                    rotate(path)
                    if not self.quiet:
                        print(f"{self.name}: the earlier checkpoint is now {path}.1", file=sys.stderr)
        except OSError as error:
            raise TrainerError(f"{self.checkpoint} cannot be renamed: {error.strerror}") from error


def rotate(path: Path) -> None:
    """Rename a file to NAME.1, the one before to NAME.2, and so on; the oldest is dropped."""
    for number in range(SET_ASIDE - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    path.replace(path.with_name(f"{path.name}.1"))


def run_task(task: Task, config: TrainingConfig, session: Session, sources: dict[str, str]) -> TrainingState:
    """Train on a task and return the final state.

    A checkpoint is written before the first and after every epoch. That of an earlier run is renamed, or
    continued if `session.resume` is set. sources: identifies the data, which must be the same on resume.
    Raises UsageError for patience without held-out examples, TrainerError if the checkpoint or the log cannot
    be used or the loss becomes infinite or NaN.
    """
    if config.patience and not len(task.held_out[0]):
        raise UsageError("patience needs held-out examples: set --validation above 0")
    state = initial_state(config, task.inputs, task.outputs)
    if session.resume and session.checkpoint.exists():
        read_checkpoint(session.checkpoint, state, config, sources)
    else:
        if not session.resume:
            session.set_aside()
        write_checkpoint(session.checkpoint, state, config, sources)
    with Progress(
        session.name,
        task.examples * task.rows_each,
        config.epochs,
        state.epoch,
        quiet=session.quiet,
        log=session.log,
    ) as progress:

        def on_epoch(state: TrainingState) -> None:
            write_checkpoint(session.checkpoint, state, config, sources)
            progress.epoch(state.history[-1])

        return train(state, task, config, progress.batch, on_epoch)


def continued_command(command: str, stages: list[int]) -> str:
    """Return the shell command that repeats a training which was continued with more epochs.

    stages: the epochs of each earlier run, see `TrainingState`.
    """
    commands = [f"{command} --epochs {epochs}" for epochs in stages] + [command]
    return " && ".join(one if number == 0 else f"{one} --resume" for number, one in enumerate(commands))
