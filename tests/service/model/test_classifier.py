"""A classifier's answers add up, and a model that changed its mind is noticed."""

import numpy as np
import pytest

from service.model.classifier import Classifier, SelfCheckError, rejector_inputs
from service.model.network import Layer, forward, softmax
from tests.tiny import tiny_artifact

PIXELS = np.random.default_rng(2).random((5, 64), dtype=np.float32)


def test_probabilities_are_softmax_at_the_models_temperature():
    artifact = tiny_artifact(temperature=2.0)
    expected = softmax(forward(artifact.layers, PIXELS)[-1].astype(np.float64), 2.0)
    answers = np.array([prediction.probabilities for prediction in Classifier(artifact).classify(PIXELS)])
    np.testing.assert_allclose(answers, expected)


def test_digit_and_confidence_are_the_largest_probability():
    for prediction in Classifier(tiny_artifact()).classify(PIXELS):
        assert sum(prediction.probabilities) == pytest.approx(1, abs=1e-12)
        assert prediction.confidence == max(prediction.probabilities)
        assert prediction.probabilities[prediction.digit] == prediction.confidence


def test_one_by_one_gives_what_the_batch_gives():
    classifier = Classifier(tiny_artifact())
    together = classifier.classify(PIXELS)
    for row, expected in zip(PIXELS, together, strict=True):
        (alone,) = classifier.classify(row[None])
        assert alone.digit == expected.digit
        np.testing.assert_allclose(alone.probabilities, expected.probabilities, rtol=1e-4)
        assert alone.novelty == pytest.approx(expected.novelty, rel=1e-4)


def test_rejector_sees_pixels_and_last_hidden_direction():
    # (3, 4) has the mean square (9 + 16) / 2, so its units become 3 and 4 over its root, 3.5355...
    pixels = np.array([[0.25, 0.5]], np.float32)
    expected = [[0.25, 0.5, 0.848528, 1.131371]]
    for scale in (1, 10):
        hidden = [np.ones((1, 7), np.float32), scale * np.array([[3, 4]], np.float32)]
        np.testing.assert_allclose(rejector_inputs(pixels, hidden), expected, rtol=1e-5)
    assert rejector_inputs(pixels, []).tolist() == pixels.tolist()


def test_a_hidden_layer_of_zeros_is_no_error():
    assert not rejector_inputs(np.zeros((1, 2), np.float32), [np.zeros((1, 3), np.float32)]).any()


def test_novelty_worked_by_hand():
    # A rejector of one layer that adds up the 64 pixels of 0.5 less 30: log-odds 2, probability 0.8808
    weights = np.r_[np.ones(64), np.zeros(6)].astype("f4")[:, None]
    rejector = [Layer(weights, np.array([-30], "f4"), "linear")]
    artifact = tiny_artifact(rejector=rejector, judge_activations=["linear"], max_novelty=0.5)
    (prediction,) = Classifier(artifact).classify(np.full((1, 64), 0.5, np.float32))
    assert prediction.novelty == pytest.approx(1 / (1 + np.exp(-2)) / 0.5)
    assert not prediction.accepted


def test_a_picture_is_accepted_up_to_the_limit_of_the_rejector():
    (without_limit,) = Classifier(tiny_artifact(max_novelty=1)).classify(PIXELS[:1])
    limits = (without_limit.novelty * share for share in (1.001, 0.999))
    below, above = (Classifier(tiny_artifact(max_novelty=limit)).classify(PIXELS[:1])[0] for limit in limits)
    assert below.accepted
    assert not above.accepted


def test_without_a_judge_only_unsure_answers_are_refused():
    (prediction,) = Classifier(tiny_artifact(rejector=[], judge_activations=None)).classify(PIXELS[:1])
    assert prediction.novelty == 0
    assert prediction.accepted


def test_an_unsure_answer_is_not_accepted():
    (prediction,) = Classifier(tiny_artifact(min_confidence=0.99)).classify(PIXELS[:1])
    assert prediction.confidence < 0.99
    assert not prediction.accepted


def test_the_self_check_passes_for_a_sound_model():
    Classifier(tiny_artifact()).self_check()


def test_the_self_check_notices_other_weights():
    probes = tiny_artifact().probe_logits
    with pytest.raises(SelfCheckError, match="logits differ by"):
        Classifier(tiny_artifact(seed=9, probe_logits=probes)).self_check()


def test_the_self_check_notices_other_preprocessing(monkeypatch):
    monkeypatch.setattr(
        "service.model.classifier.preprocess_grey", lambda image, geometry: np.zeros(64, np.float32)
    )
    with pytest.raises(SelfCheckError):
        Classifier(tiny_artifact()).self_check()


def test_the_self_check_fails_for_probes_that_are_blank():
    with pytest.raises(SelfCheckError, match="cannot be preprocessed"):
        Classifier(tiny_artifact(probe_images=np.zeros((2, 30, 30), np.uint8))).self_check()
