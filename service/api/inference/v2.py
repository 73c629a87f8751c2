"""The Open Inference Protocol (KServe V2 REST) under /v2, so that its clients work unchanged.

    POST /v2/models/NAME/infer -> tensors -> pixels -> classify -> tensors
    input `pixels`: already prepared; input `image`: files, as for POST /predict

Errors are {"error": "..."} instead of problems, as the protocol requires. Protocol:
kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

import gzip
import json
import zlib
from typing import Any

import numpy as np
from flask import Blueprint, Response, request

from service import __version__
from service.api.inference.predictions import predictions_of, refuse
from service.api.inference.tensors import (
    HEADER_LENGTH,
    InferenceRequest,
    Output,
    TensorError,
    raw_request,
    read_request,
    write_outputs,
)
from service.api.observability import record_of
from service.api.status import check_ready
from service.api.uploads import inflated_body, parsed
from service.config import Settings
from service.model.classifier import Classifier, Prediction
from service.prediction import Predictor
from service.registry import ModelRegistry, UnknownModelError

EXTENSIONS = ["binary_tensor_data", "classification", "model_repository(index)"]
OUTPUTS = ("digit", "probabilities", "accepted")
WORTH_COMPRESSING = 1024  # bytes; a smaller body fits into one packet anyway


def create_v2(settings: Settings, models: ModelRegistry, predictor: Predictor) -> Blueprint:
    """Return the protocol's routes, given the same collaborators as the other routes."""
    v2 = Blueprint("v2", __name__, url_prefix="/v2")

    def find(name: str, version: str | None) -> Classifier:
        classifier = models.get(name)
        if version not in (None, classifier.artifact.version):
            raise UnknownModelError(
                f"The model {name!r} has no version {version!r}; it has {classifier.artifact.version!r}."
            )
        return classifier

    @v2.get("")
    @v2.get("/")
    def server() -> dict[str, Any]:
        return {"name": "digits", "version": __version__, "extensions": EXTENSIONS}

    @v2.get("/health/live")
    def live() -> dict[str, bool]:
        return {"live": True}

    @v2.get("/health/ready")
    def ready() -> dict[str, bool]:
        check_ready(models)
        return {"live": True, "ready": True}

    @v2.get("/models")
    def index() -> dict[str, list[str]]:
        return {"models": sorted(models.all())}

    @v2.post("/repository/index")
    def repository_index() -> list[dict[str, str]]:
        return [
            {"name": name, "version": classifier.artifact.version, "state": "READY", "reason": ""}
            for name, classifier in sorted(models.all().items())
        ]

    @v2.get("/models/<name>")
    @v2.get("/models/<name>/versions/<version>")
    def model(name: str, version: str | None = None) -> dict[str, Any]:
        return model_metadata(find(name, version))

    @v2.get("/models/<name>/ready")
    @v2.get("/models/<name>/versions/<version>/ready")
    def model_ready(name: str, version: str | None = None) -> dict[str, Any]:
        return {"name": find(name, version).name, "ready": True}

    @v2.post("/models/<name>/infer")
    @v2.post("/models/<name>/versions/<version>/infer")
    async def infer(name: str, version: str | None = None) -> Response:
        classifier = find(name, version)
        record_of(request.environ).notes["model_version"] = classifier.artifact.version
        message: InferenceRequest = await parsed(_read, classifier.artifact.geometry.side**2)
        wanted = message.outputs or [Output(each, message.binary, 0) for each in OUTPUTS]
        for output in wanted:
            if output.name not in OUTPUTS:
                raise TensorError(f"There is no output {output.name!r}. There are {', '.join(OUTPUTS)}.")
        predictions = await predictions_of(message.inputs, classifier, predictor, settings.max_batch_images)
        values = _values(predictions)
        outputs, raw = write_outputs([(output, values[output.name]) for output in wanted])
        answer: dict[str, Any] = {"model_name": classifier.name, "model_version": classifier.artifact.version}
        if message.id is not None:
            answer["id"] = message.id
        return _respond(answer | {"outputs": outputs}, raw)

    v2.register_error_handler(TensorError, refuse)
    return v2


def model_metadata(classifier: Classifier) -> dict[str, Any]:
    """Return a model's metadata as the protocol defines it; -1 stands for any number of images."""
    side = classifier.artifact.geometry.side
    return {
        "name": classifier.name,
        "versions": [classifier.artifact.version],
        "platform": "numpy_npz",
        "inputs": [
            {"name": "pixels", "datatype": "FP32", "shape": [-1, side * side]},
            {"name": "image", "datatype": "BYTES", "shape": [-1]},
        ],
        "outputs": [
            {"name": "digit", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]},
            {"name": "accepted", "datatype": "BOOL", "shape": [-1]},
        ],
    }


def _read(pixels: int) -> InferenceRequest:
    """Return the current request, parsed; pixels: the model's input size."""
    header_length = request.headers.get(HEADER_LENGTH)
    if header_length == "0":
        return raw_request(inflated_body(), pixels)
    return read_request(inflated_body(), header_length)


def _values(predictions: list[Prediction]) -> dict[str, np.ndarray]:
    return {
        "digit": np.array([each.digit for each in predictions], "<i8"),
        "probabilities": np.array([each.probabilities for each in predictions], "<f4"),
        "accepted": np.array([each.accepted for each in predictions], "?"),
    }


def _respond(answer: dict[str, Any], raw: bytes) -> Response:
    header = json.dumps(answer).encode()
    response = Response(header + raw, content_type="application/octet-stream" if raw else "application/json")
    if raw:
        response.headers[HEADER_LENGTH] = str(len(header))  # before any compression
    accepted = request.accept_encodings
    encoding = accepted.best_match(["identity", "gzip", "deflate"], default="identity")
    body = response.get_data()
    if encoding != "identity" and len(body) > WORTH_COMPRESSING:
        response.set_data(gzip.compress(body, 1, mtime=0) if encoding == "gzip" else zlib.compress(body, 1))
        response.headers["Content-Encoding"] = encoding
    response.headers["Vary"] = "Accept-Encoding"
    return response
