"""Images that arrive together are predicted together, and get the same answers as singly."""

import asyncio
import gc
import logging

import numpy as np
import pytest
from PIL import Image

from service.model.classifier import Classifier
from service.prediction import BATCH_SIZE, Outcome
from service.preprocessing import BrokenImageError, ImageError, preprocess
from tests.drawing import digit_png, draw_digit, encode
from tests.service.prediction.outcomes import BROKEN, DIGITS, LARGE, assert_same, passes, together, value
from tests.serving import run_alone


@pytest.mark.usefixtures("no_hurry")
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_images_submitted_together_share_one_forward_pass(predictor, metrics, classifiers, count):
    async def scenario() -> None:
        model = classifiers[0]
        alone = [await predictor.predict(image, model) for image in DIGITS[:count]]
        before = passes(metrics)
        outcomes = await together(*(predictor.predict(image, model) for image in DIGITS[:count]))
        for one, other in zip(outcomes, alone, strict=True):
            assert_same(one, other)
        assert passes(metrics) == before + 1

    run_alone(scenario())


def test_twenty_images_come_out_in_order_and_as_alone(predictor, metrics, classifiers):
    async def scenario() -> None:
        model = classifiers[0]
        images = [encode(draw_digit(k % 10, (60 + k, 60), pen=0.08 + k / 200)) for k in range(20)]
        alone = [await predictor.predict(image, model) for image in images]
        before = passes(metrics)
        outcomes = await predictor.predict_many(images, model)
        assert len({one.pixels.tobytes() for one in alone}) == len(images)  # so that an exchange would show
        for one, other in zip(outcomes, alone, strict=True):
            assert_same(one, other)
        assert passes(metrics) - before >= len(images) / BATCH_SIZE

    run_alone(scenario())


def test_each_image_goes_to_the_model_it_was_sent_to(predictor, classifiers):
    async def scenario() -> None:
        outcomes = await together(*(predictor.predict(DIGITS[3], classifiers[k % 2]) for k in range(4)))
        assert [len(outcome.pixels) for outcome in outcomes] == [784, 64, 784, 64]
        assert [outcome.classifier for outcome in outcomes] == classifiers * 2
        assert_same(outcomes[0], outcomes[2])
        assert_same(outcomes[1], outcomes[3])

    run_alone(scenario())


def test_an_error_stays_with_its_image(predictor, classifiers):
    async def scenario() -> None:
        good, bad, large = await predictor.predict_many([DIGITS[1], BROKEN, LARGE], classifiers[0])
        assert good.prediction.digit == 1
        assert isinstance(bad, BrokenImageError)
        assert large.prediction.digit == 3
        with pytest.raises(BrokenImageError):
            await predictor.predict(BROKEN, classifiers[0])

    run_alone(scenario())


def test_an_error_of_the_network_reaches_all_that_wait(predictor, metrics, classifiers, monkeypatch, caplog):
    monkeypatch.setattr(classifiers[0], "classify", lambda pixels: 1 / 0)

    async def scenario() -> None:
        outcomes = await asyncio.gather(
            *(predictor.predict(image, classifiers[0]) for image in DIGITS[:3]), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError] * 3
        with pytest.raises(ZeroDivisionError):
            await predictor.predict_many(DIGITS, classifiers[0])
        gc.collect()

    with caplog.at_level(logging.ERROR):
        run_alone(scenario())
    assert caplog.text == ""  # asyncio logs errors that were never retrieved
    assert value(metrics, "http_requests_waiting") == 0


def test_traced_steps_stay_with_their_image(predictor, classifiers):
    async def scenario() -> None:
        dark = encode(draw_digit(4, ink=255, paper=0))
        plain, turned, silent = await together(
            predictor.predict(digit_png(4), classifiers[0], traced=True),
            predictor.predict(dark, classifiers[0], traced=True),
            predictor.predict(dark, classifiers[0]),
        )
        assert ["turned over" in " ".join(outcome.steps) for outcome in (plain, turned)] == [False, True]
        assert silent.steps is None

    run_alone(scenario())


def test_an_outcome_has_what_preprocess_makes_of_its_image(predictor, classifiers):
    images = [
        *DIGITS,
        encode(draw_digit(6, ink=255, paper=0)),
        encode(draw_digit(3, (150, 90), mode="RGB", ink=(200, 40, 40), paper=(240, 240, 210)), "JPEG"),
        LARGE,
    ]

    async def scenario(classifier: Classifier) -> None:
        geometry = classifier.artifact.geometry
        normal = preprocess(DIGITS[2], geometry).reshape(geometry.side, geometry.side)
        sent = [*images, encode(Image.fromarray(np.rint(255 * normal).astype(np.uint8)))]
        outcomes = await predictor.predict_many(sent, classifier, traced=True)
        for outcome, image in zip(outcomes, sent, strict=True):
            steps: list[str] = []
            np.testing.assert_array_equal(outcome.pixels, preprocess(image, geometry, steps=steps))
            assert outcome.steps == steps
        assert outcomes[-1].steps == ["ink taken as it is: already cut out, scaled and centered"]

    for classifier in classifiers:
        run_alone(scenario(classifier))


def test_preprocessing_is_observed_once_for_each_image(predictor, metrics, classifiers):
    blank = encode(Image.new("L", (40, 40), 255))
    broken_late = DIGITS[0][:-60]

    async def scenario() -> None:
        images = [*DIGITS[:3], BROKEN, broken_late, blank, b"", LARGE]
        outcomes = await predictor.predict_many(images, classifiers[0])
        seconds = sum(each.preprocessing_seconds for each in outcomes if isinstance(each, Outcome))
        assert value(metrics, "digits_preprocessing_duration_seconds_count") == len(images)
        assert value(metrics, "digits_preprocessing_duration_seconds_sum") >= seconds > 0
        rejected = [each for each in outcomes if isinstance(each, ImageError)]
        assert [type(each).__name__ for each in rejected] == [
            *("BrokenImageError", "BrokenImageError", "BlankImageError", "EmptyImageError")
        ]
        total = metrics.registry.get_sample_value
        counts = [
            total("digits_image_rejections_total", {"reason": f"{name}-image"})
            for name in ("broken", "blank", "empty")
        ]
        assert counts == [2, 1, 1]

    run_alone(scenario())
