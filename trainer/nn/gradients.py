"""Backpropagation through a stack of fully connected layers, into buffers allocated once.

    examples:  pixels -> forward -> logits -> loss -> slopes (d loss / d inputs of each activation)
    weights:   activations, slopes -> d loss / d weights, d loss / d biases

The first half can be split by examples and the second by weights, with no sum over threads: that is how
`trainer.training.step` keeps two cores busy (Rumelhart, Hinton and Williams 1986). Every parameter is checked
against central differences in float64 (tests/trainer/nn/test_gradients.py).
"""

from collections.abc import Sequence

import numpy as np

from service.model.network import DERIVATIVES, LEAKY_SLOPE, Layer
from trainer.nn.losses import loss_and_gradient
from trainer.nn.parameters import Parameters


class Buffers:
    """Memory for a batch: activations and slopes, each (rows, fan_out) for every layer."""

    def __init__(self, layers: Sequence[Layer], rows: int) -> None:
        dtype = layers[0].weights.dtype
        self.rows = rows
        self.activations = [np.empty((rows, layer.biases.size), dtype) for layer in layers]
        self.slopes = [np.empty((rows, layer.biases.size), dtype) for layer in layers]


def activate_in_place(activation: str, values: np.ndarray) -> None:
    """Apply an activation of `service.model.network.ACTIVATIONS` to `values` without another array."""
    if activation == "relu":
        np.maximum(values, 0, out=values)
    elif activation == "tanh":
        np.tanh(values, out=values)
    elif activation == "leaky_relu":
        np.maximum(values, LEAKY_SLOPE * values, out=values)
    elif activation == "sigmoid":
        half = values.dtype.type(0.5)
        values *= half
        np.tanh(values, out=values)
        values *= half
        values += half


def forward_rows(
    layers: Sequence[Layer],
    pixels: np.ndarray,
    buffers: Buffers,
    part: slice,
    dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Fill rows `part` of the activations and return their logits, (rows of part, outputs).

    pixels: (n, fan_in). Without dropout, the result equals `service.model.network.forward` to the last
    bit. With it, each hidden unit is 0 with that probability and the others are scaled up ("inverted
    dropout", Srivastava et al. 2014).
    """
    signal = pixels[part]
    last = len(layers) - 1
    for index, layer in enumerate(layers):
        values = buffers.activations[index][part]
        np.matmul(signal, layer.weights, out=values)
        values += layer.biases
        activate_in_place(layer.activation, values)
        if dropout and rng is not None and index < last:
            values *= (rng.random(values.shape, np.float32) >= dropout) / values.dtype.type(1 - dropout)
        signal = values
    return signal


def backward_rows(layers: Sequence[Layer], buffers: Buffers, part: slice, dropout: float = 0.0) -> None:
    """Fill rows `part` of the slopes of all layers except the last, which the caller has filled."""
    for index in range(len(layers) - 1, 0, -1):
        values, slope = buffers.activations[index - 1][part], buffers.slopes[index - 1][part]
        np.matmul(buffers.slopes[index][part], layers[index].weights.T, out=slope)
        activation = layers[index - 1].activation
        if dropout:  # a dropped unit has the value 0 and passes no slope
            scale = values.dtype.type(1 - dropout)
            slope *= DERIVATIVES[activation](values * scale) * (values != 0) / scale
        elif activation == "relu":
            slope *= values > 0
        elif activation != "linear":
            slope *= DERIVATIVES[activation](values)


def weight_gradient(inputs: np.ndarray, slope: np.ndarray, part: slice, into: np.ndarray) -> None:
    """Write rows `part` of d loss / d weights into `into`, (fan_in, fan_out).

    inputs: (n, fan_in) and slope: (n, fan_out), both of the whole batch.
    """
    np.matmul(inputs[:, part].T, slope, out=into[part])


def gradients(
    parameters: Parameters, pixels: np.ndarray, targets: np.ndarray, loss: str, output: str
) -> tuple[float, Parameters]:
    """Return the mean loss of a batch and its gradient with respect to every parameter, in one thread.

    pixels: (n, fan_in). targets: (n, k). `trainer.training.step` does the same in two threads.
    """
    layers = parameters.layers
    buffers, everything = Buffers(layers, len(pixels)), slice(None)
    logits = forward_rows(layers, pixels, buffers, everything)
    rows, slope = loss_and_gradient(loss, output, logits, targets)
    buffers.slopes[-1][...] = slope / slope.dtype.type(len(pixels))
    backward_rows(layers, buffers, everything)
    result = parameters.like(np.empty_like(parameters.vector))
    for index, layer in enumerate(result.layers):
        inputs = buffers.activations[index - 1] if index else pixels
        weight_gradient(inputs, buffers.slopes[index], everything, layer.weights)
        layer.biases[...] = buffers.slopes[index].sum(axis=0)
    return float(rows.mean(dtype=np.float64)), result
