"""A predictor of its own for each test, over the shipped models."""

import pytest
from prometheus_client import CollectorRegistry

from service.config import Settings
from service.metrics import Metrics
from service.model.artifact import load
from service.model.classifier import Classifier
from service.prediction import Predictor
from tests.service.prediction.outcomes import predictor_of
from tests.serving import MODELS


@pytest.fixture(scope="module")
def classifiers() -> list[Classifier]:
    return [Classifier(load(MODELS / f"{name}.npz"), name) for name in ("mnist-28x28", "digits-8x8")]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def predictor(metrics: Metrics) -> Predictor:
    return predictor_of(Settings(), metrics)


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a turn ends with a full batch, not with its time."""
    monkeypatch.setattr("service.prediction.predictor.TURN_SECONDS", 60)
