"""Small tasks on rows of numbers, made on the spot: what the articles show before they come to digits.

    name, seed -> Table (inputs, targets) -> train, validation and test part -> Task

sqrt-mean: four numbers in [0, 1] -> the root of their mean (regression). two-classes: a point of one
of two interleaved half moons -> which one (yes or no, by a threshold).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from trainer.training.config import TrainingConfig
from trainer.training.loop import Batch, Task, batch_rows

TABLES = ("sqrt-mean", "two-classes")
ROWS = 3000
NUMBERS = 4  # columns of sqrt-mean
NOISE = 0.2  # of two-classes, standard deviation; the moons are 1 wide


class Table(NamedTuple):
    """Inputs, (n, columns) float32, and targets, (n, 1) float32."""

    inputs: np.ndarray
    targets: np.ndarray


def sqrt_mean(rng: np.random.Generator) -> Table:
    """Return rows of numbers and the root of each row's mean."""
    inputs = rng.random((ROWS, NUMBERS), np.float32)
    return Table(inputs, np.sqrt(inputs.mean(axis=1, keepdims=True)))


def two_classes(rng: np.random.Generator) -> Table:
    """Return points of two half moons, the second (target 1) upside down and shifted."""
    second = rng.random(ROWS) < 0.5
    angle = np.pi * rng.random(ROWS)
    upper = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    lower = np.stack((1 - np.cos(angle), 0.5 - np.sin(angle)), axis=1)
    points = np.where(second[:, None], lower, upper) + rng.normal(0, NOISE, (ROWS, 2))
    return Table(points.astype(np.float32), second[:, None].astype(np.float32))


def load_table(name: str, config: TrainingConfig) -> tuple[Table, Table, Table]:
    """Return the parts to fit, to choose and to test on; the test part is a fifth."""
    table = {"sqrt-mean": sqrt_mean, "two-classes": two_classes}[name](
        np.random.default_rng(config.split_seed)
    )
    tested = ROWS // 5
    chosen = tested + round(config.validation * (ROWS - tested))

    def part(start: int, stop: int) -> Table:
        return Table(table.inputs[start:stop], table.targets[start:stop])

    return part(chosen, ROWS), part(tested, chosen), part(0, tested)


def table_task(train: Table, held_out: Table, config: TrainingConfig) -> Task:
    """Return the task of predicting the targets from the inputs."""
    return Task(
        inputs=train.inputs.shape[1],
        outputs=1,
        examples=len(train.inputs),
        batches=lambda epoch: _batches(train, config, epoch),
        held_out=held_out,
    )


def _batches(table: Table, config: TrainingConfig, epoch: int) -> Iterator[Batch]:
    order = np.random.default_rng((config.seed, epoch)).permutation(len(table.inputs))
    rows = batch_rows(len(order), config)
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        yield table.inputs[chosen], table.targets[chosen]
