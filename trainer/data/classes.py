"""Whether a data set can teach all ten digits: classes that are missing or have too few pictures.

Dataset -> refused (one class), or warnings for the run and the gate
"""

import dataclasses

import numpy as np

from trainer.data.examples import CLASSES, Dataset
from trainer.errors import TrainerError

FEW = 10  # pictures of a digit


def checked_classes(dataset: Dataset) -> Dataset:
    """Return the data set with `missing` and `warnings` filled in.

    Raises TrainerError if there are pictures of fewer than two digits, because a network that always gives
    the same answer would then look perfect.
    """
    labels = dataset.part("all").labels
    counts = np.bincount(labels, minlength=CLASSES)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        digit = f", {counts.max()} of {present[0]}" if len(present) else ""
        raise TrainerError(
            f"the data hold pictures of {len(present)} digit only{digit}; a network that always gives this "
            "answer would look perfect. Add the others"
        )
    missing = tuple(np.flatnonzero(counts == 0).tolist())
    warnings = []
    if missing:
        warnings.append(f"no picture of {listing(missing)}: the network will take them for other digits")
    few = [digit for digit in present.tolist() if counts[digit] < FEW]
    if few:
        numbers = listing([f"{digit} ({counts[digit]})" for digit in few])
        warnings.append(f"fewer than {FEW} pictures of {numbers}: figures for so few mean little")
    unlearned = [digit for digit in present.tolist() if digit not in dataset.train.labels]
    if unlearned:
        warnings.append(f"no training picture of {listing(unlearned)}, only test pictures")
    return dataclasses.replace(dataset, missing=missing, warnings=tuple(warnings))


def listing(values: list[str] | list[int] | tuple[int, ...]) -> str:
    """Return values as words, the last after "and"."""
    *first, last = map(str, values)
    return f"{', '.join(first)} and {last}" if first else last
