"""Of several readings the one that looks most like a digit counts, whatever other pictures are there."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from docs.pictures import encoded, photograph, recorded, written
from service.config import PROJECT
from service.model import answering
from service.model.answering import Picture, answer, answer_grey, answer_image
from service.model.artifact import load
from service.model.classifier import Classifier, Prediction
from service.preprocessing import Reading, preprocess, read_grey
from tests.drawing import draw_digit, encode
from tests.service.preprocessing.test_readings import cut_out

DIGITS = (0, 2, 3, 4, 5, 7, 8, 9)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load(PROJECT / "models/mnist-28x28.npz"))


@pytest.mark.parametrize("margin", [0, 1, 3])
@pytest.mark.parametrize("digit", DIGITS)
def test_a_cut_out_digit_is_read_in_either_polarity(classifier, digit, margin):
    for grey in (cut_out(digit, margin), 255 - cut_out(digit, margin)):
        prediction, _ = answer_grey(classifier, grey)
        assert (prediction.digit, prediction.accepted) == (digit, True)


def test_an_answer_does_not_depend_on_other_pictures(classifier):
    greys = [cut_out(digit) for digit in DIGITS] + [np.asarray(draw_digit(6), np.float32)]
    pictures = [Picture(grey, read_grey(grey, classifier.artifact.geometry)) for grey in greys]
    for picture, found in zip(pictures, answer(classifier, pictures), strict=True):
        (single,) = answer(classifier, [picture])
        assert single.prediction == found.prediction
        np.testing.assert_array_equal(single.reading.pixels, found.reading.pixels)


@pytest.mark.parametrize("stroke", [(1, "slanted"), (3, "round"), (7, "plain"), (8, "one stroke, S first")])
def test_a_photograph_on_ruled_paper_is_read_at_any_size(classifier, stroke):
    large = Image.open(io.BytesIO(photograph(recorded(*stroke))))
    sizes = {900: "PNG", 600: "JPEG", 400: "JPEG", 300: "JPEG", 256: "JPEG", 128: "JPEG"}
    for side, kind in sizes.items():  # a JPEG of 900 is decoded at half its size
        small = large.resize((side, side), Image.Resampling.LANCZOS)
        prediction, _ = answer_image(classifier, encoded(small, kind, quality=90))
        assert (prediction.digit, prediction.accepted) == (stroke[0], True), side


@pytest.mark.parametrize("softness", [0.02, 0.06, 0.15])
def test_a_digit_in_the_soft_edge_of_a_shadow_is_read(classifier, softness):
    for side in (128, 300, 600):
        digit = np.asarray(written(side, 235, 60, "L", pen=0.045, box=(0.25, 0.2, 0.5)), np.float32)
        y, x = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
        shadow = 0.4 / (1 + np.exp(-(x + 0.4 * y - 0.7) / softness))
        picture = Image.fromarray((digit * (1 - shadow)).astype(np.uint8))
        prediction, _ = answer_image(classifier, encoded(picture, "JPEG", quality=85))
        assert (prediction.digit, prediction.accepted) == (7, True), side


def test_a_digit_on_a_dark_panel_in_a_light_page_is_read(classifier):
    page = Image.new("L", (300, 260), 255)
    page.paste(draw_digit(2, (160, 160), ink=250, paper=25), (60, 40))
    prediction, reading = answer_image(classifier, encode(page))
    assert (prediction.digit, prediction.accepted) == (2, True)
    assert reading.steps[0] == "a panel cut out and read on its own"


@pytest.mark.parametrize("digit", [0, 1, 6])
def test_a_digit_with_a_line_across_is_guessed_and_refused(classifier, digit):
    picture = draw_digit(digit, (84, 84))
    zigzag = [(x, 39 + 10 * (x // 8 % 2)) for x in range(4, 84, 8)]
    ImageDraw.Draw(picture).line(zigzag, fill=0, width=4)
    prediction, reading = answer_grey(classifier, np.asarray(picture, np.float32))
    assert (prediction.digit, prediction.accepted, prediction.reason) == (digit, False, "not_a_digit")
    assert reading.steps[0] == "a line across the digit erased"
    assert prediction.novelty > 1


@pytest.mark.parametrize(("novelty", "digit"), [(0.5, 1), (0.7, 7)])
def test_a_guess_counts_only_if_it_is_far_less_novel(classifier, monkeypatch, novelty, digit):
    first, guess = (Reading(np.full(784, value, np.float32), is_guess=value > 0) for value in (0, 1))
    predictions = {0.0: Prediction(7, 0.9, [], False, 2.0), 1.0: Prediction(1, 0.9, [], False, novelty)}
    monkeypatch.setattr(classifier, "classify", lambda rows: [predictions[row[0]] for row in rows.tolist()])
    monkeypatch.setattr(answering, "look_again", lambda grey, geometry: [guess])
    (found,) = answer(classifier, [Picture(np.zeros((28, 28)), [first])])
    assert (found.prediction.digit, found.prediction.novelty) == (digit, 2.0)


@pytest.mark.parametrize(
    ("first", "second", "is_guess", "digit", "reason"),
    [
        (0.5, (1, 0.001), True, 1, "unsure"),
        (0.5, (1, 0.002), True, 7, None),  # not far enough less novel
        (0.5, (7, 0.0), True, 7, None),  # the same digit: it stays accepted
        (0.5, (1, 0.0), False, 7, None),  # a panel does not contradict what is around it
        (0.01, (1, 0.0), True, 7, None),  # hardly novel: not looked at again
    ],
)
def test_a_guess_contradicts_a_doubtful_digit(
    classifier, monkeypatch, first, second, is_guess, digit, reason
):
    readings = [
        Reading(np.full(784, value, np.float32), is_guess=bool(value) and is_guess) for value in (0, 1)
    ]
    predictions = {
        0.0: Prediction(7, 0.9, [], True, first),
        1.0: Prediction(second[0], 0.9, [], True, second[1]),
    }
    monkeypatch.setattr(classifier, "classify", lambda rows: [predictions[row[0]] for row in rows.tolist()])
    monkeypatch.setattr(answering, "look_again", lambda grey, geometry: readings[1:])
    (found,) = answer(classifier, [Picture(np.zeros((28, 28)), readings[:1])])
    assert (found.prediction.digit, found.prediction.reason) == (digit, reason)
    assert found.prediction.novelty == first


@pytest.mark.parametrize(
    "stroke", [(1, "plain stroke"), (4, "open, two strokes"), (7, "with a serif"), (9, "straight leg")]
)
def test_outlines_of_a_ready_made_picture_are_filled(classifier, stroke):
    strokes = recorded(*stroke)
    whole = encoded(written(200, 255, 0, "L", pen=0.1, box=(0.15, 0.15, 0.7), strokes=strokes))
    pixels = preprocess(whole, classifier.artifact.geometry).reshape(28, 28)
    solid = Image.fromarray(np.where(pixels > 0.3, 255, 0).astype(np.uint8))
    outline = np.asarray(solid) - np.asarray(solid.filter(ImageFilter.MinFilter(3)))
    (first,) = read_grey(outline, classifier.artifact.geometry)
    assert first.is_ready_made
    prediction, reading = answer_grey(classifier, outline)
    assert (prediction.digit, prediction.accepted) == (stroke[0], False)
    assert reading.steps[0] == "outlines filled"


def test_a_model_without_a_rejector_takes_the_surest_reading(classifier):
    artifact = load(PROJECT / "models/mnist-28x28.npz")
    object.__setattr__(artifact, "rejector", ())
    prediction, _ = answer_grey(Classifier(artifact), 255 - cut_out(7))
    assert prediction.digit == 7
