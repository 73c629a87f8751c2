"""The road from an image to its prediction, timed and counted; every protocol takes it.

    image bytes -> prepare -> pixels -> classify -> Prediction
    image bytes -> take -> Taken, one of those that wait -> result: prepare each, classify few together

The image of a request is taken first and answered later, together with those of other requests that a
worker answers in one go: what a step runs through is then still in the processor's caches.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import groupby, islice
from operator import attrgetter

import numpy as np

from service.classifier import Classifier, Prediction
from service.config import Settings
from service.decoding import ImageError
from service.metrics import Metrics
from service.network import FEW_ROWS
from service.preprocessing import preprocess
from service.problems import problem_type


class Queue:
    """The images that one thread has taken. Any thread that needs the result of one does what waits.

    So an image that takes long holds up nobody but those who ask for it, and for what is prepared with it.
    """

    def __init__(self) -> None:
        self.taken: deque[Taken] = deque()
        self.prepared: deque[Taken] = deque()
        self.changed = threading.Condition()


class Taken:
    """An image on its way.

    steps: gets what preprocessing did, in words, where it is a list. pixels: (side * side,) float32, once
    it is prepared. outcome: the prediction or the error, once there is one.
    """

    __slots__ = ("classifier", "image", "outcome", "pixels", "queue", "steps")

    def __init__(self, image: bytes, classifier: Classifier, steps: list[str] | None, queue: Queue) -> None:
        self.image = image
        self.classifier = classifier
        self.steps = steps
        self.queue = queue
        self.pixels = np.empty(0, np.float32)
        self.outcome: Prediction | Exception | None = None


class _Own(threading.local):
    """What belongs to a thread."""

    def __init__(self) -> None:
        self.queue = Queue()


class Inference:
    """Prepares and classifies on behalf of the routes; knows nothing of requests."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._max_pixels = settings.max_image_pixels
        self._metrics = metrics
        self._own = _Own()

    def take(self, image: bytes, classifier: Classifier, steps: list[str] | None = None) -> Taken:
        """Take in an image file, to be answered by `result`."""
        queue = self._own.queue
        taken = Taken(image, classifier, steps, queue)
        queue.taken.append(taken)
        return taken

    def result(self, taken: Taken) -> Prediction:
        """Return the prediction for an image, in whatever thread; raises the ImageError that it met."""
        outcome = taken.outcome or self._outcome(taken)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _outcome(self, taken: Taken) -> Prediction | Exception:
        """Do all that nobody is at; wait for another thread where one is at this image."""
        queue = taken.queue
        self._answer_all(queue)
        with queue.changed:
            while taken.outcome is None:
                queue.changed.wait()
        return taken.outcome

    def _answer_all(self, queue: Queue) -> None:
        """Give each image that nobody is at an outcome."""
        for taken in _taken_out(queue.taken):
            try:
                taken.pixels = self.prepare(taken.image, taken.classifier, taken.steps)
                queue.prepared.append(taken)
            except Exception as error:
                taken.outcome = error
        for classifier, group in groupby(_taken_out(queue.prepared), attrgetter("classifier")):
            # No more: what an image's answer is must not depend on which others came with it.
            while few := list(islice(group, FEW_ROWS)):
                pixels = np.concatenate([taken.pixels for taken in few]).reshape(len(few), -1)
                for taken, prediction in zip(few, self.classify(pixels, classifier), strict=True):
                    taken.outcome = prediction
        with queue.changed:
            queue.changed.notify_all()

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


def _taken_out(queue: deque[Taken]) -> Iterator[Taken]:
    """Yield what is in a queue; each of it goes to one thread alone."""
    while queue:
        try:
            yield queue.popleft()
        except IndexError:  # another thread had the last one
            return
