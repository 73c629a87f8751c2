"""How good a classifier is: the figures in model cards and reports.

labels, probabilities -> Evaluation (accuracy, F1, confusion, cross-entropy, calibration, coverage)
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.model.classifier import Classifier
from trainer.data import CLASSES, Examples

CALIBRATION_BINS = 15
SET_ASIDE = 0.01  # the share of answers, the least certain ones, that a person could check


@dataclass(frozen=True)
class Evaluation:
    """The figures of a classifier on `images` pictures. Shares are in [0, 1].

    accuracy: share right. macro_f1: unweighted mean of f1. cross_entropy: mean, in nats.
    calibration_error: expected calibration error over 15 equal bins (Naeini et al. 2015). accepted: share
    accepted as digits. surest_error: share wrong after the least certain hundredth is set aside.
    precision, recall, f1: (10,) by digit, 0 where a digit never occurs. confusion: (10, 10) counts, true
    digit by row, answer by column.
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
        """Return all figures as plain numbers and lists."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }

    def figures(self) -> dict[str, Any]:
        """Return the figures for an artifact's metadata as plain numbers and lists."""
        names = ("images", "accuracy", "macro_f1", "cross_entropy", "calibration_error", "accepted")
        figures = {name: getattr(self, name) for name in (*names, "surest_error")}
        return figures | {"f1": self.f1.tolist(), "confusion": self.confusion.tolist()}


def evaluate(classifier: Classifier, examples: Examples) -> Evaluation:
    """Return the figures of a classifier on prepared examples."""
    predictions = classifier.classify(examples.pixels)
    probabilities = np.array([prediction.probabilities for prediction in predictions])
    accepted = float(np.mean([prediction.accepted for prediction in predictions]))
    return summarize(examples.labels, probabilities, accepted)


def summarize(labels: np.ndarray, probabilities: np.ndarray, accepted: float = 1.0) -> Evaluation:
    """Return the figures for labels, (n,), and probabilities, (n, 10).

    accepted: share of the pictures that were accepted, in [0, 1].
    """
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
    """Return the mean gap between confidence and accuracy, weighted by bin size, in [0, 1].

    labels: (n,). probabilities: (n, 10).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs(confidence[bins == b].sum() - right[bins == b].sum()) for b in np.unique(bins)]
    return float(sum(gaps) / len(labels))


def coverage_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return (n,): entry k - 1 is the share wrong among the k surest answers.

    labels: (n,). probabilities: (n, 10).
    """
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = (probabilities.argmax(axis=1) != labels)[order]
    return np.cumsum(wrong) / np.arange(1, len(labels) + 1)
