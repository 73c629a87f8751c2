"""Ink is set upright, stretched and made even as the 8x8 digits of scikit-learn were."""

import numpy as np
import pytest

from service.preprocessing.handprint import (
    LEAST_INK,
    MOST_INK,
    area_weights,
    even_strokes,
    grow,
    shear_upright,
    stand,
)
from service.preprocessing.normalization import DIGITS_GEOMETRY, normalize
from tests.drawing import draw_digit
from trainer.data import load_dataset

DIGITS = range(10)


def ink(digit: int, pen: float = 0.08, slant: float = 0.0) -> np.ndarray:
    """Return ink, (height, width) float32 in [0, 1] without margins, of a drawn digit."""
    picture = draw_digit(digit, (200, 200), ink=255, paper=0, pen=pen)
    rows = np.asarray(picture, np.float32) / 255
    leaning = np.stack([np.roll(row, round(slant * (100 - index))) for index, row in enumerate(rows)])
    leaning = leaning[leaning.any(axis=1)]
    return leaning[:, leaning.any(axis=0)]


def middle_of_each_row(cells: np.ndarray) -> np.ndarray:
    return cells @ np.arange(cells.shape[1]) / cells.sum(axis=1)


def test_a_stretch_is_averaged_wherever_its_pixels_begin() -> None:
    weights = area_weights(start=0.5, length=3, extent=4, cells=2)
    # Cell 0 has pixels 0.5 to 1.5 and 1.5 to 2 of its two; cell 1 has 2 to 2.5 and 2.5 to 3.5.
    np.testing.assert_allclose(weights, [[0.5, 0.25, 0], [0, 0.25, 0.5]])


@pytest.mark.parametrize("slant", [-0.6, -0.2, 0.3, 0.7])
def test_a_stroke_that_leans_is_set_upright(slant: float) -> None:
    stroke = np.zeros((40, 90), np.float32)
    for row in range(40):
        column = round(45 + slant * (row - 20))
        stroke[row, column : column + 4] = 1
    middles = middle_of_each_row(shear_upright(stroke, row_height=1))
    assert np.ptp(middles) < 1.5
    assert np.ptp(middle_of_each_row(stroke)) > 7


def test_a_slant_beyond_handwriting_keeps_its_rest() -> None:
    stroke = np.zeros((20, 80), np.float32)
    for row in range(20):
        stroke[row, 3 * row : 3 * row + 6] = 1
    middles = middle_of_each_row(shear_upright(stroke, row_height=1))
    assert np.ptp(middles) == pytest.approx(2 * 19, abs=1.5)


def test_no_ink_is_lost_by_the_shear() -> None:
    leaning = ink(7, slant=0.5)
    assert shear_upright(leaning, 1).sum() == pytest.approx(leaning.sum(), rel=1e-3)


def test_growing_takes_in_the_four_cells_beside_each() -> None:
    cells = np.zeros((5, 5), np.float32)
    cells[2, 2] = 1
    assert grow(cells).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 1, 0, 0],
        [0] * 5,
    ]


@pytest.mark.parametrize("pen", [0.02, 0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("digit", DIGITS)
def test_fine_and_broad_pens_come_out_as_bold_as_each_other(digit: int, pen: float) -> None:
    assert 0.9 * LEAST_INK <= stand(ink(digit, pen), 8).mean() <= 1.1 * MOST_INK


def test_strokes_in_the_usual_range_stay_as_they_are() -> None:
    cells = np.zeros((32, 32), np.float32)
    cells[:, 10:21] = 1  # 0.34
    assert even_strokes(cells) is cells


@pytest.mark.parametrize("digit", [0, 2, 3, 5, 8])
def test_a_digit_is_as_high_as_the_box_and_in_its_middle(digit: int) -> None:
    box = stand(ink(digit), 8)
    assert box[0].max() > 0.5
    assert box[-1].max() > 0.5
    inked = np.flatnonzero(box.max(axis=0) > 0.2)
    assert inked[0] == 7 - inked[-1] == 1


def test_a_narrow_one_stays_narrower_than_other_digits() -> None:
    one = np.zeros((100, 20), np.float32)
    one[:, 10:16] = 1
    one[80:, :] = 1  # a foot as wide as the flag of a 1 is
    inked = np.flatnonzero(stand(one, 8).max(axis=0) > 0.5)
    assert len(inked) == 4


def test_drawn_digits_hold_as_much_ink_as_the_data_set() -> None:
    data = load_dataset("digits", None).train.pixels.mean()
    drawn = np.stack([normalize(ink(digit)[None], DIGITS_GEOMETRY) for digit in DIGITS]).mean()
    assert drawn == pytest.approx(data, rel=0.15)


def test_a_digit_that_leans_is_seen_like_one_that_does_not() -> None:
    for digit in (1, 4, 7):
        upright, leaning = stand(ink(digit), 8), stand(ink(digit, slant=0.4), 8)
        assert np.abs(upright - leaning).mean() < 0.08, digit


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 900), (900, 700), (3, 5)])
def test_ink_of_any_shape_gives_a_box(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    sparse = np.zeros(shape, np.float32)
    sparse.flat[rng.integers(sparse.size, size=3)] = 0.2  # hairs and specks, all but averaged away
    for some in (np.ones(shape, np.float32), sparse):
        pixels = normalize(some[None], DIGITS_GEOMETRY)
        assert np.isfinite(pixels).all()
        assert 0 <= pixels.min() < pixels.max() <= 1
