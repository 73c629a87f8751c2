"""The training loop: epochs of batches, a learning rate that falls, an average of the weights.

    examples -> batches -> forward -> cross_entropy -> backpropagate -> optimiser -> Parameters

Same seed, same data, same library versions: same weights, also when interrupted and resumed.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from service.network import forward, softmax
from service.normalization import Geometry
from trainer.batches import batch_count, epoch_batches
from trainer.config import TrainingConfig
from trainer.data import CLASSES, Examples
from trainer.errors import TrainerError
from trainer.gradients import backpropagate, cross_entropy
from trainer.optimizers import Adam, MomentumSGD, WeightAverage
from trainer.parameters import Parameters, initialize

EVALUATION_BATCH = 2048


@dataclass
class TrainingState:
    """All that one epoch hands to the next; what a checkpoint keeps.

    epoch: how many are done. history: one entry an epoch, with loss and validation figures.
    """

    parameters: Parameters
    optimizer: Adam | MomentumSGD
    average: WeightAverage | None
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def best(self) -> Parameters:
        """The parameters to judge and to ship: the average where one is kept."""
        return self.parameters.like(self.average.vector) if self.average else self.parameters


def begin(config: TrainingConfig, inputs: int) -> TrainingState:
    """Return the state before the first epoch, for pictures of `inputs` pixels."""
    rng = np.random.default_rng(config.seed)
    parameters = initialize([inputs, *config.hidden, CLASSES], config.activation, rng)
    length = len(parameters.vector)
    optimizer: Adam | MomentumSGD
    optimizer = Adam(length) if config.optimizer == "adam" else MomentumSGD(length, config.momentum)
    average = WeightAverage(parameters.vector, config.averaging) if config.averaging else None
    return TrainingState(parameters, optimizer, average)


def train(
    state: TrainingState,
    examples: Examples,
    validation: Examples,
    geometry: Geometry,
    config: TrainingConfig,
    on_batch: Callable[[int], None] = lambda images: None,
    on_epoch: Callable[[TrainingState], None] = lambda state: None,
) -> TrainingState:
    """Train until `config.epochs` are done; `state` is changed and returned.

    on_batch is called with the number of images of each batch, on_epoch after each epoch.
    Raises TrainerError if the loss is no longer a number.
    """
    gradient = state.parameters.like(np.empty_like(state.parameters.vector))
    steps = batch_count(examples, config)
    with ThreadPoolExecutor(1) as pool:
        while state.epoch < config.epochs:
            losses = []
            batches = epoch_batches(examples, geometry, config, state.epoch, pool)
            for index, (pixels, targets) in enumerate(batches):
                done = (state.epoch * steps + index) / (config.epochs * steps)
                rate = cosine(config.learning_rate, done)
                losses.append(step(state, gradient, pixels, targets, rate, config.weight_decay))
                on_batch(len(pixels))
            state.epoch += 1
            state.history.append(
                {
                    "epoch": state.epoch,
                    "loss": float(np.mean(losses)),
                    **judge(state.best, validation, config),
                }
            )
            on_epoch(state)
    return state


def cosine(rate: float, done: float) -> float:
    """Return the learning rate after the share `done` of the steps (Loshchilov and Hutter 2017)."""
    return rate * 0.5 * (1 + math.cos(math.pi * done))


def step(
    state: TrainingState,
    gradient: Parameters,
    pixels: np.ndarray,
    targets: np.ndarray,
    rate: float,
    weight_decay: float,
) -> float:
    """Take one gradient step on a batch and return its loss; `gradient` is overwritten."""
    layers = state.parameters.layers
    activations = forward(layers, pixels)
    loss, slope = cross_entropy(activations[-1], targets)
    if not math.isfinite(loss):
        raise TrainerError(f"the loss became {loss} in epoch {state.epoch + 1}. Lower --learning-rate")
    backpropagate(layers, pixels, activations, slope, gradient.layers)
    if weight_decay:
        for layer in layers:
            layer.weights[...] *= 1 - rate * weight_decay
    state.optimizer.update(state.parameters.vector, gradient.vector, rate)
    if state.average:
        state.average.update(state.parameters.vector)
    return loss


def judge(parameters: Parameters, examples: Examples, config: TrainingConfig) -> dict[str, float]:
    """Return the loss and accuracy on held-out examples, or nothing if there are none."""
    if not len(examples):
        return {}
    probabilities = softmax(logits(parameters, examples, config))
    chosen = probabilities[np.arange(len(examples)), examples.labels]
    return {
        "validation_loss": float(-np.log(np.maximum(chosen, 1e-30)).mean()),
        "validation_accuracy": float((probabilities.argmax(axis=1) == examples.labels).mean()),
    }


def logits(parameters: Parameters, examples: Examples, config: TrainingConfig) -> np.ndarray:
    """Return (n, 10) float32 for undistorted examples."""
    pixels = examples.pixels - np.float32(config.input_offset)
    parts = range(0, len(pixels), EVALUATION_BATCH)
    return np.concatenate(
        [forward(parameters.layers, pixels[start : start + EVALUATION_BATCH])[-1] for start in parts]
    )
