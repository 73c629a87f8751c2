"""Data sets: labeled pictures, how they are read and fetched, and how copies of them are distorted.

No network, no training, and no generated pictures (those are in `trainer.synthetic`).
Start reading in `examples.py`, then `datasets.py`.
"""

from trainer.data.augmentation import augment
from trainer.data.classes import checked_classes
from trainer.data.datasets import DATASETS, EXTRA_PREFIX, load_dataset, load_digits, with_mnist
from trainer.data.examples import CLASSES, SPLIT_OFF, Dataset, Examples, hold_out
from trainer.data.fetch import MNIST_MIRRORS, fetch_mnist
from trainer.data.settings import CHECKED, Augmentation
from trainer.data.tables import CLASS_TABLES, COLUMNS, ROWS, TABLES, Table, load_table

__all__ = [
    "CHECKED",
    "CLASSES",
    "CLASS_TABLES",
    "COLUMNS",
    "DATASETS",
    "EXTRA_PREFIX",
    "MNIST_MIRRORS",
    "ROWS",
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
    "load_digits",
    "load_table",
    "with_mnist",
]
