"""The loss and its gradient: cross-entropy, and backpropagation through any stack of layers.

    logits, targets -> loss, d loss / d logits -> (d loss / d weights, d loss / d biases) per layer

Checked against central differences in float64 for every parameter (tests/test_gradients.py).
"""

from collections.abc import Sequence

import numpy as np

from service.network import DERIVATIVES, Layer, softmax


def one_hot(labels: np.ndarray, classes: int = 10, dtype: type = np.float32) -> np.ndarray:
    """Return targets, (n, classes): 1 at the label, 0 elsewhere."""
    return np.eye(classes, dtype=dtype)[labels]


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean cross-entropy in nats, and its gradient by the logits, (n, classes).

    targets: (n, classes), rows sum to one. The gradient of softmax and cross-entropy together
    is (probabilities - targets) / n (Bishop 2006, "Pattern Recognition", eq. 4.109).
    """
    probabilities = softmax(logits)
    tiny = np.finfo(probabilities.dtype).tiny  # log(0) would be -inf
    loss = -np.mean(np.sum(targets * np.log(probabilities + tiny), axis=1, dtype=np.float64))
    gradient = probabilities - targets
    gradient /= len(logits)
    return float(loss), gradient


def backpropagate(
    layers: Sequence[Layer],
    pixels: np.ndarray,
    activations: Sequence[np.ndarray],
    gradient: np.ndarray,
    into: Sequence[Layer],
) -> None:
    """Write d loss / d weights and d loss / d biases of each layer into the layers of `into`.

    pixels: (n, fan_in) and activations: as `forward` made them; gradient: d loss / d logits,
    (n, classes). Rumelhart, Hinton and Williams 1986.
    """
    for index in reversed(range(len(layers))):
        inputs = activations[index - 1] if index else pixels  # (n, fan_in)
        np.matmul(inputs.T, gradient, out=into[index].weights)
        np.sum(gradient, axis=0, out=into[index].biases)
        if index:
            gradient = gradient @ layers[index].weights.T  # (n, fan_in)
            gradient *= DERIVATIVES[layers[index - 1].activation](inputs)
