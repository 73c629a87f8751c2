"""Batches of distorted pictures, made in another thread while the network trains.

    examples, epoch -> shuffled -> augment -> (some) normalize -+-> (pixels, targets)
    extra -> shuffled ------------------------------------------+

Each batch has its own generator, seeded with (seed, epoch, index): the batches are the same whenever they are
made, even after a resume.
"""

import functools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np

from service.preprocessing import Geometry
from service.preprocessing.normalization import normalize
from trainer.data import CLASSES, Dataset, Examples, augment
from trainer.nn import one_hot
from trainer.stages import stage
from trainer.synthetic import draw_digits
from trainer.training.config import TrainingConfig
from trainer.training.task import Batch, Task, batch_rows

AHEAD = 4  # batches made in advance: enough to keep the matrix products busy, a few MB of memory
DRAWN = 0x64726177  # separates the random stream of drawn digits from those of epochs and thresholds
CACHE_BYTES = 1 << 30  # for distorted pictures: 21 views of MNIST, or any number of views of the 8x8 digits
EXTRA = 0x6578747261  # separates the random stream of the order of extra pictures

# targets, (n, 10), and pixels, (n, side * side): mixes the teachers' answers into the targets, in place.
Soften = Callable[[np.ndarray, np.ndarray], None]


class Teachers(Protocol):
    """Trained networks whose answers soften the targets, see `trainer.distillation.Committee`."""

    def soften(
        self,
        targets: np.ndarray,
        pixels: np.ndarray,
        config: TrainingConfig,
        taught: np.ndarray,
        key: tuple[int, int],
    ) -> None:
        """Mix the teachers' answers into the targets of the rows `taught`, in place."""


def with_drawn(examples: Examples, dataset: Dataset, config: TrainingConfig) -> Examples:
    """Return the examples, followed by as many drawn digits as `config.drawn` says."""
    if not config.drawn:
        return examples
    rng = np.random.default_rng((config.seed, DRAWN))
    with stage("drawing more digits"):
        return examples + draw_digits(config.drawn, dataset.geometry, rng)


def digits_task(
    dataset: Dataset,
    examples: Examples,
    validation: Examples,
    config: TrainingConfig,
    teachers: Teachers | None = None,
) -> Task:
    """Return the task of classifying digits; teachers soften the targets."""
    offset = np.float32(config.input_offset)
    cache = ViewCache() if config.views else None
    return Task(
        inputs=dataset.geometry.side**2,
        outputs=CLASSES,
        examples=len(examples),
        batches=lambda epoch: epoch_batches(
            examples, dataset.geometry, config, epoch, teachers, dataset.extra, cache
        ),
        held_out=(validation.pixels - offset, one_hot(validation.labels, CLASSES)),
        rows_each=2 if dataset.extra else 1,
    )


def epoch_batches(
    examples: Examples,
    geometry: Geometry,
    config: TrainingConfig,
    epoch: int,
    teachers: Teachers | None = None,
    extra: Examples | None = None,
    cache: "ViewCache | None" = None,
) -> Iterator[Batch]:
    """Yield (pixels, targets) of one epoch: (n, side * side) float32 and (n, 10) float32.

    extra: each batch has as many of these as of the examples, undistorted, in a new order in each epoch.
    cache: the pictures of earlier epochs, if `views` repeats them.
    """
    view = epoch % config.views if config.views else epoch
    order = np.random.default_rng((config.seed, view)).permutation(len(examples))
    rows = batch_rows(len(examples), config)
    real = len(examples) - config.drawn  # drawn digits come last
    added = np.arange(0)
    if extra:
        extra_rng = np.random.default_rng((config.seed, epoch, EXTRA))
        added = np.resize(extra_rng.permutation(len(extra)), len(examples))

    def make(index: int, chosen: np.ndarray) -> Batch:
        rng = np.random.default_rng((config.seed, view, index))
        # Teachers may not know the styles of drawn digits, so these keep their labels as targets.
        soften = None
        if teachers:
            soften = functools.partial(
                teachers.soften, config=config, taught=chosen < real, key=(view, index)
            )
        batch = make_batch(examples.take(chosen), geometry, config, rng, soften, cache, (view, index))
        if not extra:
            return batch
        others = extra.take(added[index * rows : index * rows + len(chosen)])
        more = others.pixels - np.float32(config.input_offset), one_hot(others.labels, CLASSES)
        return np.concatenate((batch[0], more[0])), np.concatenate((batch[1], more[1]))

    return made_ahead(make, order, rows)


def made_ahead(make: Callable[[int, np.ndarray], Batch], order: np.ndarray, rows: int) -> Iterator[Batch]:
    """Yield make(index, chosen) for each batch of `rows` indices in `order`, made in another thread."""
    pending: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1) as pool:
        for index, start in enumerate(range(0, len(order), rows)):
            pending.append(pool.submit(make, index, order[start : start + rows]))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


class ViewCache:
    """Distorted pictures as bytes, for epochs that repeat the distortions of earlier ones (`views`).

    Once `limit_bytes` are full, other pictures are distorted again each time. All pictures are rounded to
    bytes, cached or not, so that the size of the cache does not change the weights.
    """

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self.free = limit_bytes
        self.batches: dict[tuple[int, int], np.ndarray] = {}

    def pixels(self, key: tuple[int, int], make: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the pixels under a key, (n, side * side) float32 in [0, 1], made if they are not cached."""
        found = self.batches.get(key)
        if found is None:
            found = np.rint(make() * 255).astype(np.uint8)
            if found.nbytes <= self.free:
                self.free -= found.nbytes
                self.batches[key] = found
        return found * np.float32(1 / 255)


def make_batch(
    examples: Examples,
    geometry: Geometry,
    config: TrainingConfig,
    rng: np.random.Generator,
    soften: Soften | None = None,
    cache: "ViewCache | None" = None,
    key: tuple[int, int] = (0, 0),
) -> Batch:
    """Return (pixels, targets) of distorted examples: (n, side * side) float32 and (n, 10) float32.

    Teachers see the same distorted pictures as the student, before the input offset. cache: holds the
    pictures of earlier epochs, under `key`.
    """
    if cache is None:
        pixels = _distort(examples, geometry, config, rng)
    else:
        pixels = cache.pixels(key, lambda: _distort(examples, geometry, config, rng))
    targets = one_hot(examples.labels, CLASSES)
    if soften:
        soften(targets, pixels)
    if config.label_smoothing:
        targets = targets * np.float32(1 - config.label_smoothing) + np.float32(
            config.label_smoothing / CLASSES
        )
    if config.input_offset:
        pixels = pixels - np.float32(config.input_offset)
    return pixels, targets


def _distort(
    examples: Examples, geometry: Geometry, config: TrainingConfig, rng: np.random.Generator
) -> np.ndarray:
    """Return the pixels of distorted copies, (n, side * side) float32 in [0, 1]."""
    pictures = augment(examples.pictures, examples.labels, config.augmentation, rng)
    pixels = pictures.reshape(len(pictures), -1)
    again = rng.random(len(pixels)) < config.augmentation.normalized_share
    if again.any():
        pixels[again] = normalize(pictures[again], geometry)
    return pixels
