"""The road from an image to its prediction, timed and counted; every protocol takes it.

image bytes -> preprocess -> classify -> Prediction, with the metrics kept on the way
"""

import time

import numpy as np

from service.classifier import Classifier, Prediction
from service.config import Settings
from service.decoding import ImageError
from service.metrics import Metrics
from service.preprocessing import preprocess
from service.problems import problem_type


class Inference:
    """Prepares and classifies on behalf of the routes; holds nothing of a request."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._max_pixels = settings.max_image_pixels
        self._metrics = metrics

    def prepare(self, image: bytes, classifier: Classifier, steps: list[str] | None = None) -> np.ndarray:
        """Return the pixels, (side * side,) float32, of an image file; raises an ImageError.

        steps: gets what preprocessing did, in words.
        """
        started = time.perf_counter()
        try:
            return preprocess(image, classifier.artifact.geometry, self._max_pixels, steps)
        except ImageError as error:
            self._metrics.rejections.labels(problem_type(type(error)).rpartition("/")[2]).inc()
            raise
        finally:
            self._metrics.preprocessing_duration.observe(time.perf_counter() - started)

    def attempt(
        self, image: bytes, classifier: Classifier, steps: list[str] | None = None
    ) -> np.ndarray | ImageError:
        """Return the pixels of an image file, or the error that it met."""
        try:
            return self.prepare(image, classifier, steps)
        except ImageError as error:
            return error

    def classify(self, pixels: np.ndarray, classifier: Classifier) -> list[Prediction]:
        """Return a prediction for each row of pixels, (n, side * side) float32 in [0, 1]."""
        started = time.perf_counter()
        predictions = classifier.classify(pixels)
        self._metrics.inference_duration.observe(time.perf_counter() - started)
        for prediction in predictions:
            self._metrics.predicted(classifier.name, prediction)
        return predictions
