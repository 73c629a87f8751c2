"""Optimisers: how a gradient changes the parameters.

    parameters, gradient, learning rate -> parameters (in place)

Both work on one flat vector in blocks that stay in the processor's cache, because an update reads
and writes four arrays as large as the network.
"""

from collections.abc import Iterator

import numpy as np

BLOCK = 16_384  # float32 values: four arrays of 64 KiB


def blocks(length: int) -> Iterator[slice]:
    """Yield slices that cover `length` values in cache-sized pieces."""
    for start in range(0, length, BLOCK):
        yield slice(start, min(start + BLOCK, length))


class MomentumSGD:
    """Stochastic gradient descent with Polyak's momentum: v = momentum v + g; p -= rate v."""

    def __init__(self, length: int, momentum: float = 0.9, dtype: type = np.float32) -> None:
        self.momentum = momentum
        self.state = {"velocity": np.zeros(length, dtype)}

    def update(self, parameters: np.ndarray, gradient: np.ndarray, learning_rate: float) -> None:
        """Change `parameters` in place."""
        velocity = self.state["velocity"]
        for block in blocks(len(parameters)):
            velocity[block] *= self.momentum
            velocity[block] += gradient[block]
            parameters[block] -= learning_rate * velocity[block]


class Adam:
    """Adam with bias correction (Kingma and Ba 2015, algorithm 1)."""

    def __init__(
        self, length: int, beta1: float = 0.9, beta2: float = 0.999, dtype: type = np.float32
    ) -> None:
        self.beta1, self.beta2, self.epsilon = beta1, beta2, 1e-8
        self.steps = 0
        self.state = {"mean": np.zeros(length, dtype), "square": np.zeros(length, dtype)}

    def update(self, parameters: np.ndarray, gradient: np.ndarray, learning_rate: float) -> None:
        """Change `parameters` in place."""
        self.steps += 1
        mean, square = self.state["mean"], self.state["square"]
        # Both bias corrections folded into two scalars saves two passes over the vector.
        rate = learning_rate / (1 - self.beta1**self.steps)
        correction = 1 / np.sqrt(1 - self.beta2**self.steps)
        scratch = np.empty(min(BLOCK, len(parameters)), parameters.dtype)
        for block in blocks(len(parameters)):
            work = scratch[: block.stop - block.start]
            np.multiply(gradient[block], 1 - self.beta1, out=work)
            mean[block] *= self.beta1
            mean[block] += work
            np.multiply(gradient[block], gradient[block], out=work)
            work *= 1 - self.beta2
            square[block] *= self.beta2
            square[block] += work
            np.sqrt(square[block], out=work)
            work *= correction
            work += self.epsilon
            np.divide(mean[block], work, out=work)
            work *= rate
            parameters[block] -= work


class WeightAverage:
    """Exponential moving average of the parameters; warms up so that early steps do not linger.

    Polyak and Juditsky 1992; the warm-up min(decay, (1 + t) / (10 + t)) is TensorFlow's.
    """

    def __init__(self, parameters: np.ndarray, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.vector = parameters.copy()

    def update(self, parameters: np.ndarray) -> None:
        """Move the average a little towards `parameters`."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for block in blocks(len(parameters)):
            self.vector[block] += (1 - decay) * (parameters[block] - self.vector[block])
