"""From decoded pictures to answers; if a picture has several readings, the most digit-like one counts.

    pictures -> readings of each -> one forward pass for all -> the least novel of each -> Answer

The service, the trainer and the evaluation all use these functions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from service.model.classifier import Classifier, Prediction
from service.model.network import FEW_ROWS
from service.preprocessing import Geometry, Reading, decode, look_again, read_grey


class Answer(NamedTuple):
    """The prediction for a picture, and the reading that was classified."""

    prediction: Prediction
    reading: Reading


def choose(classifier: Classifier, pictures: Sequence[Sequence[Reading]]) -> list[Answer]:
    """Return the answer for each picture, given its readings, at least one.

    The reading with the lowest novelty counts; without a rejector, the one with the highest confidence. All
    readings go through the network together, a few rows at a time, so that no answer depends on other
    pictures.
    """
    rows = [reading for readings in pictures for reading in readings]
    predictions: list[Prediction] = []
    for start in range(0, len(rows), FEW_ROWS):
        pixels = np.stack([reading.pixels for reading in rows[start : start + FEW_ROWS]])
        predictions += classifier.classify(pixels)
    answers = []
    first = 0
    for readings in pictures:
        candidates = map(Answer, predictions[first : first + len(readings)], readings)
        answers.append(min(candidates, key=lambda answer: _doubt(answer.prediction)))
        first += len(readings)
    return answers


def _doubt(prediction: Prediction) -> tuple[float, float]:
    return prediction.novelty, -prediction.confidence


# A reading from the second look is accepted only with a novelty up to this limit, and from this confidence.
SECOND_LIMIT = 0.5
SECOND_CONFIDENCE = 0.9
# A guess replaces the first digit only if its novelty is at most this share of the first one:
# without one of its strokes, an odd 7 is a fair 1.
GUESS_NOVELTY = 0.3
# An accepted picture is looked at again from this novelty. A guess contradicts it if it is another digit with
# at most this share of the novelty: almost no digit becomes another one by erasing one of its strokes.
DOUBTED_NOVELTY = 0.02
CONTRADICTION_NOVELTY = 0.003


class Picture(NamedTuple):
    """A decoded picture, (height, width) gray in [0, 255], and its readings."""

    grey: np.ndarray
    readings: Sequence[Reading]


def answer(classifier: Classifier, pictures: Sequence[Picture]) -> list[Answer]:
    """Return the answer for each picture, after a second look at refused and doubtful ones."""
    answers = choose(classifier, [picture.readings for picture in pictures])
    geometry = classifier.artifact.geometry
    seconds = {
        index: _second_readings(first.prediction, pictures[index].grey, geometry)
        for index, first in enumerate(answers)
        if not first.prediction.accepted or first.prediction.novelty > DOUBTED_NOVELTY
    }
    seconds = {index: readings for index, readings in seconds.items() if readings}
    for index, second in zip(seconds, choose(classifier, list(seconds.values())), strict=True):
        answers[index] = _reconsidered(answers[index], second)
    return answers


def _second_readings(first: Prediction, grey: np.ndarray, geometry: Geometry) -> list[Reading]:
    """Return further readings of a picture; for an accepted one only guesses, which may contradict it."""
    readings = look_again(grey, geometry)
    return [reading for reading in readings if reading.is_guess] if first.accepted else readings


def _reconsidered(first: Answer, second: Answer) -> Answer:
    """Return the answer for a picture after a second look at it."""
    found = second.prediction
    share = _convincing_share(first.prediction, second)
    if found.novelty >= share * first.prediction.novelty:
        return first
    is_sure = found.novelty <= SECOND_LIMIT and found.confidence >= SECOND_CONFIDENCE
    if is_sure and not second.reading.is_guess:
        return second
    guess = found._replace(accepted=False, novelty=first.prediction.novelty)
    return Answer(guess, second.reading)


def _convincing_share(first: Prediction, second: Answer) -> float:
    """Return the share of the first novelty below which the second answer replaces the first."""
    if first.accepted:
        return CONTRADICTION_NOVELTY if second.prediction.digit != first.digit else 0.0
    return GUESS_NOVELTY if second.reading.is_guess else 1.0


def answer_grey(classifier: Classifier, grey: np.ndarray) -> Answer:
    """Return the answer for a decoded picture, (height, width) gray in [0, 255]; raises BlankImageError."""
    return answer(classifier, [Picture(grey, read_grey(grey, classifier.artifact.geometry))])[0]


def answer_image(classifier: Classifier, data: bytes) -> Answer:
    """Return the answer for the bytes of an image file; raises ImageError."""
    return answer_grey(classifier, decode(data))
