"""One image on its way to a prediction: what is known about it, and the steps that it takes on its own.

file -> decode -> prepare: its readings -> the predictor classifies them -> prediction
"""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np

from service.model.answering import Picture
from service.model.classifier import Classifier, Prediction
from service.preprocessing import OpenedImage, no_trace, read_grey
from service.tracing import Stage


@dataclass(eq=False, slots=True)
class Outcome:
    """The result for one image; the predictor fills it in step by step.

    prediction: the answer. pixels: (side * side,) float32 in [0, 1], what the network saw of it. steps: what
    preprocessing did, in words, or None if that is not wanted. queue_seconds: how long the image waited.
    stages: what was done with it, and when.
    """

    image: bytes
    classifier: Classifier
    steps: list[str] | None
    future: "asyncio.Future[Outcome] | None"
    waiting_since: float = field(default_factory=time.perf_counter)
    queue_seconds: float = 0.0
    preprocessing_seconds: float = 0.0
    stages: list[Stage] = field(default_factory=list)
    opened: OpenedImage | None = None
    is_decoded: bool = False
    grey: np.ndarray = field(init=False)
    picture: Picture = field(init=False)
    pixels: np.ndarray = field(init=False)
    prediction: Prediction = field(init=False)

    def take_future(self) -> "asyncio.Future[Outcome] | None":
        """Return the future if it still waits for a result, and forget it and the file.

        The future will hold the outcome, or an error whose traceback does. If they held each other, ten
        mebibytes of file would stay until the garbage collector runs, which a few requests do not cause.
        """
        future, self.future, self.image = self.future, None, b""
        return None if future is None or future.done() else future  # done: canceled

    def wait_no_longer(self) -> None:
        """Record that its wait is over."""
        now = time.perf_counter()
        self.queue_seconds += now - self.waiting_since
        self.stages.append(Stage("queue", self.waiting_since, now))
        self.waiting_since = now

    def decode(self, opened: OpenedImage) -> None:
        """Decode it, in any thread; raises ImageError."""
        started = time.perf_counter()
        self.is_decoded, self.opened = True, None
        try:
            self.grey = opened.decode(no_trace if self.steps is None else self.steps.append)
        finally:
            self.waiting_since = time.perf_counter()
            self._preprocessed("decode", started, self.waiting_since)

    def prepare(self) -> None:
        """Prepare the readings of a decoded image; raises ImageError."""
        started = time.perf_counter()
        grey = self.grey
        del self.grey
        try:
            self.picture = Picture(grey, read_grey(grey, self.classifier.artifact.geometry))
        finally:
            self._preprocessed("preprocess", started, time.perf_counter())

    def _preprocessed(self, stage: str, started: float, ended: float) -> None:
        self.preprocessing_seconds += ended - started
        self.stages.append(Stage(stage, started, ended))
