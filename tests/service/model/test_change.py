"""Why not another digit: the change does what it says, and asking for it changes nothing else."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from service.model.artifact import load
from service.model.change import change_towards
from service.model.classifier import Classifier
from service.model.explanation import AGAINST, FOR, explain, saliency
from service.preprocessing.pipeline import preprocess
from tests.drawing import digit_png
from tests.serving import MODELS, Server


@pytest.fixture(scope="module", params=sorted(MODELS.glob("*.npz")), ids=lambda path: path.stem)
def classifier(request: pytest.FixtureRequest) -> Classifier:
    path: Path = request.param
    return Classifier(load(path), path.stem)


def answer(pixels: np.ndarray, classifier: Classifier) -> int:
    return classifier.classify(pixels[None].astype(np.float32))[0].digit


@pytest.mark.parametrize("digit", [1, 4, 7])
def test_the_change_makes_it_the_wanted_digit(classifier: Classifier, digit: int) -> None:
    pixels = preprocess(digit_png(digit), classifier.artifact.geometry)
    read = answer(pixels, classifier)
    for wanted in set(range(10)) - {read}:
        change = change_towards(wanted, pixels, classifier)
        assert change is not None
        assert 0 <= (pixels + change).min() <= (pixels + change).max() <= 1
        assert answer(pixels + change, classifier) == wanted
        assert answer(pixels + 0.97 * change, classifier) != wanted  # no longer than it must be


def test_the_change_is_smaller_than_that_to_a_real_digit(classifier: Classifier) -> None:
    four, nine = (preprocess(digit_png(digit), classifier.artifact.geometry) for digit in (4, 9))
    change = change_towards(9, four, classifier)
    assert change is not None
    assert np.linalg.norm(change) < 0.5 * np.linalg.norm(nine - four)


def test_the_answer_itself_needs_no_change(classifier: Classifier) -> None:
    pixels = preprocess(digit_png(4), classifier.artifact.geometry)
    change = change_towards(answer(pixels, classifier), pixels, classifier)
    assert change is not None
    assert not change.any()


def test_a_digit_that_is_named_takes_the_place_of_the_runner_up(classifier: Classifier) -> None:
    pixels = preprocess(digit_png(7), classifier.artifact.geometry)
    (prediction,) = classifier.classify(pixels[None])
    usual = explain(pixels, classifier, prediction, [])
    other = next(digit for digit in range(10) if digit not in (prediction.digit, usual["runner_up"]))
    compared = explain(pixels, classifier, prediction, [], other)
    assert compared["runner_up"] == other
    assert saliency(pixels, classifier, other)[1] == other
    assert compared["saliency"] != usual["saliency"]
    assert compared["picture"] == usual["picture"]
    assert explain(pixels, classifier, prediction, [], prediction.digit) == usual


def test_orange_is_ink_to_add_and_blue_ink_to_take_away(classifier: Classifier) -> None:
    pixels = preprocess(digit_png(7), classifier.artifact.geometry)
    (prediction,) = classifier.classify(pixels[None])
    change = change_towards(9, pixels, classifier)
    assert change is not None
    described = explain(pixels, classifier, prediction, [], 9)["change"]
    colors = np.asarray(Image.open(io.BytesIO(base64.b64decode(described["picture"])))).reshape(-1, 4)
    assert (colors[change > 0, :3] == FOR).all()
    assert (colors[change < 0, :3] == AGAINST).all()
    assert described["ink"] == pytest.approx(np.abs(change).sum() / pixels.sum())


def test_the_service_compares_with_the_digit_that_is_named(service: Server) -> None:
    image = digit_png(7)
    explanation = service.predict(image, explain="true", against="9").json()["explanation"]
    assert explanation["runner_up"] == 9
    assert 0 < explanation["change"]["ink"] < 1
    assert service.predict(image, against="9").json() == service.predict(image).json()
    assert "change" not in service.predict(image, explain="true").json()["explanation"]


@pytest.mark.parametrize("value", ["", "10", "-1", "nine", "٣"])
def test_what_is_not_a_digit_is_refused(service: Server, value: str) -> None:
    url = f"{service.url}/predict?explain=true&against={value}"
    response = requests.post(url, files={"file": digit_png(1)}, timeout=30)
    assert response.status_code == 400
    assert "a digit from 0 to 9 is expected" in response.json()["detail"]
