"""The training loop: epochs of batches, a learning rate that changes, an average of the weights.

    task -> batches -> Stepper -> Parameters -> judged on held-out examples -> history

Same seed, same data, same library versions: same weights, also when interrupted and resumed.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import threadpoolctl

from service.model.network import forward
from trainer.errors import TrainerError
from trainer.nn.losses import activate, loss_and_gradient
from trainer.nn.optimizers import Optimizer, WeightAverage, make_optimizer
from trainer.nn.parameters import Parameters, initialize
from trainer.training.config import TrainingConfig
from trainer.training.memory import keep_freed_memory
from trainer.training.schedules import learning_rate
from trainer.training.step import Stepper

EVALUATION_BATCH = 1024

Batch = tuple[np.ndarray, np.ndarray]  # inputs, (n, inputs), and targets, (n, outputs)


@dataclass(frozen=True)
class Task:
    """What is to be learnt: pictures of digits, or rows of numbers.

    examples: how many make an epoch. batches: epoch -> its batches. held_out: inputs and targets to
    judge on, possibly none.
    """

    inputs: int
    outputs: int
    examples: int
    batches: Callable[[int], Iterator[Batch]]
    held_out: Batch


@dataclass
class TrainingState:
    """All that one epoch hands to the next; what a checkpoint keeps.

    epoch: how many are done. history: one entry an epoch, with loss and validation figures. kept:
    the weights of the best epoch so far, where training may stop early.
    """

    parameters: Parameters
    optimizer: Optimizer
    average: WeightAverage | None
    kept: np.ndarray | None = None
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def latest(self) -> Parameters:
        """The parameters to judge: the average where one is kept."""
        return self.parameters.like(self.average.vector) if self.average else self.parameters

    @property
    def best(self) -> Parameters:
        """The parameters to ship: those of the best epoch where they are kept, or else the latest."""
        return self.latest if self.kept is None or not self.history else self.parameters.like(self.kept)


def begin(config: TrainingConfig, inputs: int, outputs: int) -> TrainingState:
    """Return the state before the first epoch."""
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
    """Train until all epochs are done or patience is at its end; `state` is changed and returned.

    on_batch is called with the number of rows of each batch, on_epoch after each epoch. Raises
    TrainerError if the loss is no longer a number.
    """
    rows = batch_rows(task.examples, config)
    keep_freed_memory()
    with (
        threadpoolctl.threadpool_limits(1, "blas"),
        Stepper(state.parameters, state.optimizer, state.average, config, rows) as stepper,
    ):
        while not finished(state, config):
            figures = train_epoch(state, stepper, task, config, on_batch)
            state.epoch += 1
            state.history.append({"epoch": state.epoch, **figures, **judge(state.latest, task, config)})
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
    """Take the steps of one epoch and return its loss and accuracy, on the batches as they were."""
    steps = -(-task.examples // batch_rows(task.examples, config))
    loss, right, rate = 0.0, 0, 0.0
    for index, (inputs, targets) in enumerate(task.batches(state.epoch)):
        rate = learning_rate(config, state.epoch + (index + (config.warm_up > 0)) / steps)
        score = stepper.take(inputs, targets, rate, (config.seed, state.epoch, index))
        if not math.isfinite(score.loss):
            raise TrainerError(
                f"the loss became {score.loss} in epoch {state.epoch + 1}. Lower --learning-rate"
            )
        loss, right = loss + score.loss, right + score.right
        on_batch(len(inputs))
    figures = {"loss": loss / task.examples, "learning_rate": rate}
    return figures | ({"accuracy": right / task.examples} if task.outputs > 1 else {})


def batch_rows(examples: int, config: TrainingConfig) -> int:
    """Return how many rows a batch has: all of them where `batch_size` is 0."""
    return min(config.batch_size or examples, examples)


def finished(state: TrainingState, config: TrainingConfig) -> bool:
    """Tell whether all epochs are done, or as many without improvement as patience allows."""
    patience = config.patience or math.inf
    return state.epoch >= config.epochs or epochs_since_best(state.history) >= patience


def epochs_since_best(history: list[dict[str, Any]]) -> int:
    """Return how many epochs ago the validation loss was lowest; 0 where there is none."""
    losses = [entry.get("validation_loss", math.inf) for entry in history]
    return len(losses) - 1 - int(np.argmin(losses)) if losses and min(losses) < math.inf else 0


def judge(parameters: Parameters, task: Task, config: TrainingConfig) -> dict[str, float]:
    """Return loss and, for classes, accuracy on the held-out examples; nothing if there are none."""
    inputs, targets = task.held_out
    if not len(inputs):
        return {}
    found = logits(parameters, inputs)
    losses, _ = loss_and_gradient(config.loss, config.output, found, targets)
    figures = {"validation_loss": float(losses.mean(dtype=np.float64))}
    right = correct(activate(config.output, found), targets, config)
    return figures if right is None else figures | {"validation_accuracy": float(right.mean())}


def correct(outputs: np.ndarray, targets: np.ndarray, config: TrainingConfig) -> np.ndarray | None:
    """Return which rows are answered right, (n,) bool; None where targets are quantities.

    With several outputs the largest is the answer; a single one means yes from `threshold` on.
    """
    if targets.shape[1] > 1:
        return outputs.argmax(axis=1) == targets.argmax(axis=1)
    if config.loss == "binary_cross_entropy":
        return (outputs[:, 0] >= config.threshold) == (targets[:, 0] >= 0.5)
    return None


def logits(parameters: Parameters, inputs: np.ndarray) -> np.ndarray:
    """Return (n, outputs) float32; parts of equal size, so that threads do not change the sums."""
    parts = [inputs[start : start + EVALUATION_BATCH] for start in range(0, len(inputs), EVALUATION_BATCH)]
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(lambda part: forward(parameters.layers, part)[-1], parts)))
