"""Why not another digit: a small change to the picture that would make the network read that digit.

    pixels -> logits -> how far the wanted digit lies behind -> gradient, smoothed -> step, within [0, 1]
           ^----------------------------- until it leads ----------------------------|
           -> shortened, as long as it still leads -> change

The steps are those of DeepFool (Moosavi-Dezfooli et al. 2016) toward one class. The gradient is smoothed,
so that the change looks like pen ink and not like noise.
"""

import numpy as np

from service.model.classifier import Classifier
from service.model.network import forward, lead_gradient

MOST_STEPS = 40
OVERSHOOT = 1.05  # a linear step would end exactly on the border
HALVINGS = 8


def change_towards(wanted: int, pixels: np.ndarray, classifier: Classifier) -> np.ndarray | None:
    """Return a change of the pixels that makes `wanted` the answer, or None if none was found.

    pixels: (side * side,) float32 in [0, 1]. The change has the same shape, and the sum of both lies in
    [0, 1] too. It is small, but not always the smallest. It is all zeros if `wanted` is already the answer.
    """
    layers = classifier.artifact.layers
    changed = pixels
    for _ in range(MOST_STEPS):
        activations = forward(layers, changed[None])
        logits = activations[-1][0]
        leader = _leader(logits, wanted)
        lead = logits[leader] - logits[wanted]
        if lead < 0:
            return _shortened(wanted, pixels, changed - pixels, classifier)
        gradient = lead_gradient(layers, activations, leader, wanted)
        direction = _smoothed(gradient)
        # Pixels that are already full ink or bare paper cannot go further, so the others make the whole step.
        direction[(changed <= 0) & (direction > 0) | (changed >= 1) & (direction < 0)] = 0
        slope = max(float(gradient @ direction), 1e-12)
        changed = (changed - (OVERSHOOT * lead + 1e-3) / slope * direction).clip(0, 1).astype(np.float32)
    return None


def _leader(logits: np.ndarray, wanted: int) -> int:
    """Return the most likely digit other than `wanted`."""
    others = logits.copy()
    others[wanted] = -np.inf
    return int(others.argmax())


def _shortened(wanted: int, pixels: np.ndarray, change: np.ndarray, classifier: Classifier) -> np.ndarray:
    """Return the smallest part of a change that still leads to `wanted`, by halving."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        logits = forward(classifier.artifact.layers, (pixels + np.float32(middle) * change)[None])[-1][0]
        if logits[wanted] > logits[_leader(logits, wanted)]:
            high = middle
        else:
            low = middle
    return np.float32(high) * change


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Return a picture, (side * side,), blurred by 1/4, 1/2, 1/4 along each axis."""
    side = int(np.sqrt(len(values)))
    padded = np.pad(values.reshape(side, side), 1)
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return ((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16).reshape(-1)
