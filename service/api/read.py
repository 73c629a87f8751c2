"""A page in, its digits out: POST /read.

request -> image -> page reader -> JSON
"""

from typing import Any

from flask import Blueprint, request

from service.api.observability import record_of
from service.api.uploads import parameter, single_image
from service.model.classifier import Classifier
from service.prediction import PageReader
from service.reading import Digit, text_of
from service.registry import ModelRegistry


def create_read(models: ModelRegistry, reader: PageReader) -> Blueprint:
    """Return the route, given the service's collaborators."""
    routes = Blueprint("read", __name__)

    @routes.post("/read")
    async def read() -> dict[str, Any]:
        record = record_of(request.environ)
        classifier = models.get(parameter("model"))
        record.notes["model_version"] = classifier.artifact.version
        outcome = await reader.read(await single_image(), classifier)
        record.queue_seconds = outcome.queue_seconds
        record.notes["digits"] = sum(map(len, outcome.rows))
        return answer(outcome.rows, classifier)

    return routes


def answer(rows: list[list[Digit]], classifier: Classifier) -> dict[str, Any]:
    """Return the JSON object for one page; its lines leave out rows without an accepted digit."""
    lines = [text for row in rows if (text := text_of(row))]
    return {
        "text": "\n".join(lines),
        "lines": lines,
        "digits": [
            {
                "digit": prediction.digit,
                "confidence": prediction.confidence,
                "accepted": prediction.accepted,
                "box": box,
            }
            for row in rows
            for prediction, box in row
        ],
        "model": {"name": classifier.name, "version": classifier.artifact.version},
    }
