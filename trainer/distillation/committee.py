"""Several trained models that answer together, as teachers of one small network.

folder/*.npz -> Teacher, a perceptron or a convolutional network -> Committee -> mean of their probabilities
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from service.model.artifact import Artifact, ArtifactError, load
from service.model.network import forward, softmax
from service.preprocessing.normalization import Geometry
from trainer.distillation import convolution
from trainer.errors import TrainerError
from trainer.training.config import TrainingConfig

THREADS = 2  # teachers that are asked at a time; in which order they answer changes nothing


class Teacher(Protocol):
    """A trained network, of whatever kind; `sha256` is that of its file."""

    @property
    def geometry(self) -> Geometry:
        """The pictures it sees."""

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
        """Return (n, 10) float32, not calibrated."""
        return forward(self.layers, pixels)[-1]


class Committee:
    """Teachers of the same input size; `sources` names each file with its SHA-256."""

    def __init__(self, teachers: Mapping[str, Teacher]) -> None:
        self.teachers = list(teachers.values())
        self._answered: dict[tuple[int, int] | None, np.ndarray] = {}
        self.sources = {f"teacher {name}": teacher.sha256 for name, teacher in teachers.items()}

    def remembered(self, key: tuple[int, int] | None, pixels: np.ndarray, temperature: float) -> np.ndarray:
        """Return `answers`, from memory where the batch called `key` was asked about before.

        Half precision, also the first time: a resumed training must not see other digits. 54,000
        images in 60 views take 65 MB.
        """
        if key not in self._answered:
            fresh = self.answers(pixels, temperature).astype(np.float16)
            if key is None:
                return fresh.astype(np.float32)
            self._answered[key] = fresh
        return self._answered[key].astype(np.float32)

    def forget(self) -> None:
        """Forget the answers: batches of the same keys will hold other digits."""
        self._answered.clear()

    def answers(self, pixels: np.ndarray, temperature: float) -> np.ndarray:
        """Return the mean of the teachers' softmax(logits / temperature), (n, 10) float32.

        pixels: (n, side * side), as the service would show them. Above 1, a temperature shows more
        of which wrong digits a teacher finds likelier (Hinton, Vinyals and Dean 2015).
        """
        with ThreadPoolExecutor(THREADS) as pool:
            shares = list(pool.map(lambda one: softmax(one.logits(pixels), temperature), self.teachers))
        return np.asarray(sum(shares) / np.float32(len(shares)))


@dataclass(frozen=True)
class Lesson:
    """What the committee is asked about one batch.

    taught: (n,) bool, the rows it answers; of drawn digits, whose styles teachers may not know, the
    label is kept. key: (view, index) of the batch, under which its answers are remembered.
    """

    committee: Committee
    taught: np.ndarray
    key: tuple[int, int]

    def soften(self, targets: np.ndarray, pixels: np.ndarray, config: TrainingConfig) -> None:
        """Mix the teachers' answers into the targets, (n, 10) float32, in place."""
        answers = self.committee.remembered(
            self.key if config.views else None, pixels[self.taught], config.soft_temperature
        )
        targets[self.taught] *= np.float32(1 - config.soft_share)
        targets[self.taught] += np.float32(config.soft_share) * answers


def load_committee(folder: Path, geometry: Geometry) -> Committee:
    """Return the committee of all teachers' files in `folder`; raise TrainerError if one does not fit."""
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
    """Return the teacher in a file, whose name tells the kind; raise ArtifactError if it is broken."""
    return convolution.load(path) if path.name.endswith(convolution.SUFFIX) else Perceptron(load(path))
