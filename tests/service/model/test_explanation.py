"""The explanation of an answer: pictures that can be looked at, and a saliency that finds what decides."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from service.model.artifact import load
from service.model.classifier import Classifier
from service.model.explanation import AGAINST, FOR, explain, saliency
from service.model.network import forward
from service.preprocessing.pipeline import preprocess
from tests.drawing import digit_png, draw_digit, encode
from tests.serving import MODELS, Server

DIGITS = range(10)


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


def explained(pixels: np.ndarray, classifier: Classifier) -> dict[str, Any]:
    (prediction,) = classifier.classify(pixels[None])
    return explain(pixels, classifier, prediction, [])


@pytest.fixture(scope="module", params=sorted(MODELS.glob("*.npz")), ids=lambda path: path.stem)
def classifier(request: pytest.FixtureRequest) -> Classifier:
    path: Path = request.param
    return Classifier(load(path), path.stem)


def margin(pixels: np.ndarray, digit: int, runner_up: int, classifier: Classifier) -> float:
    logits = forward(classifier.artifact.layers, pixels[None].astype(np.float64))[-1][0]
    return float(logits[digit] - logits[runner_up])


def test_the_picture_is_what_the_network_saw(classifier: Classifier) -> None:
    pixels = preprocess(digit_png(3), classifier.artifact.geometry)
    picture = opened(explained(pixels, classifier)["picture"])
    assert picture.format == "PNG"
    assert picture.mode == "L"
    assert np.allclose(np.asarray(picture).reshape(-1) / 255, pixels, atol=0.5 / 255)


def test_the_saliency_picture_shows_its_largest_value_opaque(classifier: Classifier) -> None:
    pixels = preprocess(digit_png(3), classifier.artifact.geometry)
    values, _ = saliency(pixels, classifier)
    colours = np.asarray(opened(explained(pixels, classifier)["saliency"])).reshape(-1, 4)
    largest = int(np.abs(values).argmax())
    assert colours[largest].tolist() == [*(FOR if values[largest] > 0 else AGAINST), 255]
    assert (colours[:, :3][values > 0] == FOR).all()
    assert (colours[:, :3][values < 0] == AGAINST).all()


def test_the_saliency_is_the_gradient_of_the_lead_times_the_ink(
    classifier: Classifier,
) -> None:
    pixels = preprocess(digit_png(5), classifier.artifact.geometry)
    digit = int(forward(classifier.artifact.layers, pixels[None])[-1].argmax())
    values, runner_up = saliency(pixels, classifier)
    step = 1e-6
    for index in np.abs(values).argsort()[-5:]:
        moved = [np.array(pixels, np.float64) for _ in range(2)]
        moved[0][index] += step
        moved[1][index] -= step
        up, down = (margin(pixels, digit, runner_up, classifier) for pixels in moved)
        assert (up - down) / (2 * step) * pixels[index] == pytest.approx(values[index], rel=1e-2)


def test_erasing_marked_ink_costs_more_than_other_ink(
    classifier: Classifier,
) -> None:
    rng = np.random.default_rng(0)
    cost_marked = cost_random = 0.0
    for wanted in DIGITS:
        pixels = preprocess(digit_png(wanted), classifier.artifact.geometry)
        digit = int(forward(classifier.artifact.layers, pixels[None])[-1].argmax())
        values, runner_up = saliency(pixels, classifier)
        ink = np.flatnonzero(pixels > 0)
        count = len(ink) // 5
        before = margin(pixels, digit, runner_up, classifier)
        erased = pixels.copy()
        erased[ink[np.argsort(-values[ink])[:count]]] = 0
        cost_marked += before - margin(erased, digit, runner_up, classifier)
        erased = pixels.copy()
        erased[rng.permutation(ink)[:count]] = 0
        cost_random += before - margin(erased, digit, runner_up, classifier)
    assert cost_marked > 2 * max(cost_random, 0)


def test_a_picture_that_is_no_digit_has_a_novelty_above_one(classifier: Classifier) -> None:
    side = classifier.artifact.geometry.side
    stripes = np.zeros((side, side), np.float32)
    stripes[:, ::2] = 1
    assert explained(stripes.reshape(-1), classifier)["novelty"] > 1


def test_explain_adds_the_explanation_and_nothing_else(service: Server) -> None:
    image = digit_png(7)
    plain = service.predict(image, model="digits-8x8").json()
    explained = service.predict(image, model="digits-8x8", explain="true").json()
    explanation = explained.pop("explanation")
    assert explained == plain
    assert opened(explanation["picture"]).size == (8, 8)
    assert opened(explanation["saliency"]).size == (8, 8)
    assert explanation["runner_up"] == int(np.argsort(plain["probabilities"])[-2])
    assert service.predict(image, model="digits-8x8", explain="false").json() == plain


def test_the_answer_says_what_preprocessing_did(service: Server) -> None:
    explanation = service.predict(digit_png(7), explain="true").json()["explanation"]
    assert explanation["steps"] == [
        "cut out and scaled to fit 20 x 20 pixels",
        "centered by its mass in 28 x 28",
    ]
    again = service.predict(base64.b64decode(explanation["picture"]), explain="true").json()["explanation"]
    assert again["steps"] == ["ink taken as it is: already cut out, scaled and centered"]


def test_batch_answers_are_explained_as_single_ones(service: Server) -> None:
    images = [digit_png(7), b"no image", encode(draw_digit(4, ink=255, paper=0))]
    url = f"{service.url}/predict/batch"
    files = [("file", (f"{index}.png", image)) for index, image in enumerate(images)]
    seven, broken, four = requests.post(url, params={"explain": "true"}, files=files, timeout=30).json()[
        "predictions"
    ]
    alone = service.predict(images[0], explain="true").json()
    assert seven["digit"] == alone["digit"] == 7
    for part in ("picture", "steps", "runner_up"):
        assert seven["explanation"][part] == alone["explanation"][part]
    assert set(broken) == {"error"}
    assert four["explanation"]["steps"][0] == "light ink on dark: turned over"
    plain = requests.post(url, files=files, timeout=30).json()["predictions"]
    assert ["explanation" in answer for answer in plain] == [False] * 3


def ask(service: Server, value: str) -> requests.Response:
    url = f"{service.url}/predict?model=digits-8x8&explain={value}"
    return requests.post(url, files={"file": digit_png(1)}, timeout=30)


@pytest.mark.parametrize(("value", "explained"), [("yes", True), ("1", True), ("TRUE", True), ("no", False)])
def test_yes_and_no_may_be_written_in_several_ways(service: Server, value: str, explained: bool) -> None:
    assert ("explanation" in ask(service, value).json()) == explained


@pytest.mark.parametrize("value", ["", "maybe", "layer"])
def test_another_value_of_explain_is_refused(service: Server, value: str) -> None:
    response = ask(service, value)
    assert response.status_code == 400
    assert response.json()["type"] == "/problems/invalid-parameter"
    assert "true, false or layers is expected" in response.json()["detail"]


def test_layers_say_how_active_each_unit_is(service: Server) -> None:
    layers = ask(service, "layers").json()["explanation"]["layers"]
    classifier = Classifier(load(MODELS / "digits-8x8.npz"))
    pixels = preprocess(digit_png(1), classifier.artifact.geometry)
    *hidden, _ = forward(classifier.artifact.layers, pixels[None])
    assert [layer["units"] for layer in layers] == [outputs.shape[1] for outputs in hidden]
    for layer, (outputs,) in zip(layers, hidden, strict=True):
        seen = np.frombuffer(base64.b64decode(layer["values"]), np.uint8) / 255 * layer["largest"]
        np.testing.assert_allclose(seen, outputs.clip(0), atol=layer["largest"] / 500)


def test_the_weights_of_a_unit_come_as_a_picture(service: Server) -> None:
    for layer in range(1, len(load(MODELS / "mnist-28x28.npz").layers)):
        response = requests.get(f"{service.url}/models/mnist-28x28/units/{layer}/3", timeout=30)
        picture = Image.open(io.BytesIO(response.content))
        assert response.headers["Content-Type"] == "image/png"
        assert (picture.size, picture.mode) == ((28, 28), "RGBA")
        assert np.asarray(picture)[..., 3].max() == 255


@pytest.mark.parametrize("path", ["0/1", "9/1", "1/100000"])
def test_a_unit_that_is_not_there_is_not_found(service: Server, path: str) -> None:
    response = requests.get(f"{service.url}/models/mnist-28x28/units/{path}", timeout=30)
    assert response.status_code == 404
    assert "no such unit" in response.json()["detail"]
