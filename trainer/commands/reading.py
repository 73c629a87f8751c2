"""What commands read: the data set that the arguments name, with notes about it.

arguments -> load_dataset -> Dataset, its notes on stderr
"""

import argparse
import sys
from pathlib import Path

from service.model.artifact import Artifact, load
from service.model.classifier import Classifier
from service.model.errors import ArtifactError
from service.preprocessing import Geometry
from trainer.data import (
    MNIST_MIRRORS,
    SPLIT_OFF,
    Dataset,
    checked_classes,
    fetch_mnist,
    load_dataset,
    with_mnist,
)
from trainer.errors import TrainerError, UsageError
from trainer.stages import stage


def read_dataset(
    arguments: argparse.Namespace,
    split_seed: int,
    geometry: Geometry | None = None,
    classifier: Classifier | None = None,
) -> Dataset:
    """Return the data set, and print on stderr what was skipped or turned while it was read.

    geometry: replaces the data set's own. classifier: chooses among several readings of a picture. Raises
    what `load_dataset` raises, and UsageError if MNIST cannot be added to this data set.
    """
    with stage("reading the data"):
        dataset = load_dataset(arguments.dataset, arguments.data, geometry, split_seed, classifier)
        extra = getattr(arguments, "with_mnist", None)
        if extra:
            if dataset.name not in SPLIT_OFF:
                raise UsageError(f"--with-mnist is for {' or '.join(SPLIT_OFF)}, not for {dataset.name}")
            dataset = with_mnist(dataset, extra)
    for note in dataset.notes:
        print_note(note)
    return dataset


def read_model(path: Path) -> Artifact:
    """Return the model in a file; raise TrainerError if it cannot be used."""
    try:
        return load(path)
    except ArtifactError as error:
        raise TrainerError(f"{path}: {error}") from error


def read_training_data(arguments: argparse.Namespace, split_seed: int) -> Dataset:
    """Return the data set to learn from, and warn on stderr about digits with few pictures or none.

    Raises what `load_dataset` raises, and TrainerError for pictures of a single digit.
    """
    dataset = checked_classes(read_dataset(arguments, split_seed))
    for warning in dataset.warnings:
        print_note(f"warning: {warning}")
    return dataset


def print_note(text: str) -> None:
    """Print a line about the data on stderr."""
    print(f"trainer: {text}", file=sys.stderr)


def fetch(arguments: argparse.Namespace) -> int:
    """Download a data set."""
    fetch_mnist(arguments.to, arguments.mirror or MNIST_MIRRORS)
    print(f"MNIST is complete in {arguments.to}.")
    return 0
