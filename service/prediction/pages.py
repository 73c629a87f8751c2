"""From the bytes of a page to the digits on it, for every protocol.

    read -> open -> the predictor's memory and threads: decode, find, classify -> PageOutcome

Even a small page takes so long that a thread reads it, not the event loop.
"""

import time
from dataclasses import dataclass

import numpy as np

from service.config import Settings
from service.metrics import Metrics
from service.model.classifier import Classifier, Prediction
from service.prediction.threads import Threads
from service.preprocessing import ImageError, OpenedImage, error_name, open_image
from service.reading import READING_SIDE, Digit, read_file, reading_bytes


@dataclass(frozen=True)
class PageOutcome:
    """What is on a page: its rows of digits, and how long it waited for a thread."""

    rows: list[list[Digit]]
    queue_seconds: float


class PageReader:
    """Reads pages for the views; knows nothing about requests."""

    def __init__(self, settings: Settings, metrics: Metrics, threads: Threads) -> None:
        self._max_pixels = settings.max_image_pixels
        self._metrics = metrics
        self._threads = threads

    async def read(self, image: bytes, classifier: Classifier) -> PageOutcome:
        """Return what is on the page in an image file; raises ImageError."""
        submitted = time.perf_counter()
        try:
            opened = open_image(image, self._max_pixels, READING_SIDE)
            started, rows = await self._threads.run_counted(
                lambda: self._read(opened, classifier), reading_bytes(opened)
            )
        except ImageError as error:
            self._metrics.image_rejected(error_name(type(error)))
            raise
        predictions = [one.prediction for row in rows for one in row]
        if predictions:
            self._metrics.predicted(classifier.name, predictions)
        return PageOutcome(rows, started - submitted)

    def _read(self, opened: OpenedImage, classifier: Classifier) -> tuple[float, list[list[Digit]]]:
        """Return the start time and the rows of digits; runs in any thread."""
        started = time.perf_counter()
        measured = _MeasuredClassifier(classifier, self._metrics)
        try:
            return started, read_file(opened, measured)
        finally:
            seconds = time.perf_counter() - started - measured.seconds
            self._metrics.preprocessing_duration.observe(seconds)


class _MeasuredClassifier(Classifier):
    """A classifier that observes how long each forward pass takes, and adds it up in `seconds`."""

    def __init__(self, classifier: Classifier, metrics: Metrics) -> None:
        super().__init__(classifier.artifact, classifier.name)
        self.seconds = 0.0
        self._metrics = metrics

    def classify(self, pixels: np.ndarray) -> list[Prediction]:
        """Return the classifier's predictions, and add the time that they took to `seconds`."""
        started = time.perf_counter()
        predictions = super().classify(pixels)
        seconds = time.perf_counter() - started
        self._metrics.inference_duration.observe(seconds)
        self.seconds += seconds
        return predictions
