"""KServe's first protocol, as TensorFlow Serving's clients write it too."""

import base64
from typing import Any

import numpy as np
import pytest
import requests

from service.model.artifact import load
from service.preprocessing.pipeline import preprocess
from tests.drawing import digit_png
from tests.serving import MODELS, Server

MODEL = "digits-8x8"
DIGITS = (3, 7, 0)
TEXTS = [base64.b64encode(digit_png(digit)).decode() for digit in DIGITS]
PIXELS = [preprocess(digit_png(digit), load(MODELS / f"{MODEL}.npz").geometry) for digit in DIGITS]


def predict(service: Server, body: Any, model: str = MODEL) -> requests.Response:
    return requests.post(f"{service.url}/v1/models/{model}:predict", json=body, timeout=30)


@pytest.mark.parametrize(
    "instances",
    [
        TEXTS,
        [{"b64": text} for text in TEXTS],
        [{"image_bytes": {"b64": text}} for text in TEXTS],
        [{"image": text} for text in TEXTS],
        [row.tolist() for row in PIXELS],
        [row.reshape(8, 8).tolist() for row in PIXELS],
        [{"pixels": row.tolist()} for row in PIXELS],
    ],
    ids=["base64", "b64", "image_bytes", "image", "rows", "squares", "pixels"],
)
def test_instances_are_answered_as_predict_answers_them(service: Server, instances: list[Any]) -> None:
    predictions = predict(service, {"instances": instances}).json()["predictions"]
    expected = [service.predict(digit_png(digit), model=MODEL).json() for digit in DIGITS]
    assert [list(each) for each in predictions] == [list(each) for each in expected]
    for got, wanted in zip(predictions, expected, strict=True):
        assert np.allclose(got.pop("probabilities"), wanted.pop("probabilities"), atol=1e-5)
        assert got.pop("confidence") == pytest.approx(wanted.pop("confidence"), abs=1e-5)
        assert got == wanted


def test_models_are_listed_and_ready(service: Server) -> None:
    names = requests.get(f"{service.url}/v2/models", timeout=30).json()
    assert requests.get(f"{service.url}/v1/models", timeout=30).json() == names
    model = requests.get(f"{service.url}/v1/models/{MODEL}", timeout=30).json()
    assert model == {"name": MODEL, "ready": True}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ([], 400, "There are no instances"),
        ({"instances": []}, 400, "There are no instances"),
        ({"instances": [TEXTS[0], [0.5] * 64]}, 400, "Some instances are images"),
        ({"instances": [{"picture": TEXTS[0]}]}, 400, "An instance has picture"),
        ({"instances": [[0.5] * 63]}, 400, "has 63 elements"),
        ({"instances": [[2.0] * 64]}, 400, "must lie in"),
        ({"instances": [{"image": 7}]}, 400, "must be strings"),
        ({"instances": ["c3Zn"]}, 415, "Image 0: The bytes are not those"),
        ({"instances": [TEXTS[0]] * 257}, 413, "at most 256"),
    ],
)
def test_a_wrong_request_is_refused_with_a_reason(
    service: Server, body: Any, status: int, message: str
) -> None:
    response = predict(service, body)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    assert list(response.json()) == ["error"]
    assert message in response.json()["error"]


def test_an_unknown_model_is_not_found(service: Server) -> None:
    response = predict(service, {"instances": TEXTS}, "unknown")
    assert response.status_code == 404
    assert "There is no model 'unknown'" in response.json()["error"]
