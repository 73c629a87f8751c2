"""Images in, predictions out: POST /predict and /predict/batch.

request -> image -> predictor -> JSON
"""

import asyncio
from typing import Any

from flask import Blueprint, request

from service.api.observability import record_of
from service.api.problems import describe
from service.api.uploads import against, explanation, many_images, parameter, single_image
from service.config import Settings
from service.model.classifier import Classifier, Prediction
from service.model.explanation import explain, hidden_layers
from service.prediction import Outcome, Predictor
from service.preprocessing import ImageError
from service.registry import ModelRegistry


def create_predict(settings: Settings, models: ModelRegistry, predictor: Predictor) -> Blueprint:
    """Return the routes, given the service's collaborators."""
    routes = Blueprint("predict", __name__)

    @routes.post("/predict")
    async def predict() -> dict[str, Any]:
        record = record_of(request.environ)
        classifier = models.get(parameter("model"))
        explained, other = explanation(), against()
        outcome = await predictor.predict(await single_image(), classifier, explained != "no")
        record.queue_seconds, record.stages = outcome.queue_seconds, outcome.stages
        record.notes["digit"] = outcome.prediction.digit
        record.notes["model_version"] = classifier.artifact.version
        return answer(outcome, explained, other)

    @routes.post("/predict/batch")
    async def predict_batch() -> dict[str, Any]:
        record = record_of(request.environ)
        classifier = models.get(parameter("model"))
        record.notes["model_version"] = classifier.artifact.version
        explained = explanation()
        images = await many_images(settings.max_batch_images)
        outcomes = await predictor.predict_many(images, classifier, explained != "no")
        record.notes["images"] = len(images)
        predictions: list[dict[str, Any]] = []
        for outcome in outcomes:
            if isinstance(outcome, ImageError):
                predictions.append({"error": describe(outcome)})
                continue
            record.stages += outcome.stages
            predictions.append(answer(outcome, explained))
            if explained != "no":
                await asyncio.sleep(0)  # explaining takes long, so let other requests have a turn
        return {"predictions": predictions}

    return routes


def answer(outcome: Outcome, explained: str, other: int | None = None) -> dict[str, Any]:
    """Return the JSON object for one image.

    explained: "no", "yes" or "layers". other: the digit that the explanation compares the answer with.
    """
    prediction, classifier = outcome.prediction, outcome.classifier
    body = members(prediction, classifier)
    if explained != "no":
        body["explanation"] = explain(outcome.pixels, classifier, prediction, outcome.steps or [], other)
    if explained == "layers":
        body["explanation"]["layers"] = hidden_layers(outcome.pixels, classifier)
    return body


def members(prediction: Prediction, classifier: Classifier) -> dict[str, Any]:
    """Return the JSON object of a prediction, without an explanation."""
    return {
        "digit": prediction.digit,
        "confidence": prediction.confidence,
        "probabilities": prediction.probabilities,
        "accepted": prediction.accepted,
        **({"reason": prediction.reason} if prediction.reason else {}),
        "model": {"name": classifier.name, "version": classifier.artifact.version},
    }
