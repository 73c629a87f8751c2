"""A loaded model that answers: pixels in, predictions out.

    image bytes -> preprocess -> forward -> softmax -> Prediction
                                    pixels -> distance from known shapes -> accepted?

No state but the artefact's read-only arrays, so threads share one classifier.
"""

from typing import NamedTuple

import numpy as np

from service.artifact import Artifact, ArtifactError
from service.decoding import ImageError
from service.network import forward, softmax
from service.preprocessing import preprocess_grey

# Float32 sums in another order (other BLAS, other batch size) differ by less than this.
PROBE_TOLERANCE = 1e-2


class SelfCheckError(ArtifactError):
    """The model file's probes do not give the answers stored with them."""


class Prediction(NamedTuple):
    """The answer for one image.

    digit: 0 to 9. confidence: the largest of `probabilities`, which are ten numbers in [0, 1]
    that sum to one. accepted: False where the picture does not look like a digit. novelty: how
    far the picture is from the known shapes of its digit, in units of the limit (above 1: refused).
    """

    digit: int
    confidence: float
    probabilities: list[float]
    accepted: bool
    novelty: float


class Classifier:
    """Answers with one artefact's layers; `name` is what clients call it."""

    def __init__(self, artifact: Artifact, name: str = "") -> None:
        self.artifact = artifact
        self.name = name

    def classify(self, pixels: np.ndarray) -> list[Prediction]:
        """Return a prediction for each row of pixels, (n, side * side) float32 in [0, 1]."""
        artifact = self.artifact
        logits = forward(artifact.layers, pixels)[-1]  # (n, 10)
        # In float64 the ten numbers sum to one as exactly as JSON can show.
        probabilities = softmax(logits.astype(np.float64), artifact.temperature)
        digits = probabilities.argmax(axis=1)
        novelties = self.novelty(pixels, digits)
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

    def novelty(self, pixels: np.ndarray, digits: np.ndarray) -> np.ndarray:
        """Return (n,): how much of each picture its digit's shapes leave unexplained, over the limit.

        pixels: (n, side * side); digits: (n,) integers. The squared distance from the mean
        picture of that digit, less what lies along its principal axes, relative to the ink.
        """
        artifact = self.artifact
        limit = max(artifact.max_novelty, 1e-12)
        result = np.empty(len(pixels))
        for digit in np.unique(digits):
            rows = digits == digit
            deviation = pixels[rows] - artifact.shape_means[digit]  # (m, pixels)
            explained = deviation @ artifact.shape_axes[digit].T  # (m, axes)
            left = (deviation**2).sum(axis=1) - (explained**2).sum(axis=1)
            result[rows] = left / np.maximum(pixels[rows].sum(axis=1), 1) / limit
        return result

    def self_check(self) -> None:
        """Send the stored probes down the whole road; raise SelfCheckError if an answer differs.

        Notices a changed Pillow, NumPy, resize or threshold at start instead of at the users'.
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
