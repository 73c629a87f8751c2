"""Labeled pictures: what every reader returns and every training consumes.

raw gray pictures -> prepare (the serving preprocessing) -> Examples -> hold_out -> Dataset (train, test)
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from service.preprocessing import Geometry, ImageError, preprocess_grey

CLASSES = 10
SPLIT_OFF = ("digits", "folder")  # data sets without test images of their own: some are held out


@dataclass(frozen=True)
class Examples:
    """Prepared pictures, (n, side, side) float32 ink in [0, 1], and labels, (n,) int64 in 0 ... 9."""

    pictures: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Examples":
        """Return the examples at `indices`, (m,) integers."""
        return Examples(self.pictures[indices], self.labels[indices])

    def __add__(self, others: "Examples") -> "Examples":
        """Return these examples followed by the others."""
        return Examples(
            np.concatenate((self.pictures, others.pictures)), np.concatenate((self.labels, others.labels))
        )

    @property
    def pixels(self) -> np.ndarray:
        """The pictures as rows, (n, side * side) float32."""
        return self.pictures.reshape(len(self.pictures), math.prod(self.pictures.shape[1:]))


@dataclass(frozen=True)
class Dataset:
    """Examples to fit and to test on, and where they come from.

    sources: file name -> SHA-256 of the uncompressed content, for the artifact's metadata. notes: what was
    skipped or turned while reading. missing: digits without a picture. warnings: what a user of the model
    should know; see `trainer.data.classes`. extra: more pictures to learn from, shown undistorted; each
    batch has as many of them as of its own.
    """

    name: str
    geometry: Geometry
    train: Examples
    test: Examples
    sources: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    missing: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    extra: Examples | None = None

    @property
    def everything(self) -> Examples:
        """All examples that a final network may learn: official test images are never among them."""
        return self.train + self.test if self.name in SPLIT_OFF else self.train

    def part(self, name: str) -> Examples:
        """Return the examples of one part: "test", "train", or "all" for both."""
        if name == "test":
            return self.test
        return self.train if name == "train" else self.train + self.test


def hold_out(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Return (the rest, the held-out share) of a random permutation drawn from `seed`.

    share: in [0, 1]; the number held out is rounded.
    """
    order = np.random.default_rng(seed).permutation(len(examples))
    held = round(share * len(examples))
    return examples.take(order[held:]), examples.take(order[:held])


def prepare(raw: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Return the usable pictures among raw gray ones, (n, height, width) uint8, and their indices.

    The first is (m, side, side) float32 ink in [0, 1], the second (m,): pictures without ink are left out.
    """
    pixels = np.empty((len(raw), geometry.side**2), np.float32)
    usable = np.ones(len(raw), bool)

    def prepare_one(index: int) -> None:
        try:
            pixels[index] = preprocess_grey(raw[index], geometry)
        except ImageError:
            usable[index] = False

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(prepare_one, range(len(raw))))  # building the list re-raises an error of a thread
    kept = np.flatnonzero(usable)
    if len(kept) < len(raw):
        pixels = pixels[kept]
    return pixels.reshape(-1, geometry.side, geometry.side), kept
