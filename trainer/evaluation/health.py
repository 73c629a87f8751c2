"""Whether a network can still learn: dead units and the size of the gradient in each layer.

first and last parameters, examples -> LayerHealth for each layer -> a table of the report, a warning

A unit is dead if the slope of its activation is 0 for all examples, as for a ReLU that is always 0 or a
saturated sigmoid. Gradients no longer reach its weights.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from service.model.network import DERIVATIVES, forward
from trainer.nn import Parameters
from trainer.nn.gradients import gradients
from trainer.training import TrainingConfig

LEAST_SLOPE = 1e-4  # a sigmoid has 0.25 in the middle, a tanh 1
VANISHED = 1e-4  # gradient of the first layer beside that of the last
HEALTH_EXAMPLES = 2000  # enough to activate rare units, quick for large networks


class LayerHealth(NamedTuple):
    """A layer, counted from 1.

    units: its outputs. dead: how many of them have no slope; always 0 in the last layer. first_gradient,
    last_gradient: norm of the mean gradient of its weights, before and after the training.
    """

    layer: int
    units: int
    dead: int
    first_gradient: float
    last_gradient: float


def layer_health(
    first: Parameters, last: Parameters, inputs: np.ndarray, targets: np.ndarray, config: TrainingConfig
) -> list[LayerHealth]:
    """Return the health of each layer on at most HEALTH_EXAMPLES examples.

    first, last: before and after the training. inputs: (n, fan_in) float32. targets: (n, outputs) float32.
    """
    inputs, targets = inputs[:HEALTH_EXAMPLES], targets[:HEALTH_EXAMPLES]
    norms = [_gradient_norms(one, inputs, targets, config) for one in (first, last)]
    activations = forward(last.layers, inputs)
    found = []
    for index, layer in enumerate(last.layers):
        dead = 0
        if index < len(last.layers) - 1 and layer.activation != "linear":
            slopes = DERIVATIVES[layer.activation](activations[index])
            dead = int(np.count_nonzero(np.abs(slopes).max(axis=0) < LEAST_SLOPE))
        found.append(LayerHealth(index + 1, layer.biases.size, dead, norms[0][index], norms[1][index]))
    return found


def _gradient_norms(
    parameters: Parameters, inputs: np.ndarray, targets: np.ndarray, config: TrainingConfig
) -> list[float]:
    _, found = gradients(parameters, inputs, targets, config.loss, config.output)
    return [float(np.linalg.norm(layer.weights)) for layer in found.layers]


def health_warning(health: Sequence[LayerHealth], accuracy: float | None) -> str:
    """Return why learning has stopped, in one sentence; "" if it has not.

    accuracy: on the examples learned from, in [0, 1]; None where targets are quantities. A network that is
    right on most of them has learned, however small its gradients have become.
    """
    for one in health:
        if one.dead == one.units:
            return (
                f"learning has stopped: no unit of hidden layer {one.layer} reacts to any example. Lower "
                "--learning-rate, or try --activation leaky_relu"
            )
    if accuracy is None or accuracy > 0.5 or len(health) < 2:
        return ""
    if health[0].first_gradient < VANISHED * health[-1].first_gradient:
        return (
            f"learning has stopped: with the initial weights, the gradient of layer 1 was "
            f"{health[0].first_gradient:.1g}, that of the last layer {health[-1].first_gradient:.1g}. Use "
            "fewer layers, another --activation or --initialization auto"
        )
    return ""


def health_text(health: Sequence[LayerHealth]) -> str:
    """Return a table of the layers."""
    lines = ["layer   units    dead   gradient before    after"]
    for layer, units, dead, first, last in health:
        lines.append(f"{layer:>5}{units:>8,}{dead:>8,}{first:>18.2g}{last:>9.2g}")
    return "\n".join(lines)
