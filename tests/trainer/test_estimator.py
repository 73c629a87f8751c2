"""`DigitClassifier` is a scikit-learn estimator whose file the service loads."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from service.model.artifact import load
from service.model.classifier import Classifier
from trainer import DigitClassifier
from trainer.errors import UsageError

SMALL: dict[str, Any] = {"recipe": "exercises", "epochs": 10, "hidden": (32,), "learning_rate": 0.01}
X, Y = load_digits(return_X_y=True)
PICTURES_ONLY = "rows are square pictures of at least 8 x 8 pixels from 0 to 255, and labels are 0 to 9"


@pytest.fixture(scope="module")
def fitted() -> Any:
    return DigitClassifier(**SMALL).fit(X[:600], Y[:600])


def test_fitted_classifier_knows_other_digits(fitted: Any) -> None:
    assert fitted.score(X[600:900], Y[600:900]) > 0.75
    probabilities = fitted.predict_proba(X[600:900])
    assert probabilities.shape == (300, 10)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(probabilities.argmax(axis=1), fitted.predict(X[600:900]))


def test_saved_file_answers_like_the_classifier(fitted: Any, tmp_path: Path) -> None:
    fitted.save(tmp_path / "mine.npz")
    classifier = Classifier(load(tmp_path / "mine.npz"))
    classifier.self_check()
    pixels = (X[:1] / 16).astype(np.float32)
    assert classifier.classify(pixels)[0].digit == fitted.predict(X[:1])[0]


def test_second_fit_and_copy_give_the_same_file(fitted: Any) -> None:
    again = clone(fitted).fit(X[:600], Y[:600])
    assert again.content_ == fitted.content_
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict(X[:50]), fitted.predict(X[:50]))
    order = np.arange(50)[::-1]
    assert np.array_equal(fitted.predict(X[order]), fitted.predict(X[:50])[order])


def test_rows_that_are_no_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="n_features=63 is not a square picture"):
        DigitClassifier().fit(X[:, :63], Y)
    with pytest.raises(ValueError, match=r"pixels are from -1 to 15"):
        DigitClassifier().fit(X - 1, Y)
    with pytest.raises(ValueError, match="Unknown label type"):
        DigitClassifier().fit(X, Y + 1)


def test_clone_and_parameters_are_those_given() -> None:
    one = DigitClassifier(**SMALL, rotation=5.0)
    again = clone(one)
    assert again.get_params() == one.get_params()
    assert {name: one.get_params()[name] for name in SMALL} == SMALL
    assert again.set_params(epochs=9).epochs == 9


def test_unknown_setting_is_refused_at_construction() -> None:
    with pytest.raises(TypeError, match="no setting 'layers'"):
        DigitClassifier(layers=3)


def test_wrong_setting_is_refused_by_fit() -> None:
    for wrong, complaint in (
        ({"epochs": 0}, "epochs is 0; input should be greater"),
        ({"momentum": 1.0}, "momentum is 1.0; input should be less than 1"),
        ({"loss": "binary_cross_entropy", "output": "tanh"}, "needs the output sigmoid or softmax"),
        ({"recipe": "nothing"}, "no recipe 'nothing'"),
    ):
        with pytest.raises(UsageError, match=complaint):
            DigitClassifier().set_params(**wrong).fit(X[:100], Y[:100])


def test_too_few_pictures_or_digits_are_refused() -> None:
    with pytest.raises(ValueError, match="n_samples=3 of 3 class: at least 4 pictures of two digits"):
        DigitClassifier().fit(X[:3], Y[:3])
    with pytest.raises(ValueError, match="of 1 class"):
        DigitClassifier().fit(X[:20], np.full(20, 7))


def test_it_works_in_cross_validation_and_search() -> None:
    scores = cross_val_score(DigitClassifier(**SMALL), X[:300], Y[:300], cv=2)
    assert scores.min() > 0.4
    search = GridSearchCV(DigitClassifier(**SMALL), {"epochs": [1, 10]}, cv=2).fit(X[:300], Y[:300])
    assert search.best_params_ == {"epochs": 10}


def test_it_works_in_a_pipeline() -> None:
    scaled = make_pipeline(FunctionTransformer(lambda rows: rows / 16), DigitClassifier(**SMALL))
    assert scaled.fit(X[:600], Y[:600]).score(X[600:800], Y[600:800]) > 0.7


def test_stacked_pictures_are_taken_as_rows(fitted: Any) -> None:
    stacked = X[:20].reshape(-1, 8, 8)
    assert np.array_equal(fitted.predict(stacked), fitted.predict(X[:20]))


def expected_failures(estimator: Any) -> dict[str, str]:
    return dict.fromkeys(FAILING, PICTURES_ONLY)


# Their data have two to ten columns, negative numbers or labels that are words.
FAILING = (
    *("check_fit_score_takes_y", "check_estimators_overwrite_params"),
    *("check_dont_overwrite_parameters", "check_estimators_fit_returns_self"),
    *("check_readonly_memmap_input", "check_n_features_in_after_fitting"),
    "check_estimators_dtypes",
    *("check_dtype_object", "check_pipeline_consistency"),
    *("check_estimators_nan_inf", "check_estimators_pickle"),
    *("check_f_contiguous_array_estimator", "check_classifier_data_not_an_array"),
    "check_classifiers_classes",
    *("check_classifiers_train", "check_supervised_y_2d"),
    *("check_methods_sample_order_invariance", "check_methods_subset_invariance"),
    *("check_dict_unchanged", "check_fit_idempotent"),
    *("check_fit_check_is_fitted", "check_n_features_in"),
    *("check_fit2d_predict1d",),
)


@parametrize_with_checks([DigitClassifier(**SMALL)], expected_failed_checks=expected_failures)
def test_estimator_passes_the_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)
