"""From the bytes of an image to its prediction, for every protocol.

    predict -> open -> small ------------------------------> queue -> up to eight: the readings of each
                    -> large: memory -> decoded by a thread -^        -> one forward pass -> outcomes
                                 several digits? a thread reads the picture -^

Images that wait at the same time go through the network together. Nothing blocks the event loop for long:
large images are decoded in a thread, and other tasks get their turn every few milliseconds.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from service.config import Settings
from service.metrics import Metrics
from service.model.answering import answer
from service.model.classifier import Classifier, Prediction
from service.model.network import FEW_ROWS
from service.prediction.outcome import Outcome
from service.prediction.threads import Threads
from service.preprocessing import ImageError, OpenedImage, Reading, error_name, open_image
from service.reading.several import holds_several, may_hold_several, with_several
from service.tracing import Stage

# The most images in one forward pass, so that an answer does not depend on the other images in it.
BATCH_SIZE = FEW_ROWS
TURN_SECONDS = 0.008
LARGE_PIXELS = 1_000_000
LARGE_BYTES = 512 * 1024
LARGE_DECODING_BYTES = 6_000_000  # 999 x 999 as RGBA or WebP takes as long as four megapixels of gray


class Predictor:
    """Predicts for the views; knows nothing about requests. It serves one event loop at a time."""

    def __init__(self, settings: Settings, metrics: Metrics, threads: Threads) -> None:
        self._max_pixels = settings.max_image_pixels
        self._metrics = metrics
        self._threads = threads
        self._queue: deque[Outcome] = deque()
        self._is_scheduled = False

    async def predict(self, image: bytes, classifier: Classifier, traced: bool = False) -> Outcome:
        """Return the outcome for an image file; raises ImageError.

        traced: whether to record the steps of preprocessing.
        """
        return await self._submit(image, classifier, traced)

    async def predict_many(
        self, images: Sequence[bytes], classifier: Classifier, traced: bool = False
    ) -> list[Outcome | ImageError]:
        """Return the outcome, or the error, for each image file, in the order given.

        It submits a few at a time, so that single images get their turn during a batch of any size.
        """
        results: list[Outcome | ImageError] = []
        for start in range(0, len(images), BATCH_SIZE):
            few = [self._submit(image, classifier, traced) for image in images[start : start + BATCH_SIZE]]
            for result in await asyncio.gather(*few, return_exceptions=True):
                if isinstance(result, BaseException) and not isinstance(result, ImageError):
                    raise result
                results.append(result)
        return results

    async def classify(self, pixels: np.ndarray, classifier: Classifier) -> list[Prediction]:
        """Return a prediction for each row of pixels, (n, side * side) float32 in [0, 1]."""
        predictions: list[Prediction] = []
        for start in range(0, len(pixels), BATCH_SIZE):
            started = time.perf_counter()
            part = classifier.classify(pixels[start : start + BATCH_SIZE])
            self._observe(part, classifier, started)
            predictions += part
            await asyncio.sleep(0)
        return predictions

    def _submit(self, image: bytes, classifier: Classifier, traced: bool) -> "asyncio.Future[Outcome]":
        """Submit an image; the future gets its outcome, or the error."""
        future = asyncio.get_running_loop().create_future()
        self._metrics.requests_waiting.inc()
        self._enqueue(Outcome(image, classifier, [] if traced else None, future))
        return future

    async def _decode_in_thread(self, outcome: Outcome, opened: OpenedImage) -> None:
        try:
            await self._threads.run(lambda: self._decode_opened(outcome, opened), opened.decoding_bytes)
        except Exception as error:
            self._fail(outcome, error)
        else:
            self._enqueue(outcome)

    def _enqueue(self, outcome: Outcome) -> None:
        self._queue.append(outcome)
        if not self._is_scheduled:
            self._is_scheduled = True
            loop = asyncio.get_running_loop()
            # One turn later, so that requests which arrived meanwhile are in the queue too.
            loop.call_soon(loop.call_soon, self._process)

    def _process(self) -> None:
        """Preprocess and classify queued images, as many as fit into one turn.

        Each step runs over all images before the next one, so that its code and data stay in the caches.
        """
        end = time.perf_counter() + TURN_SECONDS
        decoded: deque[Outcome] = deque()
        while self._queue and len(decoded) < BATCH_SIZE and time.perf_counter() < end:
            outcome = self._queue.popleft()
            if self._takes(self._decode, outcome) and outcome.opened is None:
                decoded.append(outcome)
        ready: dict[Classifier, list[Outcome]] = {}
        while decoded:
            outcome = decoded.popleft()
            if self._takes(Outcome.prepare, outcome):
                ready.setdefault(outcome.classifier, []).append(outcome)
            if time.perf_counter() >= end:  # a grainy picture takes longer to preprocess than to decode
                break
        self._queue.extendleft(reversed(decoded))
        for classifier, outcomes in ready.items():
            self._finish(outcomes, classifier)
        self._is_scheduled = bool(self._queue)
        if self._is_scheduled:
            asyncio.get_running_loop().call_soon(self._process)

    def _takes(self, step: Callable[[Outcome], None], outcome: Outcome) -> bool:
        """Run one step for an image; if it raises, fail the outcome and return False."""
        try:
            step(outcome)
        except Exception as error:
            self._fail(outcome, error)
            return False
        return True

    def _decode(self, outcome: Outcome) -> None:
        """Open an image and decode it, in a thread if it is large; raises ImageError."""
        if outcome.is_decoded:  # by a thread, or in the turn before
            outcome.wait_no_longer()
            return
        opened = outcome.opened = open_image(outcome.image, self._max_pixels)
        is_large = opened.pixels > LARGE_PIXELS or opened.decoding_bytes > LARGE_DECODING_BYTES
        if is_large or len(outcome.image) > LARGE_BYTES:
            self._threads.keep(self._decode_in_thread(outcome, opened))
        else:
            self._decode_opened(outcome, opened)

    def _decode_opened(self, outcome: Outcome, opened: OpenedImage) -> None:
        outcome.wait_no_longer()
        self._metrics.requests_waiting.dec()
        outcome.decode(opened)

    def _finish(self, outcomes: list[Outcome], classifier: Classifier) -> None:
        """Classify preprocessed images together; an error fails all of them."""
        started = time.perf_counter()
        try:
            answers = answer(classifier, [outcome.picture for outcome in outcomes])
            self._observe([one.prediction for one in answers], classifier, started)
        except Exception as error:
            for outcome in outcomes:
                self._fail(outcome, error)
            return
        inferred = Stage("infer", started, time.perf_counter())
        for outcome, (outcome.prediction, reading) in zip(outcomes, answers, strict=True):
            outcome.pixels = reading.pixels
            outcome.stages.append(inferred)
            if outcome.steps is not None:
                outcome.steps += reading.steps
            self._metrics.preprocessing_duration.observe(outcome.preprocessing_seconds)
            self._takes(partial(self._conclude, reading), outcome)

    def _conclude(self, reading: Reading, outcome: Outcome) -> None:
        """Deliver an outcome, after a thread has read the picture if it may show several digits."""
        geometry = outcome.classifier.artifact.geometry
        if may_hold_several(reading, outcome.prediction, geometry):
            self._threads.keep(self._look_for_several(outcome))
        else:
            self._deliver(outcome)

    async def _look_for_several(self, outcome: Outcome) -> None:
        """Deliver an outcome, not accepted if a thread finds several digits in its picture."""
        try:
            several = await self._threads.run(lambda: holds_several(outcome.picture.grey, outcome.classifier))
        except Exception as error:
            self._fail(outcome, error)
            return
        if several and outcome.prediction.accepted:
            self._metrics.not_accepted.labels(outcome.classifier.name).inc()
        outcome.prediction = with_several(outcome.prediction, several)
        self._deliver(outcome)

    def _deliver(self, outcome: Outcome) -> None:
        del outcome.picture
        if future := outcome.take_future():
            future.set_result(outcome)

    def _observe(self, predictions: list[Prediction], classifier: Classifier, started: float) -> None:
        self._metrics.inference_duration.observe(time.perf_counter() - started)
        self._metrics.predicted(classifier.name, predictions)

    def _fail(self, outcome: Outcome, error: Exception) -> None:
        if not outcome.is_decoded:  # its turn never came
            self._metrics.requests_waiting.dec()
        if isinstance(error, ImageError):
            self._metrics.preprocessing_duration.observe(outcome.preprocessing_seconds)
            self._metrics.image_rejected(error_name(type(error)))
        if future := outcome.take_future():
            future.set_exception(error)
