"""Trained layers -> model file: everything that serving needs beside the weights, fitted and packed.

trained_plan  (a new network)                  -+
refit_plan    (a network trained on all images) +-> Plan -> export_model -> bytes
rejector_plan (an old network, a new rejector) -+

export_model: rejector -> probes -> temperature and thresholds -> test figures -> serialize
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.model.artifact import FORMAT_VERSION, Artifact, parse, serialize
from service.model.classifier import Classifier
from service.model.network import Layer, forward
from service.preprocessing import preprocess_grey
from trainer.data import SPLIT_OFF, Dataset, Examples, hold_out
from trainer.errors import UsageError
from trainer.evaluation import evaluate
from trainer.nn import Parameters
from trainer.publishing.calibration import draw_probes, fit_temperature, fit_thresholds
from trainer.stages import stage
from trainer.training import (
    REJECTOR_SETTINGS,
    TrainingConfig,
    config_from,
    fit_rejector,
    libraries,
    provenance,
)

SPARE_SHARE = 0.1  # of the training images, held out from the rejector if there are no validation images


@dataclass(frozen=True)
class Plan:
    """What to pack into a model file, and which examples to fit the rest of it on.

    layers: the trained network, for pixels in [0, 1]. made: metadata["training"]. train: the images that
    the network has learned. validation: held-out images; if it is empty, a part of `train` is held out
    from the rejector instead.

    twin: set if the network has learned the validation images too. It is a network that was trained in the
    same way without them. Everything that needs unseen images comes from it: temperature, thresholds,
    figures. A rejector limit chosen on digits that the network has learned would refuse too many others.
    """

    layers: Sequence[Layer]
    config: TrainingConfig
    dataset: Dataset
    made: Mapping[str, Any]
    train: Examples
    validation: Examples
    twin: Artifact | None = None


def trained_plan(
    parameters: Parameters,
    config: TrainingConfig,
    dataset: Dataset,
    train: Examples,
    validation: Examples,
    command: str,
) -> Plan:
    """Return the plan for a new network.

    train: the images it was trained on, without drawn digits. command: the command line that repeats it.
    """
    layers = fold_offset(parameters, config.input_offset)
    made = provenance(config, dataset, train, validation, command)
    return Plan(layers, config, dataset, made, train, validation)


def refit_plan(parameters: Parameters, config: TrainingConfig, dataset: Dataset, twin: Artifact) -> Plan:
    """Return the plan for a network that was trained on all images; twin: see `Plan`."""
    layers = fold_offset(parameters, config.input_offset)
    made = dict(twin.metadata["training"])
    made["examples"] = made["examples"] | {"refit": len(dataset.everything)}
    return _plan_on_all_images(layers, config, dataset, made, twin)


def rejector_plan(model: Artifact, config: TrainingConfig, dataset: Dataset) -> Plan:
    """Return the plan for an old network with everything else fitted again.

    model: was trained on `dataset`. config: its own, perhaps with other REJECTOR_SETTINGS. Raises
    UsageError for other settings if the network was trained on all images.
    """
    made = dict(model.metadata["training"])
    refit = "refit" in made["examples"]
    changed = _changed_flags(config, config_from(made["config"]))
    if refit and changed:
        raise UsageError(
            "the model was trained on all images, so none is left to choose the limit of another rejector. "
            f"Train it again: {made['command']}{changed}"
        )
    made["command"] = _without(made["command"], changed) + changed
    made |= {"config": dataclasses.asdict(config), "libraries": libraries(config)}
    if refit:
        return _plan_on_all_images(model.layers, config, dataset, made, model)
    train, validation = hold_out(dataset.train, config.validation, config.split_seed)
    return Plan(model.layers, config, dataset, made, train, validation)


def _plan_on_all_images(
    layers: Sequence[Layer], config: TrainingConfig, dataset: Dataset, made: Mapping[str, Any], twin: Artifact
) -> Plan:
    nothing = dataset.train.take(np.arange(0))
    return Plan(layers, config, dataset, made, dataset.everything, nothing, twin)


def _changed_flags(config: TrainingConfig, before: TrainingConfig) -> str:
    """Return the flags of changed rejector settings, each after a blank; "" if none changed."""
    settings = {name: getattr(config, name) for name in REJECTOR_SETTINGS}
    return "".join(
        f" --{name.replace('_', '-')} {number}"
        for name, number in settings.items()
        if number != getattr(before, name)
    )


def _without(command: str, flags: str) -> str:
    """Return a command line without those flags, each of which has one value."""
    for name in flags.split()[::2]:
        command = re.sub(rf" {name} \S+", "", command)
    return command


def export_model(plan: Plan) -> bytes:
    """Return the bytes of the model file that the plan describes.

    The rejector is fitted to the plan's training images. Temperature and thresholds are fitted on held-out
    images, or copied from the twin. Test images are classified once, for the figures, unless the network
    has learned them.
    """
    shown, held_out, twin = plan.train, plan.validation, plan.twin
    if not twin and not len(held_out):
        shown, held_out = hold_out(plan.train, SPARE_SHARE, plan.config.split_seed)
    layers, geometry = plan.layers, plan.dataset.geometry
    # The twin and the refit learn from the same outliers, made of digits that the twin knows.
    known = hold_out(plan.dataset.train, plan.config.validation, plan.config.split_seed)[0] if twin else shown
    pieces = _with_extra(known, plan)
    rejector = fit_rejector(layers, _with_extra(shown, plan), geometry, plan.config, pieces)
    probes = twin.probe_images if twin else draw_probes(held_out)
    probe_pixels = np.stack([preprocess_grey(probe, geometry) for probe in probes])
    probe_logits = forward(layers, probe_pixels)[-1]

    def pack(metadata: Mapping[str, Any]) -> bytes:
        return serialize(layers, rejector, probes, probe_logits, metadata)

    metadata: dict[str, Any]
    with stage("thresholds and figures"):
        if twin:
            metadata = dict(twin.metadata) | {"training": plan.made}
        else:
            metadata = _draft_metadata(plan, rejector, held_out)
            metadata |= fit_thresholds(parse(pack(metadata)), held_out, geometry, plan.config)
        return pack(metadata | {"metrics": _metrics(plan, Classifier(parse(pack(metadata))))})


def _with_extra(shown: Examples, plan: Plan) -> Examples:
    """Return the digits for the rejector: half from `shown`, repeated, and half from the extra pictures.

    Together they are as many as it learns from at once.
    """
    extra = plan.dataset.extra
    if not extra or not plan.config.outliers:
        return shown
    half = max(plan.config.outliers // 2, len(shown))
    order = np.random.default_rng(plan.config.seed).permutation(len(extra))
    return shown.take(np.resize(np.arange(len(shown)), half)) + extra.take(order[:half])


def _draft_metadata(plan: Plan, rejector: Sequence[Layer], held_out: Examples) -> dict[str, Any]:
    """Return the metadata with neutral thresholds and without figures."""
    metadata: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "input": plan.dataset.geometry._asdict(),
        "activations": [layer.activation for layer in plan.layers],
        "temperature": fit_temperature(forward(plan.layers, held_out.pixels)[-1], held_out.labels),
        "min_confidence": 0.0,
        "max_novelty": 1.0,
        "training": plan.made,
        "metrics": {},
    }
    if rejector:
        metadata["judge_activations"] = [layer.activation for layer in rejector]
    return metadata


def _metrics(plan: Plan, classifier: Classifier) -> dict[str, Any]:
    """Return the figures on test and validation images.

    Figures on images that the network has learned are those of its twin, which has not learned them.
    """
    metrics = dict(plan.twin.metadata["metrics"]) if plan.twin else {}
    if not plan.twin or plan.dataset.name not in SPLIT_OFF:
        metrics["test"] = evaluate(classifier, plan.dataset.test).figures()
    if len(plan.validation):
        metrics["validation"] = evaluate(classifier, plan.validation).figures()
    return metrics


def fold_offset(parameters: Parameters, offset: float) -> list[Layer]:
    """Return layers that take pixels without the offset: (x - o) W + b = x W + (b - o sum(W))."""
    first, *rest = parameters.layers
    biases = first.biases - np.float32(offset) * first.weights.sum(axis=0)
    return [Layer(first.weights, biases, first.activation), *rest]
