"""The training loop and what feeds it: settings, batches, steps, checkpoints, progress, the rejector.

Nothing here evaluates a finished model or writes a model file.
Start reading in `loop.py`, then `batches.py`.
"""

from trainer.training.batches import Teachers, digits_task, epoch_batches, make_batch, with_drawn
from trainer.training.checkpoint import save_checkpoint
from trainer.training.config import (
    REJECTOR_SETTINGS,
    TEACHER_CHANNELS,
    TEACHER_SETTINGS,
    TrainingConfig,
    config_from,
)
from trainer.training.loop import TrainingState, initial_state, keep_freed_memory, logits, train, validate
from trainer.training.metadata import (
    CONVOLUTION_SUFFIX,
    TEACHER_PREFIX,
    figures_of_twin,
    libraries,
    provenance,
    teacher_files,
    trained_on,
)
from trainer.training.progress import Progress
from trainer.training.rejector import distorted, fit_rejector
from trainer.training.schedules import learning_rate
from trainer.training.session import Session, continued_command, run_task
from trainer.training.tables import TableParts, read_table, table_figures, train_table
from trainer.training.task import Task, batch_rows

__all__ = [
    "CONVOLUTION_SUFFIX",
    "REJECTOR_SETTINGS",
    "TEACHER_CHANNELS",
    "TEACHER_PREFIX",
    "TEACHER_SETTINGS",
    "Progress",
    "Session",
    "TableParts",
    "Task",
    "Teachers",
    "TrainingConfig",
    "TrainingState",
    "batch_rows",
    "config_from",
    "continued_command",
    "digits_task",
    "distorted",
    "epoch_batches",
    "figures_of_twin",
    "fit_rejector",
    "initial_state",
    "keep_freed_memory",
    "learning_rate",
    "libraries",
    "logits",
    "make_batch",
    "provenance",
    "read_table",
    "run_task",
    "save_checkpoint",
    "table_figures",
    "teacher_files",
    "train",
    "train_table",
    "trained_on",
    "validate",
    "with_drawn",
]
