"""A drawing in black and white gets back the soft edges that its threshold took."""

import numpy as np
import pytest

from service.preprocessing.edges import LONGEST, SHORTEST, has_hard_edges, soften
from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY, Geometry
from service.preprocessing.pipeline import preprocess_grey


def steps_of(grey: np.ndarray, geometry: Geometry) -> list[str]:
    steps: list[str] = []
    preprocess_grey(grey, geometry, steps.append)
    return steps


def test_a_pixel_is_spread_by_one_two_one():
    spread = soften(np.float32([[1]]))
    assert spread.dtype == np.float32
    assert (16 * spread).tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


def test_softening_keeps_the_ink_and_its_place():
    ink = np.zeros((5, 9), np.float32)
    ink[0, 0] = ink[4, 8] = ink[2, 3] = 1
    soft = soften(ink)
    assert soft.shape == (7, 11)
    assert soft.sum() == pytest.approx(3)
    assert np.array_equal(soft[2:5, 3:6] * 16, [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


@pytest.mark.parametrize(
    ("height", "frame", "expected"),
    [(SHORTEST - 1, 40, False), (SHORTEST, 40, True), (50, LONGEST, True), (50, LONGEST + 1, False)],
)
def test_small_digits_and_large_pictures_stay_as_they_are(height, frame, expected):
    ink = np.zeros((frame, frame), np.float32)
    ink[3 : 3 + height, 5:8] = 1
    assert has_hard_edges(ink) is expected


@pytest.mark.parametrize("value", [0.01, 0.5, 0.99])
def test_one_gray_pixel_shows_that_no_threshold_was_used(value):
    ink = np.zeros((30, 30), np.float32)
    ink[4:26, 10:14] = 1
    assert has_hard_edges(ink)
    ink[4, 10] = value
    assert not has_hard_edges(ink)


def test_the_step_is_told_and_only_for_28x28():
    grey = np.full((40, 40), 255, np.float32)
    grey[8:32, 18:22] = 0
    step = "only black and white: edges softened"
    assert step in steps_of(grey, MNIST_GEOMETRY)
    assert step not in steps_of(grey, DIGITS_GEOMETRY)
    grey[8, 18] = 128
    assert step not in steps_of(grey, MNIST_GEOMETRY)
