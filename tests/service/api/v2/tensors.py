"""Tensors for the protocol's client, and by hand where that one is too polite."""

import base64
import json
from typing import Any

import numpy as np
import requests
import tritonclient.http as triton

from service.model.artifact import load
from service.preprocessing.pipeline import preprocess
from tests.drawing import digit_png
from tests.serving import MODELS, Server

MODEL = "digits-8x8"


DIGITS = (3, 7, 0)


def image_input(*digits: int, binary: bool = True) -> triton.InferInput:
    images = [digit_png(digit) for digit in digits]
    tensor = triton.InferInput("image", [len(images)], "BYTES")
    tensor.set_data_from_numpy(np.array(images, object), binary_data=binary)
    return tensor


def base64_input(digit: int) -> triton.InferInput:
    tensor = triton.InferInput("image", [1], "BYTES")
    encoded = np.array([base64.b64encode(digit_png(digit)).decode()], object)
    tensor.set_data_from_numpy(encoded, binary_data=False)
    return tensor


def pixels_input(model: str = MODEL, flat: bool = True, binary: bool = True) -> triton.InferInput:
    geometry = load(MODELS / f"{model}.npz").geometry
    pixels = np.stack([preprocess(digit_png(digit), geometry) for digit in DIGITS]).astype(np.float32)
    if not flat:
        pixels = pixels.reshape(-1, geometry.side, geometry.side)
    tensor = triton.InferInput("pixels", list(pixels.shape), "FP32")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    return tensor


def assert_as_predict(service: Server, result: triton.InferResult, model: str = MODEL) -> None:
    expected = [service.predict(digit_png(digit), model=model).json() for digit in DIGITS]
    assert result.as_numpy("digit").tolist() == [each["digit"] for each in expected]
    assert result.as_numpy("accepted").tolist() == [each["accepted"] for each in expected]
    probabilities = result.as_numpy("probabilities")
    assert probabilities.dtype == np.float32
    # One row or three, float32 sums differ in the last bits.
    assert np.allclose(probabilities, [each["probabilities"] for each in expected], atol=1e-5)


def post(service: Server, body: Any, **options: Any) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body)
    return requests.post(f"{service.url}/v2/models/{MODEL}/infer", data=data, timeout=30, **options)


def tensor(**changes: Any) -> dict[str, Any]:
    return {
        "inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": [0.5] * 64} | changes]
    }
