"""Ink is cut out, scaled and centered as MNIST was made."""

import numpy as np
import pytest

from service.preprocessing.normalization import (
    DIGITS_GEOMETRY,
    MNIST_GEOMETRY,
    Geometry,
    is_normal,
    normalize,
)
from tests.drawing import draw_digit

DIGITS = range(10)


def ink(digit: int, size: int = 200, **options: object) -> np.ndarray:
    """Return (1, size, size) float32 ink of a drawn digit."""
    picture = draw_digit(digit, (size, size), ink=255, paper=0, **options)
    return (np.asarray(picture, np.float32) / 255)[None]


def box(picture: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


@pytest.mark.parametrize("digit", DIGITS)
def test_longer_side_becomes_twenty_pixels(digit):
    top, bottom, left, right = box(normalize(ink(digit), MNIST_GEOMETRY).reshape(28, 28))
    assert max(bottom - top, right - left) == 20


@pytest.mark.parametrize("digit", DIGITS)
def test_center_of_mass_comes_to_index_fourteen(digit):
    picture = normalize(ink(digit), MNIST_GEOMETRY).reshape(28, 28)
    rows = picture.sum(axis=1) @ np.arange(28) / picture.sum()
    columns = picture.sum(axis=0) @ np.arange(28) / picture.sum()
    assert 13.5 < rows <= 14.5
    assert 13.5 < columns <= 14.5


@pytest.mark.parametrize("geometry", [MNIST_GEOMETRY, DIGITS_GEOMETRY, Geometry(20, 16)])
@pytest.mark.parametrize("digit", DIGITS)
def test_a_normalized_digit_is_a_fixed_point(digit, geometry):
    once = normalize(ink(digit), geometry)
    again = normalize(once.reshape(1, geometry.side, geometry.side), geometry)
    np.testing.assert_array_equal(again, once)


def test_where_a_digit_stands_makes_no_difference():
    digit = ink(4, 60)[0]
    corner, middle = np.zeros((2, 150, 150), np.float32)
    corner[:60, :60] = digit
    middle[40:100, 33:93] = digit
    pixels = normalize(np.stack((corner, middle)), MNIST_GEOMETRY)
    np.testing.assert_array_equal(pixels[0], pixels[1])


def test_halving_the_size_is_the_mean_of_two_by_two_pixels():
    rng = np.random.default_rng(0)
    large = rng.random((1, 40, 40), dtype=np.float32) * 0.05 + 0.95  # peak near 1: no stretching
    expected = large[0].reshape(20, 2, 20, 2).mean(axis=(1, 3))
    top, bottom, left, right = box(found := normalize(large, MNIST_GEOMETRY).reshape(28, 28))
    np.testing.assert_allclose(found[top:bottom, left:right], expected, rtol=1e-5)


def test_pale_ink_is_stretched_to_a_peak_of_one():
    assert normalize(ink(3) * 0.4, MNIST_GEOMETRY).max() == pytest.approx(1)


def test_ink_that_is_nearly_full_is_left_as_it_is():
    assert normalize(ink(3) * 0.996, MNIST_GEOMETRY).max() == pytest.approx(0.996, abs=1e-4)


def test_aspect_is_kept():
    bar = np.zeros((1, 100, 100), np.float32)
    bar[0, 20:80, 40:52] = 1  # five times as high as wide
    top, bottom, left, right = box(normalize(bar, MNIST_GEOMETRY).reshape(28, 28))
    assert (bottom - top, right - left) == (20, 4)


def test_a_batch_gives_what_its_pictures_give_one_by_one():
    pictures = np.concatenate([ink(digit) for digit in DIGITS])
    batch = normalize(pictures, MNIST_GEOMETRY)
    single = np.concatenate([normalize(picture[None], MNIST_GEOMETRY) for picture in pictures])
    np.testing.assert_allclose(batch, single, atol=1e-6)


def test_a_digit_that_fills_a_small_square_keeps_its_place():
    digit = np.zeros((1, 8, 8), np.float32)
    digit[0, :, 4:6] = 1  # right of the middle, as some of the 8x8 data set are
    np.testing.assert_array_equal(normalize(digit, DIGITS_GEOMETRY), digit.reshape(1, 64))


def test_a_picture_without_ink_is_refused():
    with pytest.raises(ValueError, match="without ink"):
        normalize(np.zeros((1, 28, 28), np.float32), MNIST_GEOMETRY)


@pytest.mark.parametrize("geometry", [MNIST_GEOMETRY, DIGITS_GEOMETRY])
@pytest.mark.parametrize("digit", DIGITS)
def test_a_picture_is_normal_if_normalizing_it_changes_nothing(digit, geometry):
    side = (geometry.side, geometry.side)
    normal = normalize(ink(digit), geometry).reshape(side)
    moved = [np.roll(normal, step, axis) for step in (-2, 2) for axis in (0, 1)]
    for picture in (normal, 0.99 * normal, 0.8 * normal, *moved):
        unchanged = np.array_equal(normalize(picture[None], geometry), picture.reshape(1, -1))
        assert is_normal(picture, geometry) == unchanged
    assert is_normal(normal, geometry)
    assert not is_normal(0.8 * normal, geometry)
    assert not is_normal(np.zeros(side, np.float32), geometry)


def test_ready_digits_are_normal_if_a_little_short_or_faint():
    normal = normalize(ink(4), MNIST_GEOMETRY).reshape(28, 28)
    short = normal.copy()
    short[np.nonzero(normal)[0][-1]] = 0  # as in a few digits of MNIST
    assert is_normal(short, MNIST_GEOMETRY)
    assert not is_normal(np.roll(short, 2, 0), MNIST_GEOMETRY)
    small = normalize(ink(4), DIGITS_GEOMETRY).reshape(8, 8)
    faint = small * np.float32(14 / 16) / small.max()  # as in two digits of scikit-learn
    assert is_normal(faint, DIGITS_GEOMETRY)
    assert not is_normal(0.9 * faint, DIGITS_GEOMETRY)
