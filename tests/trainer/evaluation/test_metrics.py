"""Published figures match their definitions."""

import numpy as np
import pytest

from trainer.evaluation import evaluation_text
from trainer.evaluation.metrics import calibration_error, summarize


def probabilities_of(answers: list[int], confidence: float = 0.91) -> np.ndarray:
    rows = np.full((len(answers), 10), (1 - confidence) / 9)
    rows[np.arange(len(answers)), answers] = confidence
    return rows


# Worked by hand. True digits 0 0 0 1 1 2, answers 0 0 1 1 1 0:
#   digit 0: answered 3 times, 2 of them right, there 3 times: precision 2/3, recall 2/3, F1 2/3
#   digit 1: answered 3 times, 2 of them right, there 2 times: precision 2/3, recall 1,   F1 4/5
#   digit 2: never answered, there once:                       precision 0,   recall 0,   F1 0
#   digits 3 to 9: never there, never answered: 0
#   macro-F1 = (2/3 + 4/5) / 10 = 22/150
LABELS = np.array([0, 0, 0, 1, 1, 2])
ANSWERS = [0, 0, 1, 1, 1, 0]


def test_precision_recall_and_f1_match_a_worked_example() -> None:
    evaluation = summarize(LABELS, probabilities_of(ANSWERS))
    assert evaluation.precision[:3] == pytest.approx([2 / 3, 2 / 3, 0])
    assert evaluation.recall[:3] == pytest.approx([2 / 3, 1, 0])
    assert evaluation.f1 == pytest.approx([2 / 3, 4 / 5, 0, 0, 0, 0, 0, 0, 0, 0])
    assert evaluation.macro_f1 == pytest.approx(22 / 150)
    assert evaluation.accuracy == pytest.approx(4 / 6)


def test_confusion_matrix_has_the_true_digit_by_row() -> None:
    confusion = summarize(LABELS, probabilities_of(ANSWERS)).confusion
    assert confusion[:3, :3].tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert confusion.sum() == 6


def test_macro_f1_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import f1_score, log_loss

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 500)
    probabilities = rng.dirichlet(np.ones(10), 500)
    evaluation = summarize(labels, probabilities)
    answers = probabilities.argmax(axis=1)
    assert evaluation.macro_f1 == pytest.approx(f1_score(labels, answers, average="macro"))
    assert evaluation.cross_entropy == pytest.approx(log_loss(labels, probabilities))


def test_cross_entropy_is_in_nats() -> None:
    # The true digit gets 0.91 four times and 0.01 twice: -(4 ln 0.91 + 2 ln 0.01) / 6 = 1.5979...
    expected = -(4 * np.log(0.91) + 2 * np.log(0.01)) / 6
    assert summarize(LABELS, probabilities_of(ANSWERS)).cross_entropy == pytest.approx(expected)


def test_zero_probability_has_a_large_finite_cross_entropy() -> None:
    assert np.isfinite(summarize(np.array([3]), np.eye(10)[[4]]).cross_entropy)


def test_calibration_error_matches_a_worked_example() -> None:
    # Confidences 0.91 (bin 13 of 0 ... 14), 4 of 6 right: |6 x 0.91 - 4| / 6 = 0.24333...
    assert calibration_error(LABELS, probabilities_of(ANSWERS)) == pytest.approx(abs(6 * 0.91 - 4) / 6)


def test_full_confidence_counts_in_the_last_bin() -> None:
    assert calibration_error(np.array([4, 5]), np.eye(10)[[4, 5]]) == 0


def test_text_shows_errors_digits_and_confusions() -> None:
    text = evaluation_text(summarize(LABELS, probabilities_of(ANSWERS)), "a model on some data")
    assert text.splitlines()[0] == "a model on some data"
    assert "wrong                      2   33.33 %" in text
    assert "      1    66.67 %   100.00 %    80.00 %" in text
    assert "              2     1     .     .     ." in text
