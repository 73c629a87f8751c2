"""The service: the code in the container image that answers requests. It never imports the trainer.

`__version__` is the version of the whole project; everything else that states one follows it.
"""

__version__ = "1.0.0"
