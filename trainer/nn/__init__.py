"""The mathematics of a fully connected network: parameters, gradients, losses and optimizers, in NumPy.

No pictures, files, threads or settings; the forward pass that is served is `service.model.network`.
Start reading in `parameters.py`, then `gradients.py`.
"""

from trainer.nn.losses import OUTPUTS_OF, activate, loss_and_gradient, one_hot
from trainer.nn.optimizers import Optimizer, WeightAverage, make_optimizer
from trainer.nn.parameters import Parameters, initialize

__all__ = [
    "OUTPUTS_OF",
    "Optimizer",
    "Parameters",
    "WeightAverage",
    "activate",
    "initialize",
    "loss_and_gradient",
    "make_optimizer",
    "one_hot",
]
