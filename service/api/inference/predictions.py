"""From named arrays to predictions, for KServe's inference protocols V1 and V2.

{"pixels": (n, side * side)} -> checked -> classified  -> predictions
{"image": (n,) of bytes}     -> as for POST /predict   ->
"""

import json
import time
from collections.abc import Mapping

import numpy as np
from flask import Response, request

from service.api.inference.tensors import INPUTS_IN_WORDS, TensorError
from service.api.observability import record_of
from service.api.problems import BrokenBodyError, TooManyImagesError
from service.api.uploads import decode_base64
from service.model.classifier import Classifier, Prediction
from service.prediction import Outcome, Predictor
from service.preprocessing import ImageError
from service.tracing import Stage


async def predictions_of(
    inputs: Mapping[str, np.ndarray], classifier: Classifier, predictor: Predictor, limit: int
) -> list[Prediction]:
    """Return a prediction for each row of the only input.

    limit: the most rows allowed. Raises TensorError, ImageError or TooManyImagesError.
    """
    if len(inputs) != 1:
        raise TensorError(f"There are several inputs. Send one, either {INPUTS_IN_WORDS}.")
    name, array = next(iter(inputs.items()))
    if len(array) > limit:
        raise TooManyImagesError(f"There are {len(array)} images; at most {limit} are taken at once.")
    if not len(array):
        raise TensorError("The shape begins with 0: there is no image in the request.")
    if name == "pixels":
        started = time.perf_counter()
        predictions = await predictor.classify(check_pixels(array, classifier), classifier)
        record_of(request.environ).stages.append(Stage("infer", started, time.perf_counter()))
        return predictions
    if array.ndim != 1:
        raise TensorError("'image' must have the shape [n], each element the bytes of an image file.")
    outcomes = await predictor.predict_many([_plain(image) for image in array], classifier)
    for outcome in outcomes:
        if isinstance(outcome, Outcome):
            record_of(request.environ).stages += outcome.stages
    return [_prediction(index, outcome) for index, outcome in enumerate(outcomes)]


def check_pixels(array: np.ndarray, classifier: Classifier) -> np.ndarray:
    """Return prepared pixels as (n, side * side) float32; raises TensorError.

    array: float32, (n, side * side) or (n, side, side), ink near 1, background 0.
    """
    side = classifier.artifact.geometry.side
    if array.shape[1:] not in ((side * side,), (side, side)):
        raise TensorError(
            f"'pixels' has the shape {list(array.shape)}; [n, {side * side}] or [n, {side}, {side}] "
            "is expected."
        )
    # An average in float32 may come out slightly above 1. NaN fails both comparisons.
    if not ((array >= 0) & (array <= 1 + 1e-5)).all():
        raise TensorError("'pixels' must lie in [0, 1]: ink near 1, background 0.")
    return array.reshape(len(array), side * side)


def refuse(error: TensorError) -> Response:
    """Return the answer to a request that does not follow its protocol."""
    record_of(request.environ).problem = "v2-request"
    return Response(json.dumps({"error": str(error)}), 400, content_type="application/json")


def _prediction(index: int, outcome: Outcome | ImageError) -> Prediction:
    if isinstance(outcome, ImageError):
        raise type(outcome)(f"Image {index}: {outcome}") from outcome
    return outcome.prediction


def _plain(image: bytes) -> bytes:
    """Return the bytes of an image file, which clients send as they are or, in JSON, as base64."""
    try:
        return decode_base64(image) or image  # no image file consists only of base64's characters
    except BrokenBodyError:
        return image
