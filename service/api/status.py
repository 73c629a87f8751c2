"""Answers about the service itself: GET /models, /metrics, /livez, /readyz."""

import gzip
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, abort, current_app, request

from service.metrics import Metrics
from service.model.classifier import Classifier
from service.model.explanation import unit_weights
from service.registry import ModelRegistry, NoModelError

GZIP_LEVEL = 1  # shrinks the text to a tenth in half a millisecond
DRAINING = "DRAINING"  # key of the application's config: whether the process is stopping


def create_status(models: ModelRegistry, metrics: Metrics) -> Blueprint:
    """Return the routes, given the service's collaborators."""
    routes = Blueprint("status", __name__)

    @routes.get("/models")
    def list_models() -> dict[str, Any]:
        return {
            "default": models.default,
            "explain": ["true", "layers"],
            "models": [summary(classifier) for _, classifier in sorted(models.all().items())],
        }

    @routes.get("/models/<name>")
    def show_model(name: str) -> dict[str, Any]:
        return summary(models.get(name))

    @routes.get("/models/<name>/units/<layer>/<unit>")
    def show_unit(name: str, layer: str, unit: str) -> Response:
        try:
            weights = unit_weights(models.get(name), int(layer), int(unit))
        except (IndexError, ValueError):
            abort(404, "There is no such unit. GET /models/NAME lists the layers; the last one has no units.")
        return Response(weights, content_type="image/png")

    @routes.get("/metrics")
    def show_metrics() -> Response:
        text, content_type = metrics.render(request.headers.get("Accept", ""))
        response = Response(text, content_type=content_type, headers={"Vary": "Accept, Accept-Encoding"})
        if request.accept_encodings.quality("gzip"):
            response.set_data(gzip.compress(text, GZIP_LEVEL, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
        return response

    @routes.get("/livez")
    def livez() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get("/readyz")
    def readyz() -> dict[str, str]:
        check_ready(models)
        return {"status": "ready"}

    return routes


def check_ready(models: ModelRegistry) -> None:
    """Raise NoModelError unless the default model is loaded and the process is not stopping."""
    if current_app.config[DRAINING]:
        raise NoModelError("The process is shutting down. Send the request again; another one answers.")
    models.get()


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
