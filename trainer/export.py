"""Trained parameters -> model file: what serving needs beside the weights, fitted and packed.

Parameters -> fold the input offset -> temperature -> prototypes -> probes -> thresholds -> bytes
"""

import dataclasses
import datetime
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import PIL

from service.artifact import FORMAT_VERSION, Artifact, parse, serialize
from service.classifier import Classifier
from service.network import Layer, forward, softmax
from service.normalization import Geometry
from service.preprocessing import preprocess_grey
from trainer.batches import make_batch
from trainer.config import TrainingConfig
from trainer.data import Dataset, Examples
from trainer.errors import UsageError
from trainer.evaluate import evaluate
from trainer.parameters import Parameters

PROTOTYPES = 2000
REFUSED_SHARE = 0.01  # of held-out handwriting, by each of the two thresholds
PROBES = 4


def export(
    parameters: Parameters,
    config: TrainingConfig,
    dataset: Dataset,
    train: Examples,
    validation: Examples,
    command: str,
) -> bytes:
    """Return the bytes of the model file, its thresholds fitted on `validation` (on `train` if empty).

    The test pictures are classified once, for the metadata.
    """
    layers = fold_offset(parameters, config.input_offset)
    held_out = validation if len(validation) else train
    undistorted = forward(layers, held_out.pixels)[-1]
    temperature = fit_temperature(undistorted, held_out.labels)
    prototypes = choose_prototypes(layers, train, dataset.geometry, config)
    probes = draw_probes(held_out)
    probe_pixels = np.stack([preprocess_grey(probe, dataset.geometry) for probe in probes])
    probe_logits = forward(layers, probe_pixels)[-1]
    metadata: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "input": dataset.geometry._asdict(),
        "activations": [layer.activation for layer in layers],
        "temperature": temperature,
        "min_confidence": 0.0,
        "max_novelty": 1.0,
        "training": provenance(config, dataset, train, validation, command),
        "metrics": {},
    }

    def pack() -> bytes:
        return serialize(layers, prototypes, probes, probe_logits, metadata)

    metadata |= fit_thresholds(parse(pack()), held_out, dataset.geometry, config)
    classifier = Classifier(parse(pack()))
    metadata["metrics"] = {"test": evaluate(classifier, dataset.test).figures()}
    if len(validation):
        metadata["metrics"]["validation"] = evaluate(classifier, validation).figures()
    return pack()


def fold_offset(parameters: Parameters, offset: float) -> list[Layer]:
    """Return layers that take pixels as they are: (x - o) W + b = x W + (b - o sum(W))."""
    first, *rest = parameters.layers
    biases = first.biases - np.float32(offset) * first.weights.sum(axis=0)
    return [Layer(first.weights, biases, first.activation), *rest]


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the lowest cross-entropy (Guo et al. 2017), to three digits."""
    rows = np.arange(len(labels))
    candidates = np.geomspace(0.25, 4, 161)
    losses = [
        -np.log(np.maximum(softmax(logits.astype(np.float64), one)[rows, labels], 1e-30)).mean()
        for one in candidates
    ]
    return round(float(candidates[int(np.argmin(losses))]), 3)


def _distorted(
    examples: Examples, geometry: Geometry, config: TrainingConfig, count: int, stream: int
) -> Examples:
    """Return distorted and re-centred copies of `count` examples: unusual but real handwriting."""
    rng = np.random.default_rng((config.seed, stream))
    settings = dataclasses.replace(config.augmentation, normalized_share=1.0)
    plain = dataclasses.replace(config, augmentation=settings, input_offset=0.0, label_smoothing=0.0)
    chosen = examples.take(rng.permutation(len(examples))[:count])
    parts = [  # all at once would take several times the memory of training
        make_batch(chosen.take(part), geometry, plain, rng)[0]
        for part in np.array_split(np.arange(len(chosen)), -(-len(chosen) // 1000))
    ]
    pixels = np.concatenate(parts)
    return Examples(pixels.reshape(-1, geometry.side, geometry.side), chosen.labels)


def _features(layers: Sequence[Layer], pixels: np.ndarray) -> np.ndarray:
    """Return what the last hidden layer makes of pixels, (n, width); the pixels where there is none."""
    return ([pixels] + forward(layers, pixels))[-2]


def choose_prototypes(
    layers: Sequence[Layer], train: Examples, geometry: Geometry, config: TrainingConfig
) -> np.ndarray:
    """Return (count, width) unit vectors: the last hidden layer's view of some training pictures.

    Half of the pictures are distorted, so that a shaky hand is not taken for a letter.
    """
    half = PROTOTYPES // 2
    plain = train.take(np.random.default_rng((config.seed, 3)).permutation(len(train))[:half])
    distorted = _distorted(train, geometry, config, half, stream=1)
    features = _features(layers, np.concatenate((plain.pixels, distorted.pixels)))
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def fit_thresholds(
    draft: Artifact, held_out: Examples, geometry: Geometry, config: TrainingConfig
) -> dict[str, float]:
    """Return min_confidence and max_novelty, each refusing about one in a hundred held-out pictures.

    Novelty is measured on distorted pictures too, and the wider of the two limits is taken.
    """
    classifier = Classifier(draft)  # with a limit of 1, novelties come out in their own unit
    confidence = [prediction.confidence for prediction in classifier.classify(held_out.pixels)]
    distorted = _distorted(held_out, geometry, config, len(held_out), stream=2)
    limits = [
        np.quantile(classifier.novelty(_features(draft.layers, pixels)), 1 - REFUSED_SHARE)
        for pixels in (held_out.pixels, distorted.pixels)
    ]
    return {
        "min_confidence": round(float(np.quantile(confidence, REFUSED_SHARE)), 4),
        "max_novelty": round(float(max(limits)), 4),
    }


def draw_probes(examples: Examples) -> np.ndarray:
    """Return (4, 120, 120) uint8: digits enlarged, dark on paper in uneven light, off centre.

    They exercise every step of preprocessing when the service checks itself at start.
    """
    side = examples.pictures.shape[1]
    factor = 84 // side
    light = np.linspace(235, 190, 120)[:, None] - np.linspace(0, 20, 120)
    probes = []
    for picture in examples.pictures[:PROBES]:
        ink = np.zeros((120, 120))
        enlarged = np.kron(picture, np.ones((factor, factor)))
        ink[12 : 12 + len(enlarged), 24 : 24 + len(enlarged)] = enlarged
        probes.append(light * (1 - 0.8 * ink))
    return np.rint(probes).astype(np.uint8)


def provenance(
    config: TrainingConfig, dataset: Dataset, train: Examples, validation: Examples, command: str
) -> Mapping[str, Any]:
    """Return what was done to make the weights, so that it can be done again."""
    return {
        "command": command,
        "config": dataclasses.asdict(config),
        "dataset": dataset.name,
        "sources": dataset.sources,
        "examples": {
            "train": len(train) - config.drawn,
            "drawn": config.drawn,
            "validation": len(validation),
            "test": len(dataset.test),
        },
        "trained_on": trained_on(),
        "libraries": {"numpy": np.__version__, "pillow": PIL.__version__},
    }


def trained_on() -> str:
    """Return today's date in UTC, or that of SOURCE_DATE_EPOCH.

    The date is all that a repetition on another day would change in the file
    (reproducible-builds.org/docs/source-date-epoch).
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if not seconds:
        return datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).date().isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {seconds!r}; whole seconds since 1970 are expected, such as 1700000000"
        ) from error
