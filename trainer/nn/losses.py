"""Losses and output activations: how wrong the outputs are, and in which direction they improve.

    logits -> output activation -> outputs, targets -> loss of each row, d loss / d logits

Every supported pair is checked against central differences in float64 and against PyTorch
(tests/trainer/nn/test_losses.py).
"""

from collections.abc import Callable

import numpy as np

from service.model.network import ACTIVATIONS, DERIVATIVES, softmax

ANY_OUTPUT = (*ACTIVATIONS, "softmax")
# The output activations that a loss accepts: logarithms need probabilities.
OUTPUTS_OF: dict[str, tuple[str, ...]] = {
    "cross_entropy": ("softmax",),
    "kullback_leibler": ("softmax",),
    "binary_cross_entropy": ("sigmoid", "softmax"),
    "mean_squared_error": ANY_OUTPUT,
    "cosine_distance": ANY_OUTPUT,
    "perceptron": ("step",),
}


def activate(output: str, logits: np.ndarray) -> np.ndarray:
    """Return the outputs, (n, k), of logits, (n, k).

    output: one of ANY_OUTPUT, the activations of hidden layers and softmax; or step: 1 if a logit is at
    least 0, else 0.
    """
    if output == "step":
        return (logits >= 0).astype(logits.dtype)
    return softmax(logits) if output == "softmax" else ACTIVATIONS[output](logits)


def loss_and_gradient(
    loss: str, output: str, logits: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss of each row, (n,), and its gradient with respect to that row's logits, (n, k).

    loss: a key of OUTPUTS_OF. output: an output activation that it lists. logits, targets: (n, k).
    Softmax with cross-entropy and sigmoid with binary cross-entropy are computed together: their
    gradient is then outputs - targets, and no logarithm of 0 occurs (Bishop 2006, "Pattern
    Recognition", eq. 4.91 and 4.109).
    """
    if output == "softmax" and loss in ("cross_entropy", "kullback_leibler"):
        return _softmax_cross_entropy(logits, targets, relative=loss == "kullback_leibler")
    if output == "sigmoid" and loss == "binary_cross_entropy":
        return _sigmoid_cross_entropy(logits, targets)
    outputs = activate(output, logits)
    if loss == "perceptron":
        return _perceptron(logits, outputs, targets)
    rows, gradient = LOSSES[loss](outputs, targets)
    if output == "softmax":
        gradient = outputs * (gradient - np.sum(gradient * outputs, axis=1, keepdims=True))
    elif output != "linear":
        gradient = gradient * DERIVATIVES[output](outputs)
    return rows, gradient


def _softmax_cross_entropy(
    logits: np.ndarray, targets: np.ndarray, relative: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return -sum(t log p) and its gradient; `relative` subtracts the targets' own entropy.

    The difference is the Kullback-Leibler divergence. The targets' entropy does not depend on the logits,
    so the gradient is the same.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)  # so that exp cannot overflow
    probabilities = np.exp(shifted)
    totals = probabilities.sum(axis=1, keepdims=True)
    probabilities /= totals
    mass = targets.sum(axis=1, keepdims=True)  # 1 where targets are probabilities
    rows = np.log(totals[:, 0]) * mass[:, 0] - np.einsum("nk,nk->n", targets, shifted)
    if relative:
        rows = rows + np.sum(targets * np.log(np.where(targets > 0, targets, 1)), axis=1)
    probabilities *= mass
    probabilities -= targets
    return rows, probabilities


def _sigmoid_cross_entropy(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return -mean(t log y + (1 - t) log(1 - y)) = mean(max(z, 0) - z t + log(1 + exp(-|z|)))."""
    values = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
    gradient = (ACTIVATIONS["sigmoid"](logits) - targets) / logits.dtype.type(logits.shape[1])
    return values.mean(axis=1), gradient


def _perceptron(
    logits: np.ndarray, outputs: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of |z| over the wrong units of each row, and its gradient y - t.

    A step unit has no slope. Rosenblatt's rule (1958) uses the error itself instead, which is the gradient
    of this sum (Bishop 2006, eq. 4.54).
    """
    error = outputs - targets
    return np.sum(error * logits, axis=1), error


def _mean_squared_error(outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean((y - t)^2) of each row, and its gradient with respect to y."""
    error = outputs - targets
    return np.mean(error * error, axis=1), error * outputs.dtype.type(2 / outputs.shape[1])


def _binary_cross_entropy(outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return -mean(t log y + (1 - t) log(1 - y)) of each row, and its gradient with respect to y."""
    edge = np.finfo(outputs.dtype).eps  # avoids log(0) and division by 0
    outputs = np.clip(outputs, edge, 1 - edge)
    rows = -np.mean(targets * np.log(outputs) + (1 - targets) * np.log1p(-outputs), axis=1)
    return rows, (outputs - targets) / (outputs * (1 - outputs) * outputs.shape[1])


def _cosine_distance(outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return 1 - y t / (|y| |t|) of each row, and its gradient with respect to y."""
    tiny = np.finfo(outputs.dtype).eps
    length = np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), tiny)
    direction = targets / np.maximum(np.linalg.norm(targets, axis=1, keepdims=True), tiny)
    cosine = np.sum(outputs * direction, axis=1, keepdims=True) / length
    return 1 - cosine[:, 0], (cosine * outputs / length - direction) / length


LOSSES: dict[str, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "mean_squared_error": _mean_squared_error,
    "binary_cross_entropy": _binary_cross_entropy,
    "cosine_distance": _cosine_distance,
}


def one_hot(labels: np.ndarray, classes: int = 10, dtype: type = np.float32) -> np.ndarray:
    """Return targets, (n, classes), of labels, (n,) integers: 1 at the label, 0 elsewhere."""
    return np.eye(classes, dtype=dtype)[labels]
