"""What a network is trained on: batches of inputs and targets, whether pictures of digits or rows of numbers.

data set or table, TrainingConfig -> Task -> the training loop
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from trainer.training.config import TrainingConfig

Batch = tuple[np.ndarray, np.ndarray]  # inputs, (n, inputs), and targets, (n, outputs), both float32


@dataclass(frozen=True)
class Task:
    """One learning task: its batches, and what to validate on.

    inputs, outputs: columns of a batch. examples: how many make an epoch. batches: epoch, from 0, -> its
    batches. held_out: inputs and targets to validate on, possibly without rows. rows_each: rows of a batch
    for each of its examples, 2 where every batch has as many extra ones. quantities: whether targets are
    numbers rather than classes.
    """

    inputs: int
    outputs: int
    examples: int
    batches: Callable[[int], Iterator[Batch]]
    held_out: Batch
    rows_each: int = 1
    quantities: bool = False


def batch_rows(examples: int, config: TrainingConfig) -> int:
    """Return how many rows a batch has: all examples where `batch_size` is 0."""
    return min(config.batch_size or examples, examples)


def correct(outputs: np.ndarray, targets: np.ndarray, config: TrainingConfig) -> np.ndarray:
    """Return which rows name the right class, (n,) bool.

    outputs, targets: (n, k). With several outputs the largest is the answer; a single one means yes from
    `threshold` on.
    """
    if targets.shape[1] > 1:
        return outputs.argmax(axis=1) == targets.argmax(axis=1)
    return (outputs[:, 0] >= config.threshold) == (targets[:, 0] >= 0.5)
