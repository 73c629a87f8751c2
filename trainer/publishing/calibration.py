"""What is fitted on held-out digits: temperature, thresholds and probes.

logits, labels -> temperature
a draft of the model file, held-out digits -> min_confidence, max_novelty
held-out digits -> probe images
"""

import numpy as np

from service.model.artifact import Artifact
from service.model.classifier import Classifier
from service.model.network import softmax
from service.preprocessing import Geometry
from trainer.data import Examples
from trainer.synthetic import on_paper
from trainer.training import TrainingConfig, distorted

PROBES = 4


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the lowest cross-entropy, rounded to three decimals (Guo et al. 2017).

    logits: (n, 10). labels: (n,). The targets are Platt's (1999): (n + 1) / (n + 2) for being right,
    because a few examples without a mistake do not justify certainty.
    """
    rows, candidates = np.arange(len(labels)), np.geomspace(0.25, 4, 161)
    target = (len(labels) + 1) / (len(labels) + 2)
    losses = []
    for candidate in candidates:
        right = np.clip(softmax(logits.astype(np.float64), candidate)[rows, labels], 1e-12, 1 - 1e-12)
        losses.append(-np.mean(target * np.log(right) + (1 - target) * np.log(1 - right)))
    return round(float(candidates[int(np.argmin(losses))]), 3)


def fit_thresholds(
    draft: Artifact, held_out: Examples, geometry: Geometry, config: TrainingConfig
) -> dict[str, float]:
    """Return min_confidence and max_novelty, fitted on held-out digits.

    draft: the model with a max_novelty of 1, so that its novelties are probabilities. Unusual handwriting
    must not be refused, so the limit comes from undistorted digits and as many distorted ones: the
    rejector refuses config.refused_share of them. Of the undistorted ones, config.unsure_share have a
    confidence below min_confidence.
    """
    classifier = Classifier(draft)
    rng = np.random.default_rng((config.seed, 2))
    unusual = distorted(held_out, geometry, config, rng)
    predictions = classifier.classify(held_out.pixels)
    novelty = [one.novelty for one in predictions + classifier.classify(unusual.pixels)]
    limit = float(np.quantile(novelty, 1 - config.refused_share))
    least = float(np.quantile([one.confidence for one in predictions], config.unsure_share))
    return {
        "min_confidence": round(least, 4),
        "max_novelty": float(f"{limit:.4g}"),
    }


def draw_probes(examples: Examples) -> np.ndarray:
    """Return (4, 120, 120) uint8: enlarged digits, dark on paper in uneven light, off center.

    They exercise every step of preprocessing when the service checks itself at start.
    """
    side = examples.pictures.shape[1]
    factor = 84 // side
    light = np.linspace(235, 190, 120)[:, None] - np.linspace(0, 20, 120)
    probes = []
    for picture in examples.pictures[:PROBES]:
        ink = np.zeros((120, 120))
        enlarged = np.kron(picture, np.ones((factor, factor)))
        ink[12 : 12 + len(enlarged), 24 : 24 + len(enlarged)] = enlarged
        probes.append(on_paper(ink, light, 0.8))
    return np.rint(probes).astype(np.uint8)
