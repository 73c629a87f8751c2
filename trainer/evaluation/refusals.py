"""How many pictures of non-digits a classifier refuses, by kind.

generated outliers | folder of images | arrays in an .npz -> Classifier -> share refused
"""

import contextlib
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from service.model.answering import answer_grey, answer_image
from service.model.classifier import Classifier
from service.preprocessing import (
    EmptyImageError,
    ImageError,
    UnsupportedFormatError,
)
from trainer.data import Examples
from trainer.errors import TrainerError
from trainer.stages import staged
from trainer.synthetic import KINDS, draw_digits, outlier_picture

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
        refused = [_one_refused(classifier, kind, digits, rng) for _ in staged(kind, range(each))]
        refusals[kind] = Refusal(each, float(np.mean(refused)))
    return refusals


def _one_refused(classifier: Classifier, kind: str, digits: Examples, rng: np.random.Generator) -> bool:
    """Return whether a generated non-digit that is not blank is refused."""
    while True:
        with contextlib.suppress(ImageError):
            return not answer_grey(classifier, outlier_picture(kind, digits, rng)).prediction.accepted


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
            len(stack), float(np.mean([_refused(classifier, one) for one in staged(name, stack)]))
        )
        for name, stack in stacks.items()
        if len(stack)
    }


def _refused(classifier: Classifier, gray: np.ndarray) -> bool:
    """Return whether a gray picture, (height, width) uint8, is not accepted or cannot be read."""
    try:
        return not answer_grey(classifier, gray).prediction.accepted
    except ImageError:
        return True


def folder_refusals(classifier: Classifier, folder: Path) -> dict[str, Refusal]:
    """Return the refusals of the image files below a folder, by the folder that holds them.

    A file that the service answers with an error (blank, broken) counts as refused. Files that are not
    images are skipped. Raises TrainerError if there is no image.
    """
    counts: dict[str, list[bool]] = {}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for file in staged("pictures", files):
        try:
            prediction = answer_image(classifier, file.read_bytes()).prediction
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
