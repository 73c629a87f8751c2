"""The judge: a small network beside the classifier that tells digits from other things.

    training digits, distorted and drawn ones -> 0 -+
                                                    +-> pixels, last hidden layer -> judge -> log-odds
    letters, shapes, noise ... (outliers.py)  -> 1 -+

It is fitted after the classifier, whose layers stay as they are. The limit beyond which a picture is
refused comes from digits that both have never seen (trainer/export.py).
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from service.classifier import judge_inputs
from service.network import Layer, forward
from service.normalization import Geometry, normalize
from trainer.augmentation import augment
from trainer.config import TrainingConfig
from trainer.data import Examples
from trainer.outliers import make_outliers
from trainer.strokes import draw_digits
from trainer.train import Batch, Task, batch_rows, begin, train

STREAM = 0x6A75646765  # sets the judge's chance apart from that of the classifier's epochs
EPOCHS = 10
REFUSED_SHARE = 0.025  # of held-out digits, plain and distorted, lie beyond the limit
DIGITS_PER_OUTLIER = 2
PART = 1000  # pictures distorted at a time; more would take several times the memory


def fit_judge(
    layers: Sequence[Layer], digits: Examples, geometry: Geometry, config: TrainingConfig
) -> list[Layer]:
    """Return the judge's layers for a trained classifier; none where config.outliers is 0.

    digits: handwriting that the classifier was trained on. Digits and outliers are shown as they are
    and in distorted copies.
    """
    if not config.outliers:
        return []
    return _fit(*_shown(layers, digits, geometry, config), config)


def _shown(
    layers: Sequence[Layer], digits: Examples, geometry: Geometry, config: TrainingConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the judge sees of digits and outliers, (n, width), and 1 for outliers, (n, 1)."""
    rng = np.random.default_rng((config.seed, STREAM))
    pixels = make_outliers(config.outliers, geometry, digits, rng)
    outliers = Examples(pixels.reshape(-1, geometry.side, geometry.side), np.zeros(len(pixels), int))
    count = min(DIGITS_PER_OUTLIER * config.outliers, len(digits))
    chosen = rng.permutation(len(digits))[:count]
    drawn = draw_digits(count // 8, geometry, rng)
    copies = max(2, round(3 * config.outliers / (count + len(drawn))))  # more of few
    shown = [
        (digits, chosen, 0, copies),
        (drawn, np.arange(len(drawn)), 0, copies),
        (outliers, np.arange(len(outliers)), 1, 2),
    ]
    rows = sum(len(indices) * (1 + number) for _, indices, _, number in shown)
    width = judge_inputs(pixels[:1], forward(layers, pixels[:1])[:-1]).shape[1]
    # A hundred and fifty thousand rows: in float16, which is fine enough, they take 400 MB.
    inputs, targets = np.empty((rows, width), np.float16), np.empty((rows, 1), np.float32)
    start = 0
    for examples, indices, target, number in shown:
        for copy in range(1 + number):
            for part in parts(examples, indices):
                seen = distort(part, geometry, config, rng) if copy else part.pixels
                end = start + len(seen)
                inputs[start:end] = judge_inputs(seen, forward(layers, seen)[:-1])
                targets[start:end] = target
                start = end
    return inputs, targets


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


def _fit(inputs: np.ndarray, targets: np.ndarray, config: TrainingConfig) -> list[Layer]:
    """Return the layers of a network trained on inputs, (n, width), and targets, (n, 1), 0 or 1."""
    own = TrainingConfig(
        hidden=(config.judge_units,),
        output="sigmoid",
        loss="binary_cross_entropy",
        epochs=EPOCHS,
        batch_size=256,
        averaging=0.99,
        seed=config.seed,
    )

    def batches(epoch: int) -> Iterator[Batch]:
        order = np.random.default_rng((config.seed, STREAM, epoch)).permutation(len(inputs))
        rows = batch_rows(len(inputs), own)
        for start in range(0, len(order), rows):
            chosen = order[start : start + rows]
            yield inputs[chosen].astype(np.float32), targets[chosen]

    nothing = (inputs[:0], targets[:0])
    task = Task(inputs.shape[1], 1, len(inputs), batches, nothing)
    return train(begin(own, inputs.shape[1], 1), task, own).latest.layers
