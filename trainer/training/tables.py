"""Training on rows of numbers, with figures for quantities and for yes-or-no answers.

name -> Table parts -> Task -> run_task -> figures on the test rows
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from trainer.data import CLASS_TABLES, Table, load_table
from trainer.errors import UsageError
from trainer.nn import Parameters, activate, loss_and_gradient
from trainer.training.config import TrainingConfig
from trainer.training.loop import TrainingState, logits
from trainer.training.session import Session, run_task
from trainer.training.task import Batch, Task, batch_rows, correct

ONE_QUANTITY = ("mean_squared_error",)  # losses that measure how far a number is off
LEAST_ROWS = 50
ONE_CLASS = ("binary_cross_entropy", "mean_squared_error", "perceptron")


class TableParts(NamedTuple):
    """A table in three parts. rows, columns: of the whole table, inputs only. quantities: see `Task`."""

    train: Table
    held_out: Table
    test: Table
    rows: int
    columns: int
    quantities: bool


def read_table(name: str, config: TrainingConfig, rows: int, columns: int) -> TableParts:
    """Return the parts of the table called `name`; raise UsageError for settings that do not suit it.

    rows, columns: see `load_table`.
    """
    quantities = name not in CLASS_TABLES
    if rows < LEAST_ROWS or columns < 1:
        raise UsageError(
            f"{rows} rows of {columns} columns; at least {LEAST_ROWS} rows and a column are needed"
        )
    losses = ONE_QUANTITY if quantities else ONE_CLASS
    if config.loss not in losses:
        kind = "a quantity" if quantities else "a single yes or no"
        raise UsageError(f"{name} asks for {kind}: the loss is {' or '.join(losses)}, not {config.loss}")
    if config.output == "softmax":
        raise UsageError(
            f"{name} has one output, and softmax of one output is always 1: set another --output"
        )
    train, held_out, test = load_table(name, config.validation, config.split_seed, rows, columns)
    return TableParts(train, held_out, test, rows, train.inputs.shape[1], quantities)


def train_table(name: str, parts: TableParts, config: TrainingConfig, session: Session) -> TrainingState:
    """Train on the parts of the table called `name` and return the final state.

    Raises what `run_task` raises.
    """
    source = {name: f"made from the seed, {parts.rows} rows, {parts.columns} columns"}
    return run_task(table_task(parts, config), config, session, source)


def table_task(parts: TableParts, config: TrainingConfig) -> Task:
    """Return the task of predicting the targets from the inputs."""
    train = parts.train
    return Task(
        inputs=train.inputs.shape[1],
        outputs=1,
        examples=len(train.inputs),
        batches=lambda epoch: _batches(train, config, epoch),
        held_out=parts.held_out,
        quantities=parts.quantities,
    )


def _batches(table: Table, config: TrainingConfig, epoch: int) -> Iterator[Batch]:
    order = np.random.default_rng((config.seed, epoch)).permutation(len(table.inputs))
    rows = batch_rows(len(order), config)
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        yield table.inputs[chosen], table.targets[chosen]


def table_figures(parameters: Parameters, parts: TableParts, config: TrainingConfig) -> dict[str, float]:
    """Return the loss on the test rows, and the figures of yes-or-no answers or the errors of quantities.

    Numbers of rows and of dimensions and the loss come first; shares are in [0, 1], errors in units of the
    target.
    """
    test = parts.test
    found = logits(parameters, test.inputs)
    losses, _ = loss_and_gradient(config.loss, config.output, found, test.targets)
    outputs = activate(config.output, found)
    figures = {
        "rows n": float(parts.rows),
        "dimension": float(parts.columns),
        "test rows": float(len(found)),
        "loss": float(losses.mean(dtype=np.float64)),
    }
    if not parts.quantities:
        yes, truly = outputs[:, 0] >= config.threshold, test.targets[:, 0] >= 0.5
        both = float(np.count_nonzero(yes & truly))
        return figures | {
            "accuracy": float(correct(outputs, test.targets, config).mean()),
            "precision": both / max(int(np.count_nonzero(yes)), 1),
            "recall": both / max(int(np.count_nonzero(truly)), 1),
            "F1": 2 * both / max(int(np.count_nonzero(yes)) + int(np.count_nonzero(truly)), 1),
        }
    errors = np.abs(outputs - test.targets)
    return figures | {
        "root mean squared error": float(np.sqrt(np.mean(errors**2))),
        "mean absolute error": float(errors.mean()),
        "largest error": float(errors.max()),
    }
