"""Pages are read by threads, within the memory for decoding, and do not delay other requests."""

import asyncio
import gc
import logging
import threading

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from service.config import Settings
from service.metrics import Metrics
from service.model.artifact import load
from service.model.classifier import Classifier
from service.prediction import PageReader, Threads
from service.preprocessing import BlankImageError, TooManyPixelsError
from service.reading import text_of
from tests.drawing import draw_digit, encode
from tests.service.prediction.outcomes import HELD_SECONDS, Ticker, value
from tests.service.reading.pages import Page
from tests.serving import MODELS, run_alone

SMALL = encode(Page().write("1275").image())
BLANK = encode(draw_digit(1, ink=255))


def hundred() -> bytes:
    """Return a page of a hundred digits, 1,800 pixels wide."""
    page = Page(1800, 1720)
    for row in range(10):
        page.write("1234567890", left=40, top=40 + 164 * row, height=112, gap=60)
    return encode(page.image(), compress_level=1)


HUNDRED = hundred()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load(MODELS / "mnist-28x28.npz"), "mnist-28x28")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def made(metrics: Metrics, **settings: int) -> PageReader:
    return PageReader(Settings(**settings), metrics, Threads(Settings(**settings), metrics))


def test_pages_at_once_each_get_their_own_digits(metrics, classifier):
    reader = made(metrics)
    numbers = ["271", "80", "46", "905", "3", "1618"]

    async def scenario() -> None:
        pages = [encode(Page().write(number).image()) for number in numbers]
        outcomes = await asyncio.gather(*(reader.read(page, classifier) for page in pages))
        assert [text_of(outcome.rows[0]) for outcome in outcomes] == numbers
        assert all(outcome.queue_seconds >= 0 for outcome in outcomes)
        assert value(metrics, "http_requests_waiting") == 0

    run_alone(scenario())


def test_reading_leaves_the_event_loop_to_others(metrics, classifier, monkeypatch):
    reader = made(metrics)
    threads: set[str] = set()
    original = Classifier.classify

    def classify(self: Classifier, pixels: np.ndarray) -> list:
        threads.add(threading.current_thread().name)
        return original(self, pixels)

    monkeypatch.setattr(Classifier, "classify", classify)

    async def scenario() -> float:
        async with Ticker() as ticker:
            outcomes = await asyncio.gather(*(reader.read(HUNDRED, classifier) for _ in range(3)))
        assert all(len(row) == 10 for outcome in outcomes for row in outcome.rows)
        assert ticker.ticks > 3
        return ticker.longest_seconds

    assert min(run_alone(scenario()) for _ in range(2)) < HELD_SECONDS
    assert all(name.startswith("decoding") for name in threads)


def test_an_error_is_raised_and_counted(metrics, classifier):
    reader = made(metrics)

    async def scenario() -> None:
        with pytest.raises(BlankImageError):
            await reader.read(BLANK, classifier)
        assert [text_of(row) for row in (await reader.read(SMALL, classifier)).rows] == ["1275"]

    run_alone(scenario())
    count = metrics.registry.get_sample_value
    assert count("digits_image_rejections_total", {"reason": "blank-image"}) == 1
    assert count("digits_preprocessing_duration_seconds_count") == 2
    assert count("digits_inference_duration_seconds_count") >= 1
    assert count("digits_predictions_total", {"model": "mnist-28x28", "digit": "7"}) == 1
    assert count("http_requests_waiting") == 0


def test_a_page_dearer_than_all_memory_is_refused(metrics, classifier):
    reader = made(metrics, max_decoding_bytes=16 * 1024 * 1024, workers=2)

    async def scenario() -> None:
        with pytest.raises(TooManyPixelsError):
            await reader.read(HUNDRED, classifier)
        assert value(metrics, "http_requests_waiting") == 0

    run_alone(scenario())


def test_a_reading_can_be_cancelled_at_any_moment(metrics, classifier, caplog):
    reader = made(metrics, threads=1)

    async def scenario() -> None:
        for turns in (0, 1, 2, 5):
            tasks = [asyncio.create_task(reader.read(page, classifier)) for page in (SMALL, BLANK, SMALL)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert [text_of(row) for row in (await reader.read(SMALL, classifier)).rows] == ["1275"]
        while value(metrics, "http_requests_waiting"):
            await asyncio.sleep(0.01)
        gc.collect()

    with caplog.at_level(logging.ERROR):
        run_alone(asyncio.wait_for(scenario(), 60))
    assert caplog.text == ""
