"""All weights and biases of a network in one vector, and the layers as views of it.

    sizes, activations, seed -> vector -> [Layer, Layer, ...]

An optimizer step, a weight average and a checkpoint are then one operation on one array.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from service.model.network import Layer

PLAIN_DEVIATION = 0.05


class Parameters:
    """The layers of a network as views into `vector`, (parameters,), of any float dtype."""

    def __init__(self, sizes: Sequence[int], activations: Sequence[str], vector: np.ndarray) -> None:
        self.sizes = tuple(sizes)
        self.activations = tuple(activations)
        self.vector = vector
        self.layers = []
        self.starts = []  # where each layer's weights start in the vector; its biases follow
        start = 0
        for fan_in, fan_out, activation in zip(sizes, sizes[1:], activations, strict=False):
            self.starts.append(start)
            middle = start + fan_in * fan_out
            weights = vector[start:middle].reshape(fan_in, fan_out)
            biases = vector[middle : middle + fan_out]
            self.layers.append(Layer(weights, biases, activation))
            start = middle + fan_out

    def like(self, vector: np.ndarray) -> "Parameters":
        """Return the same architecture over another vector, (parameters,), such as a gradient."""
        return Parameters(self.sizes, self.activations, vector)


def parameter_count(sizes: Sequence[int]) -> int:
    """Return the number of weights and biases of fully connected layers of these sizes."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in itertools.pairwise(sizes))


def deviation_of(initialization: str, fan_in: int, fan_out: int) -> float:
    """Return the standard deviation of the initial weights.

    he: sqrt(2 / fan_in), which preserves the signal's size through ReLUs (He et al. 2015, "Delving Deep
    into Rectifiers"). glorot: sqrt(2 / (fan_in + fan_out)), for activations that are linear around 0
    (Glorot and Bengio 2010). plain: 0.05 for every layer, as in older texts.
    """
    if initialization == "plain":
        return PLAIN_DEVIATION
    return float(np.sqrt(2 / fan_in if initialization == "he" else 2 / (fan_in + fan_out)))


def initialize(
    sizes: Sequence[int],
    activation: str,
    rng: np.random.Generator,
    dtype: type = np.float32,
    *,
    initialization: str = "auto",
) -> Parameters:
    """Return initial parameters: normally distributed weights, biases of 0.

    sizes: inputs, hidden units ..., outputs. initialization: he, glorot, plain, or auto, which is he for
    the ReLU family and glorot for the others. The output layer is linear and starts a tenth as large, so
    that the first outputs are undecided rather than confidently wrong.
    """
    activations = [activation] * (len(sizes) - 2) + ["linear"]
    parameters = Parameters(sizes, activations, np.zeros(parameter_count(sizes), dtype))
    for layer in parameters.layers:
        fan_in, fan_out = layer.weights.shape
        rectified = layer.activation in ("relu", "leaky_relu")
        chosen = ("he" if rectified else "glorot") if initialization == "auto" else initialization
        deviation = deviation_of(chosen, fan_in, fan_out)
        layer.weights[...] = rng.normal(0, deviation, layer.weights.shape)
    parameters.layers[-1].weights[...] *= 0.1
    return parameters
