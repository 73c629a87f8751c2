"""Small models, for tests that need a valid file and not good answers."""

from typing import Any

import numpy as np

from service.model.artifact import Artifact, parse, serialize
from service.model.network import Layer, forward
from service.preprocessing.normalization import DIGITS_GEOMETRY, Geometry
from service.preprocessing.pipeline import preprocess_grey
from tests.drawing import draw_digit


def tiny_content(geometry: Geometry = DIGITS_GEOMETRY, seed: int = 0, **changes: Any) -> bytes:
    """Return the bytes of a model with random weights.

    changes: replace a member of the file (such as weights_0=...) or a key of the metadata; None
    leaves the key out.
    """
    rng = np.random.default_rng(seed)
    pixels = geometry.side**2
    layers = [
        Layer(rng.normal(0, 0.3, (pixels, 6)).astype("f4"), np.zeros(6, "f4"), "relu"),
        Layer(rng.normal(0, 0.3, (6, 10)).astype("f4"), np.zeros(10, "f4"), "linear"),
    ]
    probes = np.stack([np.asarray(draw_digit(digit, (60, 60))) for digit in (2, 5)])
    seen = np.stack([preprocess_grey(probe, geometry) for probe in probes])
    rejector = [
        Layer(rng.normal(0, 0.3, (pixels + 6, 4)).astype("f4"), np.zeros(4, "f4"), "relu"),
        Layer(rng.normal(0, 0.3, (4, 1)).astype("f4"), np.zeros(1, "f4"), "linear"),
    ]
    metadata: dict[str, Any] = {
        "format_version": 1,
        "input": geometry._asdict(),
        "activations": ["relu", "linear"],
        "judge_activations": ["relu", "linear"],
        "temperature": 1.5,
        "min_confidence": 0.0,
        "max_novelty": 1e6,
        "training": {"dataset": "drawn", "trained_on": "2026-01-02", "config": {}},
        "metrics": {"test": {"accuracy": 0.99}},
    }
    arrays = {
        "probe_images": probes,
        "probe_logits": forward(layers, seen)[-1],
    }
    for key, value in changes.items():
        if key in arrays:
            arrays[key] = value
        elif key.startswith(("weights_", "biases_", "judge_weights_", "judge_biases_")):
            network, index = rejector if key.startswith("judge_") else layers, int(key[-1])
            network[index] = network[index]._replace(**{key.removeprefix("judge_")[:-2]: value})
        elif key == "rejector":
            rejector = value
        elif value is None:
            del metadata[key]
        else:
            metadata[key] = value
    return serialize(layers, rejector, metadata=metadata, **arrays)


def tiny_artifact(**changes: Any) -> Artifact:
    """Return a model with random weights, see `tiny_content`."""
    return parse(tiny_content(**changes))


def repacked(content: bytes, number: int) -> bytes:
    """Return a model file that answers like `content` and has another version."""
    artifact = parse(content)
    return serialize(
        artifact.layers,
        artifact.rejector,
        artifact.probe_images,
        artifact.probe_logits,
        {**artifact.metadata, "number": number},
    )
