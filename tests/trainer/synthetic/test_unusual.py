"""Unusual digits have the forms and pens that drawn ones lack."""

import numpy as np
import pytest

from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY, normalize
from trainer.data import Examples
from trainer.synthetic import draw_digits, draw_unusual


@pytest.fixture(scope="module")
def drawn() -> Examples:
    return draw_unusual(400, MNIST_GEOMETRY, np.random.default_rng(3))


def widths(pictures: np.ndarray) -> np.ndarray:
    """Return the columns with ink of each picture."""
    return (pictures > 0.1).any(axis=1).sum(axis=1)


def test_zeros_are_drawn_four_times_as_often_as_others(drawn: Examples) -> None:
    assert np.bincount(drawn.labels).tolist() == [30 * 4 + 1] + [31] * 9


def test_unusual_digits_are_a_fixed_point_of_normalization(drawn: Examples) -> None:
    again = normalize(drawn.pictures, MNIST_GEOMETRY).reshape(drawn.pictures.shape)
    assert np.array_equal(again, drawn.pictures)


def test_some_zeros_are_wider_than_high(drawn: Examples) -> None:
    zeros = drawn.pictures[drawn.labels == 0]
    heights = widths(zeros.transpose(0, 2, 1))
    assert np.mean(widths(zeros) > heights) > 0.15


def test_pens_are_finer_and_broader_than_those_of_drawn_digits(drawn: Examples) -> None:
    usual = draw_digits(400, MNIST_GEOMETRY, np.random.default_rng(3)).pictures.mean(axis=(1, 2))
    unusual = drawn.pictures.mean(axis=(1, 2))
    assert unusual.min() < usual.min()
    assert unusual.max() > usual.max()


def test_same_seed_draws_the_same_digits(drawn: Examples) -> None:
    again = draw_unusual(400, MNIST_GEOMETRY, np.random.default_rng(3))
    assert np.array_equal(again.pictures, drawn.pictures)


def test_unusual_digits_are_drawn_for_8x8() -> None:
    assert draw_unusual(20, DIGITS_GEOMETRY, np.random.default_rng(0)).pictures.shape == (20, 8, 8)
