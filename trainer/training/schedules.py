"""Learning-rate schedules: the learning rate at each moment of a training.

TrainingConfig, epochs done (with fractions) -> learning rate
"""

import math

from trainer.training.config import TrainingConfig


def learning_rate(config: TrainingConfig, epoch: float) -> float:
    """Return the learning rate after `epoch` epochs, a number with fractions.

    It rises linearly from 0 over `warm_up` epochs. Then, with e epochs since the warm-up:

    constant: the full rate.
    step: rate * decay ^ floor(e / decay_epochs).
    exponential: rate * decay ^ (e / decay_epochs).
    cosine: falls to 0 along half a cosine (Loshchilov and Hutter 2017, "SGDR", without restarts).
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
