"""Convolutional networks that teach: their file format and their forward pass.

    pixels -> (3x3 convolution -> relu, twice -> halve) ... -> (dense -> relu) ... -> logits
    NAME.convolution.npz: weights_0, biases_0, ..., metadata -> Convolution -> logits

The file holds plain arrays and a JSON string, so reading it runs no code. Batch normalization is folded
into the weights. PyTorch is imported only when a network is used: everything else works without it.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from service.model.errors import ArtifactError
from service.preprocessing import Geometry
from trainer.data import CLASSES
from trainer.errors import UsageError

FORMAT_VERSION = 1
PAIR = 2  # convolutions before each halving of the picture
KERNEL = 3
THREADS = 1  # teachers train in parallel processes, and the order of a sum decides its last bits
FORWARD_IMAGES = 512  # images at a time, so that activations stay in the cache


class Kernel(NamedTuple):
    """One layer, float32: weights (out, in, 3, 3) if convolutional, (out, in) if dense; biases (out,)."""

    weights: np.ndarray
    biases: np.ndarray


def torch_module() -> ModuleType:
    """Return PyTorch, set to one thread; raise UsageError if it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise UsageError(
            "convolutional teachers need PyTorch: pip install -r trainer/requirements-teachers.txt"
        ) from error
    torch.set_num_threads(THREADS)
    return torch


class Convolution:
    """A trained convolutional network."""

    def __init__(self, layers: Sequence[Kernel], geometry: Geometry, sha256: str = "") -> None:
        self.layers, self.geometry, self.sha256 = layers, geometry, sha256
        torch = torch_module()
        self._convolutions = [
            (
                torch.tensor(one.weights, dtype=torch.bfloat16).to(memory_format=torch.channels_last),
                torch.tensor(one.biases, dtype=torch.bfloat16),
            )
            for one in layers
            if one.weights.ndim == 4
        ]
        self._dense = [
            (torch.tensor(one.weights), torch.tensor(one.biases)) for one in layers if one.weights.ndim == 2
        ]

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Return logits, (n, 10) float32; pixels: (n, side * side) float32 ink in [0, 1].

        Convolutions use bfloat16, as in training, because it is three times as fast. Dense layers use
        float32, so that logits are off by less than a hundredth of their size.
        """
        torch = torch_module()
        side = self.geometry.side
        parts = []
        with torch.inference_mode():
            for start in range(0, len(pixels), FORWARD_IMAGES):
                part = torch.tensor(pixels[start : start + FORWARD_IMAGES], dtype=torch.bfloat16)
                pictures = part.reshape(-1, 1, side, side).to(memory_format=torch.channels_last)
                parts.append(self._forward(torch.nn.functional, pictures).numpy())
        return np.concatenate(parts) if parts else np.empty((0, len(self.layers[-1].biases)), np.float32)

    def _forward(self, functional: Any, pictures: Any) -> Any:
        """Return the logits, a tensor (n, 10), of pictures, a tensor (n, 1, side, side)."""
        signal = pictures
        for index, (weights, biases) in enumerate(self._convolutions):
            signal = functional.relu(functional.conv2d(signal, weights, biases, padding=KERNEL // 2))
            if index % PAIR == PAIR - 1:
                signal = functional.max_pool2d(signal, 2)
        signal = signal.float().flatten(1)
        for index, (weights, biases) in enumerate(self._dense):
            signal = functional.linear(functional.relu(signal) if index else signal, weights, biases)
        return signal


def serialize(layers: Sequence[Kernel], metadata: Mapping[str, Any]) -> bytes:
    """Return the bytes of a teacher's file.

    metadata: its "input" is the geometry; everything else is for the reader.
    """
    members: dict[str, np.ndarray] = {}
    for index, layer in enumerate(layers):
        members[f"weights_{index}"] = np.asarray(layer.weights, "<f4")
        members[f"biases_{index}"] = np.asarray(layer.biases, "<f4")
    facts = {"format_version": FORMAT_VERSION, "kind": "convolution", **metadata}
    members["metadata"] = np.array(json.dumps(facts, sort_keys=True))
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **members)
    return buffer.getvalue()


def load_convolution(path: Path) -> Convolution:
    """Return the teacher in a file; raise ArtifactError if it cannot be used."""
    content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            metadata = json.loads(str(file["metadata"]))
            count = sum(name.startswith("weights_") for name in file.files)
            layers = [Kernel(file[f"weights_{index}"], file[f"biases_{index}"]) for index in range(count)]
        if metadata["kind"] != "convolution" or metadata["format_version"] != FORMAT_VERSION:
            raise ArtifactError(f"it is not a convolutional teacher of format {FORMAT_VERSION}")
        geometry = Geometry(**metadata["input"])
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"it is truncated or not a convolutional teacher: {error}") from error
    _check(layers, geometry.side)
    return Convolution(layers, geometry, hashlib.sha256(content).hexdigest())


def _check(layers: Sequence[Kernel], side: int) -> None:
    """Raise ArtifactError unless each layer fits the one before and all numbers are finite."""
    width, convolutions, dense = 1, 0, False
    for index, (weights, biases) in enumerate(layers):
        if not dense and weights.ndim == 2:
            width *= (side // 2 ** (convolutions // PAIR)) ** 2
            dense = True
        shape = (len(biases), width) if dense else (len(biases), width, KERNEL, KERNEL)
        if biases.ndim != 1 or weights.shape != shape or weights.dtype != "f4" or biases.dtype != "f4":
            raise ArtifactError(f"layer {index} has weights of shape {weights.shape}; {shape} is expected")
        if not (np.isfinite(weights).all() and np.isfinite(biases).all()):
            raise ArtifactError(f"layer {index} holds a number that is not finite")
        width, convolutions = len(biases), convolutions + (not dense)
    if not dense or width != CLASSES or convolutions % PAIR:
        raise ArtifactError("its layers do not end in ten logits")
