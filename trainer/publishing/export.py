"""Trained parameters -> model file: what serving needs beside the weights, fitted and packed.

Parameters -> fold the input offset -> temperature -> judge -> probes -> thresholds -> bytes
Parameters of a network trained on all images, its twin's file -> judge -> bytes
"""

import dataclasses
import datetime
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import PIL

from service.model.artifact import FORMAT_VERSION, Artifact, parse, serialize
from service.model.classifier import Classifier
from service.model.network import Layer, forward, softmax
from service.preprocessing.normalization import Geometry
from service.preprocessing.pipeline import preprocess_grey
from trainer.data.datasets import SPLIT_OFF, Dataset, Examples, hold_out
from trainer.errors import UsageError
from trainer.evaluation.metrics import evaluate
from trainer.nn.parameters import Parameters
from trainer.training.config import TrainingConfig
from trainer.training.rejector import distorted, fit_judge

UNSURE_SHARE = 0.003  # of held-out digits, plain, that are refused because the answer is unsure
PROBES = 4
JUDGE_SETTINGS = ("outliers", "judge_units")  # of the configuration


def export(
    parameters: Parameters,
    config: TrainingConfig,
    dataset: Dataset,
    train: Examples,
    validation: Examples,
    command: str,
) -> bytes:
    """Return the bytes of the model file, with temperature, judge and thresholds fitted.

    train: what the network was trained on, without drawn digits. They are fitted on `validation`;
    where it is empty, on a part of `train` that the judge is not shown. The test pictures are
    classified once, for the metadata.
    """
    layers = fold_offset(parameters, config.input_offset)
    made = provenance(config, dataset, train, validation, command)
    return pack(layers, config, dataset, train, validation, made)


def export_refit(parameters: Parameters, config: TrainingConfig, dataset: Dataset, twin: Artifact) -> bytes:
    """Return the bytes of the model file of a network trained on all images of the data set.

    twin: the file of the network that was trained in the same way on fewer images and measured.
    """
    layers = fold_offset(parameters, config.input_offset)
    made = dict(twin.metadata["training"])
    made["examples"] = made["examples"] | {"refit": len(dataset.everything)}
    return pack_refit(layers, config, dataset, twin, made)


def export_again(model: Artifact, config: TrainingConfig, dataset: Dataset) -> bytes:
    """Return the bytes of a model file with the same layers and everything else fitted anew.

    model: trained on `dataset`. config: its own, perhaps with another judge.
    """
    made = dict(model.metadata["training"])
    refit = "refit" in made["examples"]
    changed = _changed_settings(config, made["config"])
    if refit and changed:
        raise UsageError(
            "the model was trained on all images, so none is left to choose the limit of another judge by. "
            f"Train it again: {made['command']}{changed}"
        )
    made["command"] += changed
    made |= {"config": dataclasses.asdict(config), "libraries": libraries()}
    if refit:
        return pack_refit(model.layers, config, dataset, model, made)
    train, validation = hold_out(dataset.train, config.validation, config.split_seed)
    return pack(model.layers, config, dataset, train, validation, made)


def _changed_settings(config: TrainingConfig, before: Mapping[str, Any]) -> str:
    """Return the flags, each after a blank, for what is new about the judge; "" where nothing is."""
    settings = {name: getattr(config, name) for name in JUDGE_SETTINGS}
    return "".join(
        f" --{name.replace('_', '-')} {number}"
        for name, number in settings.items()
        if number != before.get(name, number)
    )


def pack(
    layers: Sequence[Layer],
    config: TrainingConfig,
    dataset: Dataset,
    train: Examples,
    validation: Examples,
    made: Mapping[str, Any],
) -> bytes:
    """Return the bytes of the model file of trained layers; `made` says how they were trained."""
    shown, held_out = (train, validation) if len(validation) else hold_out(train, 0.1, config.split_seed)
    temperature = fit_temperature(forward(layers, held_out.pixels)[-1], held_out.labels)
    judge = fit_judge(layers, shown, dataset.geometry, config)
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
        "training": made,
        "metrics": {},
    }
    if judge:
        metadata["judge_activations"] = [layer.activation for layer in judge]

    def content() -> bytes:
        return serialize(layers, judge, probes, probe_logits, metadata)

    metadata |= fit_thresholds(parse(content()), held_out, dataset.geometry, config)
    classifier = Classifier(parse(content()))
    metadata["metrics"] = {"test": evaluate(classifier, dataset.test).figures()}
    if len(validation):
        metadata["metrics"]["validation"] = evaluate(classifier, validation).figures()
    return content()


def pack_refit(
    layers: Sequence[Layer], config: TrainingConfig, dataset: Dataset, twin: Artifact, made: Mapping[str, Any]
) -> bytes:
    """Return the bytes of the model file of layers trained on all images; `made` says how.

    Whatever can only be known from images that a network has not learnt comes from its twin:
    temperature, thresholds, figures. The judge alone is fitted anew, to these layers and all their
    images. Its limit stays the twin's, and is an honest one: a probability that digits new to network
    and judge exceed as often as they should. A limit chosen here would be that of digits which the
    network knows by heart, and refuse too many others.
    """
    judge = fit_judge(layers, dataset.everything, dataset.geometry, config)
    probe_pixels = np.stack([preprocess_grey(probe, dataset.geometry) for probe in twin.probe_images])
    metadata = dict(twin.metadata) | {"training": made}

    def content() -> bytes:
        return serialize(layers, judge, twin.probe_images, forward(layers, probe_pixels)[-1], metadata)

    if dataset.name not in SPLIT_OFF:  # these test images are still new to the network
        tested = evaluate(Classifier(parse(content())), dataset.test)
        metadata["metrics"] = twin.metadata["metrics"] | {"test": tested.figures()}
    return content()


def fold_offset(parameters: Parameters, offset: float) -> list[Layer]:
    """Return layers that take pixels as they are: (x - o) W + b = x W + (b - o sum(W))."""
    first, *rest = parameters.layers
    biases = first.biases - np.float32(offset) * first.weights.sum(axis=0)
    return [Layer(first.weights, biases, first.activation), *rest]


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the lowest cross-entropy (Guo et al. 2017), to three digits.

    The targets are as Platt (1999) has them, (n + 1) / (n + 2) for being right: a few examples without
    a mistake are no reason to be certain.
    """
    rows, candidates = np.arange(len(labels)), np.geomspace(0.25, 4, 161)
    target = (len(labels) + 1) / (len(labels) + 2)
    losses = []
    for candidate in candidates:
        right = np.clip(softmax(logits.astype(np.float64), candidate)[rows, labels], 1e-12, 1 - 1e-12)
        losses.append(-np.mean(target * np.log(right) + (1 - target) * np.log(1 - right)))
    return round(float(candidates[int(np.argmin(losses))]), 3)


def fit_thresholds(
    draft: Artifact, held_out: Examples, geometry: Geometry, config: TrainingConfig
) -> dict[str, float]:
    """Return min_confidence and max_novelty, fitted on held-out digits.

    Unusual handwriting must not be taken for a letter, so the judge's limit comes from pictures as
    they are and from as many distorted ones, of which it refuses config.refused_share.
    """
    classifier = Classifier(draft)  # with a limit of 1, novelties are plain probabilities
    rng = np.random.default_rng((config.seed, 2))
    unusual = distorted(held_out, geometry, config, rng)
    predictions = classifier.classify(held_out.pixels)
    novelty = [one.novelty for one in predictions + classifier.classify(unusual.pixels)]
    limit = float(np.quantile(novelty, 1 - config.refused_share))
    return {
        "min_confidence": round(float(np.quantile([one.confidence for one in predictions], UNSURE_SHARE)), 4),
        "max_novelty": float(f"{limit:.4g}"),
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
            "train": len(train),
            "drawn": config.drawn,
            "validation": len(validation),
            "test": len(dataset.test),
        },
        "trained_on": trained_on(),
        "libraries": libraries(),
    }


def libraries() -> dict[str, str]:
    """Return the versions of the libraries that the figures in the file depend on."""
    return {"numpy": np.__version__, "pillow": PIL.__version__}


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
