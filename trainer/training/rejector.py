"""The judge: a small network beside the classifier that tells digits from other things.

    training digits, drawn digits            -> 0 -+
                                                   +-> half of them distorted
    letters, shapes, noise ... (outliers.py) -> 1 -+
                                                       -> pixels, last hidden layer -> judge -> log-odds

It is fitted after the classifier, whose layers stay as they are. The limit beyond which a picture is
refused comes from digits that both have never seen (trainer/publishing/export.py).
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from service.model.classifier import judge_inputs
from service.model.network import Layer, forward
from service.preprocessing.normalization import Geometry, normalize
from trainer.data.augmentation import augment
from trainer.data.datasets import Examples
from trainer.synthetic.digits import draw_digits
from trainer.synthetic.outliers import make_outliers
from trainer.training.batches import made_ahead
from trainer.training.config import TrainingConfig
from trainer.training.loop import Batch, Task, batch_rows, begin, train

STREAM = 0x6A75646765  # sets the judge's chance apart from that of the classifier's epochs
EPOCHS = 20
# As often among outliers as among digits: traces of a distortion must not speak for either.
DISTORTED_SHARE = 0.5
DIGITS_PER_OUTLIER = 2  # at most
OUTLIERS_PER_DRAWN = 4  # drawn digits have the pens and forms that the training digits lack
PART = 1000  # pictures made or distorted at a time; more would take several times the memory


def fit_judge(
    layers: Sequence[Layer], digits: Examples, geometry: Geometry, config: TrainingConfig
) -> list[Layer]:
    """Return the judge's layers for a trained classifier; none where config.outliers is 0.

    digits: handwriting that the classifier was trained on. In each epoch some digits and outliers are
    shown as they are, the others in distorted copies that are never the same twice.
    """
    if not config.outliers:
        return []
    rng = np.random.default_rng((config.seed, STREAM))
    shown, visits, targets = _gather(digits, geometry, config, rng)
    own = TrainingConfig(
        hidden=(config.judge_units,),
        output="sigmoid",
        loss="binary_cross_entropy",
        epochs=EPOCHS,
        batch_size=256,
        averaging=0.99,
        seed=config.seed,
    )

    def make(epoch: int, index: int, chosen: np.ndarray) -> Batch:
        chance = np.random.default_rng((config.seed, STREAM, epoch, index))
        pixels = _some_distorted(shown.take(chosen), geometry, config, chance)
        return judge_inputs(pixels, forward(layers, pixels)[:-1]), targets[chosen]

    def batches(epoch: int) -> Iterator[Batch]:
        order = np.random.default_rng((config.seed, STREAM, epoch)).permutation(visits)
        return made_ahead(functools.partial(make, epoch), order, batch_rows(len(visits), own))

    nothing = make(0, 0, np.arange(0))
    width = nothing[0].shape[1]
    return train(begin(own, width, 1), Task(width, 1, len(visits), batches, nothing), own).latest.layers


def _gather(
    digits: Examples, geometry: Geometry, config: TrainingConfig, rng: np.random.Generator
) -> tuple[Examples, np.ndarray, np.ndarray]:
    """Return pictures as they are, which of them an epoch shows, and their targets, (n, 1): 1 for outliers.

    Of many digits some are chosen; few come several times, so that there are about as many as outliers.
    """
    chosen = rng.permutation(len(digits))[: DIGITS_PER_OUTLIER * config.outliers]
    drawn = draw_digits(config.outliers // OUTLIERS_PER_DRAWN, geometry, rng)
    none = len(chosen) + len(drawn)  # the index of the first that is no digit
    pictures = np.empty((none + config.outliers, geometry.side, geometry.side), np.float32)
    pictures[: len(chosen)] = digits.pictures[chosen]
    pictures[len(chosen) : none] = drawn.pictures
    for part in np.split(pictures, range(none, len(pictures), PART))[1:]:
        part[...] = make_outliers(len(part), geometry, digits, rng).reshape(part.shape)
    labels = np.zeros(len(pictures), int)  # those of digits say how far they may turn
    labels[:none] = np.concatenate((digits.labels[chosen], drawn.labels))
    targets = (np.arange(len(pictures)) >= none).astype(np.float32)[:, None]
    times = max(1, round(config.outliers / len(chosen)))
    visits = np.concatenate((np.arange(len(pictures)), np.tile(np.arange(len(chosen)), times - 1)))
    return Examples(pictures, labels), visits, targets


def _some_distorted(
    examples: Examples, geometry: Geometry, config: TrainingConfig, rng: np.random.Generator
) -> np.ndarray:
    """Return the pixels, (n, side * side), of examples, DISTORTED_SHARE of them in distorted copies."""
    pixels = examples.pixels.copy()
    chosen = np.flatnonzero(rng.random(len(pixels)) < DISTORTED_SHARE)
    if len(chosen):
        pixels[chosen] = distort(examples.take(chosen), geometry, config, rng)
    return pixels


def distorted(
    examples: Examples, geometry: Geometry, config: TrainingConfig, rng: np.random.Generator
) -> Examples:
    """Return distorted and re-centred copies: unusual but real handwriting."""
    pixels = [distort(part, geometry, config, rng) for part in parts(examples, np.arange(len(examples)))]
    return Examples(np.concatenate(pixels).reshape(examples.pictures.shape), examples.labels)


def distort(
    examples: Examples, geometry: Geometry, config: TrainingConfig, rng: np.random.Generator
) -> np.ndarray:
    """Return the pixels, (n, side * side), of distorted and re-centred copies."""
    settings = dataclasses.replace(config.augmentation, share=1.0)
    return normalize(augment(examples.pictures, examples.labels, settings, rng), geometry)


def parts(examples: Examples, indices: np.ndarray) -> Iterator[Examples]:
    """Yield the examples with these indices in parts of equal size."""
    for part in np.array_split(indices, -(-len(indices) // PART) or 1):
        yield examples.take(part)
