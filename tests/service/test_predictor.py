"""Images that arrive together are predicted together, get the same answers as singly and wait briefly."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
from PIL import Image
from prometheus_client import CollectorRegistry

from service.config import Settings
from service.metrics import Metrics
from service.model.artifact import load
from service.model.classifier import Classifier
from service.prediction import BATCH_SIZE, Outcome, Predictor, Threads
from service.preprocessing import BrokenImageError, ImageError, TooManyPixelsError, preprocess
from service.preprocessing.decoding import OpenedImage
from tests.drawing import digit_png, draw_digit, encode
from tests.serving import MODELS, run_alone

DIGITS = [digit_png(digit) for digit in range(8)]
BROKEN = DIGITS[0][:60]
LARGE = encode(draw_digit(3, (2300, 2300)), compress_level=1)  # above a megapixel
HELD_SECONDS = 0.02  # the longest for which the event loop may do one thing


def predictor_of(settings: Settings, metrics: Metrics) -> Predictor:
    """Return a predictor with threads of its own."""
    return Predictor(settings, metrics, Threads(settings, metrics))


@pytest.fixture(scope="module")
def classifiers() -> list[Classifier]:
    return [Classifier(load(MODELS / f"{name}.npz"), name) for name in ("mnist-28x28", "digits-8x8")]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def predictor(metrics: Metrics) -> Predictor:
    return predictor_of(Settings(), metrics)


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a turn ends with a full batch, not with its time."""
    monkeypatch.setattr("service.prediction.predictor.TURN_SECONDS", 60)


def value(metrics: Metrics, name: str) -> float:
    """Return a sample of the metrics."""
    found = metrics.registry.get_sample_value(name)
    assert found is not None
    return found


def passes(metrics: Metrics) -> float:
    """Return how many forward passes there were."""
    return value(metrics, "digits_inference_duration_seconds_count")


async def together(*coroutines: Coroutine[Any, Any, Outcome]) -> list[Outcome]:
    """Return the outcomes of predictions that are submitted at the same time."""
    return await asyncio.gather(*coroutines)


def assert_same(one: Outcome, other: Outcome) -> None:
    """Check that two outcomes are equal to the last bit."""
    assert one.prediction == other.prediction
    np.testing.assert_array_equal(one.pixels, other.pixels)


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


class Ticker:
    """Counts turns of the event loop; `longest_seconds` is the longest time between two.

    Processor time of the loop's own thread: what other processes take of a busy machine is not in it.
    """

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        self.ticks = 0

    async def __aenter__(self) -> "Ticker":
        self._task = asyncio.create_task(self._tick())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.sleep(0)
        self._task.cancel()

    async def _tick(self) -> None:
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest_seconds, before = max(self.longest_seconds, now - before), now
            self.ticks += 1


def photograph(side: int) -> Image.Image:
    """Return a digit on grainy paper, which takes longer to clean than to decode."""
    grain = np.random.default_rng(0).normal(0, 12, (side, side))
    return Image.fromarray((np.asarray(draw_digit(3, (side, side))) + grain).clip(0, 255).astype(np.uint8))


GRAINY = encode(photograph(600).convert("RGB"), "JPEG", quality=60)
LONG = {
    "5 megapixels PNG": [encode(draw_digit(3, (2300, 2300)).convert("RGBA"), compress_level=1)] * 6,
    "1 megapixel PNG": [encode(draw_digit(3, (999, 999)).convert("RGBA"), compress_level=1)] * 16,
    "600x600 JPEG": [encode(draw_digit(k % 10, (600, 600)).convert("RGB"), "JPEG") for k in range(24)],
    "grainy 600x600 JPEG": [GRAINY] * 16,
    "999x999 WebP": [encode(draw_digit(3, (999, 999)).convert("RGB"), "WEBP")] * 8,
    "64 of 28x28": [encode(draw_digit(k % 10, (28, 28))) for k in range(64)],
    "64 of 200x200": DIGITS * 8,
}


@pytest.mark.parametrize("kind", LONG)
def test_the_event_loop_is_not_held_for_long(predictor, classifiers, kind):
    async def scenario() -> float:
        async with Ticker() as ticker:
            await asyncio.gather(
                predictor.predict_many(LONG[kind], classifiers[0]),
                *(predictor.predict(image, classifiers[0]) for image in LONG[kind][:8]),
            )
        assert ticker.ticks > 3
        return ticker.longest_seconds

    run_alone(predictor.predict_many(DIGITS, classifiers[0]))  # warms up: the first call is slower
    fastest = min(run_alone(scenario()) for _ in range(3))
    assert fastest < HELD_SECONDS


def test_a_large_picture_is_decoded_by_a_thread(predictor, classifiers, monkeypatch):
    threads: dict[int, str] = {}
    original = OpenedImage.decode

    def decode(self: OpenedImage, *arguments: Any) -> np.ndarray:
        threads[self.pixels] = threading.current_thread().name
        return original(self, *arguments)

    monkeypatch.setattr(OpenedImage, "decode", decode)
    many_bytes = encode(Image.effect_noise((900, 900), 90))  # few pixels, many bytes
    run_alone(predictor.predict_many([DIGITS[0], LARGE, many_bytes], classifiers[0]))
    assert not threads[200 * 200].startswith("decoding")
    assert threads[2300 * 2300].startswith("decoding")
    assert threads[900 * 900].startswith("decoding")


def test_small_images_overtake_a_large_one(predictor, classifiers):
    async def scenario() -> None:
        large = asyncio.create_task(predictor.predict(LARGE, classifiers[0]))
        await asyncio.sleep(0)
        small = await predictor.predict(DIGITS[5], classifiers[0])
        assert small.prediction.digit == 5
        assert not large.done()
        assert (await large).prediction.digit == 3

    run_alone(scenario())


def test_a_batch_leaves_single_images_their_turn(predictor, classifiers):
    async def scenario() -> None:
        batch = asyncio.create_task(predictor.predict_many(DIGITS * 8, classifiers[0]))
        await asyncio.sleep(0)
        for digit in (1, 2, 3):
            assert (await predictor.predict(DIGITS[digit], classifiers[0])).prediction.digit == digit
        assert not batch.done()
        assert len(await batch) == 64

    run_alone(scenario())


def test_time_in_the_queue_is_counted_once(predictor, classifiers, monkeypatch):
    monkeypatch.setattr("service.prediction.predictor.TURN_SECONDS", 0.002)  # many turns for one batch

    async def scenario() -> None:
        started = time.perf_counter()
        outcomes = await predictor.predict_many([GRAINY] * 8, classifiers[0])
        elapsed = time.perf_counter() - started
        for outcome in outcomes:
            assert 0 < outcome.queue_seconds + outcome.preprocessing_seconds <= elapsed

    run_alone(scenario())


def test_rows_of_pixels_are_classified_in_small_batches(predictor, metrics, classifiers):
    pixels = np.stack([preprocess(image, classifiers[0].artifact.geometry) for image in DIGITS] * 3)
    predictions = run_alone(predictor.classify(pixels, classifiers[0]))
    assert [each.digit for each in predictions] == [*range(8)] * 3
    assert predictions[:8] == predictions[8:16] == predictions[16:]
    assert passes(metrics) == len(pixels) / BATCH_SIZE


@pytest.mark.parametrize("image", [DIGITS[2], LARGE], ids=["small", "large"])
def test_a_prediction_can_be_cancelled_at_any_moment(predictor, metrics, classifiers, image, caplog):
    async def scenario() -> None:
        for turns in (0, 1, 2, 3, 5, 8):
            task = asyncio.create_task(predictor.predict(image, classifiers[0]))
            batch = asyncio.create_task(predictor.predict_many([image, BROKEN, image], classifiers[0]))
            for _ in range(turns):
                await asyncio.sleep(0)
            others = asyncio.gather(*(predictor.predict(DIGITS[k], classifiers[0]) for k in range(3)))
            task.cancel()
            batch.cancel()
            assert [outcome.prediction.digit for outcome in await others] == [0, 1, 2]
            await asyncio.gather(task, batch, return_exceptions=True)
        # An image that was canceled while a thread decoded it delays no other one, and its thread ends.
        assert (await predictor.predict(LARGE, classifiers[0])).prediction.digit == 3
        while value(metrics, "http_requests_waiting"):
            await asyncio.sleep(0.01)
        gc.collect()

    with caplog.at_level(logging.ERROR):
        run_alone(asyncio.wait_for(scenario(), 60))
    assert caplog.text == ""


def test_the_waiting_gauge_tells_what_has_no_turn_yet(predictor, metrics, classifiers):
    async def scenario() -> None:
        tasks = [asyncio.create_task(predictor.predict(image, classifiers[0])) for image in (*DIGITS, LARGE)]
        await asyncio.sleep(0)
        assert value(metrics, "http_requests_waiting") == 9
        outcomes = await asyncio.gather(*tasks)
        assert value(metrics, "http_requests_waiting") == 0
        assert all(outcome.queue_seconds > 0 for outcome in outcomes)

    run_alone(scenario())


def test_a_picture_dearer_than_all_memory_is_refused(metrics, classifiers):
    predictor = predictor_of(Settings(max_decoding_bytes=8 * 1024 * 1024, workers=2), metrics)

    async def scenario() -> None:
        large, small = await predictor.predict_many([LARGE, DIGITS[4]], classifiers[0])
        assert isinstance(large, TooManyPixelsError)
        assert "at most 4 MiB are allowed" in str(large)
        assert small.prediction.digit == 4
        assert value(metrics, "http_requests_waiting") == 0

    run_alone(scenario())


def test_workers_share_the_memory_for_decoding(metrics, classifiers, monkeypatch):
    held, most = 0, 0
    original = OpenedImage.decode

    def decode(self: OpenedImage, *arguments: Any) -> np.ndarray:
        nonlocal held, most
        held += self.decoding_bytes
        most = max(most, held)
        try:
            return original(self, *arguments)
        finally:
            held -= self.decoding_bytes

    monkeypatch.setattr(OpenedImage, "decode", decode)
    capacity = 20 * 1024 * 1024
    predictor = predictor_of(Settings(max_decoding_bytes=2 * capacity, workers=2, threads=8), metrics)
    outcomes = run_alone(predictor.predict_many([LARGE] * 8, classifiers[0]))
    assert [outcome.prediction.digit for outcome in outcomes] == [3] * 8
    assert capacity / 3 < most <= capacity
