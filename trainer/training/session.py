"""One training run: its name, command, checkpoint and progress.

Task, TrainingConfig, Session -> resumed or initial state -> train, a checkpoint per epoch -> TrainingState
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import UsageError
from trainer.training.checkpoint import read_checkpoint, write_checkpoint
from trainer.training.config import TrainingConfig
from trainer.training.loop import TrainingState, initial_state, train
from trainer.training.progress import Progress
from trainer.training.task import Task


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

    def remove_checkpoints(self) -> None:
        """Remove the checkpoints of a finished training and its refit."""
        for session in (self, self.refit):
            session.checkpoint.unlink(missing_ok=True)


def run_task(task: Task, config: TrainingConfig, session: Session, sources: dict[str, str]) -> TrainingState:
    """Train on a task and return the final state.

    A checkpoint is written before the first and after every epoch. sources: identifies the data, which
    must be the same on resume. Raises UsageError for patience without held-out examples, TrainerError if
    the checkpoint or the log cannot be used or the loss becomes infinite or NaN.
    """
    if config.patience and not len(task.held_out[0]):
        raise UsageError("patience needs held-out examples: set --validation above 0")
    state = initial_state(config, task.inputs, task.outputs)
    if session.resume and session.checkpoint.exists():
        read_checkpoint(session.checkpoint, state, config, sources)
    else:
        write_checkpoint(session.checkpoint, state, config, sources)
    with Progress(
        session.name, task.examples, config.epochs, state.epoch, quiet=session.quiet, log=session.log
    ) as progress:

        def on_epoch(state: TrainingState) -> None:
            write_checkpoint(session.checkpoint, state, config, sources)
            progress.epoch(state.history[-1])

        return train(state, task, config, progress.batch, on_epoch)
