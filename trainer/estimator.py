"""`DigitClassifier`: the trainer as a scikit-learn estimator.

X, y -> fit: pictures -> the serving preprocessing -> pipeline -> the bytes of a model file -> predict, save

Its parameters are the settings of `TrainingConfig` and `Augmentation`; those that are None come from the
recipe.
"""

import argparse
import dataclasses
import hashlib
import inspect
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from service.model.artifact import parse
from service.model.artifact import save as save_file
from service.model.classifier import Classifier
from service.preprocessing import DIGITS_GEOMETRY, MNIST_GEOMETRY
from trainer.data import CLASSES, Augmentation, Dataset, Examples, checked_classes, hold_out
from trainer.data.examples import prepare
from trainer.pipeline import train_model
from trainer.recipes import load_config
from trainer.stages import silent
from trainer.training import Session, TrainingConfig

RECIPE = "own-digits"
LEAST_PICTURES = 4  # so that some are left after others are held out
TEST_SHARE = 0.1  # held out for the figures in the model file
SETTINGS = tuple(
    field.name
    for cls in (TrainingConfig, Augmentation)
    for field in dataclasses.fields(cls)
    if field.name != "augmentation"
)


class DigitClassifier(ClassifierMixin, BaseEstimator):
    """A multilayer perceptron for pictures of digits, with the preprocessing and rejector of the service.

    recipe: a name in trainer/recipes or a TOML file. progress: show the progress of the training. settings:
    any of SETTINGS, as the flags of `python -m trainer train`. `fit` raises UsageError for a
    wrong or contradicting one, before it looks at the pictures.
    """

    recipe: str
    progress: bool

    def __init__(self, *, recipe: str = RECIPE, progress: bool = False, **settings: Any) -> None:
        unknown = set(settings) - set(SETTINGS)
        if unknown:
            raise TypeError(f"DigitClassifier has no setting {sorted(unknown)[0]!r}")
        self.recipe = recipe
        self.progress = progress
        for name in SETTINGS:
            setattr(self, name, settings.get(name))

    def _config(self) -> TrainingConfig:
        """Return the checked settings: those given, else the recipe's."""
        return load_config(
            self.recipe, argparse.Namespace(**{name: getattr(self, name) for name in SETTINGS})
        )

    def __sklearn_tags__(self) -> Tags:
        """Return scikit-learn's tags: the input, ink, has no negative values."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    # scikit-learn reads the names of the parameters from here.
    __init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
            inspect.Parameter("recipe", inspect.Parameter.KEYWORD_ONLY, default=RECIPE),
            inspect.Parameter("progress", inspect.Parameter.KEYWORD_ONLY, default=False),
            *(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in SETTINGS),
        ]
    )

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Train on pictures, (n, side * side) or (n, height, width), and labels 0 to 9, (n,).

        Pixels are from 0 to 255, 1 or 16. A tenth is held out for the figures in the model file, and the
        share `validation` of the rest to fit temperature and thresholds.
        """
        config = self._config()
        rows, y = validate_data(self, _rows(X), y, dtype="numeric")
        check_classification_targets(y)
        labels = np.asarray(y)
        if labels.dtype.kind not in "iuf" or not np.isin(labels, np.arange(CLASSES)).all():
            raise ValueError(
                f"Unknown label type: labels are {np.unique(labels)[:3]} ...; 0 to 9 are expected"
            )
        if len(np.unique(labels)) < 2 or len(labels) < LEAST_PICTURES:
            raise ValueError(
                f"n_samples={len(labels)} of {len(np.unique(labels))} class: at least {LEAST_PICTURES} "
                "pictures of two digits are needed"
            )
        raw = self._pictures(rows, fitting=True)
        geometry = DIGITS_GEOMETRY if raw.shape[1] == DIGITS_GEOMETRY.side else MNIST_GEOMETRY
        pictures, kept = prepare(raw, geometry)
        examples = Examples(pictures, labels[kept].astype(np.int64))
        train, test = hold_out(examples, TEST_SHARE, config.split_seed)
        digest = hashlib.sha256(raw.tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()
        dataset = Dataset("folder", geometry, train, test, {"X, y": digest})
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "checkpoint.npz"
            session = Session("DigitClassifier", f"{self!r}.fit(X, y)", checkpoint, quiet=not self.progress)
            with silent(session.quiet):
                self.content_ = train_model(checked_classes(dataset), config, session).content
        self.classes_ = np.arange(CLASSES)
        return self

    def _pictures(self, rows: np.ndarray, fitting: bool = False) -> np.ndarray:
        """Return pictures, (n, side, side) uint8, of rows of pixels."""
        lowest, highest = float(rows.min()), float(rows.max())
        if lowest < 0:
            raise ValueError(f"Negative values in data: pixels are from {lowest:g} to {highest:g}")
        side = round(rows.shape[1] ** 0.5)
        if side * side != rows.shape[1] or side < DIGITS_GEOMETRY.side:
            raise ValueError(f"n_features={rows.shape[1]} is not a square picture of at least 8 x 8 pixels")
        if not highest <= 255:
            raise ValueError(f"pixels are from {lowest:g} to {highest:g}; 0 to 255, 1 or 16 are expected")
        if fitting:
            self.highest_ = 1 if highest <= 1 else 16 if highest <= 16 else 255
        scaled = np.rint(rows * (255 / self.highest_))
        return scaled.clip(0, 255).astype(np.uint8).reshape(-1, side, side)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return calibrated probabilities, (n, 10); for a blank picture, all digits are equally likely."""
        check_is_fitted(self, "content_")
        rows = validate_data(self, _rows(X), dtype="numeric", reset=False)
        classifier = Classifier(parse(self.content_))
        pictures, kept = prepare(self._pictures(rows), classifier.artifact.geometry)
        probabilities = np.full((len(rows), CLASSES), 1 / CLASSES)
        if len(kept):
            answers = classifier.classify(pictures.reshape(len(kept), -1))
            probabilities[kept] = [one.probabilities for one in answers]
        return probabilities

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the digits, (n,) int64."""
        return np.asarray(self.predict_proba(X).argmax(axis=1))

    def save(self, path: str | Path) -> None:
        """Write the model file, for the service or for `python -m trainer publish`."""
        check_is_fitted(self, "content_")
        save_file(Path(path), self.content_)


def _rows(X: Any) -> Any:  # noqa: N803
    """Return pictures of two dimensions as rows; leave the rest for scikit-learn to check."""
    if isinstance(X, np.ndarray) and X.ndim == 3:
        return X.reshape(len(X), -1)
    return X
