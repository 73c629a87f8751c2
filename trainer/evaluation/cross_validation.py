"""The error on digits that a network has not learned, pooled over folds: random ones, or whole writers.

    digits -> folds -> for each: train on the others -> wrong of the fold -+-> CrossValidation
                                 a support vector machine, the same way ---+

With random folds, every writer is on both sides. The error is then too low, because the networks know the
handwriting. No choice depends on a held-out fold: training ends where the recipe ends.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.preprocessing import DIGITS_GEOMETRY
from trainer.data import Dataset, Examples, load_digits
from trainer.stages import stage
from trainer.training import TrainingConfig, digits_task, initial_state, logits, train

# Where each block of writers begins. Scikit-learn's course says 915 instead of 906 ("Quantifying the
# uncertainty of cross-validation"), but the fixed order of the digits on the forms starts again at 906.
WRITERS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)
WRITER_FOLDS = 5
SPLIT = 0x73706C6974  # separates the random stream of folds from those of training


@dataclass(frozen=True)
class CrossValidation:
    """The outcome.

    by: the kind of folds, in words. images, wrong, svm_wrong: for each fold, the number of images, of wrong
    answers, and of wrong answers of a support vector machine.
    """

    by: str
    images: tuple[int, ...]
    wrong: tuple[int, ...]
    svm_wrong: tuple[int, ...]

    @property
    def error(self) -> float:
        """The pooled error, in [0, 1]."""
        return sum(self.wrong) / sum(self.images)

    @property
    def svm_error(self) -> float:
        """The pooled error of the support vector machine, in [0, 1]."""
        return sum(self.svm_wrong) / sum(self.images)

    def as_json(self) -> dict[str, Any]:
        """Return counts by fold and pooled errors as plain numbers and lists."""
        return dataclasses.asdict(self) | {"error": self.error, "svm_error": self.svm_error}


def random_folds(count: int, folds: int, seed: int) -> list[np.ndarray]:
    """Return the indices of each fold of a random partition of `count` examples."""
    order = np.random.default_rng((seed, SPLIT)).permutation(count)
    return np.array_split(order, folds)


def writer_folds(count: int) -> list[np.ndarray]:
    """Return the indices of each of WRITER_FOLDS folds of whole blocks: block 0, 5, 10, then 1, 6, 11 ..."""
    block = np.searchsorted(WRITERS, np.arange(count), side="right") - 1
    return [np.flatnonzero(block % WRITER_FOLDS == fold) for fold in range(WRITER_FOLDS)]


def cross_validate(
    config: TrainingConfig, by: str, folds: Sequence[np.ndarray], extra: Examples | None = None
) -> CrossValidation:
    """Return how many digits of each fold are wrong for a network that was trained only on the other folds.

    by: names the kind of folds. extra: see `Dataset`; the support vector machine does not use it.
    """
    digits, _ = load_digits()
    wrong, svm_wrong = [], []
    for number, held in enumerate(folds, 1):
        known = digits.take(np.setdiff1d(np.arange(len(digits)), held))
        tested, nothing = digits.take(held), digits.take(np.arange(0))
        task = digits_task(
            Dataset("digits", DIGITS_GEOMETRY, known, tested, extra=extra), known, nothing, config
        )
        images = config.epochs * task.examples * task.rows_each
        with stage(f"fold {number} of {len(folds)}", images) as advance:
            state = train(initial_state(config, task.inputs, task.outputs), task, config, advance)
        answers = logits(state.best, tested.pixels - np.float32(config.input_offset)).argmax(axis=1)
        wrong.append(int(np.count_nonzero(answers != tested.labels)))
        svm_wrong.append(_svm_wrong(known, tested))
    return CrossValidation(by, tuple(map(len, folds)), tuple(wrong), tuple(svm_wrong))


def _svm_wrong(known: Examples, tested: Examples) -> int:
    """Return how many test digits a support vector machine gets wrong, with settings common in tutorials."""
    from sklearn.svm import SVC  # slow to import

    machine = SVC(C=10, gamma=0.001).fit(16 * known.pixels, known.labels)
    return int(np.count_nonzero(machine.predict(16 * tested.pixels) != tested.labels))


def cross_validation_text(found: CrossValidation) -> str:
    """Return the errors by fold and, on the last line, pooled."""
    rows = [
        f"{number:>4} {images:>8,} {wrong:>8} {svm:>8}"
        for number, (images, wrong, svm) in enumerate(
            zip(found.images, found.wrong, found.svm_wrong, strict=True), 1
        )
    ]
    total = sum(found.images)
    return "\n".join(
        (
            f"{found.by}, each fold by a network that has learned the others",
            "fold   digits    wrong   by SVM",
            *rows,
            f"the support vector machine on the same folds: {sum(found.svm_wrong)} of {total} wrong, "
            f"{100 * found.svm_error:.2f} %",
            f"{sum(found.wrong)} of {total} wrong, {100 * found.error:.2f} %",
        )
    )
