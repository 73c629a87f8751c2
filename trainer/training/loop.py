"""The training loop: epochs of batches, a changing learning rate, an average of the weights.

    task -> batches -> Stepper -> Parameters -> validated on held-out examples -> history

The same seed, data and library versions give the same weights, even after an interruption.
"""

import contextlib
import ctypes
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import threadpoolctl

from service.model.network import forward
from trainer.errors import TrainerError
from trainer.nn import (
    Optimizer,
    Parameters,
    WeightAverage,
    activate,
    initialize,
    loss_and_gradient,
    make_optimizer,
)
from trainer.training.config import TrainingConfig
from trainer.training.schedules import learning_rate
from trainer.training.step import Stepper
from trainer.training.task import Task, batch_rows, correct

EVALUATION_BATCH = 1024

# Of <malloc.h>. The first is also the largest array that is kept, which glibc limits to 32 MiB.
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1
LARGEST_KEPT_BYTES = 32 * 1024 * 1024
ALL_KEPT_BYTES = 512 * 1024 * 1024


@dataclass
class TrainingState:
    """Everything that one epoch passes to the next; a checkpoint stores it.

    epoch: how many are done. history: one entry per epoch, with loss and validation figures. kept: the
    weights of the best epoch so far, (parameters,), where training can stop early. stages: the planned
    epochs of earlier runs that a resume with more epochs continued, where that changed the weights.
    """

    parameters: Parameters
    optimizer: Optimizer
    average: WeightAverage | None
    kept: np.ndarray | None = None
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)

    @property
    def latest(self) -> Parameters:
        """The parameters to validate: the average if there is one, else the current ones."""
        return self.parameters.like(self.average.vector) if self.average else self.parameters

    @property
    def best(self) -> Parameters:
        """The parameters to publish: those of the best epoch where they are kept, else the latest."""
        return self.latest if self.kept is None or not self.history else self.parameters.like(self.kept)


def initial_state(config: TrainingConfig, inputs: int, outputs: int) -> TrainingState:
    """Return the state before the first epoch of a network with this many inputs and outputs."""
    rng = np.random.default_rng(config.seed)
    sizes = [inputs, *config.hidden, outputs]
    parameters = initialize(sizes, config.activation, rng, initialization=config.initialization)
    optimizer = make_optimizer(config.optimizer, len(parameters.vector), config.momentum)
    average = WeightAverage(parameters.vector, config.averaging) if config.averaging else None
    kept = parameters.vector.copy() if config.patience else None
    return TrainingState(parameters, optimizer, average, kept)


def train(
    state: TrainingState,
    task: Task,
    config: TrainingConfig,
    on_batch: Callable[[int], object] = lambda rows: None,
    on_epoch: Callable[[TrainingState], object] = lambda state: None,
) -> TrainingState:
    """Train until all epochs are done or patience runs out; `state` is changed and returned.

    on_batch is called with the number of rows after each batch, on_epoch after each epoch. Raises
    TrainerError if the loss becomes infinite or NaN.
    """
    rows = batch_rows(task.examples, config) * task.rows_each
    keep_freed_memory()
    with (
        threadpoolctl.threadpool_limits(1, "blas"),
        Stepper(state.parameters, state.optimizer, state.average, config, rows) as stepper,
    ):
        while not finished(state, config):
            figures = train_epoch(state, stepper, task, config, on_batch)
            state.epoch += 1
            state.history.append({"epoch": state.epoch, **figures, **validate(state.latest, task, config)})
            if state.kept is not None and epochs_since_best(state.history) == 0:
                state.kept[...] = state.latest.vector
            on_epoch(state)
    return state


def train_epoch(
    state: TrainingState,
    stepper: Stepper,
    task: Task,
    config: TrainingConfig,
    on_batch: Callable[[int], object],
) -> dict[str, float]:
    """Take the steps of one epoch and return its mean loss, last learning rate and accuracy.

    Each batch is scored before its step. Tasks with a single output have no accuracy here. Raises
    TrainerError if the loss becomes infinite or NaN.
    """
    steps = -(-task.examples // batch_rows(task.examples, config))
    loss, right, rate = 0.0, 0, 0.0
    for index, (inputs, targets) in enumerate(task.batches(state.epoch)):
        rate = learning_rate(config, state.epoch + (index + (config.warm_up > 0)) / steps)
        score = stepper.step(inputs, targets, rate, (config.seed, state.epoch, index))
        if not math.isfinite(score.loss):
            raise TrainerError(
                f"the loss became {score.loss} in epoch {state.epoch + 1}. Lower --learning-rate"
            )
        loss, right = loss + score.loss, right + score.right
        on_batch(len(inputs))
    scored = task.examples * task.rows_each
    figures = {"loss": loss / scored, "learning_rate": rate}
    return figures | ({"accuracy": right / scored} if task.outputs > 1 else {})


def finished(state: TrainingState, config: TrainingConfig) -> bool:
    """Return whether all epochs are done or patience has run out."""
    patience = config.patience or math.inf
    return state.epoch >= config.epochs or epochs_since_best(state.history) >= patience


def epochs_since_best(history: list[dict[str, Any]]) -> int:
    """Return how many epochs ago the validation loss was lowest; 0 without validation."""
    losses = [entry.get("validation_loss", math.inf) for entry in history]
    return len(losses) - 1 - int(np.argmin(losses)) if losses and min(losses) < math.inf else 0


def validate(parameters: Parameters, task: Task, config: TrainingConfig) -> dict[str, float]:
    """Return loss and, for classes, accuracy on the held-out examples; {} if there are none."""
    inputs, targets = task.held_out
    if not len(inputs):
        return {}
    found = logits(parameters, inputs)
    losses, _ = loss_and_gradient(config.loss, config.output, found, targets)
    figures = {"validation_loss": float(losses.mean(dtype=np.float64))}
    if task.quantities:
        return figures
    right = correct(activate(config.output, found), targets, config)
    return figures | {"validation_accuracy": float(right.mean())}


def logits(parameters: Parameters, inputs: np.ndarray) -> np.ndarray:
    """Return the logits, (n, outputs) float32, of inputs, (n, inputs) float32.

    The inputs are split into parts of a fixed size, so that threads do not change the sums.
    """
    parts = [inputs[start : start + EVALUATION_BATCH] for start in range(0, len(inputs), EVALUATION_BATCH)]
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(lambda part: forward(parameters.layers, part)[-1], parts)))


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for this process; do nothing with other C libraries.

    Every batch allocates and frees the same arrays of about a megabyte. By default glibc returns each to
    the kernel and fetches it again page by page, which took more than half the time of distortion.
    """
    with contextlib.suppress(AttributeError, OSError):  # not glibc
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, ALL_KEPT_BYTES)
