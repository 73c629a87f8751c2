"""The Open Inference Protocol (KServe V2 REST) under /v2, so that its clients work unchanged.

    POST /v2/models/NAME/infer -> tensors -> pixels -> classify -> tensors
    input `pixels`: prepared already; input `image`: files, as for POST /predict

Errors are {"error": "..."} instead of problems, as the protocol asks. Protocol:
kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

import gzip
import json
import zlib
from typing import Any

import numpy as np
from flask import Blueprint, Response, request

from service import __version__
from service.api.observability import record_of
from service.api.problems import BrokenBodyError, TooManyImagesError
from service.api.status import check_ready
from service.api.uploads import decode_base64, inflated_body, parsed
from service.api.v2_tensors import InferenceRequest, Output, TensorError, read_request, write_outputs
from service.config import Settings
from service.model.classifier import Classifier, Prediction
from service.predictor import Outcome, Predictor
from service.preprocessing import ImageError
from service.registry import ModelRegistry, UnknownModelError

HEADER_LENGTH = "Inference-Header-Content-Length"
EXTENSIONS = ["binary_tensor_data", "classification", "model_repository(index)"]
OUTPUTS = ("digit", "probabilities", "accepted")
WORTH_COMPRESSING = 1024  # bytes; below, they fit one packet either way


def create_v2(settings: Settings, models: ModelRegistry, predictor: Predictor) -> Blueprint:
    """Return the protocol's routes over the same collaborators as the others."""
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
        asked: InferenceRequest = await parsed(_read)
        wanted = asked.outputs or [Output(each, asked.binary, 0) for each in OUTPUTS]
        for output in wanted:
            if output.name not in OUTPUTS:
                raise TensorError(f"There is no output {output.name!r}. There are {', '.join(OUTPUTS)}.")
        values = _values(await _predictions(asked.inputs, classifier))
        outputs, raw = write_outputs([(output, values[output.name]) for output in wanted])
        answer: dict[str, Any] = {"model_name": classifier.name, "model_version": classifier.artifact.version}
        if asked.id is not None:
            answer["id"] = asked.id
        return _respond(answer | {"outputs": outputs}, raw)

    async def _predictions(inputs: Any, classifier: Classifier) -> list[Prediction]:
        if len(inputs) != 1 or next(iter(inputs)) not in ("pixels", "image"):
            raise TensorError(
                f"The inputs are {', '.join(sorted(inputs))}. Send one, either 'pixels' or 'image'."
            )
        name, array = next(iter(inputs.items()))
        if len(array) > settings.max_batch_images:
            raise TooManyImagesError(
                f"There are {len(array)} images; at most {settings.max_batch_images} are taken at once."
            )
        if not len(array):
            raise TensorError("The shape begins with 0: there is no image in the request.")
        if name == "pixels":
            return await predictor.classify(check_pixels(array, classifier), classifier)
        if array.dtype != object or array.ndim != 1:
            raise TensorError("'image' must be BYTES of shape [n], each element the bytes of an image file.")
        outcomes = await predictor.predict_many([_plain(image) for image in array], classifier)
        return [_prediction(index, outcome) for index, outcome in enumerate(outcomes)]

    v2.register_error_handler(TensorError, _refuse)
    return v2


def model_metadata(classifier: Classifier) -> dict[str, Any]:
    """Return the protocol's metadata of a model; -1 stands for any number of images."""
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


def _read() -> InferenceRequest:
    """Return the current request, parsed."""
    return read_request(inflated_body(), request.headers.get(HEADER_LENGTH))


def _prediction(index: int, outcome: Outcome | ImageError) -> Prediction:
    if isinstance(outcome, ImageError):
        raise type(outcome)(f"Image {index}: {outcome}") from outcome
    return outcome.prediction


def _plain(image: bytes) -> bytes:
    """Return the bytes of an image file, which is sent as it is or, in JSON strings, as base64."""
    try:
        return decode_base64(image) or image  # no image file consists only of base64's characters
    except BrokenBodyError:
        return image


def check_pixels(array: np.ndarray, classifier: Classifier) -> np.ndarray:
    """Return prepared pixels as (n, side * side) float32; raises TensorError.

    array: (n, side * side) or (n, side, side), ink near 1, background 0.
    """
    side = classifier.artifact.geometry.side
    if array.dtype != np.float32:
        raise TensorError("'pixels' must be FP32: ink near 1, background 0.")
    if array.shape[1:] not in ((side * side,), (side, side)):
        raise TensorError(
            f"'pixels' has the shape {list(array.shape)}; [n, {side * side}] or [n, {side}, {side}] "
            "is expected."
        )
    # Averaging in float32 may end a hair above 1. NaN fails both comparisons.
    if not ((array >= 0) & (array <= 1 + 1e-5)).all():
        raise TensorError("'pixels' must lie in [0, 1]: ink near 1, background 0.")
    return array.reshape(len(array), side * side)


def _values(predictions: list[Prediction]) -> dict[str, np.ndarray]:
    return {
        "digit": np.array([each.digit for each in predictions], "<i8"),
        "probabilities": np.array([each.probabilities for each in predictions], "<f4"),
        "accepted": np.array([each.accepted for each in predictions], "?"),
    }


def _refuse(error: TensorError) -> Response:
    record_of(request.environ).problem = "v2-request"
    return Response(json.dumps({"error": str(error)}), 400, content_type="application/json")


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
