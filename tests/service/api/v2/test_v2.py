"""The Open Inference Protocol, spoken by its own client."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import requests
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from tests.drawing import digit_png
from tests.service.api.v2.tensors import (
    DIGITS,
    MODEL,
    assert_as_predict,
    base64_input,
    image_input,
    pixels_input,
    post,
)
from tests.serving import Server, run_alone, running_service


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
        (wrong("pixels", [1, 64], "FP64", np.zeros((1, 64))), "'pixels' is FP64; FP32 is expected"),
        (wrong("pixels", [1, 64], "UINT8", np.zeros((1, 64), "u1")), "'pixels' is UINT8; FP32 is expected"),
        (wrong("pixels", [1, 64], "FP32", np.full((1, 64), np.nan, "f4")), r"must lie in \[0, 1\]"),
        (wrong("pixels", [1, 64], "FP32", np.full((1, 64), 255, "f4")), r"must lie in \[0, 1\]"),
        (wrong("image", [1], "FP32", np.zeros(1, "f4")), "'image' is FP32; BYTES is expected"),
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


def test_predictions_by_either_protocol_are_counted_alike(
    service: Server, client: triton.InferenceServerClient
) -> None:
    before = service.metric("digits_predictions_total", model=MODEL)
    client.infer(MODEL, [image_input(*DIGITS)])
    assert service.metric("digits_predictions_total", model=MODEL) == before + len(DIGITS)
