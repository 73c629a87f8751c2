"""Images for a predictor, and what its tests ask of outcomes, metrics and the event loop."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import numpy as np
from PIL import Image

from service.config import Settings
from service.metrics import Metrics
from service.prediction import Outcome, Predictor, Threads
from tests.drawing import digit_png, draw_digit, encode

DIGITS = [digit_png(digit) for digit in range(8)]


BROKEN = DIGITS[0][:60]


LARGE = encode(draw_digit(3, (2300, 2300)), compress_level=1)  # above a megapixel


HELD_SECONDS = 0.02  # the longest for which the event loop may do one thing


def predictor_of(settings: Settings, metrics: Metrics) -> Predictor:
    """Return a predictor with threads of its own."""
    return Predictor(settings, metrics, Threads(settings, metrics))


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
