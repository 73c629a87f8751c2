"""Generated non-digits are varied, reproducible and preprocessed like uploads."""

import numpy as np
import pytest

from service.model.artifact import load
from service.model.classifier import Classifier
from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY, Geometry
from tests.serving import MODELS
from tests.trainer.quick import drawn_examples
from trainer.data import Examples
from trainer.synthetic import KINDS, make_outlier, make_outliers
from trainer.synthetic.curves import smooth_line
from trainer.synthetic.letters import FONTS, LATIN, STROKES, print_letter, write_letter
from trainer.synthetic.outliers import DRAWINGS, misread_digit

DIGITS = drawn_examples(40)


@pytest.mark.parametrize("geometry", [MNIST_GEOMETRY, DIGITS_GEOMETRY], ids=["28", "8"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_gives_distinct_preprocessed_pictures(kind: str, geometry: Geometry) -> None:
    rng = np.random.default_rng(0)
    pixels = np.stack([make_outlier(kind, geometry, DIGITS, rng) for _ in range(4)])
    assert pixels.shape == (4, geometry.side**2)
    assert pixels.dtype == np.float32
    assert pixels.min() >= 0
    assert pixels.max(axis=1) == pytest.approx(1, abs=0.1)
    assert len(np.unique(pixels, axis=0)) == 4


def test_same_seed_draws_the_same_pictures() -> None:
    one, again, other = (
        make_outliers(12, DIGITS_GEOMETRY, DIGITS, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_every_kind_has_a_drawing_and_a_share() -> None:
    assert set(KINDS) == set(DRAWINGS)
    assert sum(KINDS.values()) == pytest.approx(1)


def test_letters_exclude_those_that_read_as_digits() -> None:
    assert not set("OQDIZSBGJLolizsbgqyj0123456789") & (set(LATIN) | set(STROKES))


@pytest.mark.parametrize("font", FONTS)
def test_each_font_has_every_letter(font: str) -> None:
    printed = [print_letter(letter, font, 40) for letter in LATIN]
    assert all(picture.max() == 255 for picture in printed)
    # A font without a letter shows the same box for all it lacks.
    assert len({picture.tobytes() for picture in printed}) == len(LATIN)


def test_written_letter_differs_each_time() -> None:
    rng = np.random.default_rng(0)
    first, second = write_letter("K", 56, rng), write_letter("K", 56, rng)
    assert first.max() == second.max() == 255
    assert not np.array_equal(first, second)


def test_smooth_line_goes_through_its_points() -> None:
    points = np.array([[0, 0], [3, 5], [9, 4], [8, 0]], float)
    line = smooth_line(points, steps=4)
    assert line[::4] == pytest.approx(points)
    assert len(line) == 13


@pytest.mark.parametrize("kind", ["noise", "frames", "shapes", "printed letters"])
def test_shipped_model_refuses_new_non_digits(kind: str) -> None:
    classifier = Classifier(load(MODELS / "mnist-28x28.npz"))
    rng = np.random.default_rng(1234)
    pixels = np.stack([make_outlier(kind, MNIST_GEOMETRY, DIGITS, rng) for _ in range(60)])
    refused = np.mean([not one.accepted for one in classifier.classify(pixels)])
    assert refused >= 0.9


def test_a_bar_that_fills_its_box_is_misread_with_paper_around() -> None:
    bar = np.zeros((1, 28, 28), np.float32)
    bar[0, 4:24, 13:15] = 1
    rng = np.random.default_rng(0)
    for _ in range(8):
        pixels = misread_digit(MNIST_GEOMETRY, Examples(bar, np.array([1])), rng)
        assert pixels.max() == 1
