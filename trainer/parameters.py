"""All weights and biases of a network in one vector, and the layers as views of it.

    sizes, activations, seed -> vector -> [Layer, Layer, ...]

An optimiser step, a weight average or a checkpoint is then one operation on one array.
"""

from collections.abc import Sequence

import numpy as np

from service.network import Layer


class Parameters:
    """The layers of a network as views into `vector`, (parameters,), of any float dtype."""

    def __init__(self, sizes: Sequence[int], activations: Sequence[str], vector: np.ndarray) -> None:
        self.sizes = tuple(sizes)
        self.activations = tuple(activations)
        self.vector = vector
        self.layers = []
        start = 0
        for fan_in, fan_out, activation in zip(sizes, sizes[1:], activations, strict=False):
            middle = start + fan_in * fan_out
            weights = vector[start:middle].reshape(fan_in, fan_out)
            biases = vector[middle : middle + fan_out]
            self.layers.append(Layer(weights, biases, activation))
            start = middle + fan_out

    def like(self, vector: np.ndarray) -> "Parameters":
        """Return the same architecture over another vector, such as a gradient or an average."""
        return Parameters(self.sizes, self.activations, vector)


def parameter_count(sizes: Sequence[int]) -> int:
    """Return the number of weights and biases of fully connected layers of these sizes."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in zip(sizes, sizes[1:], strict=False))


def initialize(
    sizes: Sequence[int], activation: str, rng: np.random.Generator, dtype: type = np.float32
) -> Parameters:
    """Return fresh parameters: He initialisation for the ReLU family, Glorot for the others.

    sizes: inputs, hidden units ..., outputs. The output layer is linear and starts a tenth as
    large, so that the first answers are undecided rather than confidently wrong. Biases are 0.
    He et al. 2015, "Delving Deep into Rectifiers"; Glorot and Bengio 2010.
    """
    activations = [activation] * (len(sizes) - 2) + ["linear"]
    parameters = Parameters(sizes, activations, np.zeros(parameter_count(sizes), dtype))
    for layer in parameters.layers:
        fan_in, fan_out = layer.weights.shape
        rectified = layer.activation in ("relu", "leaky_relu")
        deviation = np.sqrt(2 / fan_in if rectified else 2 / (fan_in + fan_out))
        layer.weights[...] = rng.normal(0, deviation, layer.weights.shape)
    parameters.layers[-1].weights[...] *= 0.1
    return parameters
