"""Several readings of a picture whose border does not tell ink from paper, and one of any other."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.preprocessing import (
    DIGITS_GEOMETRY,
    MNIST_GEOMETRY,
    BlankImageError,
    Geometry,
    decode,
    preprocess_grey,
    read_grey,
)
from service.preprocessing.readings import Reading
from service.preprocessing.readings.cut_outs import striped_paper
from service.preprocessing.readings.lines import line_across
from service.preprocessing.readings.outlines import FINE, between_lines
from tests.drawing import draw_digit, encode

WHOLE = {digit: np.asarray(draw_digit(digit), np.float32) for digit in range(10)}


def cut_out(digit: int, margin: int = 0) -> np.ndarray:
    """Return the part of a picture, dark on light, that its digit fills, and some pixels around it."""
    rows, columns = (np.flatnonzero((WHOLE[digit] < 128).any(axis=axis)) for axis in (1, 0))
    return WHOLE[digit][
        rows[0] - margin : rows[-1] + 1 + margin, columns[0] - margin : columns[-1] + 1 + margin
    ]


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two rows of pixels, 1 for equal ones."""
    return float(np.corrcoef(one, other)[0, 1])


def best(readings: list[Reading], digit: int, geometry: Geometry) -> float:
    """Return how like the whole digit the most similar reading is."""
    whole = preprocess_grey(WHOLE[digit], geometry)
    return max(likeness(one.pixels, whole) for one in readings)


@pytest.mark.parametrize("geometry", [MNIST_GEOMETRY, DIGITS_GEOMETRY])
@pytest.mark.parametrize("digit", range(10))
def test_a_picture_with_paper_all_around_has_one_reading(digit, geometry):
    for grey in (WHOLE[digit], 255 - WHOLE[digit], np.asarray(draw_digit(digit, (28, 28)), np.float32)):
        (reading,) = read_grey(grey, geometry)
        np.testing.assert_array_equal(reading.pixels, preprocess_grey(grey, geometry))


LIGHT = np.linspace(1, 0.6, 200, dtype=np.float32)
CUTS = {
    "dark on light": lambda cut: cut,
    "light on dark": lambda cut: 255 - cut,
    "on gray": lambda cut: 60 + cut * 0.6,
    "in uneven light": lambda cut: (60 + cut * 0.7) * LIGHT[: len(cut), None],
}


@pytest.mark.parametrize("way", CUTS)
@pytest.mark.parametrize("digit", [0, 2, 3, 4, 5, 6, 7, 8, 9])
def test_a_cut_out_digit_has_a_reading_like_the_whole(digit, way):
    assert best(read_grey(CUTS[way](cut_out(digit)), MNIST_GEOMETRY), digit, MNIST_GEOMETRY) > 0.9


@pytest.mark.parametrize("digit", [2, 5, 7])
def test_a_cut_out_digit_is_read_for_8x8(digit):
    assert best(read_grey(cut_out(digit), DIGITS_GEOMETRY), digit, DIGITS_GEOMETRY) > 0.9


@pytest.mark.parametrize("turn", [False, True])
def test_stripes_of_the_paper_are_no_ink(turn):
    digit = 255 - WHOLE[3]
    striped = digit.copy()
    part = striped.T if turn else striped
    part[:, :40] = 255 - part[:, :40]
    part[:, 150:] = 255 - part[:, 150:]
    ink = striped_paper(striped)
    assert ink is not None
    np.testing.assert_allclose(ink[1:-1, 1:-1], (digit - 4) / 251, atol=0.02)
    assert striped_paper(digit) is None


def test_ink_along_the_border_is_a_frame_and_no_stripe():
    # What is left between the ends of a frame's outermost columns would be read as a 1.
    frame = np.zeros((60, 60), np.float32)
    for rows in (slice(0, 5), slice(55, 60)):
        for columns in (slice(0, 6), slice(54, 60)):
            frame[rows, columns] = 255
    assert striped_paper(frame) is None
    frame[20:40, 25:30] = 255  # and a digit inside does not make it one
    assert striped_paper(frame) is None


@pytest.mark.parametrize("grey", [np.full((20, 30), 7), np.zeros((1, 1)), np.full((200, 200), 255)])
def test_a_blank_picture_has_no_reading(grey):
    with pytest.raises(BlankImageError):
        read_grey(grey, MNIST_GEOMETRY)


@pytest.mark.parametrize("shape", [(1, 200), (200, 1), (2, 2), (3, 90), (28, 28), (8, 8), (40, 25)])
def test_readings_of_noise_are_pixels(shape):
    rng = np.random.default_rng(4)
    for _ in range(20):
        grey = rng.integers(0, 256, shape, dtype=np.uint8)
        try:
            readings = read_grey(grey, MNIST_GEOMETRY)
        except BlankImageError:
            continue
        for reading in readings:
            assert reading.pixels.shape == (784,)
            assert reading.pixels.dtype == np.float32
            assert 0 <= reading.pixels.min() <= reading.pixels.max() <= 1


@pytest.mark.parametrize(("shades", "side"), [(16, 8), (1, 28)])
def test_values_of_a_data_set_are_spread(shades, side):
    geometry = DIGITS_GEOMETRY if side == 8 else MNIST_GEOMETRY
    normal = preprocess_grey(WHOLE[5], geometry).reshape(side, side)
    saved = np.rint(normal * shades).astype(np.uint8)
    spread = np.rint(saved * (255 / shades)).astype(np.uint8)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(saved))), spread)
    inverted = ImageOps.invert(Image.fromarray(saved))  # all but white: values from 239, as in any picture
    np.testing.assert_array_equal(decode(encode(inverted)), 255 - saved)


def test_what_lines_surround_is_filled_and_its_holes_are_not():
    lines = np.zeros((20, 20), bool)
    for first, last in ((2, 17), (7, 12)):  # a square ring, drawn as two outlines
        lines[first, first : last + 1] = lines[last, first : last + 1] = True
        lines[first : last + 1, first] = lines[first : last + 1, last] = True
    filled = between_lines(lines)
    assert filled is not None
    middle = filled[1::FINE, 1::FINE]
    assert middle[4, 4:16].all()
    assert not middle[9:11, 9:11].any()
    assert not middle[0].any()
    lines[2, 9] = False  # it leaks
    assert between_lines(lines) is None or not between_lines(lines)[1::FINE, 1::FINE][4, 4:16].any()


def test_a_line_across_is_thin_and_goes_from_side_to_side():
    ink = np.zeros((40, 40), np.float32)
    ink[5:35, 18:23] = 1
    assert line_across(ink) is None
    for column in range(40):
        ink[20 + column // 4 : 22 + column // 4, column] = 1
    line = line_across(ink)
    assert line is not None
    assert line[:, :15].sum() == 30
    assert not line[:18].any()
    assert line_across(np.ones((40, 40), np.float32)) is None
