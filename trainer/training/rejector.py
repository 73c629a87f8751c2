"""The rejector: a small network beside the classifier that recognizes pictures that are not digits.

    digits, resampled, drawn, unusual   -> 0 -+
                                              +-> half of them distorted
    letters, shapes, noise ... outliers -> 1 -+
                                                  -> pixels, last hidden layer -> rejector -> log-odds

It is fitted after the classifier, whose layers stay unchanged. The limit beyond which a picture is refused
comes from digits that neither network has seen (`trainer.publishing.calibration`). Artifacts and the service
call the rejector "judge", a name that the file format fixes.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from service.model.classifier import rejector_inputs
from service.model.network import Layer, forward
from service.preprocessing import Geometry
from service.preprocessing.normalization import normalize
from trainer.data import Examples, augment
from trainer.stages import stage
from trainer.synthetic import generated, resample_digits
from trainer.training.batches import made_ahead
from trainer.training.config import TrainingConfig
from trainer.training.loop import initial_state, train
from trainer.training.task import Batch, Task, batch_rows

STREAM = 0x6A75646765  # separates the rejector's random stream from that of the classifier's epochs
# The same for outliers and digits: traces of a distortion must not indicate either.
DISTORTED_SHARE = 0.5
DIGITS_PER_OUTLIER = 2  # at most
OUTLIERS_PER_RESAMPLED = 2  # training digits as other data sets store them
PART = 1000  # pictures distorted at a time, to bound the memory


class Pictures(NamedTuple):
    """What rejectors learn from.

    shown: digits and outliers. visits: the indices that an epoch visits, some several times. targets: (n, 1)
    float32, 1 for outliers.
    """

    shown: Examples
    visits: np.ndarray
    targets: np.ndarray


def fit_rejector(
    layers: Sequence[Layer],
    digits: Examples,
    geometry: Geometry,
    config: TrainingConfig,
    pieces: Examples | None = None,
) -> list[Layer]:
    """Return the rejector's layers for a trained classifier; [] where config.outliers is 0.

    layers: those of the classifier. digits: handwriting that it was trained on. pieces: handwriting of which
    some outliers are made; the digits by default. In each epoch some digits and outliers are shown unchanged,
    the others as freshly distorted copies. The output is the log-odds that a picture is not a digit, the mean
    over config.judge_members networks (an ensemble, Hansen and Salamon 1990).
    """
    if not config.outliers:
        return []
    rng = np.random.default_rng((config.seed, STREAM))
    pictures = _gather(digits, pieces or digits, geometry, config, rng)
    with stage("rejector", config.judge_members * config.judge_epochs * len(pictures.visits)) as advance:
        return average(
            [
                fit_member(member, layers, pictures, geometry, config, advance)
                for member in range(config.judge_members)
            ]
        )


def fit_member(
    member: int,
    layers: Sequence[Layer],
    pictures: Pictures,
    geometry: Geometry,
    config: TrainingConfig,
    advance: Callable[[int], object],
) -> list[Layer]:
    """Return the layers of one rejector. Each member has its own initial weights, order and distortions."""
    stream = STREAM + member
    own = TrainingConfig(
        hidden=(config.judge_units,),
        output="sigmoid",
        loss="binary_cross_entropy",
        epochs=config.judge_epochs,
        batch_size=256,
        averaging=0.99,
        seed=config.seed + member,
    )

    def make(epoch: int, index: int, chosen: np.ndarray) -> Batch:
        chance = np.random.default_rng((config.seed, stream, epoch, index))
        pixels = _some_distorted(pictures.shown.take(chosen), geometry, config, chance)
        return rejector_inputs(pixels, forward(layers, pixels)[:-1]), pictures.targets[chosen]

    def batches(epoch: int) -> Iterator[Batch]:
        order = np.random.default_rng((config.seed, stream, epoch)).permutation(pictures.visits)
        return made_ahead(functools.partial(make, epoch), order, batch_rows(len(order), own))

    nothing = make(0, 0, np.arange(0))
    width = nothing[0].shape[1]
    task = Task(width, 1, len(pictures.visits), batches, held_out=nothing)
    return train(initial_state(own, width, 1), task, own, advance).latest.layers


def average(members: Sequence[Sequence[Layer]]) -> list[Layer]:
    """Return one network whose output is the mean of the members' outputs.

    members: networks of one hidden layer and one linear output. The hidden units stand side by side, and
    their weights to the output are divided by the number of members.
    """
    hidden, output = zip(*members, strict=True)
    share = np.float32(1 / len(members))
    return [
        Layer(
            np.concatenate([one.weights for one in hidden], axis=1),
            np.concatenate([one.biases for one in hidden]),
            hidden[0].activation,
        ),
        Layer(
            np.concatenate([one.weights for one in output]) * share,
            np.sum([one.biases for one in output], axis=0) * share,
            output[0].activation,
        ),
    ]


def _gather(
    digits: Examples,
    pieces: Examples,
    geometry: Geometry,
    config: TrainingConfig,
    rng: np.random.Generator,
) -> Pictures:
    """Return the digits and outliers to learn from.

    A random part of many digits is used. Few digits are visited several times, so that an epoch has about
    as many digits as outliers.
    """
    chosen = rng.permutation(len(digits))[: DIGITS_PER_OUTLIER * config.outliers]
    resampled = digits.take(chosen[: config.outliers // OUTLIERS_PER_RESAMPLED])
    resampled = resample_digits(resampled, geometry, rng)
    drawn, outliers = generated(config.outliers, geometry, pieces, config.seed)
    first = len(chosen) + len(drawn) + len(resampled)  # index of the first outlier
    pictures = np.empty((first + config.outliers, geometry.side, geometry.side), np.float32)
    pictures[first:] = outliers
    del outliers  # frees the largest part before the others are copied
    pictures[first - len(resampled) : first] = resampled.pictures
    pictures[len(chosen) : len(chosen) + len(drawn)] = drawn.pictures
    pictures[: len(chosen)] = digits.pictures[chosen]
    labels = np.zeros(len(pictures), int)  # labels of digits limit their rotation
    labels[:first] = np.concatenate((digits.labels[chosen], drawn.labels, resampled.labels))
    targets = (np.arange(len(pictures)) >= first).astype(np.float32)[:, None]
    times = max(1, round(config.outliers / len(chosen)))
    visits = np.concatenate((np.arange(len(pictures)), np.tile(np.arange(len(chosen)), times - 1)))
    return Pictures(Examples(pictures, labels), visits, targets)


def _some_distorted(
    examples: Examples, geometry: Geometry, config: TrainingConfig, rng: np.random.Generator
) -> np.ndarray:
    """Return the pixels of examples, (n, side * side), DISTORTED_SHARE of them distorted."""
    pixels = examples.pixels.copy()
    chosen = np.flatnonzero(rng.random(len(pixels)) < DISTORTED_SHARE)
    if len(chosen):
        pixels[chosen] = distort(examples.take(chosen), geometry, config, rng)
    return pixels


def distorted(
    examples: Examples, geometry: Geometry, config: TrainingConfig, rng: np.random.Generator
) -> Examples:
    """Return distorted and re-centered copies, which stand for unusual handwriting."""
    pixels = [distort(part, geometry, config, rng) for part in parts(examples, np.arange(len(examples)))]
    return Examples(np.concatenate(pixels).reshape(examples.pictures.shape), examples.labels)


def distort(
    examples: Examples, geometry: Geometry, config: TrainingConfig, rng: np.random.Generator
) -> np.ndarray:
    """Return the pixels of distorted and re-centered copies, (n, side * side) float32 in [0, 1]."""
    settings = dataclasses.replace(config.augmentation, share=1.0)
    return normalize(augment(examples.pictures, examples.labels, settings, rng), geometry)


def parts(examples: Examples, indices: np.ndarray) -> Iterator[Examples]:
    """Yield the examples with these indices in parts of at most PART examples."""
    for part in np.array_split(indices, -(-len(indices) // PART) or 1):
        yield examples.take(part)
