"""The model file: everything an answer depends on, in one `.npz` without pickles.

    weights_0, biases_0, weights_1, ...   float32, (fan_in, fan_out) and (fan_out,)
    judge_weights_0, judge_biases_0, ...  float32: the rejector, a small network with one output, the
                                          log-odds that a picture is not a digit. It sees the pixels and the
                                          last hidden layer (service/model/classifier.py). Old files lack it
    probe_images                          uint8, (probes, height, width): gray pictures
    probe_logits                          float32, (probes, classes): their expected logits
    metadata                              one JSON string, see `Metadata`

Arrays are little-endian and in C order. Members are stored, not deflated, with a fixed time stamp. The file's
size therefore bounds the memory that it needs, and equal content gives equal bytes. A file is read once, then
hashed and parsed in memory, so the version and the weights cannot come from different writes.
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from service.model.errors import (
    ArtifactTooLargeError,
    MalformedArtifactError,
    MetadataError,
    UnreadableArtifactError,
)
from service.model.members import member, read_members
from service.model.network import ACTIVATIONS, Layer
from service.preprocessing.normalization import Geometry

FORMAT_VERSION = 1
MAX_ARTIFACT_BYTES = 64 * 1024 * 1024  # 12 million weights, the largest plain MLP in the literature
VERSION_DIGITS = 12
CLASSES = 10


@dataclass(frozen=True)
class Artifact:
    """The content of a model file; arrays are read-only.

    geometry: the picture the layers expect. temperature: divides the logits before softmax.
    rejector: the layers of the rejector, () if the file has none. A picture below min_confidence or above
    max_novelty is not accepted as a digit.
    metadata: the JSON object as stored. sha256: hex digest of the file.
    """

    layers: tuple[Layer, ...]
    rejector: tuple[Layer, ...]
    geometry: Geometry
    temperature: float
    min_confidence: float
    max_novelty: float
    probe_images: np.ndarray
    probe_logits: np.ndarray
    metadata: Mapping[str, Any]
    sha256: str

    @property
    def version(self) -> str:
        """The first 12 hex digits of the file's SHA-256."""
        return self.sha256[:VERSION_DIGITS]

    @property
    def parameters(self) -> int:
        """Number of weights and biases of the network that names the digit."""
        return sum(layer.weights.size + layer.biases.size for layer in self.layers)


def serialize(
    layers: Sequence[Layer],
    rejector: Sequence[Layer],
    probe_images: np.ndarray,
    probe_logits: np.ndarray,
    metadata: Mapping[str, Any],
) -> bytes:
    """Return the bytes of a model file; `parse` returns the same content."""
    members: dict[str, np.ndarray] = {}
    for prefix, network in (("", layers), ("judge_", rejector)):
        for index, layer in enumerate(network):
            members[f"{prefix}weights_{index}"] = np.asarray(layer.weights, "<f4")
            members[f"{prefix}biases_{index}"] = np.asarray(layer.biases, "<f4")
    members["probe_images"] = np.asarray(probe_images, "|u1")
    members["probe_logits"] = np.asarray(probe_logits, "<f4")
    members["metadata"] = np.array(json.dumps(metadata, sort_keys=True, ensure_ascii=True))
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **members)
    return buffer.getvalue()


def save(path: Path, content: bytes) -> None:
    """Write a model file atomically: readers see the old file or the new one, never half of one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path) -> Artifact:
    """Return the model in a file; raises an ArtifactError that says what is wrong with it."""
    try:
        size = path.stat().st_size
        if size > MAX_ARTIFACT_BYTES:
            raise ArtifactTooLargeError(f"it has {size} bytes; at most {MAX_ARTIFACT_BYTES} are allowed")
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableArtifactError(f"it cannot be read: {error.strerror or error}") from error
    return parse(content)


def parse(content: bytes) -> Artifact:
    """Return the model in the bytes of a file; raises an ArtifactError."""
    members = read_members(content)
    metadata = _read_metadata(members)
    geometry = _geometry(metadata)
    layers = _layers(members, metadata, "", geometry.side**2, CLASSES)
    probes = member(members, "probe_images", "|u1", (None, None, None))
    return Artifact(
        layers=layers,
        rejector=_rejector(members, metadata, layers),
        geometry=geometry,
        temperature=_number(metadata, "temperature", 0.01, 100),
        min_confidence=_number(metadata, "min_confidence", 0, 1),
        max_novelty=_number(metadata, "max_novelty", 0, 1e9),
        probe_images=probes,
        probe_logits=member(members, "probe_logits", "<f4", (len(probes), CLASSES)),
        metadata=metadata,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _read_metadata(members: Mapping[str, np.ndarray]) -> dict[str, Any]:
    text = members.get("metadata")
    if text is None or text.dtype.kind != "U" or text.shape != ():
        raise MetadataError("the member 'metadata' is missing or not one string")
    try:
        metadata = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise MetadataError(f"the metadata is not JSON: {error}") from error
    if not isinstance(metadata, dict) or metadata.get("format_version") != FORMAT_VERSION:
        raise MetadataError(f"the metadata must be an object with format_version {FORMAT_VERSION}")
    for key in ("training", "metrics"):
        if not isinstance(metadata.get(key), dict):
            raise MetadataError(f"the metadata must hold an object named {key!r}")
    return metadata


def _number(values: Mapping[str, Any], key: str, lowest: float, highest: float) -> float:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise MetadataError(f"{key} is {value!r}; a number from {lowest:g} to {highest:g} is expected")
    return float(value)


def _geometry(metadata: Mapping[str, Any]) -> Geometry:
    values = metadata.get("input")
    if not isinstance(values, dict):
        raise MetadataError("the metadata must hold an object named 'input'")
    side = int(_number(values, "side", 4, 64))
    digit_side = int(_number(values, "digit_side", 4, side))
    return Geometry(side, digit_side)


def _layers(
    members: Mapping[str, np.ndarray], metadata: Mapping[str, Any], prefix: str, fan_in: int, outputs: int
) -> tuple[Layer, ...]:
    """Return the network whose members and list of activations begin with `prefix`."""
    activations = metadata.get(f"{prefix}activations")
    if not isinstance(activations, list) or not activations or activations[-1] != "linear":
        raise MetadataError(f"{prefix}activations must be a list of names that ends with 'linear'")
    layers = []
    for index, activation in enumerate(activations):
        if activation not in ACTIVATIONS:
            raise MetadataError(f"activation {activation!r} is none of {', '.join(ACTIVATIONS)}")
        weights = member(members, f"{prefix}weights_{index}", "<f4", (fan_in, None))
        fan_in = weights.shape[1]
        biases = member(members, f"{prefix}biases_{index}", "<f4", (fan_in,))
        layers.append(Layer(weights, biases, activation))
    if fan_in != outputs:
        raise MalformedArtifactError(
            f"the last of the {prefix}weights has {fan_in} outputs; {outputs} are expected"
        )
    return tuple(layers)


def _rejector(
    members: Mapping[str, np.ndarray], metadata: Mapping[str, Any], layers: Sequence[Layer]
) -> tuple[Layer, ...]:
    """Return the layers of the rejector; () if neither members nor metadata mention one."""
    if "judge_activations" not in metadata and not any(name.startswith("judge_") for name in members):
        return ()
    inputs = layers[0].weights.shape[0] + (layers[-1].weights.shape[0] if len(layers) > 1 else 0)
    return _layers(members, metadata, "judge_", inputs, 1)
