"""No image holds up the others: the event loop stays free, and memory and threads are shared."""

import asyncio
import gc
import logging
import threading
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.config import Settings
from service.prediction import BATCH_SIZE
from service.preprocessing import TooManyPixelsError, preprocess
from service.preprocessing.decoding import OpenedImage
from tests.drawing import encode
from tests.service.prediction.outcomes import (
    BROKEN,
    DIGITS,
    GRAINY,
    HELD_SECONDS,
    LARGE,
    LONG,
    Ticker,
    passes,
    predictor_of,
    value,
)
from tests.serving import run_alone


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
