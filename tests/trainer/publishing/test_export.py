"""The model file gives the trained network's logits, with fitted thresholds and probes."""

from pathlib import Path

import numpy as np
import pytest

from service.model.artifact import load
from service.model.classifier import Classifier
from service.model.network import Layer, forward, softmax
from tests.trainer.quick import drawn_examples
from trainer.data import load_dataset
from trainer.errors import UsageError
from trainer.nn import initialize
from trainer.publishing.calibration import draw_probes, fit_temperature
from trainer.publishing.export import fold_offset
from trainer.training import trained_on


def test_folded_offset_gives_the_same_logits() -> None:
    parameters = initialize((64, 12, 10), "relu", np.random.default_rng(0))
    pixels = np.random.default_rng(1).random((20, 64), np.float32)
    trained = forward(parameters.layers, pixels - np.float32(0.13))[-1]
    served = forward(fold_offset(parameters, 0.13), pixels)[-1]
    assert served == pytest.approx(trained, abs=1e-5)


def test_temperature_corrects_scaled_logits() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 10))
    labels = np.array([rng.choice(10, p=row) for row in softmax(logits)])
    assert fit_temperature(logits, labels) == pytest.approx(1, abs=0.1)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, abs=0.3)


def test_probes_are_large_pictures_in_uneven_light() -> None:
    probes = draw_probes(drawn_examples(10))
    assert probes.shape == (4, 120, 120)
    assert probes.dtype == np.uint8
    assert int(probes.max()) - int(probes.min()) > 150


def test_model_passes_its_check_and_refuses_few_digits(quick_model: Path) -> None:
    artifact = load(quick_model)
    classifier = Classifier(artifact)
    classifier.self_check()
    examples = load_dataset("digits", None).train
    accepted = np.mean([one.accepted for one in classifier.classify(examples.pixels)])
    assert 0.94 < accepted <= 1


def test_metadata_states_the_provenance(quick_model: Path) -> None:
    training = load(quick_model).metadata["training"]
    assert training["command"].startswith("python -m trainer train digits --hidden 32 --epochs 6")
    assert str(quick_model.parent) not in training["command"]
    assert training["config"]["hidden"] == [32]
    assert training["examples"] == {"train": 1294, "drawn": 0, "validation": 144, "test": 359}
    assert all(isinstance(layer, Layer) for layer in load(quick_model).layers)


def test_date_follows_source_date_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert trained_on() == "2023-11-14"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH is 'yesterday'"):
        trained_on()
