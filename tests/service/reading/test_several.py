"""A picture of several digits is not one: /predict says so, and a cut neighbor does not count."""

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from service.config import Settings
from service.metrics import Metrics
from service.model.artifact import load
from service.model.classifier import Classifier, Prediction
from service.prediction import Predictor, Threads
from service.preprocessing import MNIST_GEOMETRY, Reading, read_grey
from service.reading.several import may_hold_several
from tests.drawing import digit_png, draw_digit, encode
from tests.service.reading.pages import Page
from tests.serving import MODELS, run_alone


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load(MODELS / "mnist-28x28.npz"), "mnist-28x28")


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture(scope="module")
def predictor(metrics) -> Predictor:
    return Predictor(Settings(), metrics, Threads(Settings(), metrics))


def predictions(predictor: Predictor, classifier: Classifier, *images: bytes) -> list[Prediction]:
    """Return the predictions of the predictor."""
    outcomes = run_alone(predictor.predict_many(images, classifier))
    return [outcome.prediction for outcome in outcomes]


@pytest.mark.parametrize("gap", [30, 12, 5, -1])
def test_a_number_is_no_digit(predictor, classifier, gap):
    numbers = ("42", "17", "11", "508", "2736", "66") if gap > 0 else ("42", "66")
    pages = [
        encode(Page(90 + 75 * len(number), 160).write(number, 40, 50, gap=gap).image()) for number in numbers
    ]
    for number, one in zip(numbers, predictions(predictor, classifier, *pages), strict=True):
        assert (one.accepted, one.reason) == (False, "several_digits"), (number, gap)


def test_one_digit_in_pieces_is_one(predictor, classifier):
    hat = draw_digit(5, (200, 200))
    hat.paste(255, (90, 10, 100, 60))  # the hat no longer touches
    broken = draw_digit(0, (200, 200))
    broken.paste(255, (0, 96, 200, 101))
    accepted = predictions(predictor, classifier, encode(hat), encode(broken), digit_png(4))
    assert [(one.digit, one.accepted) for one in accepted] == [(5, True), (0, True), (4, True)]


def test_a_neighbor_that_the_edge_cuts_does_not_count(predictor, classifier):
    for digit in (3, 6, 8):
        page = Page(220, 200).write(str(digit), 70, 60, 80)
        neighbor = Page(300, 200).write("2", 60, 60, 80)
        left, _, wide, _ = neighbor.boxes[0]
        page.pixels[:, 220 - wide // 2 :] = neighbor.pixels[:, left : left + wide // 2]
        (one,) = predictions(predictor, classifier, encode(page.image()))
        assert (one.digit, one.accepted) == (digit, True)


def test_what_is_not_accepted_has_a_reason():
    answer = Prediction(3, 0.9, [0.1] * 10, accepted=True, novelty=0.2)
    assert answer.reason is None
    assert answer._replace(accepted=False, novelty=1.2).reason == "not_a_digit"
    assert answer._replace(accepted=False).reason == "unsure"
    assert answer._replace(accepted=False, several=True).reason == "several_digits"


def test_several_digits_are_counted_as_not_accepted(predictor, metrics, classifier):
    name, labels = "digits_predictions_not_accepted_total", {"model": "mnist-28x28"}
    before = metrics.registry.get_sample_value(name, labels) or 0
    page = encode(Page(400, 160).write("508", 40, 50, gap=40).image())
    (one,) = predictions(predictor, classifier, page)
    assert not one.accepted
    assert metrics.registry.get_sample_value(name, labels) == before + 1


def test_faint_pixels_hold_no_several_digits():
    answer = Prediction(3, 0.9, [0.1] * 10, accepted=True, novelty=0.2)
    assert not may_hold_several(Reading(np.full(784, 0.05, np.float32)), answer, MNIST_GEOMETRY)


@pytest.mark.parametrize(("gap", "left_out"), [(80, True), (None, False)])
def test_a_reading_says_whether_ink_was_left_out(gap, left_out):
    page = Page(400, 160).write("5" if gap is None else "51", 40, 50, gap=gap or 0)
    (reading,) = read_grey(np.asarray(page.image().convert("L")), MNIST_GEOMETRY)
    assert reading.has_left_out is left_out
    (again,) = read_grey(255 * reading.pixels.reshape(28, 28), MNIST_GEOMETRY)
    assert (reading.is_ready_made, again.is_ready_made, again.has_left_out) == (False, True, False)


def test_predictor_goes_on_after_an_error_of_this_look(predictor, classifier, monkeypatch):
    def fail(*arguments: object) -> bool:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr("service.prediction.predictor.may_hold_several", fail)
        with pytest.raises(ZeroDivisionError):
            predictions(predictor, classifier, digit_png(4))
    assert predictions(predictor, classifier, digit_png(4))[0].digit == 4
