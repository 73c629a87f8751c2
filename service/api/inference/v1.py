"""KServe's V1 protocol under /v1; TensorFlow Serving has the same one.

    POST /v1/models/NAME:predict {"instances": [...]} -> images or pixels -> {"predictions": [...]}

An instance is an image file, as base64 or {"b64": base64}, or prepared pixels as rows of numbers. Either may
be wrapped in an object under its name. Errors are {"error": "..."}. Protocol: KServe, "V1 protocol".
"""

import json
from typing import Any

import numpy as np
from flask import Blueprint, request

from service.api.inference.predictions import predictions_of, refuse
from service.api.inference.tensors import TensorError, tensor_from_json
from service.api.observability import record_of
from service.api.predict import members
from service.api.uploads import inflated_body, parsed
from service.config import Settings
from service.prediction import Predictor
from service.registry import ModelRegistry

# Names under which an instance may be wrapped. TensorFlow's names of binary tensors must end in _bytes.
NAMES = {"image": "image", "image_bytes": "image", "pixels": "pixels"}
HOW = 'Send {"instances": [...]} with an image as {"b64": "..."}, or rows of pixels.'


def create_v1(settings: Settings, models: ModelRegistry, predictor: Predictor) -> Blueprint:
    """Return the protocol's routes, given the same collaborators as the other routes."""
    v1 = Blueprint("v1", __name__, url_prefix="/v1")

    @v1.get("/models")
    def index() -> dict[str, list[str]]:
        return {"models": sorted(models.all())}

    @v1.get("/models/<name>")
    def model(name: str) -> dict[str, Any]:
        return {"name": models.get(name).name, "ready": True}

    @v1.post("/models/<name>:predict")
    async def predict(name: str) -> dict[str, Any]:
        classifier = models.get(name)
        record_of(request.environ).notes["model_version"] = classifier.artifact.version
        inputs = await parsed(_read, classifier.artifact.geometry.side**2)
        predictions = await predictions_of(inputs, classifier, predictor, settings.max_batch_images)
        return {"predictions": [members(each, classifier) for each in predictions]}

    v1.register_error_handler(TensorError, refuse)
    return v1


def _read(pixels: int) -> dict[str, np.ndarray]:
    """Return the instances of the current request as one named array; pixels: the model's input size."""
    try:
        message = json.loads(inflated_body())
    except (ValueError, RecursionError) as error:
        raise TensorError(f"The JSON of the request cannot be read: {str(error)[:200]}.") from error
    instances = message.get("instances") if isinstance(message, dict) else None
    if not isinstance(instances, list) or not instances:
        raise TensorError(f"There are no instances. {HOW}")
    named = [_named(each) for each in instances]
    if len({name for name, _ in named}) != 1:
        raise TensorError("Some instances are images and some are pixels. Send them in separate requests.")
    name, values = named[0][0], [value for _, value in named]
    shape = (len(values),) if name == "image" else (len(values), pixels)
    return {name: tensor_from_json(name, values, shape)}


def _named(instance: Any) -> tuple[str, Any]:
    """Return the name of the input that an instance is for, and its value."""
    if isinstance(instance, dict) and "b64" not in instance:
        names = [name for name in instance if name in NAMES]
        if len(names) != 1:
            raise TensorError(f"An instance has {', '.join(instance) or 'no members'}. {HOW}")
        return NAMES[names[0]], instance[names[0]]
    return "pixels" if isinstance(instance, list) else "image", instance
