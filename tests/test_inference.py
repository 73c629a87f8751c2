"""Images that are taken first and answered later, together: each as if it were alone."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from service import inference as module
from service.config import Settings
from service.metrics import Metrics
from service.model.artifact import load
from service.model.classifier import Classifier
from service.preprocessing import BrokenImageError
from service.preprocessing.pipeline import preprocess
from tests.drawing import digit_png, draw_digit, encode
from tests.serving import MODELS

DIGITS = [digit_png(digit) for digit in range(8)]
BROKEN = DIGITS[0][:60]


@pytest.fixture(scope="module")
def classifiers() -> list[Classifier]:
    return [Classifier(load(MODELS / f"{name}.npz"), name) for name in ("mnist-28x28", "digits-8x8")]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def inference(metrics: Metrics) -> Inference:
    return Inference(Settings(), metrics)


def classified(metrics: Metrics) -> float:
    """Return how often something was classified."""
    value = metrics.registry.get_sample_value("digits_inference_duration_seconds_count")
    assert value is not None
    return value


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_images_taken_together_are_classified_together_and_come_out_as_alone(
    inference, metrics, classifiers, count
):
    alone = [inference.result(inference.take(image, classifiers[0])) for image in DIGITS[:count]]
    before = classified(metrics)
    taken = [inference.take(image, classifiers[0]) for image in DIGITS[:count]]
    # To the last bit: what an image's answer is must not depend on which others came with it.
    assert [inference.result(each) for each in taken] == alone
    assert classified(metrics) == before + 1


def test_more_than_a_few_come_out_as_alone_too(inference, classifiers):
    images = [encode(draw_digit(k % 10, (60 + k, 60))) for k in range(20)]
    alone = [inference.result(inference.take(image, classifiers[0])) for image in images]
    taken = [inference.take(image, classifiers[0]) for image in images]
    assert [inference.result(each) for each in reversed(taken)] == alone[::-1]


def test_each_image_goes_to_the_model_that_it_was_taken_for(inference, classifiers):
    taken = [inference.take(DIGITS[3], classifiers[k % 2]) for k in range(4)]
    assert [len(each.picture) for each in taken if inference.result(each)] == [784, 64, 784, 64]
    assert inference.result(taken[0]) == inference.result(taken[2])


def test_a_queue_of_its_own_is_classified_at_once(inference, metrics, classifiers):
    queue = Queue(64)
    taken = [inference.take(DIGITS[k % 8], classifiers[0], queue=queue) for k in range(20)]
    assert [inference.result(each).digit for each in taken] == [k % 8 for k in range(20)]
    assert classified(metrics) == 1


def test_preprocessing_is_timed_once_for_each_image_good_or_bad(inference, metrics, classifiers):
    taken = [inference.take(image, classifiers[0]) for image in (*DIGITS[:3], BROKEN)]
    inference.result(taken[0])
    value = metrics.registry.get_sample_value
    assert value("digits_preprocessing_duration_seconds_count") == 4
    assert value("digits_preprocessing_duration_seconds_sum") == pytest.approx(
        sum(each.seconds for each in taken)
    )


def test_step_by_step_an_image_becomes_what_preprocess_makes_of_it(inference, classifiers):
    images = [
        *DIGITS,
        encode(draw_digit(6, ink=255, paper=0)),
        encode(draw_digit(3, (150, 90), mode="RGB", ink=(200, 40, 40), paper=(240, 240, 210)), "JPEG"),
    ]
    for classifier in classifiers:
        geometry = classifier.artifact.geometry
        normal = preprocess(DIGITS[2], geometry).reshape(geometry.side, geometry.side)
        images.append(encode(Image.fromarray(np.rint(255 * normal).astype(np.uint8))))
        told: list[list[str]] = [[] for _ in images]
        taken = [inference.take(image, classifier, steps) for image, steps in zip(images, told, strict=True)]
        for each, image in zip(taken, images, strict=True):
            inference.result(each)
            steps: list[str] = []
            np.testing.assert_array_equal(each.picture, preprocess(image, geometry, steps=steps))
            assert each.steps == steps
        assert told[-1] == ["ink taken as it is: already cut out, scaled and centered"]


def test_an_error_stays_with_its_image(inference, classifiers):
    good, bad, other = (inference.take(image, classifiers[0]) for image in (DIGITS[1], BROKEN, DIGITS[2]))
    assert inference.result(good).digit == 1
    for _ in range(2):
        with pytest.raises(BrokenImageError):
            inference.result(bad)
    assert inference.result(other).digit == 2


def test_an_error_of_the_network_is_told_to_all_who_wait_for_it(inference, classifiers, monkeypatch):
    monkeypatch.setattr(classifiers[0], "classify", lambda pixels: 1 / 0)
    taken = [inference.take(image, classifiers[0]) for image in DIGITS[:3]]
    for each in taken:
        with pytest.raises(ZeroDivisionError):
            inference.result(each)


def test_the_steps_are_told_to_the_image_that_they_were_taken_with(inference, classifiers):
    dark = encode(draw_digit(4, ink=255, paper=0))
    steps: list[list[str]] = [[], []]
    taken = [
        inference.take(image, classifiers[0], told)
        for image, told in zip((digit_png(4), dark), steps, strict=True)
    ]
    inference.result(taken[0])
    assert ["turned over" in " ".join(told) for told in steps] == [False, True]


def hold(monkeypatch: pytest.MonkeyPatch, image: bytes) -> tuple[threading.Event, threading.Event]:
    """Have the decoding of one image wait; return what tells that it does, and what ends it."""
    begun, go_on = threading.Event(), threading.Event()
    original: Callable[..., np.ndarray] = module.decode

    def decode(data: bytes, *arguments: object) -> np.ndarray:
        if data == image:
            begun.set()
            assert go_on.wait(20)
        return original(data, *arguments)

    monkeypatch.setattr(module, "decode", decode)
    return begun, go_on


def test_an_image_that_takes_long_holds_nobody_up_who_asks_in_another_thread(
    inference, classifiers, monkeypatch
):
    begun, go_on = hold(monkeypatch, DIGITS[2])
    taken = [inference.take(image, classifiers[0]) for image in DIGITS[:5]]
    with ThreadPoolExecutor(2) as pool:
        owner = pool.submit(inference.result, taken[0])
        assert begun.wait(20)
        # What was prepared before the long one, and what waits behind it.
        assert [inference.result(taken[k]).digit for k in (1, 3, 4)] == [1, 3, 4]
        waits = pool.submit(inference.result, taken[2])
        assert not owner.done()
        assert not waits.done()
        go_on.set()
        assert [owner.result(20).digit, waits.result(20).digit] == [0, 2]


def test_threads_do_not_take_on_what_others_have_taken(inference, classifiers, monkeypatch):
    begun, go_on = hold(monkeypatch, DIGITS[2])
    waiting = inference.take(DIGITS[2], classifiers[0])
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: inference.result(inference.take(DIGITS[5], classifiers[0])))
        assert other.result(20).digit == 5
    assert not begun.is_set()
    go_on.set()
    assert inference.result(waiting).digit == 2
