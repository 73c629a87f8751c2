"""Drawn digits look like preprocessed uploads and have the styles that MNIST lacks."""

import numpy as np
import pytest

from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY, normalize
from trainer.data import Examples
from trainer.synthetic import draw_digits
from trainer.synthetic.digits import DRAWERS, Hand, pen


@pytest.fixture(scope="module")
def drawn() -> Examples:
    return draw_digits(300, MNIST_GEOMETRY, np.random.default_rng(3))


def test_every_digit_is_drawn_equally_often(drawn: Examples) -> None:
    assert np.bincount(drawn.labels).tolist() == [30] * 10


def test_drawn_digits_are_a_fixed_point_of_normalization(drawn: Examples) -> None:
    again = normalize(drawn.pictures, MNIST_GEOMETRY).reshape(drawn.pictures.shape)
    assert np.array_equal(again, drawn.pictures)
    ink = drawn.pictures.mean(axis=(1, 2))
    assert ink.min() > 0.02
    assert ink.max() < 0.35  # MNIST: 4.9 to 25.3 % of the field for 98 of 100 digits


def test_every_drawing_of_a_digit_is_different(drawn: Examples) -> None:
    assert len({picture.tobytes() for picture in drawn.pictures}) == len(drawn)


def test_same_seed_draws_the_same_digits(drawn: Examples) -> None:
    again = draw_digits(300, MNIST_GEOMETRY, np.random.default_rng(3))
    assert np.array_equal(again.pictures, drawn.pictures)


def test_ones_have_feet_and_sevens_are_crossed() -> None:
    rng = np.random.default_rng(0)
    strokes = {digit: [len(DRAWERS[digit](Hand(rng))) for _ in range(200)] for digit in (1, 7)}
    assert set(strokes[1]) == set(strokes[7]) == {1, 2}


def test_wider_pen_leaves_more_ink() -> None:
    strokes = DRAWERS[3](Hand(np.random.default_rng(1)))
    thin, thick = pen(strokes, 0.05), pen(strokes, 0.15)
    assert thick.sum() == pytest.approx(3 * thin.sum(), rel=0.4)


def test_digits_are_drawn_for_8x8() -> None:
    drawn = draw_digits(20, DIGITS_GEOMETRY, np.random.default_rng(0))
    assert drawn.pictures.shape == (20, 8, 8)
    assert drawn.pictures.max(axis=(1, 2)).min() > 0.9
