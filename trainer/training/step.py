"""One gradient step in two threads, each with one BLAS thread.

    half of the rows: forward -> loss -> slopes     -+  both done   half of each layer's weights:
    other half:       forward -> loss -> slopes     -+  ---------->  gradient -> optimizer -> average

NumPy releases the interpreter lock in products and in element-wise operations, so both cores stay busy in
both phases, and no gradient has to be summed over threads. The halves are the same whether they run in
parallel or in sequence: the number of processors does not change a bit of the result.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from trainer.nn import Optimizer, Parameters, WeightAverage, loss_and_gradient
from trainer.nn.gradients import Buffers, backward_rows, forward_rows, weight_gradient
from trainer.training.config import TrainingConfig

HALVES = 2
# Multiplications (rows x weights) below which a second thread costs more than it gains.
WORTH_A_THREAD = 4_000_000


class Score(NamedTuple):
    """Sums over a batch: the loss, and how many rows have their largest output at the target's."""

    loss: float
    right: int


def halves(length: int) -> list[slice]:
    """Return two slices that together cover `length`."""
    middle = (length + 1) // HALVES
    return [slice(0, middle), slice(middle, length)]


class Stepper:
    """Takes gradient steps; a context manager, because it owns a thread."""

    def __init__(
        self,
        parameters: Parameters,
        optimizer: Optimizer,
        average: WeightAverage | None,
        config: TrainingConfig,
        rows: int,
    ) -> None:
        """Allocate buffers for batches of at most `rows` examples."""
        self.parameters, self.optimizer, self.average = parameters, optimizer, average
        self.config = config
        self.buffers = Buffers(parameters.layers, rows)
        self.gradient = parameters.like(np.empty_like(parameters.vector))
        self.pool = ThreadPoolExecutor(1)

    def __enter__(self) -> "Stepper":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()

    def step(self, pixels: np.ndarray, targets: np.ndarray, rate: float, key: tuple[int, ...]) -> Score:
        """Take one step on a batch and return its score before the step.

        pixels: (n, inputs). targets: (n, outputs). rate: learning rate. key: seeds the dropout.
        """
        count = len(pixels)
        parallel = count * len(self.parameters.vector) >= WORTH_A_THREAD
        rows = halves(count)
        scores = self._both(
            parallel, lambda half: self._examples(pixels, targets, rows[half], count, (*key, half))
        )
        self.optimizer.begin_step(rate)
        if self.average:
            self.average.begin_step()
        self._both(parallel, lambda half: self._weights(pixels, half, rate))
        return Score(sum(score.loss for score in scores), sum(score.right for score in scores))

    def _both(self, parallel: bool, work: Callable[[int], Any]) -> list[Any]:
        """Return work(0) and work(1), computed in parallel or in sequence."""
        if not parallel:
            return [work(half) for half in range(HALVES)]
        other = self.pool.submit(work, 1)
        try:
            return [work(0), other.result()]
        finally:
            other.exception()  # on an interrupt, wait for the other half, which uses the same arrays

    def _examples(
        self, pixels: np.ndarray, targets: np.ndarray, part: slice, count: int, key: tuple[int, ...]
    ) -> Score:
        """Fill rows `part` of activations and slopes, and return their score."""
        if part.start == part.stop:
            return Score(0.0, 0)
        config, layers = self.config, self.parameters.layers
        rng = np.random.default_rng(key) if config.dropout else None
        # The caller reports a diverging loss in one line; NumPy's warnings would only repeat it.
        with np.errstate(all="ignore"):
            logits = forward_rows(layers, pixels, self.buffers, part, config.dropout, rng)
            temperature = logits.dtype.type(config.soft_temperature)
            wanted = targets[part]
            losses, slope = loss_and_gradient(config.loss, config.output, logits / temperature, wanted)
            # One more factor of the temperature than the chain rule gives keeps soft and hard targets in
            # balance (Hinton, Vinyals and Dean 2015, section 2).
            np.multiply(slope, temperature / slope.dtype.type(count), out=self.buffers.slopes[-1][part])
            backward_rows(layers, self.buffers, part, config.dropout)
        right = int(np.count_nonzero(logits.argmax(axis=1) == wanted.argmax(axis=1)))
        return Score(float(losses.sum(dtype=np.float64)), right)

    def _weights(self, pixels: np.ndarray, half: int, rate: float) -> None:
        """Compute one half of the gradient and update that half of the parameters."""
        count = len(pixels)
        with np.errstate(all="ignore"):
            for index, layer in enumerate(self.gradient.layers):
                inputs = self.buffers.activations[index - 1][:count] if index else pixels
                slope = self.buffers.slopes[index][:count]
                weights = halves(len(layer.weights))[half]
                weight_gradient(inputs, slope, weights, layer.weights)
                self._penalize(index, weights, rate)
                self._change(self._span(index, weights))
                if half:
                    np.sum(slope, axis=0, out=layer.biases)
                    start = self.parameters.starts[index] + layer.weights.size
                    self._change(slice(start, start + layer.biases.size))

    def _span(self, index: int, rows: slice) -> slice:
        """Return the place of rows of a layer's weights in the vector."""
        start, width = self.parameters.starts[index], self.parameters.layers[index].biases.size
        return slice(start + rows.start * width, start + rows.stop * width)

    def _penalize(self, index: int, rows: slice, rate: float) -> None:
        """Add the gradient of L1 and L2, and apply the weight decay directly to the weights."""
        config = self.config
        weights = self.parameters.layers[index].weights[rows]
        gradient = self.gradient.layers[index].weights[rows]
        if config.l1:
            gradient += weights.dtype.type(config.l1) * np.sign(weights)
        if config.l2:
            gradient += weights.dtype.type(config.l2) * weights
        if config.weight_decay:
            weights *= 1 - rate * config.weight_decay

    def _change(self, part: slice) -> None:
        if part.start == part.stop:
            return
        self.optimizer.change(self.parameters.vector, self.gradient.vector, part)
        if self.average:
            self.average.change(self.parameters.vector, part)


def penalty(parameters: Parameters, l1: float, l2: float) -> float:
    """Return l1 sum(|w|) + l2 / 2 sum(w^2) over all weights; `Stepper` adds its gradient."""
    weights: Iterator[np.ndarray] = (layer.weights.astype(np.float64) for layer in parameters.layers)
    return float(sum(l1 * np.abs(w).sum() + l2 / 2 * np.square(w).sum() for w in weights))
