"""A classifier's answers add up, and a model that changed its mind is noticed."""

import numpy as np
import pytest

from service.classifier import Classifier, SelfCheckError
from service.network import forward, softmax
from tests.tiny import tiny_artifact

PIXELS = np.random.default_rng(2).random((5, 64), dtype=np.float32)


def test_probabilities_are_the_softmax_of_the_logits_at_the_models_temperature():
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


def test_novelty_worked_by_hand():
    # mean 0, axes along the first three pixels: of ink (1, 0, 0, 2, 0, ...) the 2 is unexplained,
    # 2 * 2 = 4, per ink 1 + 2 = 3, over the limit 0.5: 4 / 3 / 0.5
    pixels = np.zeros((1, 64), np.float32)
    pixels[0, [0, 3]] = 1, 2
    classifier = Classifier(tiny_artifact(max_novelty=0.5))
    assert classifier.novelty(pixels, np.array([4]))[0] == pytest.approx(4 / 3 / 0.5)


def test_a_picture_far_from_known_shapes_is_not_accepted():
    near, far = (
        Classifier(tiny_artifact(max_novelty=limit)).classify(PIXELS[:1])[0] for limit in (1e6, 1e-6)
    )
    assert near.accepted
    assert not far.accepted
    assert far.novelty > 1


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
        "service.classifier.preprocess_grey", lambda image, geometry: np.zeros(64, np.float32)
    )
    with pytest.raises(SelfCheckError):
        Classifier(tiny_artifact()).self_check()


def test_the_self_check_fails_for_probes_that_are_blank():
    with pytest.raises(SelfCheckError, match="cannot be preprocessed"):
        Classifier(tiny_artifact(probe_images=np.zeros((2, 30, 30), np.uint8))).self_check()
