"""Batches of distorted pictures, made beside the training in other threads.

    examples, epoch -> shuffled -> augment -> (some) normalize -> (pixels, targets)

Each batch has a generator of its own, seeded with (seed, epoch, index): the same batches come out
however many threads make them, and after a resume.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor

import numpy as np

from service.normalization import Geometry, normalize
from trainer.augmentation import augment
from trainer.config import TrainingConfig
from trainer.data import CLASSES, Examples
from trainer.gradients import one_hot

AHEAD = 4  # batches in the making: enough to keep the matrix products fed, some MB of memory


def batch_count(examples: Examples, config: TrainingConfig) -> int:
    """Return how many batches make an epoch; the last may be smaller."""
    return -(-len(examples) // config.batch_size)


def epoch_batches(
    examples: Examples, geometry: Geometry, config: TrainingConfig, epoch: int, pool: Executor
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (pixels, targets) of one epoch: (n, side * side) float32 and (n, 10) float32."""
    order = np.random.default_rng((config.seed, epoch)).permutation(len(examples))
    pending: deque = deque()
    for index in range(batch_count(examples, config)):
        chosen = order[index * config.batch_size : (index + 1) * config.batch_size]
        rng = np.random.default_rng((config.seed, epoch, index))
        pending.append(pool.submit(make_batch, examples.take(chosen), geometry, config, rng))
        if len(pending) > AHEAD:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def make_batch(
    examples: Examples, geometry: Geometry, config: TrainingConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return (pixels, targets) of some examples, distorted as the configuration says."""
    settings = config.augmentation
    pictures = augment(examples.pictures, examples.labels, settings, rng)
    pixels = pictures.reshape(len(pictures), -1)
    again = rng.random(len(pixels)) < settings.normalized_share
    if again.any():
        pixels[again] = normalize(pictures[again], geometry)
    targets = one_hot(examples.labels, CLASSES)
    if config.label_smoothing:
        targets = targets * np.float32(1 - config.label_smoothing) + config.label_smoothing / CLASSES
    return pixels - np.float32(config.input_offset), targets
