"""Batches of distorted pictures, made beside the training in another thread.

    examples, epoch -> shuffled -> augment -> (some) normalize -> (pixels, targets)

Each batch has a generator of its own, seeded with (seed, epoch, index): the same batches come out
whenever they are made, and after a resume.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from service.preprocessing.normalization import Geometry, normalize
from trainer.data.augmentation import augment
from trainer.data.datasets import CLASSES, Dataset, Examples
from trainer.distillation.committee import Committee, Lesson
from trainer.nn.losses import one_hot
from trainer.training.config import TrainingConfig
from trainer.training.loop import Batch, Task, batch_rows

AHEAD = 4  # batches in the making: enough to keep the matrix products fed, some MB of memory


def digits_task(
    dataset: Dataset,
    examples: Examples,
    validation: Examples,
    config: TrainingConfig,
    teachers: Committee | None = None,
) -> Task:
    """Return the task of telling digits apart, with the labels or the teachers' answers as targets."""
    offset = np.float32(config.input_offset)
    return Task(
        inputs=dataset.geometry.side**2,
        outputs=CLASSES,
        examples=len(examples),
        batches=lambda epoch: epoch_batches(examples, dataset.geometry, config, epoch, teachers),
        held_out=(validation.pixels - offset, one_hot(validation.labels, CLASSES)),
    )


def epoch_batches(
    examples: Examples,
    geometry: Geometry,
    config: TrainingConfig,
    epoch: int,
    teachers: Committee | None = None,
) -> Iterator[Batch]:
    """Yield (pixels, targets) of one epoch: (n, side * side) float32 and (n, 10) float32."""
    view = epoch % config.views if config.views else epoch
    order = np.random.default_rng((config.seed, view)).permutation(len(examples))
    real = len(examples) - config.drawn  # the drawn ones come last

    def make(index: int, chosen: np.ndarray) -> Batch:
        rng = np.random.default_rng((config.seed, view, index))
        lesson = Lesson(teachers, chosen < real, (view, index)) if teachers else None
        return make_batch(examples.take(chosen), geometry, config, rng, lesson)

    return made_ahead(make, order, batch_rows(len(examples), config))


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


def make_batch(
    examples: Examples,
    geometry: Geometry,
    config: TrainingConfig,
    rng: np.random.Generator,
    lesson: Lesson | None = None,
) -> Batch:
    """Return (pixels, targets) of some examples, distorted as the configuration says.

    Teachers see the same distorted picture as the student.
    """
    settings = config.augmentation
    pictures = augment(examples.pictures, examples.labels, settings, rng)
    pixels = pictures.reshape(len(pictures), -1)
    again = rng.random(len(pixels)) < settings.normalized_share
    if again.any():
        pixels[again] = normalize(pictures[again], geometry)
    targets = one_hot(examples.labels, CLASSES)
    if lesson:
        lesson.soften(targets, pixels, config)
    if config.label_smoothing:
        targets = targets * np.float32(1 - config.label_smoothing) + np.float32(
            config.label_smoothing / CLASSES
        )
    if config.input_offset:
        pixels = pixels - np.float32(config.input_offset)
    return pixels, targets
