"""Data sets: labeled pictures, how they are read and fetched, and how copies of them are distorted.

No network, no training, and nothing drawn from scratch, which is `trainer.synthetic`.
Start reading in `examples.py`, then `datasets.py`.
"""

from trainer.data.augmentation import Augmentation, augment
from trainer.data.classes import checked_classes
from trainer.data.datasets import DATASETS, load_dataset
from trainer.data.examples import CLASSES, SPLIT_OFF, Dataset, Examples, hold_out
from trainer.data.fetch import MNIST_MIRRORS, fetch_mnist
from trainer.data.tables import TABLES, Table, load_table

__all__ = [
    "CLASSES",
    "DATASETS",
    "MNIST_MIRRORS",
    "SPLIT_OFF",
    "TABLES",
    "Augmentation",
    "Dataset",
    "Examples",
    "Table",
    "augment",
    "checked_classes",
    "fetch_mnist",
    "hold_out",
    "load_dataset",
    "load_table",
]
