"""The road from an image to its prediction, timed and counted; every protocol takes it.

    image bytes -> take -> Taken, in a queue
    result -> all that wait in the queue: each decoded -> each recognised, where it is normal already
           -> ink of each extracted -> each framed -> classified together -> outcomes

Images are taken first and answered later, step by step: those of one request, or those of requests
that a worker answers in one go. What a step runs through is then still in the processor's caches.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from operator import attrgetter

import numpy as np

from service.config import Settings
from service.metrics import Metrics
from service.model.classifier import Classifier, Prediction
from service.model.network import FEW_ROWS
from service.preprocessing.decoding import decode
from service.preprocessing.errors import ImageError
from service.preprocessing.ink import extract_ink
from service.preprocessing.pipeline import already_normal, frame
from service.preprocessing.trace import Trace, no_trace
from service.problems import problem_type


class Queue:
    """Images by the step that they wait for; whoever needs the result of one does all that waits.

    So where a thread is at an image that takes long, another that asks for the next does not wait for it.
    most: images that are classified at once. waiting: for each step of preprocessing, and at the end for
    classification.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.waiting: list[deque[Taken]] = [deque() for _ in range(5)]
        self.changed = threading.Condition()


class Taken:
    """An image on its way.

    steps: gets what preprocessing did, in words, where it is a list. picture: what the steps have made of
    it so far, at the end pixels, (side * side,) float32 in [0, 1]. is_ready: it is at its end. outcome: the
    prediction or the error, once there is one. seconds: what preprocessing took so far.
    """

    picture: np.ndarray

    def __init__(self, image: bytes, classifier: Classifier, steps: list[str] | None, queue: Queue) -> None:
        self.image = image
        self.classifier = classifier
        self.geometry = classifier.artifact.geometry
        self.steps = steps
        self.trace: Trace = no_trace if steps is None else steps.append
        self.queue = queue
        self.is_ready = False
        self.outcome: Prediction | Exception | None = None
        self.seconds = 0.0


class _Own(threading.local):
    """What belongs to a thread."""

    def __init__(self) -> None:
        # No more at once: what an image's answer is must not depend on which others came with it.
        self.queue = Queue(FEW_ROWS)


class Inference:
    """Prepares and classifies on behalf of the routes; knows nothing of requests."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._max_pixels = settings.max_image_pixels
        self._metrics = metrics
        self._own = _Own()

    def take(
        self, image: bytes, classifier: Classifier, steps: list[str] | None = None, queue: Queue | None = None
    ) -> Taken:
        """Take in an image file, to be answered by `result`; with what else the thread takes, or a queue."""
        taken = Taken(image, classifier, steps, queue or self._own.queue)
        taken.queue.waiting[0].append(taken)
        return taken

    def result(self, taken: Taken) -> Prediction:
        """Return the prediction for an image, in whatever thread; raises the ImageError that it met."""
        outcome = taken.outcome or self._outcome(taken)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def classify(self, pixels: np.ndarray, classifier: Classifier) -> list[Prediction]:
        """Return a prediction for each row of pixels, (n, side * side) float32 in [0, 1]."""
        started = time.perf_counter()
        predictions = classifier.classify(pixels)
        self._metrics.inference_duration.observe(time.perf_counter() - started)
        self._metrics.predicted(classifier.name, predictions)
        return predictions

    def _outcome(self, taken: Taken) -> Prediction | Exception:
        """Do all that nobody is at; wait for another thread where one is at this image."""
        queue = taken.queue
        steps = (self._decode, self._recognize, self._extract, self._frame)
        for step, waiting, done in zip(steps, queue.waiting, queue.waiting[1:], strict=False):
            self._each(waiting, step, done)
        self._classify(queue.waiting[-1], queue.most)
        with queue.changed:
            queue.changed.notify_all()
            while taken.outcome is None:
                queue.changed.wait()
        return taken.outcome

    def _each(self, waiting: deque[Taken], step: Callable[[Taken], None], done: deque[Taken]) -> None:
        """Take each image that waits one step further, or give it the error that it meets."""
        for taken in _taken_out(waiting):
            started = time.perf_counter()
            try:
                step(taken)
                taken.seconds += time.perf_counter() - started
                done.append(taken)
            except Exception as error:
                taken.seconds += time.perf_counter() - started
                self._refuse(taken, error)

    def _decode(self, taken: Taken) -> None:
        taken.picture = decode(taken.image, self._max_pixels, taken.trace)

    def _recognize(self, taken: Taken) -> None:
        pixels = already_normal(taken.picture, taken.geometry, taken.trace)
        if pixels is not None:
            taken.picture, taken.is_ready = pixels, True

    def _extract(self, taken: Taken) -> None:
        if not taken.is_ready:
            taken.picture = extract_ink(taken.picture, taken.trace)

    def _frame(self, taken: Taken) -> None:
        if not taken.is_ready:
            taken.picture = frame(taken.picture, taken.geometry, taken.trace)

    def _refuse(self, taken: Taken, error: Exception) -> None:
        """Note that an image cannot be classified."""
        if isinstance(error, ImageError):
            self._metrics.preprocessing_duration.observe(taken.seconds)
            self._metrics.rejections.labels(problem_type(type(error)).rpartition("/")[2]).inc()
        taken.outcome = error

    def _classify(self, waiting: deque[Taken], most: int) -> None:
        """Classify what waits for it, so many at once; an error is the outcome of all of these."""
        for classifier, group in groupby(_taken_out(waiting), attrgetter("classifier")):
            while images := list(islice(group, most)):
                self._metrics.preprocessing_duration.observe_all([taken.seconds for taken in images])
                pixels = np.concatenate([taken.picture for taken in images]).reshape(len(images), -1)
                outcomes: Sequence[Prediction | Exception]
                try:
                    outcomes = self.classify(pixels, classifier)
                except Exception as error:
                    outcomes = [error] * len(images)
                for taken, outcome in zip(images, outcomes, strict=True):
                    taken.outcome = outcome


def _taken_out(queue: deque[Taken]) -> Iterator[Taken]:
    """Yield what is in a queue; each of it goes to one thread alone."""
    while queue:
        try:
            yield queue.popleft()
        except IndexError:  # another thread had the last one
            return
