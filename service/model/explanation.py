"""Why the network gave an answer: the picture as the network saw it, and which pixels mattered.

    pixels -> forward -> margin over the runner-up -> back to the pixels -> gradient
    gradient x pixels -> saliency -> PNG

The saliency answers "why this digit and not that one?". The other digit is the runner-up, or one that the
client names. The saliency is each pixel's share of the answer's lead over the other digit, to first order
(Simonyan et al. 2014; Shrikumar et al. 2016). The gradient of only the answer's logit would also mark what
both digits have in common. It takes one backward pass; integrated gradients (Sundararajan et al. 2017) take
one for each of their steps.
"""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from service.model.change import change_towards
from service.model.classifier import Classifier, Prediction
from service.model.network import forward, lead_gradient

# Colors for and against the answer. People with any kind of color vision can tell them apart.
FOR = (255, 122, 26)  # orange
AGAINST = (77, 148, 255)  # blue


def explain(
    pixels: np.ndarray,
    classifier: Classifier,
    prediction: Prediction,
    steps: list[str],
    against: int | None = None,
) -> dict[str, Any]:
    """Return the JSON object that explains one answer.

    pixels: (side * side,) float32 in [0, 1]. steps: what preprocessing did, in words. against: the digit to
    compare the answer with, None for the runner-up.

    `picture` is a gray PNG, ink white. `saliency` is an RGBA PNG of the same size: orange supports the
    answer, blue the other digit, and the square of the opacity says how much. Both are base64. `runner_up`
    is the digit that the answer is compared with. A `novelty` above 1 means that the picture does not look
    like a digit. `change` is there only with `against`.
    """
    values, runner_up = saliency(pixels, classifier, against)
    side = classifier.artifact.geometry.side
    explanation: dict[str, Any] = {
        "picture": _png(Image.fromarray(np.rint(pixels.reshape(side, side) * 255).astype(np.uint8))),
        "saliency": _png(Image.fromarray(_colors(values).reshape(side, side, 4))),
        "runner_up": runner_up,
        "novelty": prediction.novelty,
        "steps": steps,
    }
    if against is not None and against == runner_up:
        explanation["change"] = _change(against, pixels, classifier)
    return explanation


def _change(wanted: int, pixels: np.ndarray, classifier: Classifier) -> dict[str, Any] | None:
    """Return the JSON object of a small change that makes `wanted` the answer; None if none was found.

    `picture` is an RGBA PNG: orange for ink to add, blue for ink to remove, the opacity for how much. `ink`
    is the sum of both, as a share of all ink.
    """
    change = change_towards(wanted, pixels, classifier)
    if change is None:
        return None
    side = classifier.artifact.geometry.side
    return {
        "picture": _png(Image.fromarray(_colors(change, power=1).reshape(side, side, 4))),
        "ink": float(np.abs(change).sum() / max(float(pixels.sum()), 1e-12)),
    }


def hidden_layers(pixels: np.ndarray, classifier: Classifier) -> list[dict[str, Any]]:
    """Return a JSON object for each hidden layer: how active its units are for one picture.

    pixels: (side * side,) float32 in [0, 1]. `values` is base64 of one byte for each unit. A unit's
    activation is its byte / 255 * `largest`; negative activations become 0.
    """
    layers = classifier.artifact.layers[:-1]
    described = []
    for layer, (activations,) in zip(layers, forward(classifier.artifact.layers, pixels[None]), strict=False):
        largest = max(float(activations.max()), 1e-12)
        values = np.rint(activations.clip(0) * (255 / largest)).astype(np.uint8)
        described.append(
            {
                "units": len(values),
                "activation": layer.activation,
                "values": base64.b64encode(values.tobytes()).decode(),
                "largest": largest,
            }
        )
    return described


def unit_weights(classifier: Classifier, layer: int, unit: int) -> bytes:
    """Return a PNG, side x side RGBA, of what a hidden unit looks for: orange excites it, blue inhibits it.

    layer: from 1. unit: from 0. From deeper layers, the weights are multiplied back to the pixels, as if
    there were no activations in between. Raises IndexError for a unit that does not exist.
    """
    layers = classifier.artifact.layers[:-1]
    if not (0 < layer <= len(layers) and 0 <= unit < layers[layer - 1].weights.shape[1]):
        raise IndexError(f"layer {layer} has no unit {unit}")
    weights = layers[layer - 1].weights[:, unit]
    for below in layers[layer - 2 :: -1] if layer > 1 else ():
        weights = below.weights @ weights
    side = classifier.artifact.geometry.side
    return _encoded(Image.fromarray(_colors(weights).reshape(side, side, 4)))


def saliency(
    pixels: np.ndarray, classifier: Classifier, against: int | None = None
) -> tuple[np.ndarray, int]:
    """Return each pixel's share of the answer's lead, (side * side,) float32, and the digit that it leads.

    pixels: (side * side,) float32 in [0, 1]. against: the other digit; the runner-up if it is None or the
    answer itself. Positive shares support the answer, negative ones the other digit. Their unit is that of
    the logits.
    """
    layers = classifier.artifact.layers
    activations = forward(layers, pixels[None])
    runner_up, digit = (int(each) for each in np.argsort(activations[-1][0])[-2:])
    other = runner_up if against is None or against == digit else against
    return lead_gradient(layers, activations, digit, other) * pixels, other


def _colors(values: np.ndarray, power: float = 0.5) -> np.ndarray:
    """Return (n, 4) uint8: the hue from the sign, the opacity from the size relative to the largest.

    The square root keeps the many small contributions visible beside the few large ones.
    """
    colors = np.empty((len(values), 4), np.uint8)
    colors[:, :3] = np.where(values[:, None] > 0, FOR, AGAINST)
    sizes = np.abs(values)
    colors[:, 3] = np.rint(255 * (sizes / max(float(sizes.max()), 1e-12)) ** power)
    return colors


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _png(image: Image.Image) -> str:
    return base64.b64encode(_encoded(image)).decode()
