"""Images in, predictions out: POST /predict and /predict/batch.

    request -> images -> preprocess -> classify -> JSON

Answered ahead of Flask, which serves everything else: its contexts, hooks and dispatch would take
longer than the network does.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from werkzeug import Request
from werkzeug.datastructures import EnvironHeaders

from service.access import Key
from service.config import Settings
from service.exchange import Exchange, exchange_of
from service.inference import Inference, Queue, Taken
from service.metrics import Metrics
from service.model.classifier import Prediction
from service.model.explanation import explain
from service.preprocessing.errors import ImageError
from service.problems import answer_error, describe
from service.registry import ModelRegistry
from service.requests import ImageRequest, check_size, flag, many_images, single_image

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

OTHER_PARTS = 8  # of a form, beside the images
Members = Callable[[], dict[str, Any]]  # makes the members of an answer
encode = json.JSONEncoder(separators=(",", ":")).encode


class Uploads:
    """A WSGI application for the paths in `routes`, POST alone."""

    def __init__(self, settings: Settings, models: ModelRegistry, metrics: Metrics, key: Key) -> None:
        self._models = models
        self._inference = Inference(settings, metrics)
        self._key = key
        self._most = settings.max_batch_images
        self._max_bytes = settings.max_upload_bytes
        self.routes: dict[str, Callable[[ImageRequest, Exchange], Members]] = {
            "/predict": self.predict,
            "/predict/batch": self.predict_batch,
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Take in one request, the path of which is one of `routes`; who iterates has it answered."""
        exchange = exchange_of(environ)
        exchange.route = environ["PATH_INFO"]
        try:
            check_size(environ)
            self._key.check(exchange.route, EnvironHeaders(environ))
            request = ImageRequest(environ, self._max_bytes, self._most + OTHER_PARTS)
            members = self.routes[exchange.route](request, exchange)
        except Exception as error:
            return self._refuse(error, environ, start_response)
        return self._answer(members, environ, start_response)

    def _answer(
        self, members: Members, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterator[bytes]:
        """Yield the answer."""
        try:
            body = f"{encode(members())}\n".encode()
        except Exception as error:
            yield from self._refuse(error, environ, start_response)
            return
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        yield body

    def _refuse(
        self, error: Exception, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer with an error."""
        asked = Request(environ, populate_request=False)
        asked.max_content_length = self._max_bytes
        return answer_error(error, asked)(environ, start_response)

    def predict(self, request: ImageRequest, exchange: Exchange) -> Members:
        """Take in the one image of a request; return what makes its JSON object."""
        classifier = self._models.get(request.args.get("model"))
        steps: list[str] | None = [] if flag(request, "explain") else None
        taken = self._inference.take(single_image(request), classifier, steps)

        def members() -> dict[str, Any]:
            prediction = self._inference.result(taken)
            exchange.noted |= {"digit": prediction.digit, "model_version": classifier.artifact.version}
            return answer(prediction, taken)

        return members

    def predict_batch(self, request: ImageRequest, exchange: Exchange) -> Members:
        """Take in all images of a request; return what makes the JSON object with a member for each.

        That is an error where the image has one.
        """
        classifier = self._models.get(request.args.get("model"))
        exchange.noted["model_version"] = classifier.artifact.version
        explained = flag(request, "explain")
        queue = Queue(self._most)
        images = [
            self._inference.take(image, classifier, [] if explained else None, queue)
            for image in many_images(request, self._most)
        ]
        return lambda: {"predictions": [self._answer_one(taken) for taken in images]}

    def _answer_one(self, taken: Taken) -> dict[str, Any]:
        """Return the JSON object for one image of many."""
        try:
            return answer(self._inference.result(taken), taken)
        except ImageError as error:
            return {"error": describe(error)}


def answer(prediction: Prediction, taken: Taken) -> dict[str, Any]:
    """Return the JSON object for one image; explained where the steps of preprocessing are told."""
    classifier = taken.classifier
    body: dict[str, Any] = {
        "digit": prediction.digit,
        "confidence": prediction.confidence,
        "probabilities": prediction.probabilities,
        "accepted": prediction.accepted,
        "model": {"name": classifier.name, "version": classifier.artifact.version},
    }
    if taken.steps is not None:
        body["explanation"] = explain(taken.picture, classifier, prediction, taken.steps)
    return body
