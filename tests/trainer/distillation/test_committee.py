"""A committee answers each view once, and drawn digits keep their labels."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from service.preprocessing.normalization import MNIST_GEOMETRY
from tests.trainer.quick import drawn_examples
from trainer.data import Examples
from trainer.distillation import Committee
from trainer.training import TrainingConfig, epoch_batches

REAL = drawn_examples(40)
CONFIG = TrainingConfig(batch_size=16, drawn=10, views=2, soft_share=0.5)
EXAMPLES = REAL + REAL.take(np.arange(CONFIG.drawn))


class Answering(Committee):
    """Answers 0 for every picture, and counts the pictures."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked = 0

    def answers(self, pixels: np.ndarray, temperature: float) -> np.ndarray:
        self.asked += len(pixels)
        return np.eye(10, dtype=np.float32)[np.zeros(len(pixels), int)]


def epochs(config: TrainingConfig, count: int) -> tuple[list[tuple[np.ndarray, np.ndarray]], int]:
    """Return inputs and targets of each epoch, and for how many pictures the teachers were asked."""
    committee = Answering()
    found = []
    for epoch in range(count):
        batches = list(epoch_batches(EXAMPLES, MNIST_GEOMETRY, config, epoch, committee))
        inputs, targets = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        found.append((inputs, targets))
    return found, committee.asked


def test_views_repeat_and_are_answered_once() -> None:
    found, asked = epochs(CONFIG, 6)
    assert asked == 2 * len(REAL)
    for one, again in zip(found, found[2:], strict=False):
        assert np.array_equal(one[0], again[0])
        assert np.array_equal(one[1], again[1])
    assert not np.array_equal(found[0][0], found[1][0])


def test_without_views_every_epoch_is_new() -> None:
    found, asked = epochs(dataclasses.replace(CONFIG, views=0), 3)
    assert asked == 3 * len(REAL)
    assert not any(np.array_equal(one[0], other[0]) for one, other in pairwise(found))


def test_only_real_digits_get_softened_targets() -> None:
    ((_, targets), *_), _ = epochs(CONFIG, 1)
    assert targets.sum(axis=1) == pytest.approx(np.ones(len(EXAMPLES)))
    mixed = (targets.max(axis=1) == 0.5).sum()
    labelled_zero = (EXAMPLES.labels[: len(REAL)] == 0).sum()
    assert mixed == len(REAL) - labelled_zero


def test_resume_in_a_later_view_gives_the_same_targets() -> None:
    whole, _ = epochs(CONFIG, 4)
    resumed = Answering()
    batches = list(epoch_batches(EXAMPLES, MNIST_GEOMETRY, CONFIG, 3, resumed))
    assert np.array_equal(np.concatenate([targets for _, targets in batches]), whole[3][1])


def test_examples_are_added_in_order() -> None:
    both = REAL + Examples(REAL.pictures[:2], np.array([3, 4]))
    assert both.labels[-2:].tolist() == [3, 4]
    assert np.array_equal(both.pictures[: len(REAL)], REAL.pictures)
