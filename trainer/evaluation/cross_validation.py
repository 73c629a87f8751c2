"""The error over several random splits: its mean and spread, without the luck of one split.

TrainingConfig -> for each split: train on four fifths of digits -> error on the fifth -> mean, spread
"""

import dataclasses

import numpy as np
from tqdm import tqdm

from trainer.data import load_dataset
from trainer.training import TrainingConfig, digits_task, initial_state, train, validate


def cross_validate(config: TrainingConfig, splits: int) -> list[float]:
    """Return the test error, in [0, 1], on each of several random splits of digits.

    One network is trained for each split, on all of the other four fifths. Nothing is chosen on the
    held-out fifth: training ends where the recipe ends. splits: at least 1.
    """
    errors = []
    for split in tqdm(range(splits), desc="splits", unit=" split"):
        dataset = load_dataset("digits", None, split_seed=split)
        one = dataclasses.replace(config, split_seed=split)
        task = digits_task(dataset, dataset.train, dataset.test.take(np.arange(0)), one)
        state = train(initial_state(one, task.inputs, task.outputs), task, one)
        tested = digits_task(dataset, dataset.train, dataset.test, one)
        errors.append(1 - validate(state.best, tested, one)["validation_accuracy"])
    return errors


def spread_text(errors: list[float]) -> str:
    """Return the errors of at least two splits as text, with mean and standard deviation."""
    listed = "  ".join(f"{100 * error:.2f}" for error in errors)
    return (
        f"test error of {len(errors)} random splits, %: {listed}\n"
        f"mean {100 * np.mean(errors):.2f} %, standard deviation {100 * np.std(errors, ddof=1):.2f} points"
    )
