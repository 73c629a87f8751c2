"""Several trained models whose mean answer teaches one small network.

folder/*.npz -> Teacher, a perceptron or a convolutional network -> Committee -> mean of their probabilities
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np

from service.model.artifact import Artifact, load
from service.model.errors import ArtifactError
from service.model.network import forward, softmax
from service.preprocessing import Geometry
from trainer.distillation.convolution import load_convolution
from trainer.errors import TrainerError
from trainer.training import CONVOLUTION_SUFFIX, TEACHER_PREFIX, TrainingConfig

THREADS = 2  # teachers that answer at the same time; their order does not change the result


class Teacher(Protocol):
    """A trained network of any kind; `sha256` is that of its file."""

    @property
    def geometry(self) -> Geometry:
        """The geometry of its pictures."""

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits."""

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Return (n, 10) float32; pixels: (n, side * side) float32 ink in [0, 1]."""


class Perceptron:
    """The network in a model file."""

    def __init__(self, artifact: Artifact) -> None:
        self.layers, self.geometry, self.sha256 = artifact.layers, artifact.geometry, artifact.sha256

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Return uncalibrated logits, (n, 10) float32; pixels: (n, side * side) float32 ink in [0, 1]."""
        return forward(self.layers, pixels)[-1]


class Committee:
    """Teachers with the same geometry; `sources` maps the name of each file to its SHA-256."""

    def __init__(self, teachers: Mapping[str, Teacher]) -> None:
        self.teachers = list(teachers.values())
        self._cache: dict[tuple[int, int], np.ndarray] = {}
        self.sources = {f"{TEACHER_PREFIX}{name}": teacher.sha256 for name, teacher in teachers.items()}

    def soften(
        self,
        targets: np.ndarray,
        pixels: np.ndarray,
        config: TrainingConfig,
        taught: np.ndarray,
        key: tuple[int, int],
    ) -> None:
        """Mix the teachers' answers into the targets of one batch, in place.

        targets: (n, 10) float32. pixels: (n, side * side) float32. taught: (n,) bool, the rows to mix. key:
        (view, index) of the batch, which identifies its pixels where `config.views` is not 0.
        """
        answers = self.cached_answers(key if config.views else None, pixels[taught], config.soft_temperature)
        targets[taught] *= np.float32(1 - config.soft_share)
        targets[taught] += np.float32(config.soft_share) * answers

    def cached_answers(
        self, key: tuple[int, int] | None, pixels: np.ndarray, temperature: float
    ) -> np.ndarray:
        """Return `answers`, (n, 10) float32, from the cache if it has those for `key`.

        key: identifies the pixels; None bypasses the cache. Answers are rounded to half precision even
        the first time, so that a resumed training sees the same ones. 54,000 images in 60 views take 65 MB.
        """
        if key not in self._cache:
            fresh = self.answers(pixels, temperature).astype(np.float16)
            if key is None:
                return fresh.astype(np.float32)
            self._cache[key] = fresh
        return self._cache[key].astype(np.float32)

    def clear_cache(self) -> None:
        """Empty the cache, before the same keys identify other pixels."""
        self._cache.clear()

    def answers(self, pixels: np.ndarray, temperature: float) -> np.ndarray:
        """Return the mean of the teachers' softmax(logits / temperature), (n, 10) float32.

        pixels: (n, side * side) float32, preprocessed. A temperature above 1 shows more clearly
        which wrong digits a teacher considers likely (Hinton, Vinyals and Dean 2015).
        """
        with ThreadPoolExecutor(THREADS) as pool:
            shares = list(pool.map(lambda one: softmax(one.logits(pixels), temperature), self.teachers))
        return np.asarray(sum(shares) / np.float32(len(shares)))


def load_committee(folder: Path, geometry: Geometry) -> Committee:
    """Return the committee of all teachers in `folder`.

    Raises TrainerError if there is none, if a file cannot be used, or if a geometry differs.
    """
    teachers: dict[str, Teacher] = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            teachers[path.name] = load_teacher(path)
        except ArtifactError as error:
            raise TrainerError(f"the teacher {path} cannot be used: {error}") from error
        if teachers[path.name].geometry != geometry:
            raise TrainerError(
                f"the teacher {path} sees {teachers[path.name].geometry.side} pixels a side, the data set "
                f"has {geometry.side}. Train teachers on the same data set"
            )
    if not teachers:
        raise TrainerError(
            f"{folder} holds no teacher. Train some: python -m trainer train ... --to {folder}"
        )
    return Committee(teachers)


def load_teacher(path: Path) -> Teacher:
    """Return the teacher in a file; its name gives the kind. Raises ArtifactError if it is broken."""
    return load_convolution(path) if path.name.endswith(CONVOLUTION_SUFFIX) else Perceptron(load(path))
