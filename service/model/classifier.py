"""A loaded model that answers: pixels in, predictions out.

    image bytes -> preprocess -> forward -> softmax -> Prediction
                          pixels, last hidden layer -> rejector -> novelty -> accepted?

Its only state is the artifact's read-only arrays, so threads can share a classifier.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from service.model.artifact import Artifact
from service.model.errors import ArtifactError
from service.model.network import forward, sigmoid, softmax
from service.preprocessing.errors import ImageError
from service.preprocessing.pipeline import preprocess_grey

# Float32 sums in another order (other BLAS, other batch size) differ by less than this.
PROBE_TOLERANCE = 1e-2


class SelfCheckError(ArtifactError):
    """The model file's probes do not give the answers stored with them."""


# Why a picture is not accepted.
REASONS = ("not_a_digit", "unsure", "several_digits")


class Prediction(NamedTuple):
    """The answer for one image.

    digit: 0 to 9. confidence: the largest of `probabilities`, which are ten numbers in [0, 1]
    that sum to one. accepted: False if the picture does not look like a digit. novelty: the rejector's
    probability that the picture is not a digit, divided by the limit (above 1: not accepted). several: the
    picture shows more than one digit, so it is not accepted.
    """

    digit: int
    confidence: float
    probabilities: list[float]
    accepted: bool
    novelty: float
    several: bool = False

    @property
    def reason(self) -> str | None:
        """Why it is not accepted, one of REASONS; None if it is."""
        if self.accepted:
            return None
        if self.several:
            return "several_digits"
        return "not_a_digit" if self.novelty > 1 else "unsure"


class Classifier:
    """One model that answers; name: the name under which clients ask for it."""

    def __init__(self, artifact: Artifact, name: str = "") -> None:
        self.artifact = artifact
        self.name = name

    def classify(self, pixels: np.ndarray) -> list[Prediction]:
        """Return a prediction for each row of pixels, (n, side * side) float32 in [0, 1]."""
        artifact = self.artifact
        *hidden, logits = forward(artifact.layers, pixels)  # (n, units) ..., (n, 10)
        # In float64 the ten numbers sum to one as exactly as JSON can show.
        probabilities = softmax(logits.astype(np.float64), artifact.temperature)
        digits = probabilities.argmax(axis=1)
        novelties = self.novelty(pixels, hidden)
        return [
            Prediction(
                digit=int(digit),
                confidence=float(row[digit]),
                probabilities=row.tolist(),
                accepted=bool(row[digit] >= artifact.min_confidence and novelty <= 1),
                novelty=float(novelty),
            )
            for digit, row, novelty in zip(digits, probabilities, novelties, strict=True)
        ]

    def novelty(self, pixels: np.ndarray, hidden: Sequence[np.ndarray]) -> np.ndarray:
        """Return each picture's novelty, (n,): its probability of not being a digit, divided by the limit.

        pixels: (n, side * side). hidden: the activations of the hidden layers for them. Without a rejector,
        all are 0.
        """
        rejector, limit = self.artifact.rejector, max(self.artifact.max_novelty, 1e-12)
        if not rejector:
            return np.zeros(len(pixels))
        log_odds = forward(rejector, rejector_inputs(pixels, hidden))[-1][:, 0].astype(np.float64)
        return sigmoid(log_odds) / limit

    def self_check(self) -> None:
        """Classify the stored probes; raise SelfCheckError if an answer differs.

        At startup, this catches a changed Pillow, NumPy, resizing or threshold.
        """
        artifact = self.artifact
        try:
            pixels = np.stack([preprocess_grey(image, artifact.geometry) for image in artifact.probe_images])
        except ImageError as error:
            raise SelfCheckError(f"a probe cannot be preprocessed: {error}") from error
        logits = forward(artifact.layers, pixels)[-1]
        difference = float(np.abs(logits - artifact.probe_logits).max())
        if not difference <= PROBE_TOLERANCE:
            raise SelfCheckError(
                f"a probe's logits differ by {difference:.3g} from those stored; at most "
                f"{PROBE_TOLERANCE:g} is expected. Train it again with this version of the service"
            )


def rejector_inputs(pixels: np.ndarray, hidden: Sequence[np.ndarray]) -> np.ndarray:
    """Return what the rejector sees, (n, side * side + width): the pixels and the last hidden layer.

    pixels: (n, side * side). hidden: activations of the hidden layers, the last (n, width), possibly
    none. Only the direction of that layer counts, as in nearest-neighbor measures of novelty (Sun et
    al. 2022, "Out-of-Distribution Detection with Deep Nearest Neighbors"). It is therefore scaled to length
    sqrt(width), the length of a vector of ones.
    """
    if not hidden:
        return pixels
    last = hidden[-1]
    lengths = np.sqrt((last * last).sum(axis=1, keepdims=True) / last.shape[1])
    return np.concatenate((pixels, last / np.maximum(lengths, 1e-6)), axis=1, dtype=np.float32)
