"""How many pictures of non-digits a classifier refuses, by kind.

generated outliers | folder of images | arrays in an .npz -> Classifier -> share refused
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from service.model.classifier import Classifier
from service.preprocessing import (
    EmptyImageError,
    ImageError,
    UnsupportedFormatError,
    preprocess,
    preprocess_grey,
)
from trainer.errors import TrainerError
from trainer.synthetic import KINDS, draw_digits, make_outlier

EACH = 300  # generated non-digits of each kind
GENERATED = 0x6E6F6E65  # separates these non-digits from those of training


class Refusal(NamedTuple):
    """How many pictures of one kind there were, and the share that was not accepted, in [0, 1]."""

    images: int
    refused: float


def generated_refusals(classifier: Classifier, each: int | None = None, seed: int = 1) -> dict[str, Refusal]:
    """Return the refusals of generated non-digits, `each` (default EACH) of every kind.

    The rejector learned from these kinds, but not from these pictures. seed: selects the pictures.
    """
    each = each or EACH
    geometry, rng = classifier.artifact.geometry, np.random.default_rng((seed, GENERATED))
    digits = draw_digits(200, geometry, rng)
    refusals = {}
    for kind in KINDS:
        pixels = np.stack([make_outlier(kind, geometry, digits, rng) for _ in range(each)])
        accepted = sum(one.accepted for one in classifier.classify(pixels))
        refusals[kind] = Refusal(each, 1 - accepted / each)
    return refusals


def picture_refusals(classifier: Classifier, path: Path) -> dict[str, Refusal]:
    """Return the refusals of the non-digits in a folder or an .npz file.

    Raises TrainerError if there is no picture.
    """
    return folder_refusals(classifier, path) if path.is_dir() else array_refusals(classifier, path)


def array_refusals(classifier: Classifier, path: Path) -> dict[str, Refusal]:
    """Return the refusals of the pictures in an .npz file, by array: (n, height, width) uint8.

    Other arrays, such as labels, are skipped. A picture that the service answers with an error counts as
    refused. Raises TrainerError if the file cannot be read or holds no picture.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise TrainerError(f"{path} cannot be read: {error}. A folder or an .npz is expected") from error
    stacks = {name: one for name, one in arrays.items() if one.ndim == 3 and one.dtype == np.uint8}
    if not any(map(len, stacks.values())):
        raise TrainerError(f"{path} holds no pictures: (n, height, width) of bytes are expected")
    return {
        f"{path.stem}, {name}": Refusal(
            len(stack), float(np.mean([_refused(classifier, one) for one in stack]))
        )
        for name, stack in stacks.items()
        if len(stack)
    }


def _refused(classifier: Classifier, gray: np.ndarray) -> bool:
    """Return whether a gray picture, (height, width) uint8, is not accepted or cannot be read."""
    try:
        pixels = preprocess_grey(gray, classifier.artifact.geometry)
    except ImageError:
        return True
    (prediction,) = classifier.classify(pixels[None])
    return not prediction.accepted


def folder_refusals(classifier: Classifier, folder: Path) -> dict[str, Refusal]:
    """Return the refusals of the image files below a folder, by the folder that holds them.

    A file that the service answers with an error (blank, broken) counts as refused. Files that are not
    images are skipped. Raises TrainerError if there is no image.
    """
    counts: dict[str, list[bool]] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            pixels = preprocess(file.read_bytes(), classifier.artifact.geometry)
            (prediction,) = classifier.classify(pixels[None])
        except (UnsupportedFormatError, EmptyImageError):
            continue
        except ImageError:
            refused = True
        else:
            refused = not prediction.accepted
        counts.setdefault(file.parent.name, []).append(refused)
    if not counts:
        raise TrainerError(f"{folder} holds no image that the service could read")
    return {name: Refusal(len(refused), float(np.mean(refused))) for name, refused in counts.items()}
