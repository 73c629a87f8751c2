"""How good a classifier is: the figures that model cards and reports quote.

labels, probabilities -> Evaluation (accuracy, F1, confusion, cross-entropy, calibration, coverage)
pictures of what is no digit -> share refused, by kind
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from service.model.artifact import Artifact
from service.model.classifier import Classifier
from service.preprocessing.decoding import EmptyImageError, ImageError, UnsupportedFormatError
from service.preprocessing.pipeline import preprocess, preprocess_grey
from trainer.data.datasets import CLASSES, SPLIT_OFF, Examples
from trainer.errors import TrainerError
from trainer.synthetic.digits import draw_digits
from trainer.synthetic.outliers import KINDS, make_outlier

CALIBRATION_BINS = 15
EACH = 300  # generated non-digits of each kind
GENERATED = 0x6E6F6E65  # sets these non-digits apart from those of training
SET_ASIDE = 0.01  # the share of the least certain answers that a person might look at


@dataclass(frozen=True)
class Evaluation:
    """What came out on `images` pictures.

    confusion: (10, 10) counts, true digit by row, answer by column. precision, recall, f1: (10,),
    0 where a digit was never answered or never there. macro_f1: unweighted mean of f1.
    cross_entropy: mean, in nats. calibration_error: expected calibration error, 15 equal bins
    (Naeini et al. 2015). accepted: share of the pictures taken for digits. surest_error: share wrong
    of the pictures that remain when the least certain hundredth is set aside.
    """

    images: int
    accuracy: float
    macro_f1: float
    cross_entropy: float
    calibration_error: float
    accepted: float
    surest_error: float
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    confusion: np.ndarray

    def as_json(self) -> dict[str, Any]:
        """Return plain numbers and lists."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }

    def figures(self) -> dict[str, Any]:
        """Return the figures that go into an artefact's metadata."""
        names = ("images", "accuracy", "macro_f1", "cross_entropy", "calibration_error", "accepted")
        figures = {name: getattr(self, name) for name in (*names, "surest_error")}
        return figures | {"f1": self.f1.tolist(), "confusion": self.confusion.tolist()}


def figures_of_twin(artifact: Artifact) -> tuple[str, ...]:
    """Return for which images a model's figures are those of its twin, as it has learnt them itself."""
    training = artifact.metadata["training"]
    if "refit" not in training.get("examples", {}):
        return ()
    return ("test", "validation") if training["dataset"] in SPLIT_OFF else ("validation",)


def evaluate(classifier: Classifier, examples: Examples) -> Evaluation:
    """Return the figures of a classifier on prepared examples."""
    predictions = classifier.classify(examples.pixels)
    probabilities = np.array([prediction.probabilities for prediction in predictions])
    accepted = float(np.mean([prediction.accepted for prediction in predictions]))
    return summarize(examples.labels, probabilities, accepted)


def summarize(labels: np.ndarray, probabilities: np.ndarray, accepted: float = 1.0) -> Evaluation:
    """Return the figures for labels, (n,), and probabilities, (n, 10)."""
    answers = probabilities.argmax(axis=1)
    confusion = np.zeros((CLASSES, CLASSES), int)
    np.add.at(confusion, (labels, answers), 1)
    right = np.diag(confusion)
    precision = right / np.maximum(confusion.sum(axis=0), 1)
    recall = right / np.maximum(confusion.sum(axis=1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    chosen = probabilities[np.arange(len(labels)), labels]
    return Evaluation(
        images=len(labels),
        accuracy=float(right.sum() / len(labels)),
        macro_f1=float(f1.mean()),
        cross_entropy=float(-np.log(np.maximum(chosen, 1e-30)).mean()),
        calibration_error=calibration_error(labels, probabilities),
        accepted=accepted,
        surest_error=float(coverage_errors(labels, probabilities)[round((1 - SET_ASIDE) * len(labels)) - 1]),
        precision=precision,
        recall=recall,
        f1=f1,
        confusion=confusion,
    )


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean gap between confidence and accuracy, weighted by bin size, in 0 ... 1."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs(confidence[bins == b].sum() - right[bins == b].sum()) for b in np.unique(bins)]
    return float(sum(gaps) / len(labels))


def coverage_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return (n,): entry k - 1 is the share wrong of the k surest answers."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = (probabilities.argmax(axis=1) != labels)[order]
    return np.cumsum(wrong) / np.arange(1, len(labels) + 1)


class Refusal(NamedTuple):
    """How many pictures of one kind there were, and the share, 0 to 1, that was not accepted."""

    images: int
    refused: float


def generated_refusals(classifier: Classifier, each: int | None = None, seed: int = 1) -> dict[str, Refusal]:
    """Return by kind how many of `each` generated non-digits (EACH) are refused; other ones for each seed.

    They are of the kinds that the judge was taught with, but not the same pictures.
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
    """Return how many pictures of what is no digit are refused, those in a folder or in an .npz file."""
    return folder_refusals(classifier, path) if path.is_dir() else array_refusals(classifier, path)


def array_refusals(classifier: Classifier, path: Path) -> dict[str, Refusal]:
    """Return how many pictures in an .npz file are refused, by array: (n, height, width) uint8.

    Other arrays, such as labels, are passed over; a picture that the service answers with an error is
    refused as well. Raises TrainerError if there is no picture.
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


def _refused(classifier: Classifier, grey: np.ndarray) -> bool:
    """Tell whether a grey picture, (height, width) uint8, is not accepted, or not answered at all."""
    try:
        pixels = preprocess_grey(grey, classifier.artifact.geometry)
    except ImageError:
        return True
    (prediction,) = classifier.classify(pixels[None])
    return not prediction.accepted


def folder_refusals(classifier: Classifier, folder: Path) -> dict[str, Refusal]:
    """Return how many of the image files below a folder are refused, by the folder they lie in.

    A file that the service answers with an error (blank, broken) is refused as well; other files
    than images are passed over. Raises TrainerError if there is none.
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
