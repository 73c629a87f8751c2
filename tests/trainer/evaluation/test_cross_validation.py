"""Folds leave nothing out, hold out whole writers, and are measured by networks that have not seen them."""

import json

import numpy as np
import pytest

from tests.serving import PROJECT
from trainer.cli import main
from trainer.data import Examples, load_digits
from trainer.evaluation import cross_validate, cross_validation_text, random_folds, writer_folds
from trainer.evaluation import cross_validation as module
from trainer.evaluation.cross_validation import CrossValidation
from trainer.training import Task, TrainingConfig

QUICK = TrainingConfig(hidden=(16,), epochs=4, batch_size=32, learning_rate=0.01)
Output = pytest.CaptureFixture[str]


@pytest.mark.parametrize("folds", [random_folds(1797, 5, 0), random_folds(1797, 7, 3), writer_folds(1797)])
def test_each_digit_is_held_out_once(folds: list[np.ndarray]) -> None:
    assert np.array_equal(np.sort(np.concatenate(folds)), np.arange(1797))


def test_folds_of_writers_are_whole_blocks() -> None:
    fold_of = np.empty(1797, int)
    for number, indices in enumerate(writer_folds(1797)):
        fold_of[indices] = number
    changes = np.flatnonzero(np.diff(fold_of)) + 1
    assert changes.tolist() == list(module.WRITERS[1:])
    assert fold_of[[0, 906, 905, 1796]].tolist() == [0, 2, 1, 3]


def test_each_writer_begins_with_the_first_digits() -> None:
    labels = load_digits()[0].labels
    for start in module.WRITERS:  # 0, 1, 2 ...; at 906, the first 0 is missing
        assert (np.diff(labels[start : start + 9]) == 1).all(), start
        assert labels[start] in (0, 1)


def test_networks_learn_nothing_of_their_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[Examples] = []

    def digits_task(dataset: object, examples: Examples, *others: object) -> Task:
        learned.append(examples)
        return original(dataset, examples, *others)  # type: ignore[arg-type]

    original = module.digits_task
    monkeypatch.setattr(module, "digits_task", digits_task)
    folds, (digits, _) = writer_folds(1797), load_digits()
    found = cross_validate(QUICK, "writers", folds)
    assert [len(one) for one in learned] == [1797 - len(fold) for fold in folds]
    for examples, fold in zip(learned, folds, strict=True):
        rest = np.setdiff1d(np.arange(1797), fold)
        assert np.array_equal(examples.pictures, digits.pictures[rest])
    assert 0.02 < found.error < 0.4
    assert 0.025 < found.svm_error < 0.04  # 3.3 % in the literature of these folds


def test_text_ends_with_the_pooled_error() -> None:
    found = CrossValidation("folds of writers", (1000, 797), (3, 5), (10, 20))
    lines = cross_validation_text(found).splitlines()
    assert lines[-1] == "8 of 1797 wrong, 0.45 %"
    assert "30 of 1797 wrong, 1.67 %" in lines[-2]
    assert found.as_json()["error"] == 8 / 1797


def test_command_prints_folds_as_json(capsys: Output) -> None:
    words = ["cross-validate", "digits", "--splits", "2", "--epochs", "2", "--hidden", "8"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [len(found[name]) for name in ("images", "wrong", "svm_wrong")] == [2, 2, 2]
    assert found["error"] == sum(found["wrong"]) / 1797


def test_published_rows_are_runs_over_all_digits() -> None:
    for row in json.loads((PROJECT / "docs/cross-validation.json").read_text()):
        assert sum(row["images"]) == 1797, row["command"]
        assert row["error"] == sum(row["wrong"]) / 1797 < row["svm_error"], row["command"]
