"""Learning-rate schedules: which share of the first rate is used after which share of the training.

name, epochs done (with fractions) -> factor of the learning rate
"""

import math

from trainer.training.config import TrainingConfig


def learning_rate(config: TrainingConfig, epoch: float) -> float:
    """Return the rate after `epoch` epochs, of which part of one counts as a fraction.

    First it rises evenly from 0 over `warm_up` epochs. Then constant: stays; step: times `decay`
    every `decay_epochs`; exponential: the same without the stairs; cosine: to 0 along half a
    cosine (Loshchilov and Hutter 2017, "SGDR", without restarts).
    """
    if epoch < config.warm_up:
        return config.learning_rate * epoch / config.warm_up
    since = epoch - config.warm_up
    if config.schedule == "cosine":
        done = since / max(config.epochs - config.warm_up, 1e-9)
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1)))
    if config.schedule == "step":
        return config.learning_rate * config.decay ** math.floor(since / config.decay_epochs)
    if config.schedule == "exponential":
        return config.learning_rate * config.decay ** (since / config.decay_epochs)
    return config.learning_rate
