"""The paths of the service.

POST /predict, /predict/batch -> images -> preprocess -> classify -> JSON
GET /models, /metrics, /livez, /readyz
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from flask import Blueprint, Response, current_app, g, request

from service.classifier import Classifier, Prediction
from service.config import Settings
from service.explanation import explain
from service.inference import Inference
from service.metrics import CONTENT_TYPE, Metrics
from service.problems import describe
from service.registry import ModelRegistry, NoModelError
from service.requests import flag, many_images, single_image


def create_routes(settings: Settings, models: ModelRegistry, metrics: Metrics) -> Blueprint:
    """Return the routes of the service over its collaborators."""
    routes = Blueprint("service", __name__)
    inference = Inference(settings, metrics)

    @routes.post("/predict")
    def predict() -> dict[str, Any]:
        classifier = models.get(request.args.get("model"))
        steps: list[str] | None = [] if flag(request, "explain") else None
        pixels = inference.prepare(single_image(request), classifier, steps)
        (prediction,) = inference.classify(pixels[None], classifier)
        g.digit, g.model_version = prediction.digit, classifier.artifact.version
        return answer(prediction, classifier, pixels, steps)

    @routes.post("/predict/batch")
    def predict_batch() -> dict[str, Any]:
        classifier = models.get(request.args.get("model"))
        g.model_version = classifier.artifact.version
        explained = flag(request, "explain")
        images = many_images(request, settings.max_batch_images)
        steps: list[list[str] | None] = [[] if explained else None for _ in images]
        outcomes = [
            inference.attempt(image, classifier, told) for image, told in zip(images, steps, strict=True)
        ]
        prepared = [outcome for outcome in outcomes if isinstance(outcome, np.ndarray)]
        predictions = iter(inference.classify(np.stack(prepared), classifier) if prepared else [])
        return {
            "predictions": [
                answer(next(predictions), classifier, outcome, told)
                if isinstance(outcome, np.ndarray)
                else {"error": describe(outcome)}
                for outcome, told in zip(outcomes, steps, strict=True)
            ]
        }

    @routes.get("/models")
    def list_models() -> dict[str, Any]:
        return {
            "default": models.default,
            "models": [summary(classifier) for _, classifier in sorted(models.all().items())],
        }

    @routes.get("/models/<name>")
    def show_model(name: str) -> dict[str, Any]:
        return summary(models.get(name))

    @routes.get("/metrics")
    def show_metrics() -> Response:
        return Response(metrics.render(), content_type=CONTENT_TYPE)

    @routes.get("/livez")
    def livez() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get("/readyz")
    def readyz() -> dict[str, str]:
        if current_app.extensions["draining"]():
            raise NoModelError("The process is shutting down. Send the request again; another one answers.")
        models.get()
        return {"status": "ready"}

    return routes


def answer(
    prediction: Prediction, classifier: Classifier, pixels: np.ndarray, steps: list[str] | None
) -> dict[str, Any]:
    """Return the JSON object for one image; explained where the steps of preprocessing are given."""
    body: dict[str, Any] = {
        "digit": prediction.digit,
        "confidence": prediction.confidence,
        "probabilities": prediction.probabilities,
        "accepted": prediction.accepted,
        "model": {"name": classifier.name, "version": classifier.artifact.version},
    }
    if steps is not None:
        body["explanation"] = explain(pixels, classifier, prediction, steps)
    return body


def summary(classifier: Classifier) -> dict[str, Any]:
    """Return the JSON object that describes a loaded model."""
    artifact = classifier.artifact
    training: Mapping[str, Any] = artifact.metadata["training"]
    return {
        "name": classifier.name,
        "version": artifact.version,
        "sha256": artifact.sha256,
        "input": {"height": artifact.geometry.side, "width": artifact.geometry.side},
        "layers": [
            {
                "inputs": layer.weights.shape[0],
                "outputs": layer.weights.shape[1],
                "activation": layer.activation,
            }
            for layer in artifact.layers
        ],
        "parameters": artifact.parameters,
        "trained_on": {"dataset": training.get("dataset"), "date": training.get("trained_on")},
        "metrics": artifact.metadata["metrics"].get("test", {}),
    }
