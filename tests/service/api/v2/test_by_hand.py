"""Requests by hand, as no client library would write them, inside of the protocol and outside of it."""

import base64
import gzip
import json
import struct
import zlib
from typing import Any

import pytest
import requests
import tritonclient.http as triton

from service.model.artifact import load
from service.preprocessing.pipeline import preprocess
from tests.drawing import digit_png
from tests.service.api.v2.tensors import DIGITS, MODEL, image_input, post, tensor
from tests.serving import MODELS, Server


def test_nested_data_in_plain_json_is_answered(service: Server) -> None:
    answer = post(service, tensor(data=[[0.5] * 64]) | {"id": "1"}).json()
    assert answer["model_name"] == MODEL
    assert answer["id"] == "1"
    assert [output["name"] for output in answer["outputs"]] == ["digit", "probabilities", "accepted"]
    assert len(answer["outputs"][1]["data"]) == 10
    assert "id" not in post(service, tensor()).json()


def test_images_in_json_are_base64(service: Server, client: triton.InferenceServerClient) -> None:
    encoded = [base64.b64encode(digit_png(digit)).decode() for digit in DIGITS]
    body = {"inputs": [{"name": "image", "shape": [3], "datatype": "BYTES", "data": encoded}]}
    digits = post(service, body).json()["outputs"][0]["data"]
    assert digits == client.infer(MODEL, [image_input(*DIGITS)]).as_numpy("digit").tolist()


def test_an_image_in_json_may_be_wrapped_as_b64(service: Server) -> None:
    encoded = [base64.b64encode(digit_png(digit)).decode() for digit in DIGITS]
    data = [{"b64": text} for text in encoded[:2]] + encoded[2:]
    body = {"inputs": [{"name": "image", "shape": [3], "datatype": "BYTES", "data": data}]}
    plain = {"inputs": [{"name": "image", "shape": [3], "datatype": "BYTES", "data": encoded}]}
    assert post(service, body).json() == post(service, plain).json()


@pytest.mark.parametrize("model", ["digits-8x8", "mnist-28x28"])
@pytest.mark.parametrize("kind", ["pixels", "image"])
def test_a_raw_tensor_without_json_is_answered_in_binary(service: Server, model: str, kind: str) -> None:
    pixels = preprocess(digit_png(7), load(MODELS / f"{model}.npz").geometry).astype("<f4")
    raw = pixels.tobytes() if kind == "pixels" else digit_png(7)
    headers = {"Inference-Header-Content-Length": "0", "Content-Type": "application/octet-stream"}
    response = requests.post(f"{service.url}/v2/models/{model}/infer", raw, headers=headers, timeout=30)
    length = int(response.headers["Inference-Header-Content-Length"])
    result = triton.InferenceServerClient.parse_response_body(response.content, header_length=length)
    assert result.as_numpy("digit").tolist() == [7]
    assert all("data" not in output for output in result.get_response()["outputs"])


HUGE = {"Inference-Header-Content-Length": "99999"}


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        (b"", {}, "cannot be read"),
        (b"\xff\xfe", {}, "cannot be read"),
        (b"[" * 100_000, {}, "cannot be read"),
        ([], {}, "must be a JSON object"),
        ({}, {}, "'inputs' must be a list"),
        ({"inputs": ["pixels"]}, {}, "must be an object"),
        (tensor(name=7), {}, "must be a string"),
        (tensor() | {"id": 7}, {}, "'id' must be a string"),
        (tensor(shape=[1, -64]), {}, "whole numbers"),
        (tensor(shape=[1, True]), {}, "whole numbers"),
        (tensor(shape=[2**40, 2**40]), {}, "of reasonable size"),
        (tensor(data=[0.5] * 63), {}, "has 63 elements"),
        (tensor(data=[[0.5] * 32, [0.5] * 16, 0.5]), {}, "uneven"),
        (tensor(data=["a"] * 64), {}, "must be numbers"),
        (tensor(data=[True] * 64), {}, "must be numbers"),
        (tensor(data=[10**400] * 64), {}, "does not fit FP32"),
        (tensor(data=None), {}, "neither 'data'"),
        (tensor(parameters=[]), {}, "'parameters' must be an object"),
        (tensor(parameters={"binary_data_size": 256}), {}, "both 'data' and"),
        ({"inputs": tensor()["inputs"] * 2}, {}, "appears twice"),
        (
            tensor() | {"outputs": [{"name": "digit", "parameters": {"classification": 3}}]},
            {},
            "Only 'probabilities'",
        ),
        (tensor() | {"outputs": [{}]}, {}, "needs a name"),
        (tensor(), HUGE, "the length in bytes of the JSON part"),
        (tensor(), {"Inference-Header-Content-Length": "-1"}, "the length in bytes of the JSON part"),
        (
            tensor(name="image", datatype="BYTES", shape=[1], data=[{"b65": ""}]),
            {},
            'strings, or {"b64": "..."}',
        ),
        (tensor(name="image", datatype="BYTES", shape=[1], data=[{"b64": "?"}]), {}, "is not base64"),
        (b"", {"Inference-Header-Content-Length": "0"}, "Image 0: The image has 0 bytes"),
        (
            json.dumps(tensor()).encode() + b"abc",
            {"Inference-Header-Content-Length": str(len(json.dumps(tensor())))},
            "3 bytes of binary data belong to no input",
        ),
        (b"no gzip", {"Content-Encoding": "gzip"}, "is not gzip"),
        (
            gzip.compress(json.dumps(tensor()).encode(), mtime=0)[:-9],
            {"Content-Encoding": "gzip"},
            "cut short",
        ),
    ],
)
def test_a_request_outside_the_protocol_gets_400_and_an_error(
    service: Server, body: Any, headers: dict[str, str], message: str
) -> None:
    response = post(service, body, headers=headers)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/json"
    assert list(response.json()) == ["error"]
    assert message in response.json()["error"]


@pytest.mark.parametrize(
    ("datatype", "shape", "raw", "message"),
    [
        ("FP32", [1, 64], b"\0" * 255, r"has 255 bytes; FP32 [1, 64] takes 256"),
        ("FP32", [1, 64], b"\0" * 260, r"has 260 bytes; FP32 [1, 64] takes 256"),
        ("BYTES", [1], struct.pack("<I", 5) + b"abc", "ends within an element"),
        ("BYTES", [1], b"\x01\x00", "ends within a length"),
        ("BYTES", [2], struct.pack("<I", 3) + b"abc", "holds 1 elements"),
    ],
)
def test_raw_data_of_the_wrong_size_is_refused(
    service: Server, datatype: str, shape: list[int], raw: bytes, message: str
) -> None:
    described = {
        "name": "image" if datatype == "BYTES" else "pixels",
        "shape": shape,
        "datatype": datatype,
        "parameters": {"binary_data_size": len(raw)},
    }
    header = json.dumps({"inputs": [described]}).encode()
    response = post(service, header + raw, headers={"Inference-Header-Content-Length": str(len(header))})
    assert response.status_code == 400
    assert message in response.json()["error"]


def test_a_body_that_inflates_beyond_the_limit_is_refused(service: Server) -> None:
    bomb = zlib.compress(b" " * 50_000_000)
    response = post(service, bomb, headers={"Content-Encoding": "deflate"})
    assert response.status_code == 413
    assert "larger than" in response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/unknown", 404),
        ("GET", f"/v2/models/{MODEL}/versions/1", 404),
        ("GET", f"/v2/models/{MODEL}/config", 404),
        ("POST", "/v2/models/unknown/infer", 404),
        ("GET", f"/v2/models/{MODEL}/infer", 405),
        ("DELETE", "/v2", 405),
        ("POST", f"/v2/models/{MODEL}/infer", 400),
    ],
)
def test_every_error_under_v2_has_the_protocols_form(
    service: Server, method: str, path: str, status: int
) -> None:
    response = requests.request(method, service.url + path, timeout=30)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    assert list(response.json()) == ["error"]
