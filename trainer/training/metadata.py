"""How a model was made, in its metadata: enough to make it again, and to know which images it has seen.

TrainingConfig, Dataset, command -> provenance -> metadata["training"]
metadata["training"] -> figures_of_twin, teacher_files -> the gate, model cards, tables
"""

import dataclasses
import datetime
import importlib.metadata
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import PIL

from trainer.data import SPLIT_OFF, Dataset, Examples
from trainer.errors import UsageError
from trainer.training.config import TrainingConfig

CONVOLUTION_SUFFIX = ".convolution.npz"  # of the files of convolutional teachers
TEACHER_PREFIX = "teacher "  # of their names among the sources


def provenance(
    config: TrainingConfig, dataset: Dataset, train: Examples, validation: Examples, command: str
) -> Mapping[str, Any]:
    """Return what determined the weights, so that the training can be repeated.

    train, validation: the examples that were fitted and held out. Raises UsageError for a broken
    SOURCE_DATE_EPOCH.
    """
    unusual = {"missing_digits": list(dataset.missing), "warnings": list(dataset.warnings)}
    return {
        **{name: value for name, value in unusual.items() if value},
        "command": command,
        "config": dataclasses.asdict(config),
        "dataset": dataset.name,
        "sources": dataset.sources,
        "examples": {
            "train": len(train),
            "drawn": config.drawn,
            "validation": len(validation),
            "test": len(dataset.test),
            **({"extra": len(dataset.extra)} if dataset.extra else {}),
        },
        "trained_on": trained_on(),
        "libraries": libraries(config),
    }


def libraries(config: TrainingConfig) -> dict[str, str]:
    """Return the versions of the libraries that determine the figures in the file."""
    versions = {"numpy": np.__version__, "pillow": PIL.__version__}
    if config.augmentation.sampling == "opencv":
        versions["opencv"] = importlib.metadata.version("opencv-python-headless")
    return versions


def trained_on() -> str:
    """Return today's date in UTC as YYYY-MM-DD, or that of SOURCE_DATE_EPOCH.

    Only the date would differ in a file that is made again on another day
    (reproducible-builds.org/docs/source-date-epoch). Raises UsageError unless the variable is a time.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if not seconds:
        return datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).date().isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {seconds!r}; whole seconds since 1970 are expected, such as 1700000000"
        ) from error


def teacher_files(sources: Iterable[str]) -> list[str]:
    """Return the file names of the teachers among the names of sources."""
    return [name.removeprefix(TEACHER_PREFIX) for name in sources if name.startswith(TEACHER_PREFIX)]


def figures_of_twin(training: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the parts of the data whose figures come from a model's twin: of "test" and "validation".

    training: metadata["training"]. A model that was trained on all images has learned those parts; its
    twin was trained in the same way, but without them.
    """
    if "refit" not in training.get("examples", {}):
        return ()
    return ("test", "validation") if training["dataset"] in SPLIT_OFF else ("validation",)
