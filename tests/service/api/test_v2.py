"""The Open Inference Protocol, spoken by its own client, and by hand where that one is too polite."""

import asyncio
import base64
import gzip
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from service.model.artifact import load
from service.preprocessing.pipeline import preprocess
from tests.drawing import digit_png
from tests.serving import MODELS, Server, run_alone, running_service

MODEL = "digits-8x8"
DIGITS = (3, 7, 0)


@pytest.fixture
def client(service: Server) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(service.url.removeprefix("http://"))
    yield client
    client.close()


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


def test_the_server_is_live_and_ready(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert not client.is_model_ready("unknown")


def test_the_server_tells_its_name_and_extensions(client: triton.InferenceServerClient) -> None:
    metadata = client.get_server_metadata()
    assert metadata["name"] == "digits"
    assert {"binary_tensor_data", "classification"} <= set(metadata["extensions"])


@pytest.mark.parametrize("model", ["digits-8x8", "mnist-28x28"])
def test_a_model_tells_its_versions_and_tensors(
    client: triton.InferenceServerClient, service: Server, model: str
) -> None:
    summary = requests.get(f"{service.url}/models/{model}", timeout=30).json()
    pixels = summary["input"]["height"] * summary["input"]["width"]
    for version in ("", summary["version"]):
        metadata = client.get_model_metadata(model, version)
        assert metadata["versions"] == [summary["version"]]
        assert metadata["inputs"][0] == {"name": "pixels", "datatype": "FP32", "shape": [-1, pixels]}
        assert client.is_model_ready(model, version)
    assert not client.is_model_ready(model, "000000000000")


def test_the_index_lists_the_models(client: triton.InferenceServerClient, service: Server) -> None:
    names = [model["name"] for model in requests.get(f"{service.url}/models", timeout=30).json()["models"]]
    assert [each["name"] for each in client.get_model_repository_index()] == names
    assert requests.get(f"{service.url}/v2/models", timeout=30).json() == {"models": names}


@pytest.mark.parametrize("model", ["digits-8x8", "mnist-28x28"])
@pytest.mark.parametrize("binary_in", [True, False], ids=["binary input", "json input"])
@pytest.mark.parametrize("binary_out", [True, False], ids=["binary output", "json output"])
@pytest.mark.parametrize("flat", [True, False], ids=["rows", "squares"])
def test_pixels_are_answered_as_predict_answers_the_images(
    client: triton.InferenceServerClient,
    service: Server,
    model: str,
    binary_in: bool,
    binary_out: bool,
    flat: bool,
) -> None:
    outputs = [
        triton.InferRequestedOutput(name, binary_data=binary_out)
        for name in ("accepted", "digit", "probabilities")
    ]
    result = client.infer(model, [pixels_input(model, flat, binary_in)], outputs=outputs, request_id="abc")
    assert result.get_response()["id"] == "abc"
    assert_as_predict(service, result, model)


def test_each_output_comes_as_it_was_asked_for(client: triton.InferenceServerClient, service: Server) -> None:
    forms = {"digit": False, "probabilities": True, "accepted": False}
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name, binary in forms.items()]
    result = client.infer(MODEL, [pixels_input()], outputs=outputs)
    came = {output["name"]: "data" not in output for output in result.get_response()["outputs"]}
    assert came == forms
    assert_as_predict(service, result)


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_images_are_answered_as_predict_answers_them(
    client: triton.InferenceServerClient, service: Server, compression: str | None
) -> None:
    result = client.infer(
        MODEL,
        [image_input(*DIGITS)],
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    assert_as_predict(service, result)


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_a_long_answer_comes_compressed_to_who_asks(
    client: triton.InferenceServerClient, service: Server, compression: str
) -> None:
    digits = DIGITS * 20
    result = client.infer(MODEL, [image_input(*digits)], response_compression_algorithm=compression)
    assert (
        result.as_numpy("digit").tolist()
        == client.infer(MODEL, [image_input(*digits)]).as_numpy("digit").tolist()
    )
    body = {"inputs": [{"name": "pixels", "shape": [60, 64], "datatype": "FP32", "data": [0.5] * 64 * 60}]}
    response = post(service, body, headers={"Accept-Encoding": compression})
    assert response.headers["Content-Encoding"] == compression


def test_several_requests_at_once_get_their_own_answers(service: Server) -> None:
    client = triton.InferenceServerClient(service.url.removeprefix("http://"), concurrency=4)
    requested = [client.async_infer(MODEL, [image_input(digit)]) for digit in DIGITS]
    digits = [each.get_result().as_numpy("digit").tolist() for each in requested]
    assert digits == [[service.predict(digit_png(digit), model=MODEL).json()["digit"]] for digit in DIGITS]
    client.close()


@pytest.mark.parametrize("binary", [True, False])
def test_a_classification_gives_the_best_first(client: triton.InferenceServerClient, binary: bool) -> None:
    output = triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=3)
    both = [output, triton.InferRequestedOutput("digit")]
    result = client.infer(MODEL, [image_input(*DIGITS)], outputs=both)
    best = result.as_numpy("probabilities")
    assert best.shape == (3, 3)
    for row, digit in zip(best, result.as_numpy("digit"), strict=True):
        values, indices, labels = zip(
            *[(cell if isinstance(cell, str) else cell.decode()).split(":") for cell in row], strict=True
        )
        assert indices == labels
        assert int(indices[0]) == digit
        assert sorted(values, key=float, reverse=True) == list(values)


def test_a_version_can_be_asked_for(client: triton.InferenceServerClient, service: Server) -> None:
    version = requests.get(f"{service.url}/models/{MODEL}", timeout=30).json()["version"]
    assert (
        client.infer(MODEL, [image_input(1)], model_version=version).get_response()["model_version"]
        == version
    )
    with pytest.raises(InferenceServerException, match=r"has no version '1'"):
        client.infer(MODEL, [image_input(1)], model_version="1")


def wrong(name: str, shape: list[int], datatype: str, array: np.ndarray) -> triton.InferInput:
    tensor = triton.InferInput(name, shape, datatype)
    tensor.set_data_from_numpy(array)
    return tensor


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (wrong("pixels", [1, 63], "FP32", np.zeros((1, 63), "f4")), r"\[n, 64\] or \[n, 8, 8\] is expected"),
        (wrong("pixels", [64], "FP32", np.zeros(64, "f4")), r"\[n, 64\] or"),
        (wrong("pixels", [0, 64], "FP32", np.zeros((0, 64), "f4")), "no image"),
        (wrong("pixels", [1, 64], "FP64", np.zeros((1, 64))), "'pixels' is FP64; FP32 can be read"),
        (wrong("pixels", [1, 64], "UINT8", np.zeros((1, 64), "u1")), "'pixels' is UINT8; FP32 can be read"),
        (wrong("pixels", [1, 64], "FP32", np.full((1, 64), np.nan, "f4")), r"must lie in \[0, 1\]"),
        (wrong("pixels", [1, 64], "FP32", np.full((1, 64), 255, "f4")), r"must lie in \[0, 1\]"),
        (wrong("image", [1], "FP32", np.zeros(1, "f4")), "'image' is FP32; BYTES can be read"),
        (wrong("image", [1, 1], "BYTES", np.array([[digit_png(1)]], object)), r"must have the shape \[n\]"),
        (wrong("image", [1], "BYTES", np.array([b"no image"], object)), "Image 0: The bytes are not those"),
        (
            wrong("image", [2], "BYTES", np.array([digit_png(1), b""], object)),
            "Image 1: The image has 0 bytes",
        ),
        (
            wrong("input", [1, 64], "FP32", np.zeros((1, 64), "f4")),
            r"no input 'input'\. Send one, either 'pixels' \(FP32\) or 'image' \(BYTES\)",
        ),
        (wrong("pixels", [257, 64], "FP32", np.zeros((257, 64), "f4")), "at most 256 are taken"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.name()} {value.datatype()}",
)
def test_a_wrong_tensor_is_refused_with_a_reason(
    client: triton.InferenceServerClient, tensor: triton.InferInput, message: str
) -> None:
    with pytest.raises(InferenceServerException, match=message) as caught:
        client.infer(MODEL, [tensor])
    assert caught.value.status() in ("400", "413", "415", "422")


def test_an_unknown_output_is_refused(client: triton.InferenceServerClient) -> None:
    with pytest.raises(
        InferenceServerException, match=r"no output 'logits'\. There are digit, probabilities, accepted"
    ):
        client.infer(MODEL, [image_input(1)], outputs=[triton.InferRequestedOutput("logits")])


def post(service: Server, body: Any, **options: Any) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body)
    return requests.post(f"{service.url}/v2/models/{MODEL}/infer", data=data, timeout=30, **options)


def tensor(**changes: Any) -> dict[str, Any]:
    return {
        "inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": [0.5] * 64} | changes]
    }


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


@pytest.mark.parametrize("binary", [True, False])
def test_the_asynchronous_client_gets_the_same_answers(service: Server, binary: bool) -> None:
    async def ask() -> list[int]:
        async with triton_aio.InferenceServerClient(service.url.removeprefix("http://")) as client:
            inputs = [image_input(digit) if binary else base64_input(digit) for digit in DIGITS]
            asked = [client.infer(MODEL, [each]) for each in inputs]
            return [each.as_numpy("digit").item() for each in await asyncio.gather(*asked)]

    assert run_alone(ask()) == [
        service.predict(digit_png(each), model=MODEL).json()["digit"] for each in DIGITS
    ]


def test_without_a_model_the_server_is_live_but_not_ready(tmp_path: Path) -> None:
    with running_service(tmp_path, "/livez", DIGITS_DEFAULT_MODEL="unknown", WEB_CONCURRENCY="1") as server:
        client = triton.InferenceServerClient(server.url.removeprefix("http://"))
        assert client.is_server_live()
        assert not client.is_server_ready()
        client.close()
        response = requests.get(f"{server.url}/v2/health/ready", timeout=30)
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    assert "'unknown' is not loaded" in response.json()["error"]


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


def test_predictions_by_either_protocol_are_counted_alike(
    service: Server, client: triton.InferenceServerClient
) -> None:
    before = service.metric("digits_predictions_total", model=MODEL)
    client.infer(MODEL, [image_input(*DIGITS)])
    assert service.metric("digits_predictions_total", model=MODEL) == before + len(DIGITS)
