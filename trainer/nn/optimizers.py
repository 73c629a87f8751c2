"""Optimizers: how a gradient changes the parameters.

    parameters, gradient, learning rate -> parameters (in place)

An update reads and writes several arrays as large as the network. It therefore works on one flat vector in
blocks that stay in the processor's cache. Parts are independent: two threads can each update their own.
"""

import math
from collections.abc import Iterator

import numpy as np

BLOCK = 32_768  # float32 values: each array's share of the cache is 128 KiB


def blocks(part: slice) -> Iterator[slice]:
    """Yield slices that cover `part` in cache-sized pieces."""
    for start in range(part.start, part.stop, BLOCK):
        yield slice(start, min(start + BLOCK, part.stop))


class Optimizer:
    """The base of all optimizers.

    steps: the number of steps taken. state: name -> array as long as the parameters.
    """

    names: tuple[str, ...] = ()

    def __init__(self, length: int, dtype: type = np.float32) -> None:
        self.steps = 0
        self.state: dict[str, np.ndarray] = {name: np.zeros(length, dtype) for name in self.names}

    def begin_step(self, learning_rate: float) -> None:
        """Begin a step with its learning rate; `change` is then called for each part."""
        self.steps += 1
        self.rate = learning_rate

    def change(self, parameters: np.ndarray, gradient: np.ndarray, part: slice) -> None:
        """Update `parameters[part]` in place, both (parameters,); `gradient[part]` may be overwritten."""
        scratch = np.empty(min(BLOCK, part.stop - part.start), parameters.dtype)
        for block in blocks(part):
            state = [values[block] for values in self.state.values()]
            self._change(parameters[block], gradient[block], scratch[: block.stop - block.start], *state)

    def update(self, parameters: np.ndarray, gradient: np.ndarray, learning_rate: float) -> None:
        """Take a whole step: both arrays are (parameters,) and `parameters` is updated in place."""
        self.begin_step(learning_rate)
        self.change(parameters, gradient, slice(0, len(parameters)))

    def _change(
        self, parameters: np.ndarray, gradient: np.ndarray, work: np.ndarray, *state: np.ndarray
    ) -> None:
        raise NotImplementedError


class MomentumSGD(Optimizer):
    """Gradient descent with Polyak's momentum: v = momentum v + g; p -= rate v.

    Momentum 0 is plain gradient descent. Nesterov's variant looks one step ahead: p -= rate
    (g + momentum v), in the form of Sutskever et al. 2013, "On the importance of initialization".
    """

    names = ("velocity",)

    def __init__(
        self, length: int, momentum: float, nesterov: bool = False, dtype: type = np.float32
    ) -> None:
        super().__init__(length, dtype)
        self.momentum, self.nesterov = momentum, nesterov

    def _change(
        self, parameters: np.ndarray, gradient: np.ndarray, work: np.ndarray, *state: np.ndarray
    ) -> None:
        (velocity,) = state
        velocity *= self.momentum
        velocity += gradient
        if self.nesterov:
            np.multiply(velocity, self.momentum, out=work)
            work += gradient
            work *= self.rate
        else:
            np.multiply(velocity, self.rate, out=work)
        parameters -= work


class RMSprop(Optimizer):
    """RMSprop: divides each step by the root of a running mean square (Tieleman and Hinton 2012)."""

    names = ("square",)

    def __init__(self, length: int, decay: float = 0.9, dtype: type = np.float32) -> None:
        super().__init__(length, dtype)
        self.decay, self.epsilon = decay, 1e-8

    def _change(
        self, parameters: np.ndarray, gradient: np.ndarray, work: np.ndarray, *state: np.ndarray
    ) -> None:
        (square,) = state
        np.multiply(gradient, gradient, out=work)
        work *= 1 - self.decay
        square *= self.decay
        square += work
        np.sqrt(square, out=work)
        work += self.epsilon
        np.divide(gradient, work, out=work)
        work *= self.rate
        parameters -= work


class Adam(Optimizer):
    """Adam with bias correction (Kingma and Ba 2015, algorithm 1).

    The running means are kept as sums, m / (1 - beta1) and v / (1 - beta2). The missing factors and both
    bias corrections become scalars of the step, which saves a quarter of the passes over memory.
    """

    names = ("mean", "square")

    def __init__(
        self, length: int, beta1: float = 0.9, beta2: float = 0.999, dtype: type = np.float32
    ) -> None:
        super().__init__(length, dtype)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, 1e-8

    def begin_step(self, learning_rate: float) -> None:
        """Begin a step with its learning rate and compute its corrections."""
        super().begin_step(learning_rate)
        root = math.sqrt((1 - self.beta2) / (1 - self.beta2**self.steps))
        self.factor = learning_rate * (1 - self.beta1) / (1 - self.beta1**self.steps) / root
        self.floor = self.epsilon / root

    def _change(
        self, parameters: np.ndarray, gradient: np.ndarray, work: np.ndarray, *state: np.ndarray
    ) -> None:
        mean, square = state
        mean *= self.beta1
        mean += gradient
        np.multiply(gradient, gradient, out=work)
        square *= self.beta2
        square += work
        np.sqrt(square, out=work)
        work += self.floor
        np.divide(mean, work, out=work)
        work *= self.factor
        parameters -= work


def make_optimizer(name: str, length: int, momentum: float) -> Optimizer:
    """Return the optimizer called sgd, nesterov, rmsprop, adam or adamw for a vector of that length.

    AdamW is Adam with weight decay that bypasses the gradient (Loshchilov and Hutter 2019), which is how
    `weight_decay` works for every optimizer here.
    """
    if name in ("sgd", "nesterov"):
        return MomentumSGD(length, momentum, nesterov=name == "nesterov")
    return RMSprop(length) if name == "rmsprop" else Adam(length)


class WeightAverage:
    """Exponential moving average of the parameters; its warm-up forgets early steps quickly.

    Polyak and Juditsky 1992; the warm-up min(decay, (1 + t) / (10 + t)) is TensorFlow's.
    """

    def __init__(self, parameters: np.ndarray, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.vector = parameters.copy()

    def begin_step(self) -> None:
        """Begin a step; `change` is then called for each part."""
        self.steps += 1
        self.share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))

    def change(self, parameters: np.ndarray, part: slice) -> None:
        """Move `part` of the average toward `parameters`, (parameters,)."""
        scratch = np.empty(min(BLOCK, part.stop - part.start), parameters.dtype)
        for block in blocks(part):
            work = scratch[: block.stop - block.start]
            np.subtract(parameters[block], self.vector[block], out=work)
            work *= self.share
            self.vector[block] += work
