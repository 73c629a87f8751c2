"""Small tasks on rows of numbers, generated from a seed: a regression, and yes-or-no questions in the plane.

    name, seed -> Table (inputs, targets) -> train, validation and test part

sqrt-mean: numbers in [0, 1] -> the root of their mean. The others: a noisy point -> which of two classes, 0
or 1. two-classes: interleaved half moons. circles: a ring around a disk. xor: opposite quadrants. spiral: two
arms.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

ROWS = 3000
COLUMNS = 4  # of sqrt-mean
NOISE = 0.2  # standard deviation of two-classes; a moon is 1 wide
TURNS = 1.5  # of each arm of the spiral


class Table(NamedTuple):
    """Inputs, (n, columns) float32, and targets, (n, 1) float32."""

    inputs: np.ndarray
    targets: np.ndarray


def sqrt_mean(rng: np.random.Generator, rows: int = ROWS, columns: int = COLUMNS) -> Table:
    """Return rows of numbers, uniform in [0, 1], and the root of each row's mean."""
    inputs = rng.random((rows, columns), np.float32)
    return Table(inputs, np.sqrt(inputs.mean(axis=1, keepdims=True)))


def two_classes(rng: np.random.Generator, rows: int = ROWS) -> Table:
    """Return noisy points of two half moons; the second one (target 1) is upside down and shifted."""
    second = rng.random(rows) < 0.5
    angle = np.pi * rng.random(rows)
    upper = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    lower = np.stack((1 - np.cos(angle), 0.5 - np.sin(angle)), axis=1)
    return _classes(np.where(second[:, None], lower, upper) + rng.normal(0, NOISE, (rows, 2)), second)


def circles(rng: np.random.Generator, rows: int = ROWS) -> Table:
    """Return noisy points of a disk of radius 0.5 (target 1) and of a ring around it, 0.7 to 1.2."""
    inner = rng.random(rows) < 0.5
    radius = np.where(inner, 0.5 * np.sqrt(rng.random(rows)), rng.uniform(0.7, 1.2, rows))
    angle = 2 * np.pi * rng.random(rows)
    points = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1)
    return _classes(points + rng.normal(0, 0.05, (rows, 2)), inner)


def xor(rng: np.random.Generator, rows: int = ROWS) -> Table:
    """Return points of a square; target 1 where exactly one coordinate was above 0 before some noise."""
    points = rng.uniform(-1, 1, (rows, 2))
    differ = (points[:, 0] > 0) != (points[:, 1] > 0)
    return _classes(points + rng.normal(0, 0.05, (rows, 2)), differ)


def spiral(rng: np.random.Generator, rows: int = ROWS) -> Table:
    """Return points of two arms that wind around each other, with some noise."""
    second = rng.random(rows) < 0.5
    along = np.sqrt(rng.random(rows))  # evenly dense
    angle = 2 * np.pi * TURNS * along + np.pi * second
    points = along[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return _classes(points + rng.normal(0, 0.03, (rows, 2)), second)


def _classes(points: np.ndarray, second: np.ndarray) -> Table:
    return Table(points.astype(np.float32), second[:, None].astype(np.float32))


CLASS_TABLES: dict[str, Callable[[np.random.Generator, int], Table]] = {
    "two-classes": two_classes,
    "circles": circles,
    "xor": xor,
    "spiral": spiral,
}
TABLES = ("sqrt-mean", *CLASS_TABLES)


def load_table(
    name: str, validation: float, split_seed: int, rows: int = ROWS, columns: int = COLUMNS
) -> tuple[Table, Table, Table]:
    """Return the train, validation and test parts of the table called `name`, one of TABLES.

    The test part is a fifth; validation: share of the rest, in [0, 1). columns: of sqrt-mean; the others have
    two.
    """
    rng = np.random.default_rng(split_seed)
    table = CLASS_TABLES[name](rng, rows) if name in CLASS_TABLES else sqrt_mean(rng, rows, columns)
    test_rows = rows // 5
    held_rows = test_rows + round(validation * (rows - test_rows))

    def part(start: int, stop: int) -> Table:
        return Table(table.inputs[start:stop], table.targets[start:stop])

    return part(held_rows, rows), part(test_rows, held_rows), part(0, test_rows)
