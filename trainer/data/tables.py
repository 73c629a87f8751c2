"""Small tasks on rows of numbers, generated from a seed: a regression and a yes-or-no question.

    name, seed -> Table (inputs, targets) -> train, validation and test part

sqrt-mean: four numbers in [0, 1] -> the root of their mean. two-classes: a point of one of two interleaved
half moons -> which one, 0 or 1.
"""

from typing import NamedTuple

import numpy as np

TABLES = ("sqrt-mean", "two-classes")
ROWS = 3000
COLUMNS = 4  # of sqrt-mean
NOISE = 0.2  # standard deviation of two-classes; a moon is 1 wide


class Table(NamedTuple):
    """Inputs, (n, columns) float32, and targets, (n, 1) float32."""

    inputs: np.ndarray
    targets: np.ndarray


def sqrt_mean(rng: np.random.Generator) -> Table:
    """Return rows of numbers, uniform in [0, 1], and the root of each row's mean."""
    inputs = rng.random((ROWS, COLUMNS), np.float32)
    return Table(inputs, np.sqrt(inputs.mean(axis=1, keepdims=True)))


def two_classes(rng: np.random.Generator) -> Table:
    """Return noisy points of two half moons; the second one (target 1) is upside down and shifted."""
    second = rng.random(ROWS) < 0.5
    angle = np.pi * rng.random(ROWS)
    upper = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    lower = np.stack((1 - np.cos(angle), 0.5 - np.sin(angle)), axis=1)
    points = np.where(second[:, None], lower, upper) + rng.normal(0, NOISE, (ROWS, 2))
    return Table(points.astype(np.float32), second[:, None].astype(np.float32))


def load_table(name: str, validation: float, split_seed: int) -> tuple[Table, Table, Table]:
    """Return the train, validation and test parts of the table called `name`, one of TABLES.

    The test part is a fifth; validation: share of the rest, in [0, 1).
    """
    generate = {"sqrt-mean": sqrt_mean, "two-classes": two_classes}[name]
    table = generate(np.random.default_rng(split_seed))
    test_rows = ROWS // 5
    held_rows = test_rows + round(validation * (ROWS - test_rows))

    def part(start: int, stop: int) -> Table:
        return Table(table.inputs[start:stop], table.targets[start:stop])

    return part(held_rows, ROWS), part(test_rows, held_rows), part(0, test_rows)
