"""The forward pass of a multilayer perceptron.

    pixels -> (weights, biases) -> activation -> ... -> logits -> softmax -> probabilities

These are pure functions over read-only arrays. Worker threads share the layers, the trainer's backward pass
uses the same activations, and what is served is what was trained.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

LEAKY_SLOPE = np.float32(0.01)


def linear(inputs: np.ndarray) -> np.ndarray:
    """Return `inputs` unchanged, any shape."""
    return inputs


def sigmoid(inputs: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-inputs)) in (0, 1), same shape and dtype.

    Written with tanh, which saturates where exp would overflow.
    """
    half = inputs.dtype.type(0.5)
    return half * np.tanh(half * inputs) + half


def relu(inputs: np.ndarray) -> np.ndarray:
    """Return max(inputs, 0), same shape and dtype."""
    return np.maximum(inputs, 0)


def leaky_relu(inputs: np.ndarray) -> np.ndarray:
    """Return `inputs` where positive and 0.01 of them elsewhere, same shape and dtype."""
    return np.maximum(inputs, LEAKY_SLOPE * inputs)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": linear,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": relu,
    "leaky_relu": leaky_relu,
}

# d activation / d input, written in terms of the activation's output, which is already known.
DERIVATIVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": np.ones_like,
    "sigmoid": lambda outputs: outputs * (1 - outputs),
    "tanh": lambda outputs: 1 - outputs * outputs,
    "relu": lambda outputs: outputs > 0,
    "leaky_relu": lambda outputs: np.where(outputs > 0, outputs.dtype.type(1), LEAKY_SLOPE),
}


class Layer(NamedTuple):
    """One fully connected layer: `activation(inputs @ weights + biases)`.

    weights: (fan_in, fan_out), biases: (fan_out,), activation: a name in `ACTIVATIONS`.
    The last layer of a classifier is "linear": its outputs are the logits.
    """

    weights: np.ndarray
    biases: np.ndarray
    activation: str


def forward(layers: Sequence[Layer], pixels: np.ndarray) -> list[np.ndarray]:
    """Return the activations of every layer, the logits last.

    pixels: (n, fan_in), float32 when serving, float64 in gradient checks. Each entry of the
    answer is (n, fan_out) of its layer, in the dtype of the weights.
    """
    activations = []
    signal = pixels  # (n, fan_in)
    for layer in layers:
        signal = ACTIVATIONS[layer.activation](product(signal, layer.weights) + layer.biases)
        activations.append(signal)  # (n, fan_out)
    return activations


def lead_gradient(
    layers: Sequence[Layer], activations: Sequence[np.ndarray], digit: int, other: int
) -> np.ndarray:
    """Return the gradient of one digit's lead over another with respect to the pixels, (fan_in,).

    activations: of `forward` for one row. The lead is the difference of the logits.
    """
    gradient = layers[-1].weights[:, digit] - layers[-1].weights[:, other]  # (fan_in of the last layer,)
    for layer, outputs in zip(layers[-2::-1], activations[-2::-1], strict=True):
        gradient = (gradient * DERIVATIVES[layer.activation](outputs[0])) @ layer.weights.T
    return gradient


# Multiplying a few rows is memory-bound. Most pixels are paper and most relu units are 0. Gathering the
# weights of the others saves time as long as they are at most this share of all. The share is higher for many
# rows, because they use the same gathered weights.
GATHERED_SHARE = 0.3
SHARED_SHARE = 0.7
GATHERED_SIZE = 50_000  # weights; gathering saves nothing in a smaller layer
FEW_ROWS = 8
MANY_ROWS = 64  # in more rows, hardly any unit is 0 in all of them


def product(signal: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return signal @ weights, (n, fan_out), for signal (n, fan_in) and weights (fan_in, fan_out).

    Up to FEW_ROWS rows are multiplied one by one. Each row then equals, to the last bit, what it would be
    without the others, and this is faster than a general matrix product.
    """
    count = len(signal)
    if count == 1:
        return _gathered(signal, weights, GATHERED_SHARE)
    if 1 < count <= FEW_ROWS:
        return np.concatenate([_gathered(row, weights, GATHERED_SHARE) for row in signal[:, None]])
    return _gathered(signal, weights, SHARED_SHARE) if 0 < count <= MANY_ROWS else signal @ weights


def _gathered(signal: np.ndarray, weights: np.ndarray, share: float) -> np.ndarray:
    """Return signal @ weights; gather the weights of nonzero inputs if they are at most `share` of all."""
    if weights.size < GATHERED_SIZE:
        return signal @ weights
    counts = signal[0] != 0 if len(signal) == 1 else np.logical_or.reduce(signal != 0, axis=0)
    (active,) = np.nonzero(counts)
    if active.size > share * len(weights):
        return signal @ weights
    return signal.take(active, axis=1) @ weights.take(active, axis=0)


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return probabilities, (n, classes), each row summing to one.

    The row maximum is subtracted first, so that exp cannot overflow. A temperature above one
    flattens the rows, below one sharpens them (Guo et al. 2017, "On Calibration of Modern
    Neural Networks").
    """
    scaled = logits / logits.dtype.type(temperature)
    scaled = scaled - scaled.max(axis=-1, keepdims=True)
    exponentials = np.exp(scaled)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
