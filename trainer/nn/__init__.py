"""The mathematics of a fully connected network: parameters, gradients, losses, optimizers.

No pictures, files or threads here; the forward pass itself is `service.model.network`.
Start reading in `parameters.py`, then `gradients.py`.
"""
