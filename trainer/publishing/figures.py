"""What the gate compares: the validation figures of a model and of the one that serves.

Artifact, held-out images -> Figure (accuracy, images) -> standard error of the difference

Test images are not used here. They are for the card, after a model has been chosen.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from service.model.artifact import Artifact
from service.model.classifier import Classifier
from service.preprocessing import Geometry
from trainer.data import EXTRA_PREFIX, Dataset, Examples, hold_out, load_dataset
from trainer.evaluation import evaluate
from trainer.training import TEACHER_PREFIX, TrainingConfig, figures_of_twin


class Figure(NamedTuple):
    """The share of held-out images that a model gets right, in [0, 1], and their number."""

    accuracy: float
    images: int

    @property
    def variance(self) -> float:
        """The square of the standard error.

        One hit and one miss are added, because a few images without a mistake do not prove certainty
        (Agresti and Coull 1998).
        """
        share = (self.accuracy * self.images + 1) / (self.images + 2)
        return share * (1 - share) / self.images

    def __str__(self) -> str:
        points = 100 * math.sqrt(self.variance)
        return f"{100 * (1 - self.accuracy):.2f} ± {points:.2f} % of {self.images:,} images"


def standard_error(first: Figure, second: Figure) -> float:
    """Return the standard error of the difference between two accuracies, in [0, 1]."""
    return math.sqrt(first.variance + second.variance)


@dataclass(frozen=True)
class HeldOut:
    """Validation images to measure models on. key: see `validated_on`. load: geometry -> images."""

    key: tuple[object, ...]
    load: Callable[[Geometry], Examples]

    def unseen_by(self, artifact: Artifact) -> bool:
        """Return whether a model is known not to have learned these images."""
        training = artifact.metadata["training"]
        if training.get("dataset") != self.key[0]:
            return True
        return validated_on(training) == self.key and "validation" not in figures_of_twin(training)


def held_out_images(
    name: str, data: Path | None, config: TrainingConfig, loaded: Dataset | None = None
) -> HeldOut:
    """Return the validation images of a data set.

    name, data: see `load_dataset`. config: decides which images are held out. loaded: the data set if it
    is already in memory.
    """

    @functools.cache
    def dataset(geometry: Geometry | None) -> Dataset:
        if loaded and geometry in (None, loaded.geometry):
            return loaded
        return load_dataset(name, data, geometry, config.split_seed)

    @functools.cache
    def images(geometry: Geometry) -> Examples:
        return hold_out(dataset(geometry).train, config.validation, config.split_seed)[1]

    settings = {"split_seed": config.split_seed, "validation": config.validation}
    sources = dataset(None).sources
    return HeldOut(validated_on({"dataset": name, "sources": sources, "config": settings}), images)


def validated_on(training: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what identifies the validation images of a model; training: its metadata["training"]."""
    sources = training.get("sources", {})
    data = {
        file: digest
        for file, digest in sources.items()
        if not file.startswith((TEACHER_PREFIX, EXTRA_PREFIX))
    }
    config = training.get("config", {})
    return training.get("dataset"), data, config.get("split_seed", 0), config.get("validation")


def validation_figure(artifact: Artifact, images: HeldOut | None = None) -> Figure | None:
    """Return the validation accuracy of a model, and of how many images; None if it is unknown.

    It is measured on `images` if the model was not trained on them, else read from the model's file.
    """
    if images and images.unseen_by(artifact):
        examples = images.load(artifact.geometry)
        if len(examples):
            return Figure(evaluate(Classifier(artifact), examples).accuracy, len(examples))
    kept = artifact.metadata["metrics"].get("validation")
    if not isinstance(kept, dict):
        return None
    accuracy, count = kept.get("accuracy"), kept.get("images")
    if not isinstance(accuracy, float) or not isinstance(count, int) or count < 1:
        return None
    return Figure(accuracy, count)


def comparable(artifact: Artifact, running: Artifact, images: HeldOut | None = None) -> bool:
    """Return whether the figures of two models are about images of the same kind."""
    if images and images.unseen_by(running):
        return True
    return bool(artifact.metadata["training"].get("dataset") == running.metadata["training"].get("dataset"))


def same_images(artifact: Artifact, running: Artifact, images: HeldOut | None = None) -> bool:
    """Return whether two models were measured on the same images."""
    new, old = (one.metadata["training"] for one in (artifact, running))
    return validated_on(new) == validated_on(old) or bool(images and images.unseen_by(running))
